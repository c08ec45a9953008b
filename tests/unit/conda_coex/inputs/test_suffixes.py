"""The suffixes of packages are those of conda and pip."""

from __future__ import annotations

from conda.base.constants import CONDA_PACKAGE_EXTENSIONS
from pip._internal.utils.filetypes import ARCHIVE_EXTENSIONS

from conda_coex.inputs.suffixes import PACKAGE_SUFFIXES, PIP_SUFFIXES


def test_suffixes_of_conda_and_pip() -> None:
    assert CONDA_PACKAGE_EXTENSIONS == PACKAGE_SUFFIXES
    assert set(PIP_SUFFIXES) == set(ARCHIVE_EXTENSIONS)
