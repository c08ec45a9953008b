"""Read the list of a package's files, `info/paths.json`, or what older packages have in its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# The fields of a row of paths.json that conda keeps (`PathDataV1`), and what they may be.
TEXT = (str, type(None))
ROW: dict[str, tuple[type, ...]] = {
    "_path": (str,), "path_type": (str,), "prefix_placeholder": TEXT, "file_mode": TEXT, "sha256": TEXT,
    "sha256_in_prefix": TEXT, "size_in_bytes": (int, type(None)), "no_link": (bool, type(None)),
    "inode_paths": (list, type(None)),
}  # fmt: skip


def read_rows(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a package's paths.json as conda keeps them; of older packages, conda's own reading.

    conda makes objects with checked fields of them (`read_paths_json`), which takes ten times as long.
    """
    file = directory / "info" / "paths.json"
    if not file.is_file():
        from conda.gateways.disk.read import read_paths_json

        read = read_paths_json(str(directory)).paths
        return [{key: plain(value) for key, value in row.dump().items()} for row in read]
    found = json.loads(file.read_text("utf-8"))
    of_version_1 = isinstance(found, dict) and found.get("paths_version") == 1
    if not of_version_1 or not isinstance(found.get("paths"), list):
        raise ValueError("its info/paths.json is not of version 1")
    for row in found["paths"]:
        if not isinstance(row, dict) or any(not isinstance(row.get(key), kinds) for key, kinds in ROW.items()):
            raise ValueError(f"its info/paths.json has a row that cannot be: {row!r}")
    return [{key: row[key] for key in ROW if row.get(key) is not None} for row in found["paths"]]


def plain(value: Any) -> Any:
    """Return an enumeration's value as conda's JSON has it."""
    return getattr(value, "value", value)
