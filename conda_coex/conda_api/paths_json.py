"""Read the list of a package's files: `info/paths.json`, or the files that older packages have instead."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from pathlib import Path

    from ..root.package import PathRow

# The fields of a row of paths.json that conda keeps (`PathDataV1`), with the types that they may have.
TEXT = (str, type(None))
ROW: dict[str, tuple[type, ...]] = {
    "_path": (str,), "path_type": TEXT, "prefix_placeholder": TEXT, "file_mode": TEXT, "sha256": TEXT,
    "sha256_in_prefix": TEXT, "size_in_bytes": (int, type(None)), "no_link": (bool, type(None)),
    "inode_paths": (list, type(None)),
}  # fmt: skip
KNOWN = ROW.keys()


class Listing(NamedTuple):
    """The rows of a package's list of files, and the sha256 of that list; None if conda read it from other files."""

    rows: list[PathRow]
    sha256: str | None


def read_listing(directory: Path) -> Listing:
    """Return the rows of an extracted package's paths.json without null fields and fields that conda does not know.

    Older packages have other files instead, which conda reads. It could read paths.json, too, as objects with checked
    fields (`read_paths_json`), but that takes ten times as long. Raises OSError, and ValueError for a wrong row.
    """
    file = directory / "info" / "paths.json"
    if not file.is_file():
        from conda.gateways.disk.read import read_paths_json

        rows = read_paths_json(str(directory)).paths
        dumped = ({key: json_value(value) for key, value in row.dump().items()} for row in rows)
        return Listing([checked_row(row) for row in dumped], None)
    data = file.read_bytes()
    document: object = json.loads(data.decode("utf-8"))
    rows = document.get("paths") if isinstance(document, dict) and document.get("paths_version") == 1 else None
    if not isinstance(rows, list):
        raise ValueError("its info/paths.json is not of version 1")
    return Listing([_known_fields(row) for row in rows], hashlib.sha256(data).hexdigest())


def _known_fields(value: object) -> PathRow:
    try:
        row = checked_row(value)
    except ValueError as error:
        raise ValueError(f"its info/paths.json has {error}") from None
    if row.get("path_type") is None:
        raise ValueError(f"its info/paths.json has a row without a path_type: {value!r}")
    if row.keys() <= KNOWN and None not in row.values():
        return row
    return cast("PathRow", {name: field for name, field in row.items() if field is not None and name in ROW})


def checked_row(value: object) -> PathRow:
    """Return a row of JSON, if every field that conda knows has the right type; raises ValueError."""
    if not isinstance(value, dict) or "_path" not in value:
        raise ValueError(f"a row that conda does not write: {value!r}")
    for name, field in value.items():  # no generator: there are some ten thousand rows
        if not isinstance(field, ROW.get(name, object)):
            raise ValueError(f"a row that conda does not write: {value!r}")
    placeholder = value.get("prefix_placeholder") or ""
    if not placeholder.isascii() and placeholder.encode("utf-8", "ignore").decode() != placeholder:
        raise ValueError(f"a row with a placeholder that is not a text: {value!r}")
    return cast("PathRow", value)


def json_value(value: object) -> object:
    """Return the value of an enumeration, as conda writes it in JSON, and anything else as it is."""
    return getattr(value, "value", value)
