"""The errors of a build: each a class, raised where it is seen, rendered by `cli` alone."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from coex_bootstrap.base.compat import one_line
from coex_bootstrap.base.errors import CoexError, Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppError",
    "BaseRefused",
    "CoexError",
    "DecoderNotFound",
    "EntryPointNotFound",
    "FetchFailed",
    "FileChanged",
    "FramesDamaged",
    "ImageError",
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
    "PythonNotCarried",
    "ReadBackFailed",
    "RepodataMissing",
]


class LibraryMissing(CoexError):
    """A library that a build needs is not installed beside conda."""


class InputError(CoexError):
    """The request contradicts itself, or a file that it names cannot be read."""


class PlanHidden(Exception):
    """The reader of a lock file ends in a dry run before it lists the pinned packages; nothing is wrong."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is a lock file, whose reader does not list its packages in a dry run")


class EntryPointNotFound(CoexError):
    """The entry point is neither a command of the environment nor a file of the app."""


class AppError(CoexError):
    """A file or directory of the app is missing, cannot be read, or is of another kind, such as a socket."""


class OutputError(CoexError):
    """The archive cannot be written at the output."""


class FetchFailed(CoexError):
    """conda could not download or extract a package."""


class PackageDamaged(CoexError):
    """A package in conda's cache differs from its record; `cli.damage` finds the remedy."""


class FramesDamaged(CoexError):
    """An entry of the cache of frames was changed since it was written."""

    advice = "it is removed now: run the command again"


class FileChanged(CoexError):
    """A file of a live environment vanished, changed, or cannot be read."""

    advice = "make it readable, or leave it out with --exclude"


class PackageRefused(CoexError):
    """A package has something that no package may have, such as a path outside the environment."""


class LockMismatch(CoexError):
    """A package is not the one that the lock file pins."""

    advice = "lock again if the package was meant to change; do not use it if it was not"

    def __init__(self, path: str, package: str, kind: str, expected: str, actual: str) -> None:
        what = f"the lock file pins {package} with the {kind} {expected}, and its {kind} is {actual}"
        super().__init__(what, os.fsencode(path))


class PipFailed(CoexError):
    """pip could not install its packages; its output stands in lines of its own."""

    def __str__(self) -> str:
        return "\n".join(map(one_line, self.what.expandtabs().splitlines()))


class RepodataMissing(CoexError):
    """conda does not know the packages of a channel, and may not fetch their list."""

    advice = "run the command once without --offline, or name channels that conda has read before"

    def __init__(self, channels: Sequence[str]) -> None:
        what = "conda's cache has no repodata of it, and --offline keeps conda from fetching it"
        super().__init__(what, os.fsencode(", ".join(channels)))


class DecoderNotFound(CoexError):
    """No package offers a libzstd for the target platform."""

    advice = "add the package zstd to the environment, or a channel that has it with -c"


class PythonNotCarried(CoexError):
    """No package offers a Python that an archive for the target platform can carry."""

    wording = "the archive cannot carry a Python: %s"


class ReadBackFailed(CoexError):
    """A host would refuse the archive that was made."""

    wording = "is not written, because a host would refuse it (%s)"
    advice = "this is a fault of conda-coex: please report it, with the command"


class Interrupted(CoexError):
    """A signal ended the build; `status` is the one that a shell gives a program that died of it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


class ImageError(CoexError):
    """No container image can be made of an archive, or of a file in it."""


class BaseRefused(CoexError):
    """A base image differs from its own description, or is not for the archive's platform."""

    wording = "cannot be the base of the image: %s"
