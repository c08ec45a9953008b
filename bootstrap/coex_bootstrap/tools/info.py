"""Describe an archive: its contents, and its needs of a host."""

import os
import re
import time
from contextlib import closing

from ..base.compat import text, visible
from ..format.archive import Archive
from ..format.manifest import BYTECODE, LIBZSTD, PYTHON
from .output import Outcome, counted, human, quoted, table
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, Iterable, Iterator, List, Optional, Tuple, TypedDict

    from ..format.manifest import EntryPoint, Package, PipPackage, PostLink, Sources, Variable

    # A file has a size, a link a target; the builder adds the sha256 to compare files.
    AppFile = TypedDict(
        "AppFile", {"path": str, "size": int, "executable": bool, "target": str, "sha256": str}, total=False
    )
    Library = TypedDict("Library", {"from": object, "size": int})
    Carried = TypedDict("Carried", {"id": str, "version": str, "size": int, "packed": int})
    # The fields of the manifest but `prelude` and `payload`, and those that `describe` adds; older manifests have not all.
    Described = TypedDict("Described", {
        "digest": str, "name": str, "platform": str, "date": int, "format": int, "builder": Optional[str],
        "entry_points": List[EntryPoint], "env": List[Variable], "keep_env": Optional[List[str]],
        "packages": List[Package], "pip": Optional[List[PipPackage]], "requires": Dict[str, List[str]],
        "prefix_limit": Optional[int], "post_link": List[PostLink], "compile": Optional[Sources],
        "unpacked": Dict[str, int], "size": int, "app": List[AppFile], "libzstd": Library, "setuid": List[str],
        "python": Optional[Carried], "bytecode": List[str],
    }, total=False)

