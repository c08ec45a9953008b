"""Choose a file system to measure on, and refuse those on which creating files says nothing.

On an ext4 without a journal the kernel looks for recently deleted inodes at every creation: for minutes
after a tree was removed, a file takes thirty times as long. Benchmarks remove trees all the time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_SIZE = 16 << 30


class NoPlaceError(RuntimeError):
    """There is nowhere to measure."""


@contextmanager
def measuring_place(wanted: Path | None, needed: int, home: Path) -> Iterator[tuple[Path, str]]:
    """Give an empty directory to measure in, and the kind of its file system; remove it afterwards."""
    if wanted is not None:
        why = refusal(wanted, needed)
        if why:
            raise NoPlaceError(f"{wanted}: {why}")
        with _scratch(wanted) as directory:
            yield directory, kind(wanted)
        return
    refused = []
    for candidate in (Path("/dev/shm"), home):  # noqa: S108 - a directory of its own is made there
        why = refusal(candidate, needed)
        if why is None:
            with _scratch(candidate) as directory:
                yield directory, kind(candidate)
            return
        refused.append(f"{candidate}: {why}")
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        raise NoPlaceError("; ".join(refused) + "; and only root can mount an image: name a directory with --place")
    with _journaled_image(home) as directory:
        yield directory, "ext4 with a journal, in an image"


def refusal(directory: Path, needed: int) -> str | None:
    """Return why a directory is not to be measured on, or None."""
    if not os.access(directory, os.W_OK):
        return "cannot be written"
    if shutil.disk_usage(directory).free < needed:
        return f"less than {needed >> 20} MiB are free"
    name = kind(directory)
    if name == "tmpfs" and _available_memory() < needed:
        return f"less than {needed >> 20} MiB of memory are available"
    if name == "ext4" and not _has_journal(directory):
        return "an ext4 without a journal, on which creating files after removing some says nothing"
    return None


def kind(directory: Path) -> str:
    """Return the name of the file system that holds a directory."""
    return _mount(directory)[1]


def _mount(directory: Path) -> tuple[str, str]:
    """Return the device and the type of the mount that holds a directory."""
    best = ("", "", "unknown")
    resolved = str(directory.resolve())
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        device, point, name = line.split(" ")[:3]
        inside = point == "/" or resolved == point or resolved.startswith(point + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, device, name)
    return best[1], best[2]


def _has_journal(directory: Path) -> bool:
    device = os.path.realpath(_mount(directory)[0])
    return any(Path("/proc/fs/jbd2").glob(f"{Path(device).name}-*"))


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent, ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@contextmanager
def _journaled_image(home: Path) -> Iterator[Path]:
    image, point = home / "place.img", home / "place"
    point.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as stream:
        stream.truncate(IMAGE_SIZE)
    try:
        subprocess.run(["mkfs.ext4", "-qF", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(point)], check=True)
        try:
            with _scratch(point) as directory:
                yield directory
        finally:
            subprocess.run(["umount", str(point)], check=True)
    finally:
        image.unlink()
