"""Build archives with the command that users have, and start them as users do."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import BYTECODE
from testbed import hosts
from testbed.layout import REPOSITORY
from testbed.stamps import digest, is_fresh
from testbed.workshop import compile_c

from benchmarks.bench import LEVEL, SOURCES
from benchmarks.environments import SPECS
from benchmarks.runner import Command, measure, remove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench

ENTRY = "nothing"  # the program that measured archives start


def entry_program(directory: Path) -> Path:
    """Compile the entry point of measured archives."""
    program = directory / ENTRY
    if not program.exists():
        compile_c(program, SOURCES / f"{ENTRY}.c")
    return program


def create_command(
    bench: Bench,
    environment: str,
    output: Path,
    *,
    level: int = LEVEL,
    entry: str = f"./{ENTRY}",
    more: Sequence[str] = (),
    specs: Sequence[str] = (),
    directory: Path | None = None,
    channel: Path | None = None,
) -> Command:
    """Return the command that builds an archive in a directory, where its app files are; `more` are words of it."""
    directory = directory or bench.home / "app"
    directory.mkdir(parents=True, exist_ok=True)
    if entry == f"./{ENTRY}":
        entry_program(directory)
    wanted = [word for spec in (specs or (SPECS[environment],)) for word in ("--package", spec)]
    words = [str(bench.layout.conda), "coex", "create", "--yes", "--quiet", "--override-channels"]
    words += ["-c", str(channel or bench.channel), *wanted, "--entrypoint", entry]
    words += ["--compression-level", str(level), "-o", str(output), *more]
    return Command(f"conda coex create, level {level}", words, bench.conda_environment(), directory, outputs=(output,))


def archive(bench: Bench, environment: str, entry: str = f"./{ENTRY}") -> Path:
    """Return an archive on the measured file system: one in all of a run, built by the sources at its start."""
    name = f"{environment}-{Path(entry).name}.coex"
    target = bench.place / "archives" / name
    if target.exists():
        return target
    kept, stamp = bench.home / "archives" / name, bench.home / "archives" / f"{name}.stamp"
    kept.parent.mkdir(parents=True, exist_ok=True)
    value = digest(sources_digest(), bench.channel / "stamp")
    if not is_fresh(stamp, value):
        print(f"bench: archive {name}", file=sys.stderr)
        stamp.unlink(missing_ok=True)
        measure(create_command(bench, environment, kept, entry=entry))
        stamp.write_text(value, encoding="utf-8")
    target.parent.mkdir(exist_ok=True)
    shutil.copy2(kept, target)
    return target


def sources_digest() -> str:
    """Return a hash over the programs that make archives."""
    directories = (REPOSITORY / "conda_coex", REPOSITORY / "bootstrap" / "coex_bootstrap")
    files = (path for directory in directories for path in directory.rglob("*.*") if path.suffix != ".pyc")
    return digest(*sorted(files))


def newest_python() -> Path:
    """Return the newest Python of this machine."""
    found = [host for host in hosts.find_pythons()[0] if not host.name.startswith("pypy")]
    return max(found, key=lambda host: host.version).executable


def has_bytecode(file: Path, python: Path) -> bool:
    """Return whether an archive carries its code compiled for a Python."""
    tag = "import sys; print('cpython-%d%d-' % sys.version_info[:2])"
    prefix = f"{BYTECODE}/{subprocess.check_output([python, '-c', tag], text=True).strip()}"
    with zipfile.ZipFile(file) as tail:
        return any(name.startswith(prefix) for name in tail.namelist())


def host_environment(store: Path, python: Path | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a plain machine."""
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(store), "COEX_ROOT": str(store), "LANG": "C.UTF-8", **more}
    if python is not None:
        variables["COEX_PYTHON"] = str(python)
    return variables


def first_start(
    name: str, file: Path, store: Path, python: Path | None = None, arguments: Sequence[str] = (), **more: str
) -> Command:
    """Return the command that starts an archive for the first time: its store is removed before."""

    def check() -> None:
        if not list(store.glob("*/start")):
            raise RuntimeError(f"{name}: nothing was unpacked")

    words = [str(file), *arguments]
    return Command(name, words, host_environment(store, python, **more), store.parent, (store,), check=check)


def root_of(file: Path, store: Path, python: Path | None = None) -> Path:
    """Start an archive once, and return its root."""
    remove(store)
    measure(replace(first_start("first", file, store, python), outputs=()))
    (start,) = store.glob("*/start")
    return start.parent
