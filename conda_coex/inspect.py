"""Show what an archive holds, as a table or as JSON."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from coex_bootstrap.archive import Archive
from coex_bootstrap.format import LIBZSTD

from .report import human, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def inspect(path: str) -> int:
    """Print what the archive at `path` says of itself; raises ArchiveDamaged or FormatUnknown."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    archive = Archive(os.fsencode(path))
    try:
        found = describe(archive)
    finally:
        archive.close()
    if context.json:
        stdout_json_success(archive=path, **found)
    else:
        print("\n".join(render(path, found)))
    return 0


def describe(archive: Archive) -> dict[str, Any]:
    """Return the manifest's fields with what the index and the file add."""
    fields = {key: value for key, value in archive.manifest.fields.items() if key not in ("prelude", "payload")}
    app = [row for row in archive.index.files if row.path.startswith(b"app/")]
    links = [link for link in archive.index.links if link.path.startswith(b"app/")]
    return {
        **fields,
        "size": os.stat(archive.path).st_size,  # noqa: PTH116 - the path is bytes
        "app": [
            *(
                {"path": os.fsdecode(row.path[4:]), "size": row.size, "executable": bool(row.mode & 0o111)}
                for row in app
            ),
            *({"path": os.fsdecode(link.path[4:]), "target": os.fsdecode(link.target)} for link in links),
        ],
        "libzstd": {"from": fields["libzstd"], "size": len(archive.members.get(LIBZSTD, b""))},
    }


def command_line(entry: dict[str, Any]) -> str:
    """Return an entry point as a person would type it."""
    import shlex

    return " ".join(shlex.quote(f"{kind}/{word}" if kind != "text" else word) for kind, word in entry["command"])


def render(path: str, found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{path}"
    packed = sum(package["compressed"] for package in found["packages"])
    unpacked = found["unpacked"]
    rows = [
        ("platform", found["platform"]),
        ("entry point", ", ".join(command_line(entry) for entry in found["entry_points"])),
        ("size", f"{human(found['size'])}, unpacked {human(unpacked['bytes'])} in {unpacked['files']} files"),
        ("host needs", ", ".join(_needs(found))),
        ("post-link", ", ".join(package["name"] for package in found["post_link"]) or "none"),
        ("libzstd", f"{found['libzstd']['from']} ({human(found['libzstd']['size'])})"),
        ("made by", f"{found['builder']}, contents of {time.strftime('%Y-%m-%d', time.gmtime(found['date']))}"),
        ("format", str(found["format"])),
        ("digest", found["digest"]),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        yield f"  {name:<{width}}  {value}"
    yield ""
    yield from table(
        ("package", "version", "build", "channel", "compressed", "unpacked"),
        [
            (
                p["name"],
                p["version"],
                p["build"],
                str(p.get("channel", "")),
                human(p["compressed"]),
                human(p["unpacked"]),
            )
            for p in sorted(found["packages"], key=lambda package: (-package["compressed"], package["name"]))
        ],
    )
    yield f"{len(found['packages'])} packages, {human(packed)} compressed"
    yield ""
    if found["app"]:
        yield from table(
            ("app file", "size"),
            [(row["path"], human(row["size"]) if "size" in row else "-> " + row["target"]) for row in found["app"]],
        )
    else:
        yield "no app files"


def _needs(found: dict[str, Any]) -> Iterator[str]:
    yield "a POSIX shell and any Python from 2.7 on"
    for name, constraints in found["requires"].items():
        yield " ".join([name, *[" and ".join(filter(None, constraints))]]).strip()
    if found["prefix_limit"]:
        yield f"a store whose prefix is at most {found['prefix_limit']} bytes long"
