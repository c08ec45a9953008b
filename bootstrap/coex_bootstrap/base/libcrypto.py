"""Hash by the OpenSSL of the host, for a Python that was built without it: its own code takes five times as long."""

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Callable, List, Optional, Union

    Content = Union[bytes, memoryview]

LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")
PIECE = 1 << 16  # bytes of a copy that stays in the cache of a processor
MAKERS = []  # type: List[Callable[[], Union[hashlib._Hash, LibraryHash]]] # the one to use, after the first call


def new_sha256():
    # type: () -> Union[hashlib._Hash, LibraryHash]
    """Return a sha256 of the library; of hashlib if the host has none that works."""
    if not MAKERS:
        MAKERS.append(_maker())
    return MAKERS[0]()


def _maker():
    # type: () -> Callable[[], Union[hashlib._Hash, LibraryHash]]
    """Return the function that makes hashes."""
    for name in LIBRARIES:
        try:
            library = load_library(name)
            total = LibraryHash(library)
            total.update(b"abc")
            if total.hexdigest() == hashlib.sha256(b"abc").hexdigest():
                return lambda: LibraryHash(library)
        except Exception:  # a foreign library may fail in any way
            continue
    return hashlib.sha256


def load_library(name):
    # type: (str) -> ctypes.CDLL
    """Return OpenSSL's libcrypto of this name, with the types of the functions that hash; raises if it lacks one."""
    import ctypes

    library, pointer = ctypes.CDLL(name), ctypes.c_void_p
    library.EVP_MD_CTX_new.restype = library.EVP_sha256.restype = pointer
    library.EVP_MD_CTX_free.argtypes = [pointer]
    library.EVP_MD_CTX_free.restype = None
    library.EVP_DigestInit_ex.argtypes = [pointer, pointer, pointer]
    library.EVP_DigestUpdate.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t]
    library.EVP_DigestFinal_ex.argtypes = [pointer, ctypes.c_char_p, pointer]
    return library


class LibraryHash(object):
    """A sha256 that a libcrypto computes."""

    def __init__(self, library):
        # type: (ctypes.CDLL) -> None
        self._library, self._context = library, library.EVP_MD_CTX_new()
        self._digest = None  # type: Optional[str]
        _check(self._context)
        _check(library.EVP_DigestInit_ex(self._context, library.EVP_sha256(), None))

    def update(self, content):
        # type: (Content) -> None
        """Add content, until the first `hexdigest`."""
        assert self._context, "a sha256 that goes on"
        view = memoryview(content)
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE].tobytes()
            _check(self._library.EVP_DigestUpdate(self._context, piece, len(piece)))

    def hexdigest(self):
        # type: () -> str
        """Return the sha256 in hexadecimal."""
        if self._digest is None:
            self._digest = self._finish()
        return self._digest

    def _finish(self):
        # type: () -> str
        import ctypes
        from binascii import hexlify

        digest, context = ctypes.create_string_buffer(32), self._context
        _check(self._library.EVP_DigestFinal_ex(context, digest, None))
        self._context = None
        self._library.EVP_MD_CTX_free(context)
        return hexlify(digest.raw).decode("ascii")


def _check(result):
    # type: (object) -> None
    if not result:
        raise EnvironmentError("libcrypto cannot hash")
