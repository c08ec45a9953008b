"""The on-disk format of an archive: names of its members, the manifest, the index; used by builder and bootstrap.

    prelude   POSIX sh text, `prelude.sh` with its two marks filled in
    payload   independent zstd frames, addressed by their offset in the payload
    seal      32 bytes: the sha256 of prelude and tail as they are in the file, which `verify` compares
    tail      a zip without comment whose offsets count from its own start (PEP 441; the file's last bytes)

The members of the tail are named here; `index` documents the one that lists the files.
"""

import hashlib
import json

from ..base.compat import utf8
from ..base.errors import ArchiveDamaged, FormatUnknown
from ..base.untrusted import parse_json
from .manifest_check import check_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

FORMAT_VERSION = 1
PACKAGE = "coex_bootstrap"
MAIN = "__main__.py"
MANIFEST = "coex.json"
INDEX = "index"
LIBZSTD = "libzstd"
SBOM = "sbom.json"
PRELUDE = "prelude.sh"

FRAME_SIZE = 4 << 20  # of content, by the builder; performance does not change from 1 to 16 MiB
FRAME_LIMIT = 16 << 20  # of content, for a reader: what a worker allocates
SEAL_SIZE = 32  # bytes
ID_LENGTH = 24  # hexadecimal digits of the digest that name a root: 96 bits, and short for shebangs

PREFIX = b"prefix"
APP = b"app"


class Manifest(object):
    """`coex.json`: what an archive is, in words that a person can read.

    Fields: format (int), digest (64 hex digits), name, platform (conda subdir), date (seconds since
    1970), builder, entry_points [{name, named (bool: not after its program), command [[kind, text]], imports
    [directories of the root, which come first in PYTHONPATH]} with kind prefix|app (a file), text, expanded (text with
    ${COEX_APP}, ${COEX_PREFIX}, ${PWD}), function, module ([directory in the app:]module, as `python -m`), host (a
    shell)], the first being the default, env [{name, value, default}], packages in
    link order, requires {virtual package: [version and build constraint]}, prefix_limit (bytes, or null),
    libzstd (what it came from), post_link [{name, version, build_number}], compile {python, sources}
    or null, prelude and payload (bytes), unpacked {files, bytes (on a disk), content (bytes in files)}; pip [{name,
    version, requested, url or file, sha256}] where pip installed something; portable
    {name: size} of the activate.d scripts that mean the same to every shell; keep_env [name] of the caller's variables
    that are not removed.
    """

    if TYPE_CHECKING:  # what loading has checked, and __getattr__ finds
        digest = name = platform = builder = libzstd = ""  # type: str
        date = prelude = payload = 0  # type: int
        prefix_limit = None  # type: Optional[int]
        entry_points = env = packages = post_link = []  # type: List[Dict[str, Any]]
        requires = {}  # type: Dict[str, List[str]]
        unpacked = {}  # type: Dict[str, int]
        compile = None  # type: Optional[Dict[str, Any]]
    else:
        def __getattr__(self, name):
            try:
                return self.__dict__["fields"][name]
            except KeyError:
                raise AttributeError(name)

    def __init__(self, fields):
        # type: (Dict[str, Any]) -> None
        self.fields = fields

    def replace(self, **fields):
        # type: (Any) -> Manifest
        """Return a manifest with other values of some fields."""
        return Manifest(dict(self.fields, **fields))

    @property
    def root_name(self):
        # type: () -> bytes
        """The name of this archive's root in a store."""
        return str(self.fields["digest"])[:ID_LENGTH].encode("ascii")

    @property
    def portable(self):
        # type: () -> Dict[str, int]
        return self.fields.get("portable") or {}

    @property
    def pip(self):
        # type: () -> List[Dict[str, Any]]
        return self.fields.get("pip") or []

    @property
    def kept_variables(self):
        # type: () -> List[str]
        return self.fields.get("keep_env") or []

    def dumps(self):
        # type: () -> bytes
        return json.dumps(self.fields, indent=1, sort_keys=True, separators=(",", ": ")).encode("ascii") + b"\n"


# Fields that a reader needs, and what JSON makes of them; 2.7 has two kinds of text and of whole numbers.
TEXT, WHOLE, NOTHING = type(u""), (int, type(1 << 64)), type(None)
NEEDED = {
    "digest": TEXT, "name": TEXT, "platform": TEXT, "date": WHOLE, "entry_points": list, "env": list, "packages": list,
    "requires": dict, "prefix_limit": WHOLE + (NOTHING,), "libzstd": object, "post_link": list,
    "compile": (dict, NOTHING), "prelude": WHOLE, "payload": WHOLE, "unpacked": dict,
}  # type: Dict[str, Any]


def load_manifest(data):
    # type: (bytes) -> Manifest
    """Read a manifest; raises ArchiveDamaged or FormatUnknown."""
    try:
        fields = parse_json(data)
    except ValueError:
        raise ArchiveDamaged("its manifest cannot be read")
    if not isinstance(fields, dict) or not isinstance(fields.get("format", {}), WHOLE + (TEXT, NOTHING)):
        raise ArchiveDamaged("its manifest has no format")
    if fields["format"] != FORMAT_VERSION:
        raise FormatUnknown("%s" % fields["format"])
    for name in sorted(NEEDED):
        if name not in fields or not isinstance(fields[name], NEEDED[name]):
            raise ArchiveDamaged("its manifest has no %s" % name)
    check_manifest(fields)
    return Manifest(fields)


def entry_files(manifest):
    # type: (Manifest) -> List[bytes]
    """Return the files of the root that the entry points name, relative to it, each once."""
    found = []  # type: List[bytes]
    for entry in manifest.entry_points:
        for kind, text in entry["command"]:
            path = utf8(kind) + b"/" + utf8(text)
            if kind in ("prefix", "app") and path not in found:
                found.append(path)
    return found


def digest(manifest, members):
    # type: (Manifest, Dict[str, bytes]) -> str
    """Return the sha256 that names an archive's content, in hexadecimal.

    It covers the manifest without the digest itself, and every other member of the tail: the index with
    the sha256 of every frame, the bootstrap with the prelude's text, libzstd.
    """
    fields = dict((name, value) for name, value in manifest.fields.items() if name != "digest")
    content = dict(members)
    content[MANIFEST] = Manifest(fields).dumps()
    total = hashlib.sha256()
    for name in sorted(content):
        line = "%s %d %s\n" % (name, len(content[name]), hashlib.sha256(content[name]).hexdigest())
        total.update(line.encode("utf-8"))
    return total.hexdigest()


def seal(prelude, tail):
    # type: (bytes, bytes) -> bytes
    """Return what vouches for the bytes that the digest leaves open, as which of many deflate streams says the same."""
    return hashlib.sha256(prelude + tail).digest()


def fill_prelude(text, root_name, platform):
    # type: (bytes, bytes, str) -> bytes
    """Return the prelude of one archive: its root's name and the place of the caches of its platform."""
    caches = b"Library/Caches" if platform.startswith("osx-") else b".cache"
    return text.replace(b"@ROOT@", root_name).replace(b"@CACHES@", caches)
