"""Remove trees by descriptors of their directories: another user who changes one meanwhile cannot redirect the removal."""

import errno
import os
import stat

from ..base.compat import path_bytes
from . import directory
from .boot import START, USED
from .directory import at, open_directory, within
from .trust import is_of_user_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Container, List, Union


def remove(path):
    # type: (bytes) -> None
    """Remove a tree, read-only directories included. Files that cannot be removed stay; a missing tree is not an error."""
    above, name = os.path.split(path)
    try:
        _in_directory(above, lambda holder: _remove(holder, name))
    except EnvironmentError:
        pass


def remove_in_place(path):
    # type: (bytes) -> None
    """Remove a root file by file, first of all the files by which it can start; raises EnvironmentError for those."""

    def remove_signs(holder):
        # type: (int) -> None
        root = _open(holder, os.path.basename(path))
        try:
            for name in (START[1:], USED[1:]):
                try:
                    os.unlink(name, **at(root))  # type: ignore[arg-type,unused-ignore]
                except EnvironmentError as error:
                    if error.errno != errno.ENOENT:
                        raise
        finally:
            os.close(root)

    if os.path.isdir(path) and not os.path.islink(path):
        _in_directory(os.path.dirname(path), remove_signs)
    remove(path)


def empty(descriptor, but=()):
    # type: (int, Container[bytes]) -> None
    """Remove everything of this user in an open directory, except for some names."""
    within(descriptor, lambda: _empty(descriptor, lambda name, owner: name not in but and owner == os.geteuid()))


def _in_directory(path, work):
    # type: (bytes, Callable[[int], None]) -> None
    holder = os.open(path, os.O_RDONLY | getattr(os, "O_PATH", 0))  # which need not be readable
    try:
        within(holder, lambda: work(holder))
    finally:
        os.close(holder)


def _remove(holder, name):
    # type: (int, Union[str, bytes]) -> None
    """Remove a file, link or tree of this name in an open directory."""
    try:
        if not stat.S_ISDIR(os.lstat(name, **at(holder)).st_mode):  # type: ignore[arg-type,unused-ignore]
            os.unlink(name, **at(holder))  # type: ignore[arg-type,unused-ignore]
            return
        tree = _open(holder, name)
        try:
            _empty(tree)
        finally:
            os.close(tree)
        os.rmdir(name, **at(holder))  # type: ignore[arg-type,unused-ignore]
    except (EnvironmentError, RuntimeError):  # not allowed, gone meanwhile, or deeper than a program can be
        pass


def _empty(tree, chosen=lambda name, owner: True):
    # type: (int, Callable[[bytes, int], bool]) -> None
    state = os.fstat(tree)
    if state.st_uid == os.geteuid() and state.st_mode & 0o700 != 0o700:
        os.fchmod(tree, 0o700)
    for name in _names(tree):
        owner = os.lstat(name, **at(tree)).st_uid  # type: ignore[arg-type,unused-ignore]
        if chosen(path_bytes(name), owner):
            _remove(tree, name)


def _names(tree):
    # type: (int) -> Union[List[str], List[bytes]]
    """Return the names in an open directory."""
    if directory.KNOWS_DESCRIPTORS:
        return os.listdir(tree)
    os.fchdir(tree)
    return os.listdir(b".")


def _open(holder, name):
    # type: (int, Union[str, bytes]) -> int
    """Open a directory in another one. Make it readable first if it is not, and if nobody else can replace it meanwhile."""
    try:
        return open_directory(name, at(holder))
    except EnvironmentError as error:
        state = os.fstat(holder)
        if error.errno != errno.EACCES or not (is_of_user_alone(state) or state.st_mode & stat.S_ISVTX):
            raise
    os.chmod(name, 0o700, **at(holder))  # type: ignore[arg-type,unused-ignore]
    return open_directory(name, at(holder))
