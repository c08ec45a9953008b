"""Renew the hashes in the ad-hoc signature of a Mach-O file whose pages were changed.

The structures are those of Apple's published headers: `mach-o/loader.h`, `mach-o/fat.h` and xnu's `cs_blobs.h`. The file
may come from anyone: every offset and every number is checked against the size of the part that it lies in.
"""

import hashlib
import struct
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator, List, Tuple

    Read = Callable[[int, int], bytes]  # the bytes of the file from one offset up to another
    Patch = Tuple[int, bytes]

THIN, FAT = {b"\xcf\xfa\xed\xfe": 32, b"\xce\xfa\xed\xfe": 28}, {b"\xca\xfe\xba\xbe": ">8xII4x", b"\xca\xfe\xba\xbf": ">8xQQ8x"}
MOST_SLICES = 30  # a Java class begins as a fat file does, and has its version, at least 45, here
MOST_COMMANDS = 1 << 20  # bytes of load commands: those of real files have some thousand
MOST_BLOBS = 100
LARGEST_BLOB = 1 << 24  # bytes of requirements or entitlements
ARM64 = 0x0100000C
LOADED = (2, 3, 5, 6, 7, 8, 11)  # file types that a process is made of; no object files, symbols or dumps of memory
CODE_SIGNATURE = 0x1D  # the load command
SIGNATURE, DIRECTORY = 0xFADE0CC0, 0xFADE0C02  # magic numbers of blobs
DIRECTORIES = (0,) + tuple(range(0x1000, 0x1005))  # slots of a signature: the CodeDirectory, and its alternates
CMS, EMPTY_CMS = 0x10000, 8  # slot of the signature by a certificate, and the size of one without content
HASHED_BLOBS = (2, 5, 7)  # slots whose blob has its hash in each CodeDirectory: requirements, two kinds of entitlements
SCATTER, LIMIT_64 = 0x20100, 0x20300  # versions of a CodeDirectory, from which on it has these fields
DIRECTORY_HEAD = struct.Struct(">9I4BI")
PAGES = range(12, 17)  # sizes of a page, as powers of 2
HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
PIECE = 1 << 20  # bytes that are read at once: whole pages of each size

Blob = namedtuple("Blob", "slot offset magic size")  # the offset is the one in the file
Pages = namedtuple("Pages", "start end page algorithm size table")  # of code, and the place of the table of their hashes


class Unrenewable(Exception):
    """The signature is missing, of another kind, or cannot be read.

    `needed`: the system loaded the file before it was changed, or loads it once it is signed.
    """

    def __init__(self, reason, needed=False):
        # type: (str, bool) -> None
        super(Unrenewable, self).__init__(reason)
        self.needed = needed


def renew(data):
    # type: (bytes) -> bytes
    """Return a file with the hashes of its pages as they are now; other files are returned as they are.

    Raises Unrenewable.
    """
    content = bytearray(data)
    for offset, piece in patches(lambda first, last: data[first:last], len(data)):
        content[offset : offset + len(piece)] = piece
    return bytes(content)


def patches(read, size):
    # type: (Read, int) -> List[Patch]
    """Return (offset, bytes) of the tables of hashes, as they have to be, in a file of `size`; none in other files.

    Raises Unrenewable if a slice has a signature that is not ad hoc, or cannot be read, or lacks one that it needs.
    """
    return [(pages.table, b"".join(_hashes(read, pages))) for pages in signed_pages(read, size)]


def signed_pages(read, size):
    # type: (Read, int) -> List[Pages]
    """Return the pages that have hashes in a file of `size`, without hashing any; raises Unrenewable as `patches` does."""
    return [pages for start, end in _slices(read, size) for pages in _signed_pages(read, start, end)]


def _slices(read, size):
    # type: (Read, int) -> List[Tuple[int, int]]
    """Return start and end of each Mach-O in a file: one in a thin file, one for each processor in a fat file."""
    magic = read(0, 4)
    if magic in THIN:
        return [(0, size)]
    head = read(4, 8)
    if magic not in FAT or len(head) < 4 or not 0 < struct.unpack(">I", head)[0] <= MOST_SLICES:
        return []
    entry = struct.Struct(FAT[magic])
    last = 8 + struct.unpack(">I", head)[0] * entry.size
    table = read(8, last)
    if len(table) != last - 8:
        raise Unrenewable("its table of slices is not whole")
    slices = []
    for offset, length in sorted(entry.unpack_from(table, at) for at in range(0, len(table), entry.size)):
        if offset < last or offset + length > size:
            raise Unrenewable("a slice lies outside of it, or in another")
        last = offset + length
        slices.append((offset, last))
    return [(start, end) for start, end in slices if read(start, start + 4) in THIN]


def _signed_pages(read, start, end):
    # type: (Read, int, int) -> List[Pages]
    """Return the pages of a slice by each CodeDirectory of its signature; none if it has no signature and needs none."""
    head = THIN[read(start, start + 4)]
    fields = read(start + 4, start + 24)
    if len(fields) != 20 or start + head > end:
        raise Unrenewable("its header is not whole")
    processor, _, kind, count, length = struct.unpack("<5I", fields)
    needed = processor == ARM64 and kind in LOADED
    if length > MOST_COMMANDS or start + head + length > end:
        raise Unrenewable("its load commands are not whole")
    places = list(_signatures(read(start + head, start + head + length), count))
    if not places and needed:
        raise Unrenewable("it is not signed", needed=True)
    if len(places) > 1:
        raise Unrenewable("it has several signatures")
    for offset, size in places:
        if offset < head + length or start + offset + size > end:
            raise Unrenewable("its signature lies outside of it")
        return _directories(read, start, start + offset, size, needed)
    return []


