"""Print the software bill of materials that an archive carries."""

import json
from contextlib import closing

from .archive import Archive
from .compat import text
from .errors import CoexError
from .format import SBOM
from .report import Outcome
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

ABOUT = """\
A CycloneDX 1.6 document, made when the archive was: every conda package, and what pip installed, by package URL, with
version, license, hashes and where it came from. It is covered by the archive's digest. With --json it is the field
`sbom` of the document.

examples:
  CALL > sbom.cdx.json
"""


def configure(parser):
    # type: (Any) -> None
    """It has no options of its own."""


def execute(path, options, environ):
    # type: (bytes, Any, Dict[bytes, bytes]) -> Outcome
    """Return the document that the archive at `path` carries; raises CoexError where it has none."""
    with closing(Archive(path)) as archive:
        data = archive.members.get(SBOM)
    if data is None:
        raise CoexError("it carries no bill of materials", path, "build it again with a newer conda-coex")
    try:
        document = data.decode("utf-8")
        return Outcome({"archive": text(path), "sbom": json.loads(document)}, document.splitlines(), 0)
    except (ValueError, RuntimeError):  # no JSON, or too deep
        raise CoexError("its bill of materials cannot be read", path)


VERB = Verb("sbom", "Print the software bill of materials, in CycloneDX.", ABOUT, configure, execute)
