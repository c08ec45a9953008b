"""Check the activation scripts and the files of variables of a root as a start reads them."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from coex_bootstrap.start import activation_files
from coex_bootstrap.start.variable_files import parse_variables, state_variables

from ..errors import CoexError, PackageRefused
from .content import Content
from .portable import is_portable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layout import Layout

# Paths in the root.
SCRIPTS = f"prefix/{activation_files.SCRIPTS.decode()}"
VARIABLES = f"prefix/{activation_files.VARIABLES.decode()}"
STATE = f"prefix/{activation_files.STATE.decode()}"


def portable_scripts(layout: Layout) -> dict[str, int]:
    """Return the sizes, by name, of the activate.d scripts that mean the same to every shell.

    A script with the prefix in it is not among them: the path of a host may have any characters.
    """
    sizes = {}
    for item in _files_in(layout, SCRIPTS):
        if item.path.endswith(".sh") and item.placeholder is None and item.edits is None and is_portable(_read(item)):
            sizes[posixpath.basename(item.path)] = item.size
    return sizes


def check_variables(layout: Layout) -> None:
    """Raise PackageRefused for a file that a start cannot read as variables of the environment."""
    for directory in sorted(layout.directories):
        if posixpath.dirname(directory) == VARIABLES and _is_shown(directory):
            raise _refused(directory, "is a directory, where a start expects a file with variables")
    for item in [*_files_in(layout, VARIABLES), *filter(None, [layout.entries.get(STATE)])]:
        if isinstance(item, Content):
            path = os.fsencode(item.path.removeprefix("prefix/"))
            try:
                variables = parse_variables(_read(item), path)
                if item.path == STATE:
                    state_variables(variables, path)
            except CoexError as error:
                raise _refused(item.path, error.what) from error


def _refused(path: str, what: str) -> PackageRefused:
    return PackageRefused(what, os.fsencode(path.removeprefix("prefix/")), "no archive with it would start")


def _files_in(layout: Layout, directory: str) -> Iterator[Content]:
    return (item for path, item in layout.files_in(directory) if _is_shown(path))


def _is_shown(path: str) -> bool:
    """Return whether a name counts in conda's directories: one with a leading dot belongs to another program."""
    return not posixpath.basename(path).startswith(".")


def _read(item: Content) -> bytes:
    return item.read() or b""
