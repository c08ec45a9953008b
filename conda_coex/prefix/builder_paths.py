"""Find needs of a live prefix that only the builder's machine meets: files outside, libraries, privileges.

Only files that belong to no package are searched.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..root.content import Content
from . import elf
from .live_file import opened
from .mentions import is_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..root.content import Link
    from ..root.link_rules import Python
    from ..root.source import Source

# Texts that programs and shells read, by their path in the root.
READ = re.compile(r"prefix/((bin|etc|libexec|share/jupyter|share/applications)/.*|[^/]+)\Z")
SMALLEST = 256  # bytes of an ELF file with a dynamic section
SIZE = 64 << 10  # bytes: files that people write are smaller
TOKEN = re.compile(r"(?<![\w.~+%-])/[^\s\"'`<>|;:,=()\[\]{}$*?\\\0#!]+")
# Directories of the system, which every machine has.
SYSTEM = re.compile(r"/(bin|sbin|usr(?!/local/)|etc|dev|proc|sys|run|lib\w*|var|tmp)(/|\Z)")
# Libraries that every host has (PEP 600), or that its drivers bring.
HOSTS = re.compile(
    r"(ld-linux.*|lib(c|m|dl|rt|nsl|util|pthread|resolv|crypt|gcc_s|stdc\+\+|atomic|z|expat|X11|Xext|Xrender|ICE|SM|GL|EGL"
    r"|GLX|OpenGL|gobject-2\.0|gthread-2\.0|glib-2\.0|cuda|nvidia-.*|nvcuvid|OpenCL|rdmacm|ibverbs|mlx5))\.so(\.\d+)*\Z"
)


def files_outside(items: Iterable[Content | Link], names: Sequence[str]) -> dict[str, str]:
    """Return the files that name paths of the builder's machine outside of the prefix, with the first such path."""
    places = {}
    for item in items:
        if isinstance(item, Content) and item.package_path is None and READ.match(item.path) and item.size < SIZE:
            place = _outside(item, names)
            if place is not None:
                places[item.path.removeprefix("prefix/")] = place
    return places


def variables_outside(variables: Mapping[str, str | None], names: Sequence[str]) -> dict[str, str]:
    """Return the variables of the environment that name such paths, with the first path."""
    places = {f"the variable {name}": first_outside(value or "", names) for name, value in variables.items()}
    return {name: place for name, place in places.items() if place is not None}


def _outside(item: Content, names: Sequence[str]) -> str | None:
    data = item.read() or b""
    return None if b"\0" in data else first_outside(os.fsdecode(data), names)


def first_outside(text: str, names: Sequence[str]) -> str | None:
    """Return the first existing path in a text that is neither in the prefix nor in a directory of the system."""
    inside = tuple(name.rstrip("/") + "/" for name in names)
    for token in dict.fromkeys(TOKEN.findall(text)):
        path = str(token).rstrip("/.")
        is_elsewhere = path.count("/") > 1 and not SYSTEM.match(path) and not (path + "/").startswith(inside)
        if is_elsewhere and os.path.exists(path):  # noqa: PTH110
            return path
    return None


def missing_libraries(items: Iterable[Content | Link]) -> dict[str, str]:
    """Return libraries that neither the environment nor every host has, each with a program that needs it."""
    items = list(items)
    names = {item.path.rpartition("/")[2] for item in items}
    libraries: dict[str, str] = {}
    for item in items:
        if isinstance(item, Content) and item.package_path is None and item.source is not None:
            is_program = item.size > SMALLEST and (item.mode & 0o111 or ".so" in item.path)
            for name in _needed(item.source) if is_program else ():
                if name.rpartition("/")[2] not in names and not HOSTS.match(name):
                    libraries.setdefault(name, item.path.removeprefix("prefix/"))
    return libraries


def _needed(source: Source) -> list[str]:
    if source.part(0, len(elf.MAGIC)) != elf.MAGIC:
        return []
    with opened(source) as data:
        return elf.needed(data, elf.read_sections(data)) if is_object(data) else []


def user_distributions(python: Python | None) -> list[str]:
    """Return the distributions of `pip install --user`: the environment's Python sees them, on a host it does not."""
    if python is None or os.environ.get("PYTHONNOUSERSITE"):
        return []
    site = Path.home() / f".local/lib/python{python.version}/site-packages"
    return sorted(path.name.partition("-")[0] for path in site.glob("*-*.dist-info"))


def privileged(prefix: Path, files: Mapping[str, os.stat_result]) -> Iterator[str]:
    """Yield the files that run with more privileges than their caller: set-user-ID, set-group-ID, capabilities."""
    for path, state in files.items():
        if state.st_mode & (stat.S_ISUID | stat.S_ISGID) or (state.st_mode & 0o111 and _capable(prefix / path)):
            yield path


def _capable(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability"))
    except (OSError, AttributeError):  # macOS has no getxattr
        return False
