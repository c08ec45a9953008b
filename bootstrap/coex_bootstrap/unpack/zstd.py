"""Decode independent zstd frames with a decoder of the archive or of the host."""

from ..base import compat
from ..base.errors import ArchiveDamaged, DecoderMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Callable, List, Optional, Union

    # Takes a frame and the size of its content; the result holds until the next call.
    Decoder = Callable[[bytes, int], Union[bytes, memoryview]]

HOST_LIBRARIES = ("libzstd.so.1", "libzstd.1.dylib", "/opt/homebrew/lib/libzstd.1.dylib", "/usr/local/lib/libzstd.1.dylib")
PROGRAMS = ("zstd", "unzstd", "pzstd")
STEP = 1 << 20  # bytes: the buffer for content has a multiple of these


def open_decoder(carried=None):
    # type: (Optional[bytes]) -> Decoder
    """Return a decoder: the standard library's, of the library `carried`, of the host's library, of a program.

    `carried` is the path of the libzstd that the archive carries, once written. Raises DecoderMissing with
    the libraries that were tried, each with the reason why it was refused.
    """
    reasons = []  # type: List[str]
    ways = [("compression.zstd", _standard_library)]
    lacks_ctypes = _without_ctypes()
    if lacks_ctypes:
        ways.append(("the libzstd in the archive and of the host", _no_library))
    elif carried is not None:
        ways.append(("the libzstd in the archive", lambda: _library(compat.native(carried))))
    for name in () if lacks_ctypes else HOST_LIBRARIES:
        ways.append((name, lambda name=name: _library(name)))  # type: ignore[misc]
    for name in PROGRAMS:
        ways.append(("the program " + name, lambda name=name: _program(name)))  # type: ignore[misc]
    for name, way in ways:
        try:
            return way()
        except Exception as error:  # a foreign library may fail in any way: the next is tried
            reasons.append("%s (%s)" % (name, str(error).splitlines()[0] if str(error) else type(error).__name__))
    remedy = "install zstd on this host" + (", or name a Python that has ctypes in COEX_PYTHON" if lacks_ctypes else "")
    raise DecoderMissing("no way to decode zstd: " + ", ".join(reasons), remedy=remedy)


def _without_ctypes():
    # type: () -> bool
    """Return whether this Python cannot load libraries: some are built or packaged so."""
    try:
        import ctypes  # noqa: F401
    except Exception:
        return True
    return False


def _no_library():
    # type: () -> Decoder
    import ctypes  # noqa: F401 # which says why it cannot be loaded

    raise ImportError("no ctypes")


def _standard_library():
    # type: () -> Decoder
    """compression.zstd of Python 3.14 and newer (PEP 784)."""
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]

    def decode(frame, size):
        # type: (bytes, int) -> bytes
        decompressor = zstd.ZstdDecompressor()
        try:
            content = decompressor.decompress(frame, size + 1)  # type: bytes
        except zstd.ZstdError as error:
            raise ArchiveDamaged("a frame cannot be decoded: %s" % error)
        if not decompressor.eof or decompressor.unused_data:  # its checksum comes last
            raise ArchiveDamaged("a frame has another size than the index says")
        return _checked(content, size)

    return decode


def _library(name):
    # type: (str) -> Decoder
    """libzstd by ctypes: the global lock of the interpreter is free while it decodes."""
    import ctypes

    library = ctypes.CDLL(name)
    library.ZSTD_createDCtx.restype = ctypes.c_void_p
    library.ZSTD_getErrorName.restype = ctypes.c_char_p
    library.ZSTD_getErrorName.argtypes = [ctypes.c_size_t]
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    decompress = library.ZSTD_decompressDCtx
    decompress.restype = ctypes.c_size_t
    decompress.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    context = ctypes.c_void_p(library.ZSTD_createDCtx())
    buffers = [ctypes.create_string_buffer(0)]  # type: List[ctypes.Array[ctypes.c_char]]

    def decode(frame, size):
        # type: (bytes, int) -> memoryview
        if len(buffers[0]) < size:
            buffers[0] = ctypes.create_string_buffer(-(-size // STEP) * STEP)
        result = decompress(context, buffers[0], len(buffers[0]), frame, len(frame))
        if library.ZSTD_isError(result):
            why = library.ZSTD_getErrorName(result).decode("ascii", "replace")
            raise ArchiveDamaged("a frame cannot be decoded: %s" % why)
        if result != size:
            raise ArchiveDamaged("a frame has another size than the index says")
        return memoryview(buffers[0])[:size]

    return decode


def _program(name):
    # type: (str) -> Decoder
    from .zstd_program import run_each

    decode = run_each(name)
    return lambda frame, size: _checked(decode(frame, size), size)


def _checked(content, size):
    # type: (bytes, int) -> bytes
    if len(content) != size:
        raise ArchiveDamaged("a frame has another size than the index says")
    return content
