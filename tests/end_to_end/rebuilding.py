"""Make another archive of one that exists, by the writer's own functions: with other members, fields or payload."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.index_write import dump_index
from coex_bootstrap.format.manifest import INDEX, LIBZSTD

from conda_coex.archive.new_tail import NewTail, bootstrap_members
from conda_coex.archive.writer import finish, prelude_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coex_bootstrap.format.index import Index


def rebuild(
    source: Path,
    target: Path,
    *,
    libzstd: bytes | None = None,
    change_index: Callable[[Index], int] | None = None,
    **fields: Any,
) -> Path:
    """Write at `target` the archive at `source` with another libzstd or other fields of its manifest.

    `change_index` may move frames in the payload, which keep their bytes and their order; it returns the
    payload's size. If frames leave a hole, the file has one.
    """
    with closing(Archive(os.fsencode(source))) as archive:
        index, manifest = archive.index, archive.manifest
        frames = [archive.frame(number) for number in range(len(index.frames))]
        carried = archive.members[LIBZSTD] if libzstd is None else libzstd
    if change_index is not None:
        manifest.fields["payload"] = change_index(index)
    manifest.fields.update(fields)
    manifest.fields["prelude"] = prelude_size(manifest.platform)
    with target.open("wb") as stream:
        for frame, data in zip(index.frames, frames, strict=True):
            stream.seek(manifest.prelude + frame.offset)
            stream.write(data)
        stream.truncate(manifest.prelude + manifest.payload)
        with NewTail({**bootstrap_members(), INDEX: dump_index(index), LIBZSTD: carried}) as tail:
            finish(stream, stream.seek(0, os.SEEK_END), manifest, tail)
    target.chmod(0o755)
    return target
