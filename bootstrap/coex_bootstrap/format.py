"""The on-disk format of an archive: names of its members, the manifest, the index; used by builder and bootstrap.

    prelude   POSIX sh text, `prelude.sh` with its two marks filled in
    payload   independent zstd frames, addressed by their offset in the payload
    tail      a zip without comment whose offsets count from its own start (PEP 441; the file's last bytes)

The index is a table of bytes: rows end with NUL, fields are split by one space, a path is always last:

    coex-index 1                                          first row: the format version
    p PLACEHOLDER                                         a build-time prefix, numbered from 0
    z OFFSET SIZE CONTENT SHA256                          a frame: place and size in the payload, size decoded
    d MODE PATH                                           a directory, parents first
    f MODE MTIME FRAME OFFSET SIZE RELOCATION PATH        a file: where its content lies in which frame
    l PATH NUL TARGET                                     a symbolic link, created after all files

MODE is octal, MTIME is seconds[.nanoseconds] since 1970, the rest decimal. A path is relative to the
root and starts with `prefix/` or `app/`. A file larger than its frame owns whole consecutive frames.
RELOCATION is `-` or one of the forms that `relocate` documents.
"""

import hashlib
import json
from collections import namedtuple

from .errors import ArchiveDamaged, FormatUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List

FORMAT_VERSION = 1
PACKAGE = "coex_bootstrap"
MAIN = "__main__.py"
MANIFEST = "coex.json"
INDEX = "index"
LIBZSTD = "libzstd"
PRELUDE = "prelude.sh"

FRAME_SIZE = 4 << 20  # of content, by the builder; performance does not change from 1 to 16 MiB
FRAME_LIMIT = 16 << 20  # of content, for a reader: what a worker allocates
ID_LENGTH = 24  # hexadecimal digits of the digest that name a root: 96 bits, and short for shebangs

PREFIX = b"prefix"
APP = b"app"

Frame = namedtuple("Frame", "offset size content sha256")
Directory = namedtuple("Directory", "mode path")
File = namedtuple("File", "mode mtime frame offset size relocation path")
Link = namedtuple("Link", "path target")


class Index(object):
    """What an archive unpacks to: placeholders, frames, directories, files in payload order, links."""

    def __init__(self):
        # type: () -> None
        self.placeholders = []  # type: List[bytes]
        self.frames = []  # type: List[Frame]
        self.directories = []  # type: List[Directory]
        self.files = []  # type: List[File]
        self.links = []  # type: List[Link]

    def dumps(self):
        # type: () -> bytes
        rows = [b"coex-index " + _number(FORMAT_VERSION)]
        rows.extend(b"p " + placeholder for placeholder in self.placeholders)
        for frame in self.frames:
            numbers = (frame.offset, frame.size, frame.content)
            rows.append(b" ".join([b"z"] + [_number(n) for n in numbers] + [frame.sha256]))
        rows.extend(b" ".join((b"d", _octal(d.mode), d.path)) for d in self.directories)
        for f in self.files:
            place = b" ".join(_number(n) for n in (f.frame, f.offset, f.size))
            rows.append(b" ".join((b"f", _octal(f.mode), f.mtime, place, f.relocation, f.path)))
        rows.extend(b"l " + link.path + b"\0" + link.target for link in self.links)
        return b"\0".join(rows) + b"\0"


def load_index(data):
    # type: (bytes) -> Index
    """Read an index and check every row: it may come from anyone.

    Raises ArchiveDamaged where a row cannot be, and FormatUnknown for another version.
    """
    rows = data.split(b"\0")
    if not rows[0].startswith(b"coex-index ") or rows.pop() != b"":
        raise ArchiveDamaged("its index has no beginning or no end")
    if rows[0] != b"coex-index " + _number(FORMAT_VERSION):
        raise FormatUnknown(rows[0][11:].decode("ascii", "replace"))
    index = Index()
    try:
        _load_rows(index, rows[1:])
    except (ValueError, IndexError, StopIteration):
        raise ArchiveDamaged("its index has a row that cannot be read")
    _check_paths(index)
    _check_places(index)
    return index


def _load_rows(index, rows):
    # type: (Index, List[bytes]) -> None
    files, each = index.files, iter(rows)
    for row in each:
        kind = row[:2]
        if kind == b"f ":
            _, mode, mtime, frame, offset, size, relocation, path = row.split(b" ", 7)
            place = int(frame), int(offset), int(size)
            files.append(File(_mode(mode), mtime, place[0], place[1], place[2], relocation, path))
        elif kind == b"d ":
            _, mode, path = row.split(b" ", 2)
            index.directories.append(Directory(_mode(mode), path))
        elif kind == b"l ":
            index.links.append(Link(row[2:], next(each)))
        elif kind == b"z ":
            _, offset, size, content, sha256 = row.split(b" ")
            index.frames.append(Frame(int(offset), int(size), int(content), sha256))
        elif kind == b"p ":
            index.placeholders.append(row[2:])
        else:
            raise ValueError(row)


def _mode(text):
    # type: (bytes) -> int
    mode = int(text, 8)
    if mode & ~0o7777:
        raise ValueError(text)
    return mode


