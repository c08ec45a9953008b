"""Prepare the extractor in C: compile it, and give it an archive's index as a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.manifest import LIBZSTD
from testbed.workshop import compile_c

from benchmarks.bench import SOURCES
from benchmarks.runner import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def extractor(archive: Path, directory: Path, output: Path) -> Command:
    """Return the command that extracts an archive's frames with two processes."""
    program, table, library = directory / "extract", directory / f"{archive.stem}.table", directory / "libzstd.so"
    if not program.exists():
        compile_c(program, SOURCES / "extract.c", "-ldl")
    opened = Archive(os.fsencode(archive))
    try:
        table.write_bytes(b"".join(_rows(opened)))
        library.write_bytes(opened.members[LIBZSTD])
    finally:
        opened.close()
    words = [str(program), str(table), str(archive), str(library), str(output), "2"]
    return Command("C, two processes", words, outputs=(output,))


def _rows(archive: Archive) -> Iterator[bytes]:
    index, prelude = archive.index, archive.manifest.prelude
    for frame in index.frames:
        yield b"z %d %d %d\n" % (prelude + frame.offset, frame.size, frame.content)
    for directory in index.directories:
        yield b"d %s\n" % directory.path
    for each in index.files:
        seconds = each.mtime_ns // 10**9
        yield b"f %o %d %d %d %d %s\n" % (each.mode, seconds, each.frame, each.offset, each.size, each.path)
