"""Compile the sources of noarch packages with the environment's own Python, where that runs on the builder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from .plan import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .plan import PackagePlan, Python

# As conda compiles (`compile_multiple_pyc`), but one process a package, with one order of hashes: so the
# same package gives the same bytes in every build.
ISOLATED = ("-E", "-s", "-S", "-B")
COMPILE = (*ISOLATED, "-Wi", "-m", "compileall", "-q", "-l", "-i", "sources.txt")


def compile_plans(plans: Sequence[PackagePlan], python: Python | None, native: bool) -> tuple[list[Content], list[str]]:
    """Return the .pyc files of all noarch sources, and the sources that only the host can compile.

    A source with a placeholder is compiled on the host: its text, and so its code, differ there.
    `native` says whether the environment's platform is the builder's.
    """
    sources = [[item for item in plan.files if isinstance(item, Content) and item.compiled] for plan in plans]
    if python is None or not any(sources):
        return [], []
    left = [item for group in sources for item in group if item.placeholder]
    ready = [[item for item in group if not item.placeholder] for group in sources]
    program = python.package.directory / python.program
    if not (native and _runs(program)):
        return [], sorted(_relative(item) for group in sources for item in group)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda group: compile_group(program, group), [group for group in ready if group])
        return [content for group in made for content in group], sorted(map(_relative, left))


def _relative(item: Content) -> str:
    return item.path.removeprefix("prefix/")


def _runs(program: Path) -> bool:
    """Return whether the interpreter starts from conda's cache, where it lies without its dependencies."""
    try:
        return not subprocess.run([program, *ISOLATED, "-c", "import compileall"], capture_output=True).returncode
    except OSError:
        return False


def compile_group(program: Path, sources: Sequence[Content]) -> list[Content]:
    """Compile sources under their names in the prefix; one that does not compile has no .pyc, as in conda."""
    with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
        for item in sources:
            assert isinstance(item.source, Path)
            target = Path(scratch, _relative(item))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(item.source, target)
        listing = b"".join(os.fsencode(_relative(item)) + b"\n" for item in sources)
        Path(scratch, COMPILE[-1]).write_bytes(listing)
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run([program, *COMPILE], cwd=scratch, env=environ, capture_output=True)
        return list(_collect(Path(scratch), sources))


def _collect(scratch: Path, sources: Iterable[Content]) -> Iterator[Content]:
    for item in sources:
        for pyc in _made_of(scratch / _relative(item)):
            data = pyc.read_bytes()
            path = "prefix/" + pyc.relative_to(scratch).as_posix()
            yield Content(path, (item.mode | 0o200) & 0o644, item.mtime, data, len(data))


def _made_of(source: Path) -> list[Path]:
    """Return what compiling `source` made: `__pycache__/<stem>.<tag>.pyc`, on Python 2 `<name>c`."""
    old = source.with_name(source.name + "c")
    if old.exists():
        return [old]
    cache = source.parent / "__pycache__"
    dots = source.stem.count(".") + 2
    made = cache.iterdir() if cache.is_dir() else ()
    return sorted(pyc for pyc in made if pyc.name.startswith(source.stem + ".") and pyc.name.count(".") == dots)
