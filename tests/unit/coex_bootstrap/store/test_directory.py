"""A directory by its descriptor: files go into it, even if it was moved and its old path leads elsewhere."""

import errno
import os
import stat

import pytest
from coex_bootstrap.store import directory as module
from coex_bootstrap.store.directory import Directory

from unit.coex_bootstrap.building import read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator


@pytest.fixture(params=[True, False], ids=["by descriptor", "by working directory"], autouse=True)
def way(request, monkeypatch):
    # type: (Any, Any) -> None
    if request.param and not module.KNOWS_DESCRIPTORS:
        pytest.skip("this Python takes no descriptors of directories")
    monkeypatch.setattr(module, "KNOWS_DESCRIPTORS", request.param)


@pytest.fixture
def directory(place):
    # type: (bytes) -> Iterator[Directory]
    os.mkdir(place + b"/one")
    found = Directory(place + b"/one")
    yield found
    found.close()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_write(place, directory, umask):
    # type: (bytes, Directory, int) -> None
    here, old = os.getcwd(), os.umask(umask)
    try:
        directory.write(b"/any/path/start", b"first, and longer")
        directory.write(b"/any/path/start", b"second")
    finally:
        os.umask(old)
    assert read(place + b"/one/start") == b"second"
    assert stat.S_IMODE(os.stat(place + b"/one/start").st_mode) == 0o644
    assert os.listdir(place + b"/one") == [b"start"]
    assert os.getcwd() == here


def test_never_into_its_replacement(place, directory):
    # type: (bytes, Directory) -> None
    assert directory.is_at(place + b"/one")
    os.rename(place + b"/one", place + b"/aside")
    write(place + b"/one/file", b"")
    directory.write(place + b"/one/start", b"mine")
    assert os.listdir(place + b"/one") == [b"file"]
    assert read(place + b"/aside/start") == b"mine"
    assert not directory.is_at(place + b"/one")
    assert directory.is_at(place + b"/aside")


def test_never_where_it_was_removed(place, directory):
    # type: (bytes, Directory) -> None
    here = os.getcwd()
    os.rmdir(place + b"/one")
    with pytest.raises(EnvironmentError) as caught:
        directory.write(place + b"/one/start", b"mine")
    assert caught.value.errno == errno.ENOENT
    assert not directory.is_at(place + b"/one")
    assert os.getcwd() == here


def test_from_a_directory_that_is_gone(place, directory, monkeypatch):
    # type: (bytes, Directory, Any) -> None
    os.mkdir(place + b"/here")
    monkeypatch.chdir(place)
    os.chdir(place + b"/here")
    os.rmdir(place + b"/here")
    directory.write(b"start", b"mine")
    assert read(place + b"/one/start") == b"mine"
    assert os.stat(b".").st_nlink == 0  # it is still this process's


@pytest.mark.parametrize("name", [b"start", b"x" * 300])
def test_from_a_directory_that_cannot_be_opened(place, directory, monkeypatch, name):
    # type: (bytes, Directory, Any, bytes) -> None
    """There is no way back into such a directory, so the process does not leave it."""
    real, fchdir, own = os.open, os.fchdir, os.getpid()

    def leave(descriptor):
        # type: (int) -> None
        assert os.getpid() != own
        fchdir(descriptor)

    def refuse(path, *arguments, **named):
        # type: (bytes, *Any, **Any) -> int
        if path == b".":
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "fchdir", leave)
    if len(name) < 100:
        directory.write(name, b"mine")
        assert read(place + b"/one/start") == b"mine"
    else:
        with pytest.raises(EnvironmentError) as caught:
            directory.write(name, b"mine")
        assert caught.value.errno == errno.ENAMETOOLONG


def test_close(place):
    # type: (bytes) -> None
    directory = Directory(place)
    directory.close()
    with pytest.raises(OSError, match="[Bb]ad file"):
        os.fstat(directory.descriptor)


def test_a_new_file_that_fails_leaves_nothing(place):
    # type: (bytes) -> None
    write(place + b"/file", b"old")
    with pytest.raises(KeyError):
        with module.Replacement(place + b"/file", module.beside(place + b"/file")) as new:
            os.close(new.open())
            assert stat.S_IMODE(os.stat(new.new).st_mode) == 0o600
            raise KeyError
    assert os.listdir(place) == [b"file"]
    assert read(place + b"/file") == b"old"


def test_the_name_of_a_new_file_is_always_allowed(place):
    # type: (bytes) -> None
    module.write_file(place + b"/" + b"x" * 255, b"mine", new=module.beside(place + b"/" + b"x" * 255))
    assert os.listdir(place) == [b"x" * 255]
