"""The errors of a build: each a class, raised where it is seen, rendered by `cli` alone."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import CoexError, Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppError",
    "CoexError",
    "DecoderNotFound",
    "EntryPointNotFound",
    "FetchFailed",
    "FileChanged",
    "FramesDamaged",
    "InputError",
    "Interrupted",
    "LibraryMissing",
    "LockMismatch",
    "Misuse",
    "OutputError",
    "PackageDamaged",
    "PackageRefused",
    "PipFailed",
    "PlanHidden",
    "ReadBackFailed",
    "RepodataMissing",
]


class LibraryMissing(CoexError):
    """A library that a build needs is not installed beside conda."""


class InputError(CoexError):
    """What was asked for contradicts itself, or cannot be read."""


class PlanHidden(Exception):
    """A lock file's reader ends in a dry run before it says what the file pins; nothing is wrong."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is a lock file, whose reader does not say in a dry run what it pins")


class EntryPointNotFound(CoexError):
    """The entry point is neither a command of the environment nor a file of the app."""


class AppError(CoexError):
    """A file or directory of the application is missing, unreadable, or no file."""


class OutputError(CoexError):
    """The archive cannot be written where it was asked for."""


class FetchFailed(CoexError):
    """conda could not download or extract a package."""


class PackageDamaged(CoexError):
    """A package in conda's cache is not what its record says; `damage` knows what helps there."""


class FramesDamaged(CoexError):
    """An entry of the cache of frames is not what was written."""

    advice = "it is removed now: run the command again"


class FileChanged(CoexError):
    """A file of a live environment vanished, changed, or cannot be read."""

    advice = "pack while nothing changes the environment, or leave the file out with --exclude"


class PackageRefused(CoexError):
    """A package asks for what no package may, such as a path outside the environment."""


class LockMismatch(CoexError):
    """A package is not the one that the lock file pins."""

    advice = "lock again where the package was meant to change; do not use it where it was not"

    def __init__(self, path: str, package: str, kind: str, expected: str, found: str) -> None:
        what = f"the lock file pins {package} with the {kind} {expected}, and its {kind} is {found}"
        super().__init__(what, os.fsencode(path))


class PipFailed(CoexError):
    """pip could not install what was asked of it."""


class RepodataMissing(CoexError):
    """conda does not know what a channel has, and may not ask."""

    advice = "run the command once without --offline, or name channels that conda has read before"

    def __init__(self, channels: Sequence[str]) -> None:
        what = "conda's cache has no repodata of it, and --offline keeps conda from fetching it"
        super().__init__(what, os.fsencode(", ".join(channels)))


class DecoderNotFound(CoexError):
    """No package offers a libzstd for the target platform."""

    advice = "add the package zstd to the environment, or a channel that has it with -c"


class ReadBackFailed(CoexError):
    """A host would refuse the archive that was made."""

    wording = "is not written, because a host would refuse it (%s)"
    advice = "this is a fault of conda-coex: please report it, with the command"


class Interrupted(CoexError):
    """A signal ended the build; `status` is the one that a shell gives a program that died of it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number
