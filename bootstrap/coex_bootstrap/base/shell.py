"""Words and lines for a POSIX shell, and programs of the host."""

import os

# The first line of every script: options of the caller, from `sh -e` or SHELLOPTS, must not change the script.
OPTIONS = b"set +o allexport +o errexit +o noclobber +o noglob +o nounset"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence


def find_program(name, environ):
    # type: (bytes, Dict[bytes, bytes]) -> Optional[bytes]
    """Return the path of a program of the host, on the caller's PATH or in the usual places; None if it is missing."""
    return _find(name, environ.get(b"PATH", b"").split(b":") + [b"/bin", b"/usr/bin", b"/usr/local/bin"])


def find_bash(prefix, environ, places=(b"/bin", b"/usr/bin", b"/usr/local/bin")):
    # type: (bytes, Dict[bytes, bytes], Sequence[bytes]) -> Optional[bytes]
    """Return the path of bash, in the usual places or the prefix, which do not depend on the caller, else on PATH."""
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
    """Return a value as one quoted word of a POSIX shell."""
    return b"'" + value.replace(b"'", b"'\\''") + b"'"


def fill(template, fields):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return `template` with a field for each %(name)s; the text of a field is not replaced again."""
    first, filled = True, []  # type: bool, List[bytes]
    for piece in template.split(b"%("):
        name, mark, rest = piece.partition(b")s")
        is_field = not first and mark and name.replace(b"_", b"").isalnum()
        filled.append(fields[name] + rest if is_field else piece if first else b"%(" + piece)
        first = False
    return b"".join(filled)


def check_line(path):
    # type: (bytes) -> bytes
    """Return the line by which a sourced script returns if a file is missing or empty."""
    return b"[ -s " + quote(path) + b" ] || return 0\n"


def is_filled(path):
    # type: (bytes) -> bool
    """Return whether a file exists and is not empty, as the line of `check_line`."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False
