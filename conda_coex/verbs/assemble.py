"""Assemble an archive of a laid-out root: frames, index, manifest, tail, one reading as a host reads it, one rename."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores

from ..archive import writer
from ..archive.kept_part import KEPT
from ..archive.payload import Payload, make_index
from ..archive.read_back import FrameReader, read_back
from ..conda_api import versions
from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import Manifest

    from ..archive.carried_python import CarriedPython
    from ..archive.frame_cache import FrameCache
    from ..root.layout import Layout


def assemble(
    output: Path,
    platform: str,
    layout: Layout,
    cache: FrameCache,
    describe: Callable[[Payload, IndexDraft], Manifest],
    libzstd: bytes,
    copy_kept: Callable[[Payload], None] | None = None,
    python: CarriedPython | None = None,
    bytecode: Callable[[], Mapping[str, bytes]] = dict,
) -> Manifest:
    """Write the archive of a root at `output`, and return its manifest with the digest.

    Contents are compressed package by package, then the files that only this environment has, then the app.
    `copy_kept` first copies the frames of another archive for the files that are kept; `describe` makes the manifest,
    without digest. `python` is for hosts that have none, `bytecode` returns the members for hosts with certain Pythons.
    """
    with writer.output_file(output) as stream:
        with versions.progress_bar("Repacking" if copy_kept else "Compressing") as update:
            total = sum(entry.size for entry in layout.entries.values() if isinstance(entry, Content))
            payload = Payload(stream, cache, fraction_of(total, update), writer.prelude_size(platform))
            if copy_kept is not None:
                copy_kept(payload)
            payload.add(group for group in layout.groups() if group.owner != KEPT)
        cache.sweep()
        with ThreadPoolExecutor(usable_cores()) as pool:
            reader = FrameReader(stream, payload.start, payload.frames, pool)
            index = make_index(payload, layout)
            manifest = writer.finish(stream, describe(payload, index), index, libzstd, python, bytecode())
            read_back(stream, output, payload, reader)
    return manifest


def fraction_of(total: int, update: Callable[[float], None]) -> Callable[[int], None]:
    """Return a function that takes the number of bytes done, and shows the fraction of all."""
    done = 0

    def progress(size: int) -> None:
        nonlocal done
        done += size
        update(min(1, done / (total or 1)))

    return progress
