"""Write a file beside its place and rename it when it is whole: others see the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DESCRIPTORS = "/proc/self/fd"
BLOCK = 1 << 20  # bytes to copy at a time
AT_ONCE = 1 << 26  # if the kernel copies: after that many, a thread may have to wait for others of Python


class NewFile:
    """A file that takes its place by `commit`, and vanishes by `abandon`; `stream` writes its bytes.

    If the system can, it has no name before `commit`: a build that is killed leaves nothing. All methods raise
    OSError; one of the two has to be called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        self.stream = _open_unnamed(path.parent) or _open_named(self.temporary)

    def commit(self, mode: int, *, durable: bool) -> None:
        """Give the file its mode, less the umask, and its place; if `durable`, only when it is on the disk."""
        self.stream.flush()
        os.fchmod(self.stream.fileno(), mode & ~_umask())
        if durable:
            os.fsync(self.stream.fileno())
        if not os.path.lexists(self.temporary):
            _give_name(self.stream, self.temporary)
        self.stream.close()
        self.temporary.replace(self.path)
        if durable:
            _sync_directory(self.path.parent)

    def abandon(self) -> None:
        """Leave nothing, unless the file has its place already."""
        with contextlib.suppress(OSError):  # of bytes that no longer matter
            self.stream.close()
        with contextlib.suppress(OSError):
            self.temporary.unlink()


@contextlib.contextmanager
def output_file(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Yield a stream to a new file that takes the place of `path` if nothing is raised, on the disk by then.

    A link at `path` stays, and the file that it leads to is replaced. Raises OutputError if the file cannot be
    written.
    """
    with new_output(path) as new, writing(new):
        yield new.stream
        new.commit(mode, durable=True)


@contextlib.contextmanager
def new_output(path: Path) -> Iterator[NewFile]:
    """Yield a new file for the place of `path`, or of the file that a link at `path` leads to; raises OutputError.

    Unless it is committed, nothing is left of it.
    """
    path = behind_links(path)
    try:
        new = NewFile(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        yield new
    finally:
        new.abandon()


@contextlib.contextmanager
def writing(new: NewFile) -> Iterator[None]:
    """Raise the errors of the system that name no other file as OutputError for the new file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not _names(error, new.temporary):
            raise
        raise _unwritten(new.path, error) from error


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror}", os.fsencode(path))


def _names(error: OSError, path: Path) -> bool:
    return str(path) in (error.filename, error.filename2)


def check_place(path: Path, is_own: Callable[[Path], bool], kind: str, option: str) -> None:
    """Raise OutputError, before any work, if no file could be written at `path`, or another kind of file is there.

    `is_own` returns whether a file may be replaced, `kind` names such files; `option` is a remedy.
    """
    if os.path.exists(path) and not (path.is_file() or path.is_dir()):  # noqa: PTH110 # which does not raise
        raise OutputError("the output is a pipe or a device", os.fsencode(path), f"name a file with {option}")
    path = behind_links(path)
    if not path.parent.is_dir():
        raise OutputError("the directory of the output does not exist", os.fsencode(path.parent))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError("cannot write in the directory of the output: permission denied", os.fsencode(path.parent))
    if path.is_dir():
        raise OutputError("the output is a directory", os.fsencode(path), f"name a file with {option}")
    if os.path.lexists(path) and not (path.is_file() and _begins_as(path, is_own)):
        remedy = f"remove it, or name another file with {option}"
        raise OutputError(f"is not {kind}, and would be replaced", os.fsencode(path), remedy)


def _begins_as(path: Path, is_own: Callable[[Path], bool]) -> bool:
    try:
        return is_own(path)
    except PermissionError:
        return False


def behind_links(path: Path) -> Path:
    """Return the path that writing through the link `path` would reach; a rename would replace the link itself."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write bytes to a place in a file, in any thread; raises OSError."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def copy_range(
    source: int, start: int, size: int, descriptor: int, offset: int, unread: Callable[[OSError], Exception]
) -> None:
    """Copy bytes of one file to a place in another, in any thread; fewer, if the first ends early.

    Raises OSError if they cannot be written, and the error that `unread` returns if they cannot be read.
    """
    done, copied = 0, 1
    while done < size and copied:
        copied = _copied(source, start + done, min(AT_ONCE, size - done), descriptor, offset + done)
        done += copied
    while done < size:
        try:
            data = os.pread(source, min(BLOCK, size - done), start + done)
        except OSError as error:
            raise unread(error) from error
        if not data:
            break
        write_at(descriptor, data, offset + done)
        done += len(data)


def _copied(source: int, start: int, size: int, descriptor: int, offset: int) -> int:
    """Return how many bytes the kernel has copied by itself, on a share perhaps on its server; 0 if it cannot."""
    for copy in (_copy_within, _copy_between):
        with contextlib.suppress(OSError, AttributeError):  # a system without the function
            return copy(source, start, size, descriptor, offset)
    return 0


def _copy_within(source: int, start: int, size: int, descriptor: int, offset: int) -> int:
    """Copy bytes within one file system."""
    return os.copy_file_range(source, descriptor, size, start, offset)


def _copy_between(source: int, start: int, size: int, descriptor: int, offset: int) -> int:
    """Copy bytes between file systems, by Linux; the position in the file is not that of other threads."""
    with Path(DESCRIPTORS, str(descriptor)).open("r+b", buffering=0) as stream:
        stream.seek(offset)
        return os.sendfile(stream.fileno(), source, start, size)


def _open_unnamed(directory: Path) -> IO[bytes] | None:
    """Return a new file without a name in a directory (O_TMPFILE of open(2)), None if the system cannot."""
    if not hasattr(os, "O_TMPFILE") or not Path(DESCRIPTORS).is_dir():
        return None
    try:
        return os.fdopen(os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600), "wb")
    except OSError:
        return None


def _open_named(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _give_name(stream: IO[bytes], path: Path) -> None:
    descriptors = os.open(DESCRIPTORS, os.O_RDONLY)
    try:  # with a directory, os.link follows the link that proc(5) has there
        os.link(str(stream.fileno()), path, src_dir_fd=descriptors)
    finally:
        os.close(descriptors)


def _sync_directory(directory: Path) -> None:
    """Bring a rename in a directory to the disk, if the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
