"""Placeholder to prefix, at offsets known from the index: what conda's `core/portability.py` does, without a search."""

import codecs
import hashlib

from ..base.errors import HostUnfit
from ..format.relocation import BINARY, ENCODINGS, NOTHING, SCRIPT, TEXT, invalid_relocation, parse
from .shebang import console_shebang, shorten_shebang

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator, List, Optional, Tuple

    from ..format.relocation import Relocation
    from .codesign import Signer


def apply(relocation, data, prefix, signer=None, path=b""):
    # type: (Relocation, bytes, bytes, Optional[Signer], bytes) -> bytes
    """Return the content of a file relocated for `prefix`; raises HostUnfit if that is too long.

    `signer` signs a binary, whose `path` in the root it needs for what it cannot sign alone; raises SigningFailed.
    """
    if relocation.kind == TEXT:
        return shorten_shebang(_text(relocation, data, prefix))
    if relocation.kind == BINARY:
        data = _binary(relocation, data, prefix)
        return signer.sign(data, path) if signer else data
    if relocation.kind != SCRIPT:
        raise invalid_relocation()
    return console_shebang(prefix + b"/" + relocation.python) + data


def size_at(relocation, size, prefix):
    # type: (Relocation, int, bytes) -> Optional[int]
    """Return the size of a file of `size` as it is in `prefix`; None if that depends on its content, as a #! line's does."""
    if relocation.kind == SCRIPT:
        return size + len(console_shebang(prefix + b"/" + relocation.python))
    for encoding, items in (relocation.edits or ()) if relocation.kind == TEXT else ():
        old, new = _pair(relocation, encoding, prefix)
        if any(is_escaped for _, is_escaped in items):
            return None
        size += (len(new) - len(old)) * len(items)
    return size


def _text(relocation, data, prefix):
    # type: (Relocation, bytes, bytes) -> bytes
    places = []
    for encoding, items in relocation.edits or ():
        old, new = _pair(relocation, encoding, prefix)
        escaped = _encoded(encoding, prefix.replace(b" ", b"\\ "))
        for start, is_escaped in items:
            if data[start : start + len(old)] != old:
                raise invalid_relocation()
            places.append((start, start + len(old), escaped if is_escaped else new))
    pieces, end = [], 0
    for start, stop, new in sorted(places):
        if start < end:
            raise invalid_relocation()
        pieces += [data[end:start], new]
        end = stop
    return b"".join(pieces) + data[end:]


def _binary(relocation, data, prefix):
    # type: (Relocation, bytes, bytes) -> bytes
    content = bytearray(data)
    for start, string in strings(relocation, prefix, len(data), lambda first, last: bytes(content[first:last])):
        content[start : start + len(string)] = string
    return bytes(content)


def strings(relocation, prefix, size, read):
    # type: (Relocation, bytes, int, Callable[[int, int], bytes]) -> Iterator[Tuple[int, bytes]]
    """Yield (offset, bytes of the old length) for every string of a binary; `read` gives old bytes of its `size`."""
    left = size * len(ENCODINGS)  # strings of one encoding do not overlap
    for encoding, items in relocation.edits or ():
        old, new = _pair(relocation, encoding, prefix)
        if len(new) > len(old):
            raise HostUnfit(
                "the place to unpack is too long: %d bytes, a package allows %d" % (len(new), len(old)),
                prefix, "name a shorter directory in COEX_ROOT",
            )
        for item in items:
            if len(item) == 1:
                if item[0] + len(old) > size or read(item[0], item[0] + len(old)) != old:
                    raise invalid_relocation()
                yield item[0], _padded(prefix, encoding, len(old))
                continue
            offsets, end = item[:-1], item[-1]
            start = offsets[0]
            left -= end - start
            if end > size or left < 0:
                raise invalid_relocation()
            string = read(start, end)
            pieces, last = [], 0
            for offset in offsets:
                first = offset - start
                if first < last or string[first : first + len(old)] != old:
                    raise invalid_relocation()
                pieces += [string[last:first], new]
                last = first + len(old)
            pieces.append(string[last:])
            yield start, b"".join(pieces) + b"\0" * ((len(old) - len(new)) * len(offsets))


def _padded(prefix, encoding, size):
    # type: (bytes, int, int) -> bytes
    """Return a path of `size` bytes: with more slashes before its last name, where several count as one."""
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


def hash_content(source, frames, placeholders, prefix, signer=None):
    # type: (Tuple[int, int, int, bytes], Callable[[int], bytes], List[bytes], bytes, Optional[Signer]) -> bytes
    """Return the sha256, in hexadecimal, of the content in a SOURCE as it is in `prefix`; `frames` decodes one."""
    number, start, left, words = source
    pieces = []
    while left > 0:
        try:
            pieces.append(frames(number)[start : start + left])
        except IndexError:
            raise invalid_relocation()
        left, number, start = left - len(pieces[-1]), number + 1, 0
    data = b"".join(pieces)
    if words != NOTHING:
        data = apply(parse(words, placeholders), data, prefix, signer)
    return hashlib.sha256(data).hexdigest().encode("ascii")
