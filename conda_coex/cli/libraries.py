"""Look for the libraries that a build needs, before any work: conda's Python may have conda-coex without them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from ..errors import LibraryMissing

# Modules, and the names of their packages on conda-forge.
NEEDED = {
    "installer": "python-installer",
    "packageurl": "packageurl-python",
    "zstandard": "zstandard",
    **({} if sys.version_info >= (3, 11) else {"tomli": "tomli"}),
}
ON_PYPI = {"python-installer": "installer"}  # other names


def check_libraries() -> None:
    """Raise LibraryMissing, with the command that installs the missing libraries."""
    missing = [name for module, name in NEEDED.items() if not _is_there(module)]
    if missing:
        names, pypi = " ".join(missing), " ".join(ON_PYPI.get(name, name) for name in missing)
        raise LibraryMissing(
            f"conda-coex needs {', '.join(missing)}, which {sys.executable} does not have",
            remedy=f"run `conda install -n base -c conda-forge {names}`, or `{sys.executable} -m pip install {pypi}`",
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