def _check_paths(index):
    # type: (Index) -> None
    """Refuse a path that could leave the root, that stands twice, or whose parent is no directory row."""
    paths = [d.path for d in index.directories]
    known = set(paths)
    paths += [f.path for f in index.files] + [link.path for link in index.links]
    for bad in (b"/../", b"//", b"/./"):
        if bad in b"/" + b"/\0/".join(paths) + b"/":
            raise ArchiveDamaged("its index names a path outside its root")
    for path in paths:
        parent = path.rpartition(b"/")[0]
        if parent not in known and (parent or path not in (PREFIX, APP)):
            raise ArchiveDamaged("its index names a path outside its root")
    if len(set(paths)) != len(paths):
        raise ArchiveDamaged("its index names a path twice")
    if not all(link.target for link in index.links):
        raise ArchiveDamaged("its index has a link without a target")


def _check_places(index):
    # type: (Index) -> None
    """Refuse a file whose content is not where the frames are, and a frame larger than a reader allocates."""
    frames = index.frames
    for frame in frames:
        if frame.offset < 0 or frame.size < 0 or not 0 <= frame.content <= FRAME_LIMIT:
            raise ArchiveDamaged("its index has a frame that cannot be")
    sizes = [frame.content for frame in frames]
    for f in index.files:
        if not f.size:
            continue
        if not 0 <= f.frame < len(sizes) or f.offset < 0 or f.size < 0:
            raise ArchiveDamaged("its index has a file that cannot be")
        if f.offset + f.size > sizes[f.frame] and (f.offset or sum_to(sizes, f.frame, f.size) != f.size):
            raise ArchiveDamaged("its index has a file that is not in its frames")


def sum_to(sizes, first, wanted):
    # type: (List[int], int, int) -> int
    """Return the size of the consecutive frames from `first` on that reach `wanted` bytes, or of all there are."""
    total = 0
    for size in sizes[first:]:
        if total >= wanted:
            break
        total += size
    return total


class Manifest(object):
    """`coex.json`: what an archive is, in words that a person can read.

    Fields: format (int), digest (64 hex digits), name, platform (conda subdir), date (seconds since
    1970), builder, entry_points [{name, command [[kind, text]]} with kind prefix|app|text], packages in
    link order, requires {virtual package: [version and build constraint]}, prefix_limit (bytes, or null),
    libzstd {name, package} or null, post_link [{name, version, build_number}], compile {python, sources}
    or null, prelude and payload (bytes), unpacked {files, bytes}, reported [text].
    """

    def __init__(self, fields):
        # type: (Dict[str, Any]) -> None
        self.fields = fields

    def __getattr__(self, name):
        # type: (str) -> Any
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name)

    @property
    def root_name(self):
        # type: () -> bytes
        """The name of this archive's root in a store."""
        return str(self.fields["digest"])[:ID_LENGTH].encode("ascii")

    def dumps(self):
        # type: () -> bytes
        return json.dumps(self.fields, indent=1, sort_keys=True, separators=(",", ": ")).encode("ascii") + b"\n"


# Fields that a reader needs, and what JSON makes of them; 2.7 has two kinds of text and of whole numbers.
TEXT, WHOLE, NOTHING = type(u""), (int, type(1 << 64)), type(None)
NEEDED = {
    "digest": TEXT, "name": TEXT, "platform": TEXT, "date": WHOLE, "entry_points": list, "packages": list,
    "requires": dict, "prefix_limit": WHOLE + (NOTHING,), "libzstd": object, "post_link": list,
    "compile": (dict, NOTHING), "prelude": WHOLE, "payload": WHOLE, "unpacked": dict,
}  # type: Dict[str, Any]


def load_manifest(data):
    # type: (bytes) -> Manifest
    """Read a manifest; raises ArchiveDamaged or FormatUnknown."""
    try:
        fields = json.loads(data.decode("utf-8"))
    except (ValueError, RuntimeError):  # no JSON, or too deep
        raise ArchiveDamaged("its manifest cannot be read")
    if not isinstance(fields, dict) or "format" not in fields:
        raise ArchiveDamaged("its manifest has no format")
    if fields["format"] != FORMAT_VERSION:
        raise FormatUnknown(fields["format"])
    for name in sorted(NEEDED):
        if name not in fields or not isinstance(fields[name], NEEDED[name]):
            raise ArchiveDamaged("its manifest has no %s" % name)
    return Manifest(fields)


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


def fill_prelude(text, root_name, platform):
    # type: (bytes, bytes, str) -> bytes
    """Return the prelude of one archive: its root's name and the place of the caches of its platform."""
    caches = b"Library/Caches" if platform.startswith("osx-") else b".cache"
    return text.replace(b"@ROOT@", root_name).replace(b"@CACHES@", caches)


def parents(paths):
    # type: (Iterable[bytes]) -> List[bytes]
    """Return every directory that `paths` need, parents first."""
    found = set()
    for path in paths:
        parent = path.rpartition(b"/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition(b"/")[0]
    return sorted(found)


def _number(value):
    # type: (int) -> bytes
    return str(value).encode("ascii")


def _octal(value):
    # type: (int) -> bytes
    return ("%o" % value).encode("ascii")
