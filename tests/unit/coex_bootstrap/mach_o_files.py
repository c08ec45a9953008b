"""Write small Mach-O files with an ad-hoc signature, and verify the signature of any: by plain code of their own."""

import hashlib
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

ARM64, X86_64 = 0x0100000C, 0x01000007
DYLIB, OBJECT = 6, 1
HASHES = {"sha1": (1, 20), "sha256": (2, 32), "sha384": (4, 48)}
EMPTY_REQUIREMENTS = struct.pack(">III", 0xFADE0C01, 12, 0)
ENTITLEMENTS = b"<plist><dict><key>com.apple.security.cs.allow-jit</key><true/></dict></plist>"
NO_CMS = struct.pack(">II", 0xFADE0B01, 8)
HEAD = 4096  # bytes before the content


def blob(magic, data):
    # type: (int, bytes) -> bytes
    return struct.pack(">II", magic, 8 + len(data)) + data


def code_directory(code, special, algorithm, page, limit_64=False):
    # type: (bytes, Dict[int, bytes], str, int, bool) -> bytes
    """Return a CodeDirectory of version 0x20400 for `code`; `special` has other blobs by slot."""
    number, size = HASHES[algorithm]

    def digest(data):
        # type: (bytes) -> bytes
        return hashlib.new(algorithm, data).digest()

    last = max(special) if special else 0
    hashes = [digest(special[slot]) if slot in special else b"\0" * size for slot in range(last, 0, -1)]
    hashes += [digest(code[at : at + (1 << page)]) for at in range(0, len(code), 1 << page)]
    name = b"org.example.demo\0"
    table = 88 + len(name) + last * size
    body = struct.pack(
        ">7I4BI IIIQ QQQ", 0x20400, 2, table, 88, last, len(hashes) - last, 0 if limit_64 else len(code),
        size, number, 0, page, 0, 0, 0, 0, len(code) if limit_64 else 0, 0, len(code), 0,
    )
    return blob(0xFADE0C02, body + name + b"".join(hashes))


def signature(code, algorithms, page=12, entitlements=None, cms=NO_CMS, limit_64=False):
    # type: (bytes, Sequence[str], int, Optional[bytes], bytes, bool) -> bytes
    """Return an embedded signature, empty without algorithms; each CodeDirectory after the first is an alternate one.

    `page` is a power of 2; `limit_64` has the size of the code where newer versions have it.
    """
    if not algorithms:
        return b""
    special = {2: EMPTY_REQUIREMENTS}
    if entitlements is not None:
        special[5] = blob(0xFADE7171, entitlements)
    parts = [(0 if n == 0 else 0x1000 + n - 1, code_directory(code, special, algorithm, page, limit_64))
             for n, algorithm in enumerate(algorithms)]
    parts += sorted(special.items()) + [(0x10000, cms)]
    offset, index, body = 12 + 8 * len(parts), [], []
    for slot, data in parts:
        index.append(struct.pack(">II", slot, offset))
        body.append(data)
        offset += len(data)
    return struct.pack(">III", 0xFADE0CC0, offset, len(parts)) + b"".join(index + body)


def mach_o(content, algorithms=("sha1", "sha256"), kind=DYLIB, cpu=ARM64, **signing):
    # type: (bytes, Sequence[str], int, int, **Any) -> bytes
    """Return a 64-bit Mach-O with `content` after its first 4 KiB, signed at the end of __LINKEDIT by these `algorithms`.

    `signing` has arguments of `signature`.
    """
    content += b"\0" * (-len(content) % 16384)
    length = HEAD + len(content)
    size = len(signature(b"\0" * (length + 16), algorithms, **signing)) + 64
    size *= bool(algorithms)
    commands = [segment(b"__TEXT", 0, length), segment(b"__LINKEDIT", length, 16 + size)]
    if algorithms:
        commands.append(struct.pack("<IIII", 0x1D, 16, length + 16, size))
    text = b"".join(commands)
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, 0, kind, len(commands), len(text), 0x85, 0) + text
    code = head + b"\0" * (HEAD - len(head)) + content + b"linkedit\0\0\0\0\0\0\0\0"
    signed = signature(code, algorithms, **signing)
    return code + signed + b"\0" * (size - len(signed))


def segment(name, offset, size):
    # type: (bytes, int, int) -> bytes
    room = size + -size % 16384
    name += b"\0" * (16 - len(name))
    return struct.pack("<II16sQQQQiiII", 0x19, 72, name, offset + -offset % 16384, room, offset, size, 5, 5, 0, 0)


def fat(slices):
    # type: (Sequence[Tuple[int, bytes]]) -> bytes
    """Return a fat file of (processor, Mach-O), each at a multiple of 16 KiB."""
    offset, head, body = 16384, [struct.pack(">II", 0xCAFEBABE, len(slices))], b""
    for cpu, data in slices:
        head.append(struct.pack(">IIIII", cpu, 0, offset, len(data), 14))
        body += data + b"\0" * (-len(data) % 16384)
        offset = 16384 + len(body)
    table = b"".join(head)
    return table + b"\0" * (16384 - len(table)) + body


def wrong_hashes(data):
    # type: (bytes) -> List[Tuple[str, int]]
    """Return (algorithm, page) of each hash that is wrong in a thin or fat file; slices may be unsigned."""
    if data[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack(">I", data[4:8])[0]
        rows = [struct.unpack(">IIIII", data[8 + 20 * n : 28 + 20 * n]) for n in range(count)]
        slices = [data[row[2] : row[2] + row[3]] for row in rows]
        return [each for part in slices if b"\xfa\xde\x0c\xc0" in part for each in wrong_hashes(part)]
    assert data[:4] == b"\xcf\xfa\xed\xfe"
    return list(_wrong_in_slice(data))


def _wrong_in_slice(data):
    # type: (bytes) -> Iterator[Tuple[str, int]]
    names = dict((number, (name, size)) for name, (number, size) in HASHES.items())
    for directory in code_directories(data):
        table, _, special, count, limit = struct.unpack(">5I", directory[16:36])
        kind, page = struct.unpack(">BxB", bytes(directory[37:40]))
        limit = limit or struct.unpack(">Q", directory[56:64])[0]
        name, size = names[kind]
        assert count == (limit + (1 << page) - 1) // (1 << page)
        for number in range(count):
            content = data[number << page : min((number + 1) << page, limit)]
            if hashlib.new(name, content).digest() != directory[table + number * size :][:size]:
                yield name, number


def code_directories(data):
    # type: (bytes) -> Iterator[bytes]
    """Yield each CodeDirectory of a thin file, from where it begins on."""
    at, found = 32, None
    for _ in range(struct.unpack("<I", data[16:20])[0]):
        command, size = struct.unpack("<II", data[at : at + 8])
        if command == 0x1D:
            found = struct.unpack("<II", data[at + 8 : at + 16])
        at += size
    assert found is not None, "it is not signed"
    signed = data[found[0] : found[0] + found[1]]
    magic, _, count = struct.unpack(">III", signed[:12])
    assert magic == 0xFADE0CC0
    for n in range(count):
        slot, offset = struct.unpack(">II", signed[12 + 8 * n : 20 + 8 * n])
        if slot == 0 or 0x1000 <= slot < 0x1005:
            yield signed[offset:]
