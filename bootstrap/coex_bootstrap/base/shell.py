"""Words, programs and files for a POSIX shell."""

import errno
import os
import re

# For the first line of what a shell runs: the caller's `sh -e`, or SHELLOPTS of a bash, are not meant for it.
OPTIONS = b"set +o allexport +o errexit +o noclobber +o noglob +o nounset"
EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
NOWHERE = {}  # type: Dict[str, int]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Sequence


def find_program(name, environ):
    # type: (bytes, Dict[bytes, bytes]) -> Optional[bytes]
    """Return where a program of the host is, on the caller's PATH or in the usual places."""
    return _find(name, environ.get(b"PATH", b"").split(b":") + [b"/bin", b"/usr/bin", b"/usr/local/bin"])


def find_bash(prefix, environ, places=(b"/bin", b"/usr/bin", b"/usr/local/bin")):
    # type: (bytes, Dict[bytes, bytes], Sequence[bytes]) -> Optional[bytes]
    """Return where bash is: where hosts have it or in the prefix, so that who asks makes no difference, else on PATH."""
    return _find(b"bash", list(places) + [prefix + b"/bin"] + environ.get(b"PATH", b"").split(b":"))


def _find(name, directories):
    # type: (bytes, Sequence[bytes]) -> Optional[bytes]
    for directory in directories:
        path = directory + b"/" + name
        if directory.startswith(b"/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def quote(value):
    # type: (bytes) -> bytes
    """Return one word of a POSIX shell whose value is `value`, byte for byte."""
    return b"'" + value.replace(b"'", b"'\\''") + b"'"


def fill(template, fields):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return `template` with a field in the place of each %(name)s; what a field brings is not looked at again."""
    return re.sub(br"%\((\w+)\)s", lambda mark: fields[mark.group(1)], template)


def check_line(path):
    # type: (bytes) -> bytes
    """Return the line by which a sourced script gives up where a file is not there, or has nothing in it."""
    return b"[ -s " + quote(path) + b" ] || return 0\n"


def is_filled(path):
    # type: (bytes) -> bool
    """Return what `check_line` finds."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def write_file(path, content, at=NOWHERE, between=NOWHERE):
    # type: (bytes, bytes, Dict[str, int], Dict[str, int]) -> None
    """Write a file, readable by all, so that it is there whole or not at all; `at` and `between` name open directories.

    Its mode does not depend on the caller's umask: others may share it, and nobody else may write it. Nothing is written
    through a link, or into a file that somebody else has made.
    """
    new = path + b".new"
    stream = _open_new(new, at)
    try:
        try:
            written = 0
            while written < len(content):
                written += os.write(stream, content[written:])
            os.fchmod(stream, 0o644)
        finally:
            os.close(stream)
        os.rename(new, path, **between)  # type: ignore[arg-type,unused-ignore]
    except EnvironmentError:
        os.unlink(new, **at)  # type: ignore[arg-type,unused-ignore]
        raise


def _open_new(path, at):
    # type: (bytes, Dict[str, int]) -> int
    try:
        return os.open(path, EXCLUSIVE, 0o600, **at)  # type: ignore[arg-type,unused-ignore]
    except EnvironmentError as error:
        if error.errno != errno.EEXIST:
            raise
    os.unlink(path, **at)  # type: ignore[arg-type,unused-ignore] # a process that was killed left it
    return os.open(path, EXCLUSIVE, 0o600, **at)  # type: ignore[arg-type,unused-ignore]
