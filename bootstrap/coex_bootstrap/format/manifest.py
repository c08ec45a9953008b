"""The format of an archive, for builder and bootstrap: its parts, the names of its members, and the manifest.

    prelude   POSIX sh text: `prelude.sh` with its marks replaced
    payload   independent zstd frames, addressed by their offset in the payload
    seal      32 bytes: the sha256 of prelude and tail as they are in the file; `verify` compares it
    tail      a zip without comment, at the end of the file; offsets count from its own start (PEP 441)

`index` documents the member that lists the files.
"""

from ..base.compat import sha256, utf8
from ..base.errors import ArchiveDamaged, FormatUnknown
from ..base.untrusted import parse_json
from .manifest_check import check_manifest
from .values import TEXT, WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple, TypedDict, Union

FORMAT_VERSION = 1
PACKAGE = "coex_bootstrap"
MAIN = "__main__.py"
MANIFEST = "coex.json"
INDEX = "index"
LIBZSTD = "libzstd"
SBOM = "sbom.json"
PYTHON = "carried-python"
BYTECODE = "coex_bytecode"  # directory of members; `__main__` knows their names
PRELUDE = "prelude.sh"

FRAME_SIZE = 4 << 20  # bytes of content in a frame that a builder makes; from 1 to 16 MiB, speed does not change
FRAME_LIMIT = 16 << 20  # bytes of content in a frame that a reader accepts: a worker allocates as much
SEAL_SIZE = 32  # bytes
LOCAL_HEADER = 30  # bytes in front of the name of a zip's member (APPNOTE 4.3.7)
ID_LENGTH = 24  # hexadecimal digits of the digest that name a root: 96 bits, and short for shebangs

NO_PYTHON = b" " * 52  # room for ID, offset and size of a carried Python: the size of the prelude does not depend on them

PREFIX = b"prefix"
APP = b"app"

if TYPE_CHECKING:  # rows of the manifest
    # `named`: not after its program. `command` is [[kind, text]]: prefix|app (a file), text, expanded (text with
    # ${COEX_APP}, ${COEX_PREFIX}, ${PWD}), function, module ([directory in the app:]module, as `python -m`), host (a
    # shell). `imports` are directories of the root, which come first in PYTHONPATH.
    EntryPoint = TypedDict(
        "EntryPoint", {"name": str, "named": bool, "command": List[List[str]], "imports": List[str]}, total=False
    )
    Variable = TypedDict("Variable", {"name": str, "value": str, "default": bool})
    PostLink = TypedDict("PostLink", {"name": str, "version": str, "build_number": int})
    Sources = TypedDict("Sources", {"python": str, "sources": List[str]})
    # Sizes are in bytes. Beside these, a package has its build_number and size as in its record.
    Package = TypedDict("Package", {
        "name": str, "version": str, "build": str, "channel": Optional[str], "subdir": Optional[str],
        "url": Optional[str], "md5": Optional[str], "sha256": Optional[str], "license": Optional[str],
        "compressed": int, "unpacked": int, "files": int,
    }, total=False)
    # `size` is that of all files, unpacked; `packages` are those that they come from, as conda's records name them.
    PythonFields = TypedDict(
        "PythonFields", {"id": str, "version": str, "size": int, "packages": List[Package]}, total=False
    )
    PipPackage = TypedDict("PipPackage", {
        "name": str, "version": str, "requested": object, "url": Optional[str], "file": Optional[str],
        "sha256": Optional[str], "commit": Optional[str], "vcs": Optional[str], "subdirectory": Optional[str],
    }, total=False)


def _field(name):  # type: ignore[explicit-any] # the type is written where it is used
    # type: (str) -> Any
    """Return a property: a field that `load_manifest` has checked."""
    return property(lambda manifest: manifest.fields[name])


def _optional(name, empty):  # type: ignore[explicit-any] # as above
    # type: (str, Callable[[], object]) -> Any
    """Return a property: a field that may be missing, or null, and is `empty()` then."""
    return property(lambda manifest: manifest.fields.get(name) or empty())


