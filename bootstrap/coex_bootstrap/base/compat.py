"""Hide the differences between Python 2 and 3 from the rest of the bootstrap."""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import re
    import signal as signal
    from hashlib import sha256 as sha256
    from typing import BinaryIO, Dict, Optional, Union

    from .libcrypto import LibraryHash
else:
    try:  # the module below, whose numbers have no names: those are made by enum, which loads many others
        import _signal as signal
    except ImportError:
        import signal
    try:  # that of OpenSSL, as hashlib would choose it: hashlib loads the other algorithms, too
        from _hashlib import openssl_sha256 as sha256

        sha256()
    except (ImportError, ValueError):  # the latter if a configuration of OpenSSL leaves its algorithms out
        from hashlib import sha256

PY2 = sys.version_info[0] == 2
UNPACKED_TO = getattr(sys, "_xoptions", {}).get("coex")  # the directory of this Python, if the prelude unpacked it
READS_AT = hasattr(os, "pread")  # not 2.7
NOW = int(time.time())  # access time of unpacked files: cleaners read it as the last use
# Characters that move a cursor, change colours, end a line or reverse the order of letters. Also lone surrogates.
UNSEEN = (
    u"[\\x00-\\x1f\\x7f-\\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    u"|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]"
)
PLAIN = frozenset(bytes(bytearray(range(0x20, 0x7F))).decode("ascii"))


def path_bytes(path):
    # type: (Union[str, bytes]) -> bytes
    """Return a path, an argument or a value of the environment as the bytes that the system knows."""
    if isinstance(path, bytes):
        return path
    if PY2:
        return path.encode("utf-8")
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # PyPy decodes arguments as UTF-8, in the C locale too
        return path.encode("utf-8", "surrogateescape")


def native(path):
    # type: (bytes) -> str
    """Return a path as the type that ctypes takes: bytes on 2, text on 3."""
    return path if PY2 else os.fsdecode(path)  # type: ignore[return-value]


def readable(path):
    # type: (bytes) -> str
    """Return bytes as text to show; invalid UTF-8 is replaced."""
    text = path.decode("utf-8", "replace")
    return text.encode("utf-8") if PY2 else text  # type: ignore[return-value,unused-ignore]


def visible(value):
    # type: (Union[str, bytes]) -> str
    """Return text on one line, with invisible characters escaped.

    Everything that is printed and comes from a file, a path or a caller goes through here.
    """
    shown = text(value) if isinstance(value, bytes) else value
    if PLAIN.issuperset(shown):
        return shown
    import re

    return re.sub(UNSEEN, _escape, shown)


def _escape(mark):
    # type: (re.Match[str]) -> str
    number = ord(mark.group())
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8
        number -= 0xDC00
    return (u"\\x%02x" if number < 0x100 else u"\\u%04x") % number


def one_line(value):
    # type: (Union[str, bytes]) -> str
    """Return `visible` text as the kind of text that errors and the standard streams take: bytes on 2."""
    shown = visible(value)
    return shown.encode("utf-8") if PY2 else shown  # type: ignore[return-value,unused-ignore]


def text(path):
    # type: (bytes) -> str
    """Return bytes as text, as a JSON document takes it; Python 3 can turn invalid UTF-8 back into bytes."""
    return path.decode("utf-8", "replace" if PY2 else "surrogateescape")


def utf8(text):
    # type: (Union[str, bytes]) -> bytes
    """Return text that came out of a JSON document as UTF-8."""
    if isinstance(text, bytes):
        return text
    return text.encode("utf-8") if PY2 else text.encode("utf-8", "surrogateescape")


def environ_bytes():
    # type: () -> Dict[bytes, bytes]
    """Return the environment that this process was started with.

    Python 3.7 and newer change LC_CTYPE of the process itself in the C locale (PEP 538); the kernel still has the
    original block, and the entry point gets that one.
    """
    now = dict(os.environ.items()) if PY2 else dict(os.environb.items())  # type: ignore[misc,unused-ignore]
    for name in [name for name in now if not name]:  # a process can get `=x`, but cannot pass it on
        del now[name]  # type: ignore[arg-type,unused-ignore]
    if PY2 or b"LC_CTYPE" not in now:
        return now  # type: ignore[return-value]
    try:
        with open("/proc/self/environ", "rb") as stream:
            block = stream.read()
    except (IOError, OSError):
        return now  # type: ignore[return-value]
    del now[b"LC_CTYPE"]  # type: ignore[arg-type]
    for pair in block.split(b"\0"):
        if pair.startswith(b"LC_CTYPE="):
            now[b"LC_CTYPE"] = pair[len(b"LC_CTYPE=") :]  # type: ignore[index,assignment,unused-ignore]
    return now  # type: ignore[return-value]


def read_at(stream, offset, size):
    # type: (BinaryIO, int, int) -> bytes
    """Return bytes of a file, fewer only at its end. If possible, do not move the position, which processes share."""
    if not READS_AT:
        return read_from(stream, offset, size)
    data = piece = os.pread(stream.fileno(), size, offset)
    while piece and len(data) < size:  # some file systems return fewer bytes than there are
        piece = os.pread(stream.fileno(), size - len(data), offset + len(data))
        data += piece
    return data


def read_from(stream, offset, size):
    # type: (BinaryIO, int, int) -> bytes
    """Return bytes of a file, fewer only at its end, and move its position past them."""
    stream.seek(offset)
    data = piece = stream.read(size)
    while piece and len(data) < size:  # 2.7 returns the bytes before an error, and does not raise it
        piece = stream.read(size - len(data))
        data += piece
    return data


def leave_garbage():
    # type: () -> None
    """Look for no more cycles of objects. PyPy frees no object at all in another way, so it goes on."""
    import gc

    if "__pypy__" not in sys.builtin_module_names:
        gc.disable()


def keep_memory(size):
    # type: (int) -> None
    """Have this process keep the memory of freed objects of up to `size` bytes for others.

    glibc gives that of large ones back to the system, which clears it for the next one, until one of that size was freed
    (mallopt(3), M_MMAP_THRESHOLD).
    """
    bytes(size)  # zeros that nobody reads take no memory; 2.7 makes a short text, which changes nothing


def close_on_exec(descriptor):
    # type: (int) -> None
    """Let no program that is started get a descriptor."""
    if hasattr(os, "set_inheritable"):  # not 2.7
        os.set_inheritable(descriptor, False)
        return
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def new_sha256():
    # type: () -> Union[hashlib._Hash, LibraryHash]
    """Return a sha256 with the `update` and `hexdigest` of hashlib, fast enough for large content."""
    if "_hashlib" in sys.modules:  # Python was built with OpenSSL
        return sha256()
    from . import libcrypto

    return libcrypto.new_sha256()


def set_times(path, stream, seconds, nanoseconds):
    # type: (bytes, Optional[int], int, int) -> None
    """Set the modification time of a file, and now as its last access, by its descriptor if Python can.

    2.7 keeps microseconds.
    """
    if PY2:
        os.utime(path, (NOW, seconds + nanoseconds / 1e9 if nanoseconds else seconds))
    elif nanoseconds:
        os.utime(path if stream is None else stream, ns=(NOW * 1000000000, seconds * 1000000000 + nanoseconds))
    else:
        os.utime(path if stream is None else stream, (NOW, seconds))
