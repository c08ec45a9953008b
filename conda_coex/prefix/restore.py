"""Restore files that a live prefix lacks from conda's package caches, if they are proved to be those of the package."""

from __future__ import annotations

import json
import stat
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..conda_api.package_file import extract_to, file_sum
from ..conda_api.packages import check_path, parse_script
from ..conda_api.settings import package_caches
from ..inputs.suffixes import PACKAGE_SUFFIXES
from ..root.content import Content
from ..root.link_rules import plan_package
from ..root.package import PackagePath
from ..root.source import OnDisk, sha256_of

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..conda_api.installed_records import InstalledRecord
    from ..root.content import Link
    from ..root.link_rules import Python
    from ..root.package import Package, PathRow

SCRIPT = "unix_python_entry_point"


@dataclass(frozen=True)
class ExtractedPackage:
    """A directory with the name of a package; `proved` if its checksum shows that it is the installed one."""

    directory: Path
    proved: bool


def restore(
    package: Package,
    record: InstalledRecord,
    rows: Mapping[str, PathRow],
    python: Python | None,
    date: int,
    scratch: contextlib.ExitStack,
) -> dict[str, Content | Link]:
    """Return the files of `rows` that conda's caches have, by path in the prefix, as conda would link them.

    Extracted packages are searched first, then package files, which are extracted to directories of `scratch`. A file
    is restored if its sha256 is that of its row. Links, console scripts, and files of rows without a sha256 are
    restored if the checksum of the whole package is that of the record.
    """
    restored: dict[str, Content | Link] = {}
    for candidate in _candidates(package.dist, record, scratch):
        for target, row in rows.items():
            if target not in restored:
                item = _restore_row(candidate, target, row, package, python, date)
                if item is not None:
                    restored[target] = replace(item, path=f"prefix/{target}")
        if len(restored) == len(rows):
            break
    return restored


def _candidates(dist: str, record: InstalledRecord, scratch: contextlib.ExitStack) -> Iterator[ExtractedPackage]:
    caches = package_caches()
    directories = [record.text("extracted_package_dir"), *(f"{cache}/{dist}" for cache in caches)]
    for directory in map(Path, dict.fromkeys(filter(None, directories))):
        if (directory / "info").is_dir():
            yield ExtractedPackage(directory, _is_same(record, _recorded_sums(directory).get) is True)
    files = [record.text("package_tarball_full_path")]
    files += [f"{cache}/{dist}{suffix}" for cache in caches for suffix in PACKAGE_SUFFIXES]
    for file in map(Path, dict.fromkeys(filter(None, files))):
        if file.is_file():
            same = _is_same(record, partial(file_sum, file))
            extracted = _extracted(file, scratch) if same is not False else None
            if extracted is not None:
                yield ExtractedPackage(extracted, same is True)


def _extracted(file: Path, scratch: contextlib.ExitStack) -> Path | None:
    directory = Path(scratch.enter_context(tempfile.TemporaryDirectory(prefix="coex-restore-")))
    return directory if extract_to(file, directory) else None


def _recorded_sums(directory: Path) -> Mapping[str, object]:
    """Return the fields of the record that conda wrote when it extracted a package; none if it cannot be read."""
    try:
        fields: object = json.loads((directory / "info/repodata_record.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _is_same(record: InstalledRecord, sum_of: Callable[[str], object]) -> bool | None:
    """Return whether a checksum, by its kind, is that of a record; None if there is nothing to compare."""
    for kind in ("sha256", "md5"):
        expected = record.text(kind)
        actual = sum_of(kind) if expected else None
        if actual:
            return actual == expected
    return None


def _restore_row(
    extracted: ExtractedPackage, target: str, row: PathRow, package: Package, python: Python | None, date: int
) -> Content | Link | None:
    if row.get("path_type") == SCRIPT:
        return _script(extracted, target, package, python, date) if extracted.proved else None
    name = check_path(row["_path"], extracted.directory)
    path = _read(extracted, name, row)
    if path is None and package.noarch == "python" and name.startswith("bin/"):  # mamba or rattler wrote it
        path = _read(extracted, f"python-scripts/{name.removeprefix('bin/')}", row)
    if path is None:
        return None
    planned = replace(package, directory=extracted.directory, paths=(path,), scripts=())
    (item,) = plan_package(planned, python, date).files
    if isinstance(item, Content) and not row.get("sha256"):
        return replace(item, package_path=None)  # without a sha256, it cannot be checked again when it is packed
    return item


def _read(extracted: ExtractedPackage, name: str, row: PathRow) -> PackagePath | None:
    """Return a file or link of a package; None if it is missing or not proved to be that of the row."""
    file = extracted.directory / name
    try:
        state = file.lstat()
        if not file.parent.resolve().is_relative_to(extracted.directory.resolve()):
            return None
        is_file = stat.S_ISREG(state.st_mode)
        known = row.get("sha256") if is_file else None
        sha256 = _digest(file) if is_file else None
    except OSError:
        return None
    if not (is_file or stat.S_ISLNK(state.st_mode)) or (sha256 != known if known else not extracted.proved):
        return None
    return PackagePath(
        name, "hardlink" if is_file else "softlink", row.get("prefix_placeholder") or None if is_file else None,
        row.get("file_mode"), sha256, state.st_size if is_file else 0, stat.S_IMODE(state.st_mode) & ~0o022,
        state.st_mtime_ns, row,
    )  # fmt: skip


def _digest(file: Path) -> str:
    with OnDisk(file).opened() as data:
        return sha256_of(data)


def _script(
    extracted: ExtractedPackage, target: str, package: Package, python: Python | None, date: int
) -> Content | None:
    """Return a console script as conda writes it."""
    try:
        link = json.loads((extracted.directory / "info/link.json").read_text("utf-8"))
        texts: Sequence[object] = link["noarch"]["entry_points"]
        scripts = [parse_script(str(text), extracted.directory) for text in texts]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    own = tuple(script for script in scripts if f"bin/{script.command}" == target)
    planned = plan_package(replace(package, paths=(), scripts=own), python, date)
    return next(iter(planned.scripts), None)
