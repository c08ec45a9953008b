"""Find every place where relocation will write: the build-time half of `coex_bootstrap.unpack.relocate`."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coex_bootstrap.format.relocation import Edits

    from ..root.source import Searched

    Accept = Callable[[Searched, int, int, str], bool]


def every(data: Searched, start: int, end: int, encoding: str) -> bool:  # noqa: ARG001
    """Accept every occurrence, as conda does: a package's placeholder is never part of another path."""
    return True


def encodings_in(data: Searched, text: str) -> list[str]:
    """Return the encodings in which `data` may hold `text`.

    In both byte orders, ASCII has the same bytes in a row, so one search is enough for two of them.
    """
    found = [ENCODINGS[0]] if data.find(text.encode(ENCODINGS[0])) >= 0 else []
    for orders in (ENCODINGS[1:3], ENCODINGS[3:5]):
        if not text.isascii() or data.find(text.encode(orders[0]).rstrip(b"\0")) >= 0:
            found += orders
    return found


def find_edits(data: Searched, placeholder: str, file_mode: str, accept: Accept = every) -> Edits:
    """Return the edits of a relocation: none if `data` has no placeholder that conda would replace.

    The result is right for any prefix: conda searches encoding by encoding, so bytes that an earlier one takes are out
    of a later one's reach. `accept` returns whether the bytes from `start` to `end`, in an encoding, are an occurrence.
    The mode "paths" is for a binary in which nothing after a path may move.
    """
    find = FINDERS[file_mode]
    spans: list[tuple[int, int]] = []  # in order, and apart from each other
    edits = []
    for encoding in encodings_in(data, placeholder):
        number, searched = ENCODINGS.index(encoding), placeholder.encode(encoding)
        items = []
        for item, start, end in find(data, searched, encoding, accept):
            before = bisect_left(spans, (end, 0)) - 1  # the last that begins before this one ends
            if before < 0 or spans[before][1] <= start:
                items.append((item, start, end))
        spans = sorted([*spans, *((start, end) for _, start, end in items)])
        if items:
            edits.append((number, tuple(item for item, _, _ in items)))
    return tuple(edits)


def _text_items(
    data: Searched, searched: bytes, encoding: str, accept: Accept
) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Accept every occurrence. Blanks are escaped if `#!` is right before it and there is a second line."""
    first_line = data.find(b"\n")
    shebang = "#!".encode(encoding)
    start = data.find(searched)
    while start >= 0:
        end = start + len(searched)
        in_shebang = end <= first_line and data[max(0, start - len(shebang)) : start] == shebang
        if accept(data, start, end, encoding):
            yield (start, int(in_shebang)), start, end
        start = data.find(searched, end)


def _binary_items(
    data: Searched, searched: bytes, encoding: str, accept: Accept
) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Every NUL-terminated string from its first occurrence on (the pattern of conda's `binary_replace`)."""
    zeros = "\0".encode(encoding)
    start = data.find(searched)
    while start >= 0:
        stop = data.find(zeros, start + len(searched))
        if stop < 0:
            return
        offsets = []
        offset = start
        while offset >= 0:
            if accept(data, offset, offset + len(searched), encoding):
                offsets.append(offset)
            offset = data.find(searched, offset + len(searched), stop + len(zeros))
        if offsets:
            # The NUL at the end stays one, and may be the first byte of a string in another encoding.
            yield (*offsets, stop + len(zeros)), offsets[0], stop
        start = data.find(searched, stop + len(zeros))


def _path_items(
    data: Searched, searched: bytes, encoding: str, accept: Accept
) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Every occurrence, before any bytes."""
    start = data.find(searched)
    while start >= 0:
        end = start + len(searched)
        if accept(data, start, end, encoding):
            yield (start,), start, end
        start = data.find(searched, end)


FINDERS = {"text": _text_items, "binary": _binary_items, "paths": _path_items}
