"""Lay out one conda package in a directory, as conda-build would."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

EPOCH = 1_700_000_000
"""When everything was made, so that the same sources give the same packages."""

PLACEHOLDER = (
    "/home/conda/feedstock_root/build_artifacts/testbed_1700000000000/_h_env"
    + "_placehold" * 30
)[:255]
"""The prefix that the packages think they were built in."""

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class Package:
    """One package: files are added to it, then ``seal`` writes the metadata for conda."""

    extension = ".conda"

    def __init__(
        self,
        directory: Path,
        subdir: str,
        name: str,
        version: str = "1.0",
        *,
        build: str = "0",
        depends: Iterable[str] = (),
    ) -> None:
        self.root = directory / f"{name}-{version}-{build}"
        self.root.mkdir(parents=True)
        self.subdir = subdir
        self.name, self.version, self.build = name, version, build
        self.depends = list(depends)
        self.noarch: str | None = None
        self.entry_points: list[str] = []
        self.no_link: set[str] = set()
        self.binary: set[str] = set()
        self.placeholder = PLACEHOLDER
        self.tamper: Callable[[Path], None] | None = None
        self._times: dict[str, int] = {}

    @property
    def filename(self) -> str:
        """The file name of the package's archive."""
        return f"{self.root.name}{self.extension}"

    def data(self, path: str, content: bytes, mode: int = 0o644) -> Path:
        """Add a file of bytes."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
        return file

    def text(self, path: str, content: str, mode: int = 0o644) -> Path:
        """Add a file of text."""
        return self.data(path, content.encode(), mode)

    def script(self, path: str, content: str) -> Path:
        """Add an executable file of text."""
        return self.text(path, content, 0o755)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def date(self, path: str, nanoseconds: int) -> None:
        """Give one file a time of its own."""
        self._times[path] = nanoseconds

    def settle_times(self) -> None:
        """Give every file its final time: compiled modules record those of their sources."""
        for path in self.paths():
            time = self._times.get(path, EPOCH * 10**9)
            os.utime(self.root / path, ns=(time, time), follow_symlinks=False)

    def paths(self) -> list[str]:
        """Return the files and links outside ``info/``, in order."""
        found = (str(path.relative_to(self.root)) for path in _walk(self.root))
        return sorted(path for path in found if not path.startswith("info/"))

    def seal(self) -> None:
        """Write the metadata: after this the package is complete."""
        self._write_info()
        self.settle_times()
        if self.tamper:
            self.tamper(self.root)
        for path in (self.root / "info").rglob("*"):
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)

    def index(self) -> dict[str, object]:
        """Return the contents of info/index.json."""
        index: dict[str, object] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": int(self.build.rpartition("_")[2]),
            "depends": self.depends,
            "license": "BSD-3-Clause",
            "subdir": self.subdir,
            "timestamp": EPOCH * 1000,
        }
        if self.noarch:
            index["noarch"] = self.noarch
        return index

    def _write_info(self) -> None:
        rows = [self._describe(path) for path in self.paths()]
        self._write_json("info/index.json", self.index())
        self._write_json("info/about.json", {"summary": f"{self.name} of the test bed"})
        self._write_json("info/paths.json", {"paths": rows, "paths_version": 1})
        self.text("info/files", "".join(f"{row['_path']}\n" for row in rows))
        if self.noarch:
            noarch: dict[str, object] = {"type": self.noarch}
            if self.noarch == "python":
                noarch["entry_points"] = self.entry_points
            self._write_json("info/link.json", {"noarch": noarch, "package_metadata_version": 1})

    def _write_json(self, path: str, content: object) -> None:
        self.text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")

    def _describe(self, path: str) -> dict[str, object]:
        file = self.root / path
        row: dict[str, object] = {"_path": path, "path_type": "hardlink"}
        if path in self.no_link:
            row["no_link"] = True
        if file.is_symlink():
            row["path_type"] = "softlink"
            content = file.read_bytes() if file.is_file() else b""
        else:
            content = file.read_bytes()
            # conda-build, too, leaves the placeholder in compiled modules alone.
            if not path.endswith(".pyc") and contains_placeholder(content, self.placeholder):
                binary = b"\0" in content or path in self.binary
                row["prefix_placeholder"] = self.placeholder
                row["file_mode"] = "binary" if binary else "text"
        row["sha256"] = hashlib.sha256(content).hexdigest()
        row["size_in_bytes"] = len(content)
        return row


def contains_placeholder(content: bytes, placeholder: str = PLACEHOLDER) -> bool:
    """Say whether the placeholder occurs, in any encoding that conda replaces."""
    return any(placeholder.encode(encoding) in content for encoding in ENCODINGS)


def _walk(directory: Path) -> Iterator[Path]:
    """Yield every file and link: a link to a directory is a link."""
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)
