"""Read JSON that anyone may have written: never deeper, longer or of more items than an archive has a use for."""

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 25  # bytes: the record of 200,000 files has that
ITEMS = 1 << 21  # what one document names: some Pythons take 300 bytes for each
DEEPEST = 50  # CycloneDX nests licenses in components; nothing else comes near
DIGITS = 1000  # of a number: some Pythons take hours to read more, and the newer refuse it
BOUNDED = hasattr(sys, "set_int_max_str_digits")
KINDS = (dict, list)


def parse_json(data, pairs=None):
    # type: (bytes, Any) -> Any
    """Return what a JSON document says; raises ValueError, with why it cannot be read. `pairs` makes objects."""
    if len(data) > LARGEST or data.count(b",") + data.count(b"[") + data.count(b"{") > ITEMS:
        raise ValueError("it is too large")
    try:
        found = json.loads(data.decode("utf-8"), parse_int=None if BOUNDED else _whole, object_pairs_hook=pairs)
    except (RuntimeError, MemoryError):  # how Pythons say that it is nested too deep
        raise ValueError("it is nested too deep")
    _check_depth(found)
    return found


def _whole(digits):
    # type: (str) -> int
    if len(digits) > DIGITS:
        raise ValueError("a number of it is too long")
    return int(digits)


def _check_depth(found):
    # type: (Any) -> None
    """Refuse what functions that call themselves could not follow."""
    level = [found]
    for _ in range(DEEPEST):
        below = []
        for each in level:
            if isinstance(each, KINDS):
                below += [value for value in (each.values() if isinstance(each, dict) else each) if isinstance(value, KINDS)]
        if not below:
            return
        level = below
    raise ValueError("it is nested too deep")
