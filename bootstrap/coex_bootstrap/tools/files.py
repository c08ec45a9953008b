"""List the files of an archive: mode, size, package, path."""

from contextlib import closing
from itertools import chain

from ..base.compat import path_bytes, text, visible
from ..base.errors import CoexError, DecoderMissing
from ..format.archive import Archive
from ..format.index import File, Link
from ..unpack.decoder import load_decoder
from ..unpack.expected_contents import ExpectedContents
from .output import Outcome, counted, did_you_mean, human, quoted, table
from .owners import APP, ENVIRONMENT, Owners, dist_of
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Callable, Dict, Iterator, List, Optional, Set, TypedDict, Union

    from ..format.index import Directory

    Owner = Callable[[bytes], str]
    # A file has a size, a link a target; `package` is "" for directories, and None if it is not known.
    Row = TypedDict("Row", {
        "path": str, "kind": str, "mode": str, "size": int, "target": str, "package": Optional[str],
    }, total=False)

ABOUT = """\
Every file, link and directory as it is when unpacked, sorted by path: `prefix/` is the environment, `app/` the
application. Each file has its package; files of no package belong to `app` or `environment`. Sizes are those before
relocation, which may change the size of a text.

If this host cannot decode zstd, the packages are left out.

examples:
  CALL
  CALL --package numpy
  CALL --package 'lib*'
  CALL --json
"""


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `files` to a parser."""
    parser.add_argument("--package", metavar="GLOB", help="only files of packages whose name, or name-version-build, matches")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the listing of the archive at `path`."""
    with closing(Archive(path)) as archive:
        try:
            owner = Owners(ExpectedContents(archive, b"", load_decoder(archive))).of_path  # type: Optional[Owner]
        except DecoderMissing:
            if options.package:
                raise
            owner = None
        index = archive.index
        entries = chain(index.directories, index.files, index.links)  # type: chain[Union[Directory, File, Link]]
        rows = [_row(entry, owner) for entry in sorted(entries, key=lambda entry: entry.path)]
    if options.package:
        matching = _matching(archive, set(row["package"] or "" for row in rows), text(path_bytes(options.package)))
        rows = [row for row in rows if (row["package"] or "") in matching]
    total = sum(row.get("size", 0) for row in rows)
    return Outcome({"archive": text(path), "files": rows, "size": total}, list(_lines(rows, total)), 0)


def _row(each, owner):
    # type: (Union[Directory, File, Link], Optional[Owner]) -> Row
    package = None if owner is None else owner(each.path) if isinstance(each, (File, Link)) else ""
    if isinstance(each, Link):
        return {"path": text(each.path), "kind": "link", "mode": "0777", "target": text(each.target), "package": package}
    row = {"path": text(each.path), "kind": "directory", "mode": "%04o" % each.mode}  # type: Row
    if isinstance(each, File):
        row["kind"], row["size"] = "file", each.size
    row["package"] = package
    return row


def _matching(archive, owners, pattern):
    # type: (Archive, Set[str], str) -> Set[str]
    """Return the owners whose name, or name-version-build, matches a pattern of a shell; raises CoexError for none."""
    from fnmatch import fnmatchcase

    packages = archive.manifest.packages
    known = owners.union([APP, ENVIRONMENT], map(dist_of, packages))  # also those without files
    matching = set(name for name in known if fnmatchcase(name, pattern) or fnmatchcase(name.rsplit("-", 2)[0], pattern))
    if not matching:
        guess = did_you_mean(pattern, [APP, ENVIRONMENT] + [package["name"] for package in packages])
        raise CoexError("it has no package %s%s" % (quoted(visible(pattern)), guess), archive.path)
    return matching


def _lines(rows, total):
    # type: (List[Row], int) -> Iterator[str]
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
