"""An archive for its user: a file that is started in an environment of the caller's choice."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Variables that a shell sets for every program that it starts; the environment does not name them.
OF_THE_SHELL = ("_", "SHLVL", "PWD", "OLDPWD")


@dataclass(frozen=True)
class Archive:
    """One archive file, and the output of `create` on stderr."""

    path: Path
    said: str = ""

    def run(
        self, *arguments: str, store: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Start the archive with only PATH, HOME, COEX_ROOT, and the variables of `env`."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(store), "COEX_ROOT": str(store), **(env or {})}
        return subprocess.run([self.path, *arguments], env=environment, capture_output=True, text=True, **options)

    def start(self, *arguments: str, store: Path, env: Mapping[str, str] | None = None, **options: Any) -> str:
        """Start the archive, which must succeed; return its output."""
        done = self.run(*arguments, store=store, env=env, **options)
        assert done.returncode == 0, f"{self.path} {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout


class Coex(Protocol):
    """Runs `conda coex create` in a directory, with quick compression and nothing but the test bed's channel."""

    def __call__(
        self,
        directory: Path,
        *arguments: str | Path,
        packages: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]: ...


class MakeArchive(Protocol):
    """Makes an archive `app.coex` in a directory of its own: of packages, an entry point and app files."""

    def __call__(
        self, entry_point: str, *arguments: str | Path, packages: tuple[str, ...], **files: str
    ) -> Archive: ...


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Have a file at another place too: as a copy if that is on another file system, as /tmp often is."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def ready_roots(store: Path) -> list[Path]:
    """Return the roots of a store that can start."""
    return sorted(path.parent for path in store.glob("*/start"))


def only_root(store: Path) -> Path:
    """Return the one ready root of a store."""
    (root,) = ready_roots(store)
    return root
