"""Find the package of each file and each frame of an archive, from the records in it."""

from ..base.compat import utf8
from ..base.untrusted import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Tuple

    from ..format.manifest import Package
    from ..unpack.expected_contents import ExpectedContents

META = b"prefix/conda-meta/"
APP, ENVIRONMENT = "app", "environment"  # owners of files that are not of a package


class Owners(object):
    """The packages of an archive by path; the package that wrote a path last owns it, as in conda."""

    def __init__(self, expected):
        # type: (ExpectedContents) -> None
        """Read the records; raises ArchiveDamaged if their frames are damaged."""
        self.files = expected.files
        self.index = expected.archive.index
        order = dict((dist_of(p), number) for number, p in enumerate(expected.archive.manifest.packages))
        records = sorted(_records(expected), key=lambda record: order.get(record[0], len(order)))
        self.by_path = {}  # type: Dict[bytes, str]
        for dist, paths in records:
            for path in paths:
                self.by_path[b"prefix/" + path] = dist
            self.by_path[META + utf8(dist) + b".json"] = dist

    def of_path(self, path):
        # type: (bytes) -> str
        """Return the dist that owns a path of the root, or APP or ENVIRONMENT."""
        return self.by_path.get(path) or (APP if path.startswith(b"app/") else ENVIRONMENT)

    def of_frame(self, number):
        # type: (int) -> str
        """Return the owners of the files in a frame, joined by commas; empty if it has no files."""
        first, last = self.files.rows_of(number)
        rows = range(first, last) or [row for row in self.files.large if number in self.index.frames_of(row)]
        owners = sorted(set(self.of_path(self.files.path(row)) for row in rows))
        return ", ".join(owners)


def dist_of(package):
    # type: (Package) -> str
    """Return the name of a package's record, without its suffix."""
    return "%s-%s-%s" % (package["name"], package["version"], package["build"])


def _records(expected):
    # type: (ExpectedContents) -> Iterator[Tuple[str, List[bytes]]]
    """Yield dist and files of each record of the archive that can be read."""
    files = expected.files
    rows = set(
        row for row in range(len(files))
        if files.paths[files.directories[row]] + b"/" == META and files.names[row].endswith(b".json")
    )
    for row in sorted(rows & expected.large):
        for record in _record(files.names[row], b"".join(expected.pieces(row))):
            yield record
    for row, content in expected.contents(rows - expected.large):
        for record in _record(files.names[row], content):
            yield record


def _record(name, content):
    # type: (bytes, bytes) -> Iterator[Tuple[str, List[bytes]]]
    """Yield dist and files of a record; nothing if it cannot be read."""
    try:
        dist, paths = name[: -len(b".json")].decode("utf-8"), _paths_of(parse_json(content))
    except ValueError:  # also half of a surrogate pair
        return
    yield dist, paths


def _paths_of(record):
    # type: (object) -> List[bytes]
    """Return the paths in the prefix of a record of conda-meta; raises ValueError."""
    paths = record.get("files") if isinstance(record, dict) else None
    if not isinstance(paths, list):
        raise ValueError("a record without files")
    return [utf8(path) for path in paths if isinstance(path, type(u""))]