ABOUT = """\
Platform, entry points, size, needs of the host, digest, every package with its sizes, and the files of the
application. The JSON document has the whole manifest.

examples:
  CALL
  CALL --json
"""


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the description of the archive at `path`; raises ArchiveDamaged, ArchiveUnreadable and FormatUnknown."""
    with closing(Archive(path)) as archive:
        fields = describe(archive)
    return Outcome(dict(fields, archive=text(path)), list(render(visible(path), fields)), 0)


def describe(archive):
    # type: (Archive) -> Described
    """Return the fields of the manifest, and size, app, libzstd, python, bytecode, setuid and unpacked from the file."""
    manifest = archive.manifest
    fields = dict(manifest.fields)
    for name in ("prelude", "payload"):
        del fields[name]
    library = archive.members.get(LIBZSTD, b"")
    fields.update(
        size=os.stat(archive.path).st_size,
        app=list(_app_files(archive)),
        libzstd={"from": fields["libzstd"], "size": len(library)},
        bytecode=_bytecode(archive.members),
        setuid=list(_setuid_files(archive)),
        unpacked=dict(manifest.unpacked, content=sum(archive.index.files.sizes)),  # older manifests do not have it
    )
    if manifest.python is not None:
        fields["python"] = dict(manifest.python, packed=len(archive.members[PYTHON]))
    return fields  # type: ignore[return-value] # those of the manifest are checked


def _bytecode(members):
    # type: (Iterable[str]) -> List[str]
    """Return the Pythons whose bytecode an archive has, in the order of their versions."""
    return sorted((name[len(BYTECODE) + 1 :] for name in members if name.startswith(BYTECODE + "/")), key=_version_of)


def _version_of(name):
    # type: (str) -> Tuple[str, int, int, str]
    """Return a key for a name such as cpython-310-3439: the first digit is the whole major version."""
    match = re.match(r"(\D*)(\d)(\d*)", name)
    return (match.group(1), int(match.group(2)), int(match.group(3) or 0), name) if match else (name, 0, 0, name)


def _app_files(archive):
    # type: (Archive) -> Iterator[AppFile]
    for row in archive.index.files:
        if row.path.startswith(b"app/"):
            yield {"path": text(row.path[4:]), "size": row.size, "executable": bool(row.mode & 0o111)}
    for link in archive.index.links:
        if link.path.startswith(b"app/"):
            yield {"path": text(link.path[4:]), "target": text(link.target)}


def _setuid_files(archive):
    # type: (Archive) -> Iterator[str]
    """Yield the files that run as their owner or group (setuid and setgid)."""
    files = archive.index.files
    for row, mode in enumerate(files.modes):
        if mode & 0o6000:
            yield text(files.path(row))


def command_line(entry):
    # type: (EntryPoint) -> str
    """Return an entry point as a person would type it."""
    words = []  # type: List[str]
    for kind, word in entry["command"]:
        words += ["-m", word.rpartition(":")[2]] if kind == "module" else [word]
        if kind in ("prefix", "app"):
            words[-1] = "%s/%s" % (kind, word)
    return " ".join(map(quoted, words))


def render(path, fields):
    # type: (str, Described) -> Iterator[str]
    """Yield the lines of the table."""
    yield path
    unpacked = fields["unpacked"]
    made = time.strftime("%Y-%m-%d", time.gmtime(fields["date"]))
    facts = [
        ("platform", fields["platform"]),
    ] + _entry_points(fields) + [
        ("size", "%s, unpacked %s in %d files" % (human(fields["size"]), human(unpacked["content"]), unpacked["files"])),
        ("on disk", "%s at least" % human(unpacked["bytes"])),
        ("host needs", ", ".join(_needs(fields))),
        ("post-link", ", ".join(package["name"] for package in fields["post_link"]) or "none"),
        ("libzstd", "%s (%s)" % (fields["libzstd"]["from"], human(fields["libzstd"]["size"]))),
    ] + _carried_python(fields) + [
        ("bytecode", ", ".join(map(visible, fields["bytecode"])) or "none"),
        ("made by", "%s, contents of %s" % (fields.get("builder") or "?", made)),
        ("format", str(fields["format"])),
        ("digest", fields["digest"]),
    ]
    if fields["setuid"]:
        facts.append(("setuid", ", ".join(visible(name) for name in fields["setuid"])))
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        yield "  %s  %s" % (name.ljust(width), value)
    yield ""
    for line in _packages(fields["packages"]):
        yield line
    yield ""
    rows = [(row["name"], row["version"], row.get("url") or row.get("file") or "") for row in fields.get("pip") or ()]
    if rows:
        for line in table(("pip package", "version", "from"), rows):
            yield line
        yield ""
    if fields["app"]:
        app = [(row["path"], human(row["size"]) if "size" in row else "-> " + row["target"]) for row in fields["app"]]
        for line in table(("app file", "size"), app):
            yield line
    else:
        yield "no app files"


def _entry_points(fields):
    # type: (Described) -> List[Tuple[str, str]]
    """Return the rows of the entry points, with names if there are several, and of the archive's variables."""
    points = fields["entry_points"]
    if len(points) == 1:
        rows = [("entry point", command_line(points[0]))]
    else:
        rows = [("entry points", visible(point["name"] + " = ") + command_line(point)) for point in points]
    rows += [("env", visible(v["name"] + "?" * v["default"] + "=" + v["value"])) for v in fields["env"]]
    names = fields.get("keep_env")
    rows += [("keeps", ", ".join(names))] if names else []
    return [row if row[0] != rows[max(n - 1, 0)][0] or not n else ("", row[1]) for n, row in enumerate(rows)]


def _carried_python(fields):
    # type: (Described) -> List[Tuple[str, str]]
    """Return the row of the Python that the archive carries."""
    carried = fields.get("python")
    if not carried:
        return []
    return [("carries", "Python %s (%s, unpacked %s)" % (
        carried["version"], human(carried["packed"]), human(carried["size"])
    ))]


def _packages(packages):
    # type: (List[Package]) -> Iterator[str]
    rows = [
        (
            p["name"], p["version"], p["build"], p.get("channel") or "", human(p["compressed"]), human(p["unpacked"]),
        )
        for p in sorted(packages, key=lambda package: (-package["compressed"], package["name"]))
    ]
    for line in table(("package", "version", "build", "channel", "compressed", "unpacked"), rows):
        yield line
    yield "%s, %s compressed" % (counted(len(packages), "package"), human(sum(p["compressed"] for p in packages)))


def _needs(fields):
    # type: (Described) -> Iterator[str]
    if fields.get("python"):
        yield "a POSIX shell with gzip and tar, or with any Python from 2.7 on"
    else:
        yield "a POSIX shell and any Python from 2.7 on"
    for name, constraints in sorted(fields["requires"].items()):
        yield " ".join([name] + [" and ".join(c for c in constraints if c)]).strip()
    if fields["prefix_limit"]:
        yield "a store whose prefix is at most %d bytes long" % fields["prefix_limit"]


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add no options: the verb has none of its own."""


VERB = Verb("info", "Show the contents of an archive, and its needs of a host.", ABOUT, configure, execute)
