"""The suffixes by which files are recognised."""

from __future__ import annotations

PACKAGE_SUFFIXES = (".conda", ".tar.bz2")  # conda's CONDA_PACKAGE_EXTENSIONS
WHEEL_SUFFIX = ".whl"
PIP_SUFFIXES = (  # pip's ARCHIVE_EXTENSIONS
    WHEEL_SUFFIX, ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz",
    ".tar.lzma",
)  # fmt: skip
YAML_SUFFIXES = (".yml", ".yaml")
