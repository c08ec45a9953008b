"""Recognize files that are given for an environment by mistake, and say how to get one of them."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .suffixes import PACKAGE_SUFFIXES, PIP_SUFFIXES

if TYPE_CHECKING:
    from .document import Document

LOCK = "run `pixi lock` and give pixi.lock"
EXPORT = "`conda env export > environment.yml` writes one of a conda environment"
PIP = "name it in an environment file: `dependencies: [python, pip, pip: [-r FILE]]`"
EXPORTED = "run `{tool} > requirements.txt`, and " + PIP.replace("FILE", "requirements.txt")
PROJECT = "install it by an environment file: `dependencies: [python, pip, pip: [.]]`"
LISTED = "list packages under `dependencies:` of an environment file"
# File name (an expression) → the kind of file, and the remedy.
NAMES = {
    r"pixi\.toml": ("the manifest of pixi", LOCK),
    r"pyproject\.toml": ("the project file of a Python package", f"{PROJECT}, or give pixi.lock if pixi made one"),
    r"setup\.(py|cfg)": ("the project file of a Python package", PROJECT),
    r"uv\.lock": ("a lock file of uv", EXPORTED.replace("{tool}", "uv export")),
    r"poetry\.lock": ("a lock file of Poetry", EXPORTED.replace("{tool}", "poetry export")),
    r"pdm\.lock": ("a lock file of PDM", EXPORTED.replace("{tool}", "pdm export")),
    r"Pipfile(\.lock)?": ("a file of pipenv", EXPORTED.replace("{tool}", "pipenv requirements")),
    r"pylock(\..+)?\.toml": ("a lock file for pip", "give an environment file, a conda-lock.yml or a pixi.lock"),
    r"(meta|recipe)\.ya?ml": ("the recipe of a package", LISTED),
    r"anaconda-project(-lock)?\.ya?ml": ("a file of anaconda-project", EXPORT),
    r"construct\.ya?ml": ("a file of constructor", EXPORT),
    r"package(-lock)?\.json": ("a file of npm", EXPORT),
    r"Dockerfile": ("the recipe of a container image", EXPORT),
}
# How a file begins (an expression) → the kind of file, and the remedy.
BEGINNINGS = {
    rb"# packages in environment at ": ("the output of `conda list`", "`conda list --explicit --md5` pins packages"),
    rb"Package +Version( .*)?\r?\n-{3}": ("the output of `pip list`", EXPORTED.replace("{tool}", "pip freeze")),
}
ALIKE = 0.9  # from 0 to 1: `depndencies` is a slip, `dev-dependencies` is not
ARCHIVES = (*PACKAGE_SUFFIXES, *PIP_SUFFIXES, ".coex")


def check_kind(document: Document) -> None:
    """Raise InputError if a file is of a kind that is not an environment, or misspells its key."""
    if "dependencies" in document.keys:
        return
    name = Path(document.path).name
    for pattern, (kind, remedy) in NAMES.items():
        if re.fullmatch(pattern, name):
            raise _wrong(document.path, kind, remedy)
    for beginning, (kind, remedy) in BEGINNINGS.items():
        if re.match(beginning, document.data):
            raise _wrong(document.path, kind, remedy)
    if name.endswith(ARCHIVES) or document.data[:4] in (b"PK\3\4", b"BZh9", b"\x1f\x8b\x08\0"):
        raise _wrong(document.path, "an archive", "name packages with --package, or files of the app after the options")
    for key in get_close_matches("dependencies", document.keys, n=1, cutoff=ALIKE):
        raise InputError(f"the environment file has `{key}`", os.fsencode(document.path), "write `dependencies`")


def _wrong(path: str, kind: str, remedy: str) -> InputError:
    return InputError(f"this is {kind}, not an environment file or a lock file", os.fsencode(path), remedy)