class Manifest(object):
    """`coex.json`: the description of an archive, in words that a person can read.

    `fields` is the document. Beside those of the properties it has: format (int), builder, libzstd (where it came from)
    and specs.
    """

    digest = _field("digest")  # type: str # sha256 of the content, in hexadecimal: see the function of this name
    name = _field("name")  # type: str
    platform = _field("platform")  # type: str # the subdir of conda that the archive is for
    date = _field("date")  # type: int # of the content, in seconds since 1970
    entry_points = _field("entry_points")  # type: List[EntryPoint] # the first is the default
    env = _field("env")  # type: List[Variable] # the archive's own
    packages = _field("packages")  # type: List[Package] # in link order
    requires = _field("requires")  # type: Dict[str, List[str]] # {virtual package: [version and build constraint]}
    prefix_limit = _field("prefix_limit")  # type: Optional[int] # bytes of the longest prefix; None: any
    post_link = _field("post_link")  # type: List[PostLink] # packages whose scripts a host runs
    compile = _field("compile")  # type: Optional[Sources] # for the environment's own Python, on a host
    prelude = _field("prelude")  # type: int # bytes
    payload = _field("payload")  # type: int # bytes
    # {files, bytes (on a disk), content (bytes in files; old archives do not have it)}
    unpacked = _field("unpacked")  # type: Dict[str, int]
    level = _optional("level", int)  # type: int # of compression; 0 if it is not known
    python = _optional("python", lambda: None)  # type: Optional[PythonFields] # for hosts that have none
    portable = _optional("portable", dict)  # type: Dict[str, int] # scripts that mean the same to every shell: bytes by name
    pip = _optional("pip", list)  # type: List[PipPackage] # that pip installed
    kept_variables = _optional("keep_env", list)  # type: List[str] # names of the caller's that a start does not remove

    def __init__(self, fields):
        # type: (Dict[str, object]) -> None
        self.fields = fields

    def replace(self, **fields):
        # type: (object) -> Manifest
        """Return a manifest with other values of some fields."""
        return Manifest(dict(self.fields, **fields))

    @property
    def root_name(self):
        # type: () -> bytes
        """The name of this archive's root in a store."""
        return str(self.fields["digest"])[:ID_LENGTH].encode("ascii")

    def dumps(self):
        # type: () -> bytes
        """Return the member `coex.json`."""
        import json

        return json.dumps(self.fields, indent=1, sort_keys=True, separators=(",", ": ")).encode("ascii") + b"\n"


# Fields that a reader needs, and their types in JSON; 2.7 has two types of text and of whole numbers.
NOTHING = type(None)
NEEDED = {
    "digest": TEXT, "name": TEXT, "platform": TEXT, "date": WHOLE, "entry_points": list, "env": list, "packages": list,
    "requires": dict, "prefix_limit": WHOLE + (NOTHING,), "libzstd": object, "post_link": list,
    "compile": (dict, NOTHING), "prelude": WHOLE, "payload": WHOLE, "unpacked": dict,
}  # type: Dict[str, Union[type, Tuple[type, ...]]]


def load_manifest(data):
    # type: (bytes) -> Manifest
    """Read a manifest and check all of it: anyone may have written it. Raises ArchiveDamaged and FormatUnknown."""
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
    paths = []  # type: List[bytes]
    for entry in manifest.entry_points:
        for kind, text in entry["command"]:
            path = utf8(kind) + b"/" + utf8(text)
            if kind in ("prefix", "app") and path not in paths:
                paths.append(path)
    return paths


def digest(manifest, members):
    # type: (Manifest, Dict[str, bytes]) -> str
    """Return the sha256 that names an archive's content, in hexadecimal.

    It covers the manifest without the digest itself, and every other member of the tail: the index with
    the sha256 of every frame, the bootstrap with the prelude's text, libzstd.
    """
    fields = dict((name, value) for name, value in manifest.fields.items() if name != "digest")
    return digest_of(dict(members, **{MANIFEST: Manifest(fields).dumps()}))


def found_digest(manifest, members):
    # type: (Manifest, Dict[str, bytes]) -> str
    """Return that digest of the members of a tail, whose manifest is as `dumps` has written it: with a line for each field."""
    line = utf8(u'\n "digest": "%s",' % manifest.digest)
    return digest_of(dict(members, **{MANIFEST: members[MANIFEST].replace(line, b"", 1)}))


def digest_of(content):
    # type: (Dict[str, bytes]) -> str
    """Return the sha256 of members of a tail, which `digest` describes."""
    total = sha256()
    for name in sorted(content):
        line = "%s %d %s\n" % (name, len(content[name]), sha256(content[name]).hexdigest())
        total.update(line.encode("utf-8"))
    return total.hexdigest()


def seal(prelude, tail):
    # type: (bytes, bytes) -> bytes
    """Return the checksum of prelude and tail, byte for byte: deflate streams may differ and have the same digest."""
    return sha256(prelude + tail).digest()


def python_id(data):
    # type: (bytes) -> str
    """Return the name of a carried Python: hexadecimal digits of the sha256 of its member."""
    return sha256(data).hexdigest()[:ID_LENGTH]


def python_offset(manifest, members):
    # type: (Manifest, Dict[str, bytes]) -> int
    """Return the place of the carried Python in the file: the member that comes second, stored, without an extra field."""
    headers = LOCAL_HEADER + len(MAIN) + len(members[MAIN]) + LOCAL_HEADER + len(PYTHON)
    return manifest.prelude + manifest.payload + SEAL_SIZE + headers


def python_mark(manifest, members):
    # type: (Manifest, Dict[str, bytes]) -> bytes
    """Return the place of the carried Python for the prelude: ID OFFSET SIZE, or only blanks if there is none."""
    if PYTHON not in members:
        return NO_PYTHON
    words = "%s %d %d" % (python_id(members[PYTHON]), python_offset(manifest, members), len(members[PYTHON]))
    return words.encode("ascii").ljust(len(NO_PYTHON))


def fill_prelude(text, root_name, platform, python=NO_PYTHON):
    # type: (bytes, bytes, str, bytes) -> bytes
    """Return the prelude of an archive: `text` with its root, the directory of caches of its platform, and its Python."""
    caches = b"Library/Caches" if platform.startswith("osx-") else b".cache"
    return text.replace(b"@ROOT@", root_name).replace(b"@CACHES@", caches).replace(b"@PYTHON@", python)
