"""Make a temporary environment on the builder, with conda's own transaction, for pip to install into."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CoexError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conda.core.link import UnlinkLinkTransaction

    from ..inputs.environment import Environment
    from ..root.package import Package

DIRECTORY = ".coex-staging"
TRIES = 1000  # more builds than wait for one directory
LONGEST = 255  # bytes of conda-build's placeholders
STAND_IN = "/opt/coex" + "_placehold" * 25


@contextlib.contextmanager
def staged(
    environment: Environment, packages: Sequence[Package], parent: Path | None, *, linked: bool = True
) -> Iterator[Path]:
    """Yield the prefix of the environment, in a new directory below `parent`, which only this user can change.

    It is empty if it is not `linked`, for an environment that cannot run here.

    Compilers write the path of the prefix to files. It depends on the content of the environment alone, so that the
    same input gives the same bytes; another build of the same content waits. Because the path becomes a placeholder,
    it is as long as the packages allow.
    """
    binary = (path for package in packages for path in package.paths if path.file_mode == "binary")
    longest = min([LONGEST, *(len(path.placeholder) for path in binary if path.placeholder)])
    key = _key(environment)
    if parent is not None and len(f"{parent.resolve() / key}/_/prefix") > longest:
        parent = None  # too long for an old package
    with _directory(key, parent) as directory:
        fill = max(1, longest - len(f"{directory}//prefix"))
        prefix = directory / ("_" * min(fill, LONGEST)) / "prefix"
        if linked:
            _link(environment, prefix)
        yield prefix


def stand_in(prefix: Path) -> str:
    """Return the text that replaces the staging prefix in the archive: equally long, the same on every builder."""
    return STAND_IN[: len(str(prefix))].rstrip("/").ljust(len(str(prefix)), "_")


def _key(environment: Environment) -> str:
    key = hashlib.sha256()
    for record in environment.records:
        key.update(f"{record.dist_str()} {record.get('sha256') or record.get('md5')}\n".encode())
    for section in environment.pip:
        key.update("\n".join(section.lines).encode() + b"\n")
    return key.hexdigest()[:12]


@contextlib.contextmanager
def _directory(key: str, parent: Path | None) -> Iterator[Path]:
    """Yield an empty directory, locked by this process; it is removed at the end."""
    if parent is None:
        with tempfile.TemporaryDirectory(prefix="coex-staging-") as scratch:
            yield Path(scratch).resolve()
        return
    place = parent.resolve() / key
    _sweep(place.parent)
    descriptor = _lock(place)
    try:
        for path in place.iterdir():  # left by a build that was killed
            shutil.rmtree(path)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):
            place.parent.rmdir()


def _lock(place: Path) -> int:
    """Make a directory and return its descriptor, locked; raises CoexError.

    While a process waits for the lock, the one before it may remove the directory: then make it again.
    """
    for _ in range(TRIES):
        try:
            place.parent.mkdir(0o755, parents=True, exist_ok=True)
            place.mkdir(0o700, exist_ok=True)
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if place.stat().st_ino == os.fstat(descriptor).st_ino:
                os.set_inheritable(descriptor, True)  # a pip that goes on after its build was killed keeps the lock
                return descriptor
        os.close(descriptor)
    raise CoexError("it is gone or another one each time after it was made, and pip needs it", os.fsencode(place))


def _sweep(parent: Path) -> None:
    """Remove the directories of builds that were killed: no process holds their locks."""
    for place in parent.iterdir() if parent.is_dir() else ():
        with contextlib.suppress(OSError):
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(descriptor)


def _link(environment: Environment, prefix: Path) -> None:
    from conda.base.context import context
    from conda.core.link import PrefixSetup, UnlinkLinkTransaction
    from conda.models.match_spec import MatchSpec

    specs = tuple(map(MatchSpec, environment.specs))
    setup = PrefixSetup(str(prefix), (), tuple(environment.records), (), specs, ())
    # no menu entries, and no line in the list of environments
    with (
        contextlib.redirect_stdout(io.StringIO()),
        context._override("shortcuts", False),
        context._override("register_envs", False),
    ):
        transaction = UnlinkLinkTransaction(setup)
        transaction.prepare()
        _leave_uncompiled(transaction)
        transaction.execute()


def _leave_uncompiled(transaction: UnlinkLinkTransaction) -> None:
    """Have conda compile no noarch packages, for which it has no option: the archive gets .pyc files of its own.

    If a version of conda keeps its actions otherwise, it compiles all.
    """
    with contextlib.suppress(AttributeError):
        for actions in transaction.prefix_action_groups.values():
            actions.compile_action_groups.clear()
