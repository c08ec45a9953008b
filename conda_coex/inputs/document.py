"""A file that the user names, read once: it may be a pipe."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .yaml_text import Mapping, load

LARGEST = 1 << 26  # bytes: lock files of large environments have a tenth


@dataclass(frozen=True)
class Document:
    """A file, its bytes as UTF-8, and its YAML; `problem` is the reason if it is not YAML."""

    path: str
    data: bytes
    parsed: object = None
    problem: str | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The outermost keys; none if it is not a mapping."""
        return frozenset(self.parsed) if isinstance(self.parsed, Mapping) else frozenset()


def read_document(path: str) -> Document:
    """Read a file; raises InputError if it cannot be read."""
    try:
        data = as_utf8(read_limited(Path(path)))
    except OSError as error:
        kinds = {"FileNotFoundError": "does not exist", "IsADirectoryError": "is a directory"}
        what = kinds.get(type(error).__name__, f"cannot be read: {error.strerror}")
        raise InputError(f"the file {what}", os.fsencode(path)) from error
    try:
        return Document(path, data, load(data, _NotYaml))
    except _NotYaml as error:
        return Document(path, data, problem=str(error))


def read_limited(path: Path) -> bytes:
    """Return the content of a file of text; raises OSError, and InputError if it is too large: a device has no end."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        what = f"the file has more than {LARGEST >> 20} MiB, and is not a list of packages"
        raise InputError(what, os.fsencode(path), "name an environment file or a lock file")
    return data


def as_utf8(data: bytes) -> bytes:
    """Return text that has the mark of UTF-16, as PowerShell's `>` writes it, as UTF-8; other data unchanged."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode()
        except UnicodeDecodeError:
            return data
    return data


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as conda and editors see them. `str.splitlines` ends lines at rare characters, too."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


class _NotYaml(Exception):
    """Why a file is not YAML."""
