"""Write `conda-meta`: the records and the history from which conda reads the environment."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import of_hashes

from .. import __version__
from .activation import STATE
from .content import SECOND, Content, Link
from .package import without_nulls
from .source import InMemory

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from .link_rules import PackagePlan
    from .package import PathRow

    Slots: TypeAlias = Sequence[tuple[tuple[str, str], int]]  # owner and name of a file, offset of its sha256

COPY = 3  # conda's LinkType.copy
# Paths of the builder, which a record has or lacks by the way in which conda found the package.
BLANK = {"extracted_package_dir": "", "package_tarball_full_path": "", "link": {"source": "", "type": COPY}}
HISTORY = "prefix/conda-meta/history"
SLOT = "0123456789abcdef" * 4  # in place of a sha256 that only the host can compute


def identity(plans: Sequence[PackagePlan], date: int, gone: Iterable[str], history: Content) -> str | None:
    """Return a name for the content of all records and of the history: a hash of everything that they are made of.

    None if a package's list of files has no hash, or does not name the files that are planned.
    """
    if not all(plan.package.listing and not plan.package.altered for plan in plans):
        return None
    assert isinstance(history.source, InMemory)
    total = hashlib.sha256(__version__.encode() + Path(__file__).read_bytes() + history.source.data)
    for plan in plans:
        links = [str(number) for number, item in enumerate(plan.files) if isinstance(item, Link)]
        parts = (
            (json.dumps({**plan.package.record, **BLANK}, sort_keys=True), str(plan.package.listing)), links,
            [item.path for item in plan.files], plan.compiled.values(), [script.path for script in plan.scripts],
        )  # fmt: skip
        for words in parts:
            total.update(f"{len(words)}\0".encode())
            total.update("\0".join(words).encode("utf-8", "surrogateescape"))
    removed = "\0".join(sorted(gone)).encode("utf-8", "surrogateescape")
    return f"conda-meta {date} {hashlib.sha256(removed).hexdigest()} {total.hexdigest()}"


def kept_records(
    plans: Sequence[PackagePlan], date: int, gone: Container[str], sizes: Mapping[str, int], slots: Mapping[str, Slots]
) -> list[Content] | None:
    """Return the records and the history without their text, in the order of `plan_records`.

    `sizes` and `slots` have those of each path. Return None if they are not about the files of these packages.
    """
    paths = [*(record_path(plan) for plan in plans), HISTORY]
    relocated = {(plan.package.dist, name) for plan in plans for name in _relocated(plan, gone).values()}
    if sizes.keys() != set(paths) or {file for rows in slots.values() for file, _ in rows} != relocated:
        return None
    hashes = {path: of_hashes(rows) for path, rows in slots.items()}
    return [Content(path, 0o644, date * SECOND, None, sizes[path], relocation=hashes.get(path)) for path in paths]


def _relocated(plan: PackagePlan, gone: Container[str]) -> dict[str, str]:
    """Return the names of the files whose sha256 only the host can compute, by their `_path` in the record."""
    pairs = zip(plan.package.linked, plan.files, strict=True)
    files = [(path, item) for path, item in pairs if isinstance(item, Content) and item.relocation is not None]
    return {
        path.fields["_path"]: item.name_in_group
        for path, item in files
        if item.placeholder and item.path not in gone
    }  # fmt: skip


def record_path(plan: PackagePlan) -> str:
    """Return the path of the record of a package."""
    return f"prefix/conda-meta/{plan.package.dist}.json"


def plan_records(plans: Sequence[PackagePlan], date: int, gone: Container[str] = ()) -> list[Content]:
    """Return `conda-meta/<dist>.json` of every package (conda's `CreatePrefixRecordAction`).

    Paths of the builder, such as `extracted_package_dir`, are left out. Files that are `gone` stay listed, as in conda
    if another installer has removed a file.
    """
    return [_plan_record(plan, date, gone) for plan in plans]


def _plan_record(plan: PackagePlan, date: int, gone: Container[str]) -> Content:
    targets = [item.path.removeprefix("prefix/") for item in plan.files]
    scripts = [script.path.removeprefix("prefix/") for script in plan.scripts]
    fields = {
        **plan.package.record,
        **BLANK,
        "files": [*targets, *plan.compiled.values(), *scripts],
        "paths_data": {"paths_version": 1, "paths": _paths(plan, scripts, gone)},
    }
    text = dump_record(fields).encode()
    slots = _find_slots(text, plan.package.dist, _relocated(plan, gone))
    hashes = of_hashes(slots) if slots else None
    return Content(record_path(plan), 0o644, date * SECOND, InMemory(text), len(text), relocation=hashes)


def dump_record(fields: Mapping[str, object]) -> str:
    """Return a record as conda writes it, `json.dumps(fields, indent=2, sort_keys=True)`, in a quarter of the time.

    With an indent json is slow; the two long lists are indented by their separators instead.
    """
    lines = []
    for key in sorted(fields):
        if key == "files":
            text = _indented(fields[key], 4)
        elif key == "paths_data":
            data = fields[key]
            assert isinstance(data, dict)
            paths = _indented_rows(data["paths"])
            text = f'{{\n    "paths": {paths},\n    "paths_version": {data["paths_version"]}\n  }}'
        else:
            text = json.dumps(fields[key], indent=2, sort_keys=True).replace("\n", "\n  ")
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"


def _indented_rows(rows: Sequence[PathRow]) -> str:
    """Return the rows of `paths_data`: json writes all of them at once, then only the lines between rows differ.

    No text in JSON has a line feed, so none looks like the end of a row. One with a list is written by itself.
    """
    text = json.dumps(rows, sort_keys=True, separators=(",\n        ", ": "))
    if not rows or any(sign in text for sign in ("{}", ": [", ": {")):
        texts = [_indented(row, 8) for row in rows]
        return "[\n      " + ",\n      ".join(texts) + "\n    ]" if texts else "[]"
    text = text[2:-2].replace("},\n        {", "\n      },\n      {\n        ")
    return "[\n      {\n        " + text + "\n      }\n    ]"


def _indented(value: object, depth: int) -> str:
    """Return a flat list or mapping, one item a line."""
    if not value or any(isinstance(item, (list, dict)) for item in (value.values() if isinstance(value, dict) else ())):
        return json.dumps(value, indent=2, sort_keys=True).replace("\n", "\n" + " " * (depth - 2))
    line = "\n" + " " * depth
    text = json.dumps(value, sort_keys=True, separators=("," + line, ": "))
    return text[0] + line + text[1:-1] + line[:-2] + text[-1]


def _paths(plan: PackagePlan, scripts: Sequence[str], gone: Container[str]) -> list[PathRow]:
    rows: list[PathRow] = []
    for path, item in zip(plan.package.linked, plan.files, strict=True):
        fields = path.fields.copy()
        if isinstance(item, Link):
            fields["path_type"] = "softlink"
        elif item.placeholder and item.path not in gone:
            fields["sha256_in_prefix"] = SLOT
        elif path.sha256 and not item.placeholder:
            fields["sha256_in_prefix"] = path.sha256
        rows.append(without_nulls(fields))
    rows += [{"_path": name, "path_type": "pyc_file"} for name in plan.compiled.values()]
    rows += [{"_path": name, "path_type": "unix_python_entry_point"} for name in scripts]
    return rows


def _find_slots(text: bytes, dist: str, relocated: dict[str, str]) -> list[tuple[tuple[str, str], int]]:
    """Return the offsets in a record at which the host writes the sha256 of a file: that of the `_path` before it.

    It is the file of the package, even if another package overwrote it: conda writes the record before that.
    """
    slots = []
    line = f'\n        "sha256_in_prefix": "{SLOT}"'.encode()  # no name of a file looks like this: it has no line feed
    start = text.find(line)
    while start >= 0:
        name = text.rfind(b'"_path": ', 0, start) + len(b'"_path": ')
        path = json.loads(text[name : text.index(b"\n", name)].rstrip(b",\n"))
        if path in relocated:
            slots.append(((dist, relocated[path]), start + line.index(SLOT.encode())))
        start = text.find(line, start + len(line))
    return slots


def plan_history(plans: Sequence[PackagePlan], specs: Sequence[str], conda_version: str, date: int) -> Content:
    """Return `conda-meta/history`, as one transaction (conda's `history.py`)."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(date))
    lines = [f"==> {stamp} <==", "# cmd: conda coex create", f"# conda version: {conda_version}"]
    lines += sorted(f"+{_channel(plan.package.record)}::{plan.package.dist}" for plan in plans)
    if specs:
        lines.append(f"# update specs: {list(specs)}")
    text = "\n".join(lines).encode() + b"\n"
    return Content(HISTORY, 0o644, date * SECOND, InMemory(text), len(text))


def _channel(record: Mapping[str, object]) -> str:
    return str(record["channel"])


def plan_state(variables: dict[str, str | None], date: int) -> list[Content]:
    """Return `conda-meta/state` with the variables of the environment; nothing if it has none."""
    if not variables:
        return []
    text = json.dumps({"version": 1, "env_vars": variables}, ensure_ascii=False, sort_keys=True).encode()
    return [Content(STATE, 0o644, date * SECOND, InMemory(text), len(text))]
