"""List the files of an archive: mode, size, package, path."""

from contextlib import closing

from ..base.compat import path_bytes, text, visible
from ..base.errors import DecoderMissing
from ..format.archive import Archive
from ..unpack.decoder import load_decoder
from ..unpack.expected import Expected
from .output import Outcome, counted, human, table
from .owners import Owners
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any, Callable, Dict, Iterator, List, Optional

ABOUT = """\
Every file, link and directory as it is when unpacked, sorted by path: `prefix/` is the environment, `app/` the
application. Each file has its package; files of no package belong to `app` or `environment`. Sizes are those before
relocation, which may change the size of a text.

If this host cannot decode zstd, the packages are left out.

examples:
  CALL
  CALL --package 'numpy-*'
  CALL --json
"""


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `files` to a parser."""
    parser.add_argument("--package", metavar="GLOB", help="only files of packages whose name-version-build matches")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the listing of the archive at `path`."""
    with closing(Archive(path)) as archive:
        try:
            owner = Owners(Expected(archive, b"", load_decoder(archive))).of_path  # type: Optional[Callable[[bytes], str]]
        except DecoderMissing:
            if options.package:
                raise
            owner = None
        rows = [_named(row, owner) for row in sorted(_rows(archive), key=lambda row: row["path"])]
    if options.package:
        from fnmatch import fnmatchcase

        wanted = text(path_bytes(options.package))
        rows = [row for row in rows if fnmatchcase(row["package"], wanted)]
    total = sum(row.get("size", 0) for row in rows)
    fields = {"archive": text(path), "files": [dict(row, path=text(row["path"])) for row in rows], "size": total}
    return Outcome(fields, list(_lines(rows, total)), 0)


def _rows(archive):
    # type: (Archive) -> Iterator[Dict[str, Any]]
    index = archive.index
    for directory in index.directories:
        yield {"path": directory.path, "kind": "directory", "mode": directory.mode}
    for row in index.files:
        yield {"path": row.path, "kind": "file", "mode": row.mode, "size": row.size}
    for link in index.links:
        yield {"path": link.path, "kind": "link", "mode": 0o777, "target": text(link.target)}


def _named(row, owner):
    # type: (Dict[str, Any], Optional[Callable[[bytes], str]]) -> Dict[str, Any]
    package = None if owner is None else "" if row["kind"] == "directory" else owner(row["path"])
    return dict(row, package=package, mode="%04o" % row["mode"])


def _lines(rows, total):
    # type: (List[Dict[str, Any]], int) -> Iterator[str]
    cells = []
    for row in rows:
        name = visible(row["path"]) + ("/" if row["kind"] == "directory" else "")
        if "target" in row:
            name += " -> " + visible(row["target"])
        size = str(row["size"]) if "size" in row else ""
        cells.append((row["mode"], size, row["package"] or "", name))
    for line in table(("mode", "size", "package", "path"), cells):
        yield line
    kinds = [row["kind"] for row in rows]
    yield "%s, %s, %s, %s" % (
        counted(kinds.count("file"), "file"), counted(kinds.count("link"), "link"),
        "%d directories" % kinds.count("directory"), human(total),
    )


VERB = Verb("files", "List the files of an archive.", ABOUT, configure, execute)
