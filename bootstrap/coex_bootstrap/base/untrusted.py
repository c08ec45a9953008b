"""Read files and JSON that anyone may have written, with limits of their size, their items and their depth."""

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Text, Tuple

LARGEST = 1 << 25  # bytes: the record of 200,000 files has that
ITEMS = 1 << 21  # of one document: some Pythons take 300 bytes for each
DEEPEST = 50  # CycloneDX nests licenses in components; nothing else comes near
DIGITS = 1000  # of a number: some Pythons take hours to read more, and newer ones refuse it
BOUNDED = hasattr(sys, "set_int_max_str_digits")
KINDS = (dict, list)


def read_regular(path):
    # type: (bytes) -> Optional[bytes]
    """Return the beginning of a file, too large for `parse_json` if all of it is; raises EnvironmentError.

    None for another kind of file: a device has no end, and a pipe may have no writer.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return stream.read(LARGEST + 1)
    finally:
        os.close(descriptor)


def parse_json(data, pairs=None):
    # type: (bytes, Optional[Callable[[List[Tuple[str, object]]], object]]) -> object
    """Return the value of a JSON document; `pairs` makes its objects, dict by default.

    Raises ValueError, with the cause as its text.
    """
    if len(data) > LARGEST or data.count(b",") + data.count(b"[") + data.count(b"{") > ITEMS:
        raise ValueError("it is too large")
    try:
        value = _load(data.decode("utf-8"), pairs)
    except (RuntimeError, MemoryError):  # which Pythons raise for deep nesting
        raise ValueError("it is nested too deep")
    _check_depth(value)
    return value


class _Settings(object):
    """The settings of a scanner, by the names of `json.JSONDecoder`."""

    strict, encoding, object_hook, array_hook, parse_float = True, None, None, None, float
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__

    def __init__(self, pairs):
        # type: (Optional[Callable[[List[Tuple[str, object]]], object]]) -> None
        self.object_pairs_hook = pairs
        self.parse_int = int if BOUNDED else _whole  # type: Callable[[str], int]


def _load(text, pairs):
    # type: (Text, Optional[Callable[[List[Tuple[str, object]]], object]]) -> object
    """Return the value of a JSON text, by the scanner of `json` alone if it can: `json` loads many modules."""
    try:
        from _json import make_scanner  # type: ignore[import-not-found,unused-ignore]

        value, end = make_scanner(_Settings(pairs))(text, 0)  # type: ignore[arg-type,unused-ignore]
        if not text[end:].strip(u" \t\n\r"):
            return value
    except (ImportError, AttributeError, StopIteration, ValueError):  # json has the error for that
        pass
    import json

    return json.loads(text, parse_int=None if BOUNDED else _whole, object_pairs_hook=pairs)


def _whole(digits):
    # type: (str) -> int
    if len(digits) > DIGITS:
        raise ValueError("a number of it is too long")
    return int(digits)


def _check_depth(value):
    # type: (object) -> None
    """Raise ValueError for a value that is too deep for recursive functions."""
    level = [value]
    for _ in range(DEEPEST):
        below = []  # type: List[object]
        for container in level:
            items = container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
            below += [item for item in items if isinstance(item, KINDS)]
        if not below:
            return
        level = below
    raise ValueError("it is nested too deep")
