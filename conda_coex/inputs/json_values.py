"""Take a value of a JSON document as one of a certain type: a value of another type counts as missing."""

from __future__ import annotations


def as_table(value: object) -> dict[str, object]:
    """Return a JSON object, or an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return a JSON string, or an empty one for any other value."""
    return value if isinstance(value, str) else ""


def as_list(value: object) -> list[object]:
    """Return a JSON array, or an empty one for any other value."""
    return value if isinstance(value, list) else []
