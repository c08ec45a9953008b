"""The entries of a root: files, with their relocation on a host, and links."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import BINARY, HASHES, SCRIPT, TEXT, Relocation

if TYPE_CHECKING:
    from coex_bootstrap.format.relocation import Edits

    from .source import Source

KINDS = {"text": TEXT, "binary": BINARY}  # by conda's words for the modes of files with a placeholder
SECOND = 10**9  # nanoseconds


@dataclass(slots=True)  # not frozen: that takes four times as long, for some ten thousand files
class Content:
    """One regular file of the root and where its bytes come from; `replace` makes another one, nothing changes it."""

    path: str  # relative to the root
    mode: int
    mtime_ns: int  # nanoseconds since 1970
    source: Source | None  # None: the bytes are only in frames
    size: int
    sha256: str | None = None
    relocation: Relocation | None = None  # if its edits are None, compressing finds them
    package_path: str | None = None  # its path in its package, if it is unchanged

    @property
    def name_in_group(self) -> str:
        """The name of the file in its group, the same in every environment that has the package."""
        return self.package_path or self.path

    def read(self) -> bytes | None:
        """Return the bytes of the file; None if only frames have them."""
        return self.source.read() if self.source is not None else None

    @property
    def placeholder(self) -> str | None:
        """The text in it that a host replaces by its prefix."""
        return str(self.relocation.placeholder) or None if self.relocation is not None else None

    @property
    def file_mode(self) -> str | None:
        """How the placeholder is replaced: text or binary."""
        kind = self.relocation.kind if self.relocation is not None else None
        return next((word for word, each in KINDS.items() if each == kind), None)

    @property
    def edits(self) -> Edits | None:
        """The places of the placeholder, if they are known already, as in a file of a live prefix."""
        return self.relocation.edits if self.relocation is not None else None

    @property
    def python(self) -> str | None:
        """The interpreter of a console script, relative to the prefix."""
        return os.fsdecode(self.relocation.python) or None if self.relocation is not None else None

    @property
    def is_relocated(self) -> bool:
        """Whether its bytes depend on the place of the root; those of a record with hashes do not."""
        return self.relocation is not None and self.relocation.kind != HASHES


def relocation_of(placeholder: str, file_mode: str | None, edits: Edits | None = None) -> Relocation:
    """Return the relocation of a file with a placeholder; conda replaces nothing in one of another mode."""
    return Relocation(KINDS.get(file_mode or "", b""), placeholder, edits, b"", ())


def script_of(python: str) -> Relocation:
    """Return the relocation of a console script."""
    return Relocation(SCRIPT, "", None, os.fsencode(python), ())


@dataclass(frozen=True)
class Link:
    """A symbolic link of the root."""

    path: str
    target: str
