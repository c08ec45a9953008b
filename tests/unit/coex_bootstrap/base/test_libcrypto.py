"""A Python without OpenSSL hashes by the library of the host, with the result of hashlib, or by its own code."""

import hashlib
import sys

import pytest
from coex_bootstrap.base import compat, libcrypto

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTENT = bytes(bytearray(n % 251 for n in range(3 * libcrypto.PIECE + 7)))


@pytest.fixture(autouse=True)
def _first_call(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setattr(libcrypto, "MAKERS", [])


@pytest.fixture
def without_openssl(monkeypatch):
    # type: (Any) -> Any
    monkeypatch.delitem(sys.modules, "_hashlib", raising=False)
    return monkeypatch


def digest_of(total):
    # type: (Any) -> str
    for start, end in ((0, 0), (0, 5), (5, 2 * libcrypto.PIECE), (2 * libcrypto.PIECE, len(CONTENT))):
        total.update(memoryview(CONTENT)[start:end])
    digest = total.hexdigest()
    assert total.hexdigest() == digest
    assert isinstance(digest, str) or sys.version_info < (3,)
    return str(digest)


def has_library():
    # type: () -> bool
    try:
        return any(map(libcrypto.load_library, libcrypto.LIBRARIES[:1]))
    except Exception:
        return False


def test_with_openssl():
    # type: () -> None
    assert digest_of(compat.new_sha256()) == hashlib.sha256(CONTENT).hexdigest()
    assert isinstance(compat.new_sha256(), type(hashlib.sha256())) or "_hashlib" not in sys.modules


@pytest.mark.skipif(not has_library(), reason="this Python has no ctypes, or the host no OpenSSL")
def test_by_the_library(without_openssl):
    # type: (Any) -> None
    first, second = compat.new_sha256(), compat.new_sha256()
    assert isinstance(first, libcrypto.LibraryHash)
    second.update(b"other")
    assert digest_of(first) == hashlib.sha256(CONTENT).hexdigest()
    assert second.hexdigest() == hashlib.sha256(b"other").hexdigest()


@pytest.mark.parametrize("names", [(), ("libcrypto.so.none",), ("libc.so.6",)])
def test_without_a_library_that_hashes(without_openssl, names):
    # type: (Any, Any) -> None
    without_openssl.setattr(libcrypto, "LIBRARIES", names)
    total = compat.new_sha256()
    assert not isinstance(total, libcrypto.LibraryHash)
    assert digest_of(total) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.skipif(not has_library(), reason="this Python has no ctypes, or the host no OpenSSL")
def test_a_library_with_wrong_results(without_openssl):
    # type: (Any) -> None
    without_openssl.setattr(libcrypto.LibraryHash, "hexdigest", lambda _: "0" * 64)
    assert not isinstance(compat.new_sha256(), libcrypto.LibraryHash)