def _signatures(commands, count):
    # type: (bytes, int) -> Iterator[Tuple[int, int]]
    """Yield offset and size that the load commands name for a signature."""
    at = 0
    for _ in range(min(count, len(commands) // 8 + 1)):
        if at + 8 > len(commands):
            raise Unrenewable("it has fewer load commands than it says")
        command, size = struct.unpack_from("<II", commands, at)
        if size < 8 or at + size > len(commands):
            raise Unrenewable("a load command is not whole")
        if command == CODE_SIGNATURE:
            if size != 16:
                raise Unrenewable("the load command of its signature is not whole")
            yield struct.unpack_from("<II", commands, at + 8)
        at += size


def _directories(read, base, start, size, needed):
    # type: (Read, int, int, int, bool) -> List[Pages]
    """Return the pages of a slice that begins at `base`, by the signature at `start`; both are offsets in the file."""
    blobs = _blobs(read, start, size)
    if any(blob.slot == CMS and blob.size > EMPTY_CMS for blob in blobs):
        raise Unrenewable("it is signed by a certificate", needed)
    directories = [blob for blob in blobs if blob.slot in DIRECTORIES]
    if not directories or directories[0].slot != 0 or any(blob.magic != DIRECTORY for blob in directories):
        raise Unrenewable("its signature has no CodeDirectory")
    return [_pages(read, base, start, blob, blobs) for blob in directories]


def _blobs(read, start, size):
    # type: (Read, int, int) -> List[Blob]
    """Return the blobs of a signature, by their slots; none lies in another."""
    head = read(start, start + 12) if size >= 12 else b""
    if len(head) != 12:
        raise Unrenewable("its signature is not whole")
    magic, length, count = struct.unpack(">3I", head)
    if magic != SIGNATURE or length > size or count > MOST_BLOBS or 12 + 8 * count > length:
        raise Unrenewable("its signature is not one of known form")
    numbers = struct.unpack(">%dI" % (2 * count), read(start + 12, start + 12 + 8 * count))
    last, blobs = 12 + 8 * count, []
    for offset, slot in sorted(zip(numbers[1::2], numbers[::2])):
        if offset < last or offset + 8 > length:
            raise Unrenewable("a part of its signature lies outside of it, or in another")
        magic, size = struct.unpack(">II", read(start + offset, start + offset + 8))
        last = offset + size
        if size < 8 or last > length:
            raise Unrenewable("a part of its signature is not whole")
        blobs.append(Blob(slot, start + offset, magic, size))
    if len(set(blob.slot for blob in blobs)) != len(blobs):
        raise Unrenewable("its signature has a part twice")
    return sorted(blobs)


def _pages(read, base, limit, blob, blobs):
    # type: (Read, int, int, Blob, List[Blob]) -> Pages
    """Return the pages that a CodeDirectory has hashes of; they end before the signature at `limit`."""
    head = read(blob.offset, blob.offset + min(blob.size, 64))
    if len(head) < DIRECTORY_HEAD.size:
        raise Unrenewable("its CodeDirectory is not whole")
    fields = DIRECTORY_HEAD.unpack_from(head)
    version, table, special, count, code, size, number, page = [fields[at] for at in (2, 4, 6, 7, 8, 9, 10, 12)]
    if version >= SCATTER and _number(head, 44, ">I"):
        raise Unrenewable("its pages are scattered")
    code = (_number(head, 56, ">Q") if version >= LIMIT_64 else 0) or code
    if number not in HASHES or HASHES[number][1] != size or page not in PAGES:
        raise Unrenewable("its signature has hashes of another kind")
    if count != (code + (1 << page) - 1) >> page or base + code > limit:
        raise Unrenewable("its signature is for code of another size")
    if table < DIRECTORY_HEAD.size + special * size or table + count * size > blob.size:
        raise Unrenewable("its CodeDirectory has hashes outside of it")
    pages = Pages(base, base + code, 1 << page, getattr(hashlib, HASHES[number][0]), size, blob.offset + table)
    _check_blobs(read, pages, special, blobs)
    return pages


def _number(data, offset, form):
    # type: (bytes, int, str) -> int
    if len(data) < offset + struct.calcsize(form):
        raise Unrenewable("its CodeDirectory is not whole")
    return int(struct.unpack_from(form, data, offset)[0])


def _check_blobs(read, pages, special, blobs):
    # type: (Read, Pages, int, List[Blob]) -> None
    """Refuse a signature whose other parts were changed: they may name the prefix, too."""
    for blob in blobs:
        if blob.slot in HASHED_BLOBS and blob.slot <= special:
            if blob.size > LARGEST_BLOB:
                raise Unrenewable("a part of its signature is too large")
            place = pages.table - blob.slot * pages.size
            content = read(blob.offset, blob.offset + blob.size)
            if read(place, place + pages.size) != pages.algorithm(content).digest()[: pages.size]:
                raise Unrenewable("a part of its signature was changed")


def _hashes(read, pages):
    # type: (Read, Pages) -> Iterator[bytes]
    """Yield the hash of each page; the last one may be shorter."""
    new, page, size = pages.algorithm, pages.page, pages.size
    for first in range(pages.start, pages.end, PIECE):
        piece = memoryview(read(first, min(first + PIECE, pages.end)))
        for at in range(0, len(piece), page):
            yield new(piece[at : at + page]).digest()[:size]
