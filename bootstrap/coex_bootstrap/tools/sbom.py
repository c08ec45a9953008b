"""Print the software bill of materials that an archive carries."""

import re
from contextlib import closing

from ..base.compat import text
from ..base.errors import CoexError
from ..base.untrusted import parse_json
from ..format.archive import Archive
from ..format.manifest import SBOM
from .output import Outcome
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict

ABOUT = """\
A CycloneDX 1.6 document, made when the archive was: every package of conda and pip by package URL, with version,
license, hashes and source. It is covered by the archive's digest. With --json it is the field `sbom` of the document.

examples:
  CALL > sbom.cdx.json
"""


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add no options: the verb has none of its own."""


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the document that the archive at `path` carries; raises CoexError if it has none."""
    with closing(Archive(path)) as archive:
        data = archive.members.get(SBOM)
    if data is None:
        raise CoexError("it carries no bill of materials", path, "build it again with a newer conda-coex")
    try:
        return Outcome({"archive": text(path), "sbom": parse_json(data)}, in_ascii(data.decode("utf-8")).split("\n"), 0)
    except ValueError as error:
        raise CoexError("its bill of materials cannot be read: %s" % error, path)


def in_ascii(document):
    # type: (str) -> str
    """Return the same JSON document in ASCII, with the same line breaks and blanks: it is safe on every terminal."""
    return re.sub(u"[^\n -~]", _escape, document.rstrip())


def _escape(mark):
    # type: (re.Match[str]) -> str
    number = ord(mark.group())
    if number < 0x20:  # strings of JSON do not contain it
        return " "
    if number < 0x10000:
        return "\\u%04x" % number
    number -= 0x10000
    return "\\u%04x\\u%04x" % (0xD800 + (number >> 10), 0xDC00 + (number & 0x3FF))


VERB = Verb("sbom", "Print the software bill of materials, in CycloneDX.", ABOUT, configure, execute)
