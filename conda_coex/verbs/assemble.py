"""Assemble an archive of a laid-out root: frames, index, manifest, tail, one reading as a host reads it, one rename."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.format.index_write import dump_index
from coex_bootstrap.format.manifest import INDEX, LIBZSTD

from ..archive import writer
from ..archive.frame_reader import FrameReader
from ..archive.new_file import writing
from ..archive.new_tail import NewTail, bootstrap_members
from ..archive.payload import Payload, make_index
from ..archive.read_back import read_back
from ..conda_api import versions
from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import Manifest

    from ..archive.carried_python import CarriedPython
    from ..archive.frame_cache import FrameCache
    from ..archive.new_file import NewFile
    from ..root.layout import Layout


@dataclass(frozen=True)
class Draft:
    """An archive that is being written: its file, and the payload in it."""

    output: Path
    file: NewFile
    payload: Payload


@contextlib.contextmanager
def drafted(output: Path, platform: str, cache: FrameCache) -> Iterator[Draft]:
    """Yield a new archive, into which frames can be copied before its root is laid out; `assemble` completes it.

    Nothing is left of one that is not complete. Raises OutputError if it cannot be written.
    """
    with writer.new_output(output) as file:
        start = writer.prelude_size(platform)
        with FrameReader(file.stream, start) as reader:
            yield Draft(output, file, Payload(file.stream, cache, lambda _size: None, start, reader=reader))


def assemble(
    draft: Draft,
    layout: Layout,
    describe: Callable[[Payload, IndexDraft], Manifest],
    libzstd: bytes,
    copy_kept: Callable[[Payload], None] | None = None,
    python: CarriedPython | None = None,
    bytecode: Callable[[], Mapping[str, bytes]] = dict,
) -> Manifest:
    """Write the archive of a root, and return its manifest with the digest.

    Contents are compressed package by package, then the files that only this environment has, then the app.
    `copy_kept` first copies the frames of another archive for the files that are kept; `describe` makes the manifest,
    without digest. `python` is for hosts that have none, `bytecode` returns the members for hosts with certain Pythons.
    """
    payload, stream = draft.payload, draft.file.stream
    with writing(draft.file), NewTail({**bootstrap_members(), LIBZSTD: libzstd}) as tail:
        with versions.progress_bar("Repacking" if copy_kept else "Compressing") as update:
            total = sum(entry.size for entry in layout.entries.values() if isinstance(entry, Content))
            payload.progress = fraction_of(total, update)
            if copy_kept is not None:
                copy_kept(payload)
            payload.add(layout.groups())
        payload.cache.sweep()
        index = make_index(payload, layout)
        tail.add(INDEX, dump_index(index))
        manifest = describe(payload, index)
        tail.add_all(bytecode())
        manifest = writer.finish(stream, payload.end, manifest, tail, python)
        read_back(stream, draft.output, payload)
        draft.file.commit(writer.MODE, durable=True)
    return manifest


def fraction_of(total: int, update: Callable[[float], None]) -> Callable[[int], None]:
    """Return a function that takes the number of bytes done, and shows the fraction of all."""
    done = 0

    def progress(size: int) -> None:
        nonlocal done
        done += size
        update(min(1, done / (total or 1)))

    return progress
