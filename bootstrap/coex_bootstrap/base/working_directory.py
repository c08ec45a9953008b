"""Make paths absolute, also when the working directory was removed."""

import os

from .errors import CoexError


def absolute(path):
    # type: (bytes) -> bytes
    """Return a path from the root on; raises CoexError for a relative one below a directory that was removed."""
    try:
        return os.path.abspath(path)
    except EnvironmentError:
        raise CoexError("this path is relative, and the working directory was removed", path, "give the path from / on")
