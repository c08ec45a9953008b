"""Replace the placeholder by the prefix at the index's offsets, with the result of conda's `core/portability.py`."""

import codecs
import sys
from bisect import bisect_right

from ..base.errors import HostUnfit
from ..format.relocation import BINARY, ENCODINGS, SCRIPT, TEXT, invalid_relocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple, Union

    from ..format.relocation import Relocation
    from .codesign import Signer

    Content = Union[bytes, memoryview]
    Splice = Tuple[int, int, bytes, bytes]

JOINS_VIEWS = sys.version_info >= (3, 4)
SHORT = 127  # bytes of a #! line that every system takes


def apply(relocation, data, prefix, signer=None, path=b""):
    # type: (Relocation, Content, bytes, Optional[Signer], bytes) -> bytes
    """Return the content of a file as it is in `prefix`; raises as `splices` does.

    `signer` signs a binary; if it needs the system for that, it needs the `path` in the root. Raises SigningFailed.
    """
    view, parts, done = memoryview(data), [], 0  # type: memoryview, List[Content], int
    for start, stop, old, new in splices(relocation, len(view), prefix):
        if view[start:stop].tobytes() != old:
            raise invalid_relocation()
        parts += [view[done:start], new]
        done = stop
    relocated = joined(parts + [view[done:]])
    if relocation.kind == TEXT:
        return _with_short_line(relocated)
    return signer.sign(relocated, path) if signer and relocation.kind == BINARY else relocated


def joined(parts):
    # type: (List[Content]) -> bytes
    """Return the bytes of all parts."""
    return b"".join(parts if JOINS_VIEWS else [memoryview(part).tobytes() for part in parts])


def splices(relocation, size, prefix):
    # type: (Relocation, int, bytes) -> List[Splice]
    """Return (start, stop, old bytes, new bytes) of each change to a file of `size` bytes, in order.

    Raises HostUnfit if the prefix is too long, and ArchiveDamaged if changes overlap or lie outside the file.
    """
    if relocation.kind == SCRIPT:
        return [(0, 0, b"", _script_line(prefix + b"/" + relocation.python))]
    if relocation.kind not in (TEXT, BINARY):
        raise invalid_relocation()
    changes = _in_text(relocation, prefix) if relocation.kind == TEXT else _in_binary(relocation, size, prefix)
    changes.sort()
    last = 0
    for start, stop, _, _ in changes:
        if start < last or stop > size:
            raise invalid_relocation()
        last = stop
    return changes


def _with_short_line(text):
    # type: (bytes) -> bytes
    """Return a relocated text, whose #! line is changed if it has become too long, or has an escaped blank."""
    end = text.find(b"\n", 0, SHORT + 1)
    if not text.startswith(b"#!") or end >= 0 and b"\\ " not in text[:end]:
        return text
    from .shebang import shorten_shebang  # with regular expressions, which take longer to load than all scripts to write

    return shorten_shebang(text)


def _script_line(executable):
    # type: (bytes) -> bytes
    """Return the first lines of a console script for this Python."""
    if len(executable) < SHORT - len(b"#!\n") and b" " not in executable:
        return b"#!" + executable + b"\n"
    from .shebang import console_shebang

    return console_shebang(executable)


def size_at(relocation, size, prefix):
    # type: (Relocation, int, bytes) -> Optional[int]
    """Return the size of a file of `size` as it is in `prefix`; None if that depends on its content, as a #! line's does."""
    if relocation.kind == SCRIPT:
        return size + len(_script_line(prefix + b"/" + relocation.python))
    for encoding, items in (relocation.edits or ()) if relocation.kind == TEXT else ():
        old, new = _pair(relocation, encoding, prefix)
        if any(is_escaped for _, is_escaped in items):
            return None
        size += (len(new) - len(old)) * len(items)
    return size


def _in_text(relocation, prefix):
    # type: (Relocation, bytes) -> List[Splice]
    changes = []
    for encoding, items in relocation.edits or ():
        old, new = _pair(relocation, encoding, prefix)
        escaped = _encoded(encoding, prefix.replace(b" ", b"\\ "))
        changes += [(start, start + len(old), old, escaped if is_escaped else new) for start, is_escaped in items]
    return changes


def _in_binary(relocation, size, prefix):
    # type: (Relocation, int, bytes) -> List[Splice]
    """Return the changes to a binary: no byte outside its strings moves, so they are padded to their old length."""
    changes, ends = [], []  # type: List[Splice], List[Tuple[int, int, bytes]]
    for encoding, items in relocation.edits or ():
        old, new = _pair(relocation, encoding, prefix)
        if len(new) > len(old):
            raise HostUnfit(
                "the place to unpack is too long: %d bytes, a package allows %d" % (len(new), len(old)),
                prefix, "name a shorter directory in COEX_ROOT",
            )
        for item in items:
            if len(item) == 1:
                changes.append((item[0], item[0] + len(old), old, _padded(prefix, encoding, len(old))))
                continue
            changes += [(offset, offset + len(old), old, new) for offset in item[:-1]]
            if item[-1] < item[-2] + len(old) or item[-1] > size:
                raise invalid_relocation()
            ends.append((item[-2], item[-1], b"\0" * ((len(old) - len(new)) * (len(item) - 1))))
    starts = sorted(change[0] for change in changes)
    for last, end, padding in ends:  # a NUL at the end may also begin a string of another encoding
        end = min([end] + _next(starts, last))
        changes.append((end, end, b"", padding))
    return changes


def _next(starts, last):
    # type: (List[int], int) -> List[int]
    """Return the first of the sorted `starts` behind `last`, in a list that is empty if there is none."""
    number = bisect_right(starts, last)
    return starts[number : number + 1]


def _padded(prefix, encoding, size):
    # type: (bytes, int, int) -> bytes
    """Return a path of `size` bytes: it has more slashes before its last name, and several slashes count as one."""
    above, _, name = prefix.rpartition(b"/")
    first, last = _encoded(encoding, above + b"/"), _encoded(encoding, name)
    slash = _encoded(encoding, b"/")
    return first + slash * ((size - len(first) - len(last)) // len(slash)) + last


def _pair(relocation, encoding, prefix):
    # type: (Relocation, int, bytes) -> Tuple[bytes, bytes]
    """Return placeholder and prefix in an encoding."""
    return _encoded(encoding, relocation.placeholder.encode("utf-8")), _encoded(encoding, prefix)


def _encoded(encoding, path):
    # type: (int, bytes) -> bytes
    if encoding == 0:
        return path
    # Not by name: to find a codec, 3.13.0 needs a working directory that is there.
    encode = getattr(codecs, ENCODINGS[encoding].replace("-", "_") + "_encode")
    try:
        return bytes(encode(path.decode("utf-8"))[0])
    except UnicodeDecodeError:
        raise HostUnfit("a package needs a place whose path is UTF-8", path, "name one in COEX_ROOT")
