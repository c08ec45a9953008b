"""Find files that make a Python import from outside its prefix: editable installs, .pth and .egg-link files, links."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..root.content import Content, Link
from ..root.pth_file import parse
from ..root.python_source import parse_source

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

SITE = re.compile(r"prefix/lib/python[^/]+/site-packages/(?P<name>[^/]+)\Z")
LINES = (".pth", ".egg-link")
# Modules that know where their project is: of setuptools, and of the library `editables` (hatchling, pdm).
FINDER = re.compile(r"(__editable__|_editable_impl_|__editables_).*\.py\Z")
# Modules of meson-python, and of scikit-build-core, which can build their project whenever it is imported.
BUILDER = re.compile(r"(_.+_editable(?P<meson>_loader)?|_editable_skbc_.+)\.py\Z")
# The scripts of `setup.py develop` run those of the project.
SCRIPT = "# EASY-INSTALL-DEV-SCRIPT"
SCRIPT_SIZE = 4 << 10
SUFFIXES = (".py", ".so", ".pyd")  # setuptools names a module without it


@dataclass(frozen=True)
class Pointer:
    """A file or link of the prefix, and a path outside that it leads to, as it is written there.

    `name` is the file that Python reads first: the .pth file that imports a module.
    """

    item: Content | Link
    place: str
    name: str


def outside(items: Iterable[Content | Link], names: Sequence[str]) -> list[Pointer]:
    """Return each file or link that has Python import from an existing path outside the prefix.

    A path counts in every file that is read for its paths alone; in others, if a module can be imported from it.
    """
    items = list(items)
    modules = _imported(items)
    pointers = []
    for item in items:
        for path, certain in _given(item, modules):
            place = os.path.normpath(live(item, names).parent / path)
            is_outside = place != "/" and not is_inside(place, names) and stands_for(place)
            if is_outside and (certain or _has_modules(Path(place))):
                pointers.append(Pointer(item, place, modules.get(item.path) or item.path.rpartition("/")[2]))
    return pointers


def live(item: Content | Link, names: Sequence[str]) -> Path:
    """Return the place of a path of the root in the live prefix."""
    return Path(names[0] + item.path.removeprefix("prefix"))


def _imported(items: Iterable[Content | Link]) -> dict[str, str]:
    """Return the paths of the modules that .pth files of the prefix import, or .start files (PEP 829), and which."""
    modules: dict[str, str] = {}
    for item in items:
        name = _name_in_site(item)
        if name and name.endswith((".pth", ".start")) and isinstance(item, Content):
            text = _text(item)
            codes = [line.code or "" for line in parse(text)] if name.endswith(".pth") else [text]
            directory = item.path[: -len(name)]
            modules |= {f"{directory}{module}.py": name for code in codes for module in re.findall(r"\w+", code)}
    return modules


def _given(item: Content | Link, modules: Container[str]) -> Iterator[tuple[str, bool]]:
    """Yield the paths that an item gives, and whether each is certainly one to import from."""
    name = _name_in_site(item)
    if isinstance(item, Link):
        if name is not None:
            yield item.target, False
    elif name is None:
        if is_script(item):
            yield from ((value, True) for _, value in _strings(_text(item)) if value.startswith("/"))
    elif name.endswith(LINES):
        for line in parse(_text(item)):
            if line.code is not None:
                yield from ((value, False) for _, value in _strings(line.code) if value.startswith("/"))
            elif line.path is not None:
                yield line.path, True
    elif item.path in modules:
        certain = bool(FINDER.match(name) or BUILDER.match(name))
        yield from ((value, certain) for _, value in _strings(_text(item)) if value.startswith("/"))


def _name_in_site(item: Content | Link) -> str | None:
    match = SITE.match(item.path)
    return match["name"] if match else None


def is_script(item: Content) -> bool:
    """Return whether a file is a script of `setup.py develop`."""
    if not item.path.startswith("prefix/bin/") or item.size > SCRIPT_SIZE:
        return False
    return SCRIPT in _text(item)


def _text(item: Content) -> str:
    data = item.read() or b""
    return data.decode("utf-8", "surrogateescape")


def _strings(text: str) -> list[tuple[ast.Constant, str]]:
    """Return the string constants of a source that stand alone: no parts of f-strings."""
    tree = parse_source(text)
    if tree is None:
        return []
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in parts)
    return [(node, node.value) for node in constants if type(node.value) is str and "\0" not in node.value]


def _has_modules(place: Path) -> bool:
    """Return whether something can be imported from a path, or is a module itself."""
    if not place.is_dir():
        return place.suffix in SUFFIXES or place.suffix in LINES
    inside = list(place.iterdir()) if os.access(place, os.R_OK) else []
    return any(path.suffix in SUFFIXES or os.access(path / "__init__.py", os.F_OK) for path in inside)


def rewrite(item: Content, moved: Callable[[str], str | None], names: Sequence[str]) -> bytes:
    """Return such a file with every path replaced for which `moved` has another."""
    text = live(item, names).read_bytes().decode("utf-8", "surrogateescape")
    if not item.path.endswith(LINES):
        return _replace_strings(text, moved)
    lines = []
    for line in parse(text):
        place = None if line.path is None else moved(os.path.normpath(live(item, names).parent / line.path))
        if line.code is not None:
            lines.append(_replace_strings(line.text, moved))
        else:
            new = line.text if place is None else line.text.replace(line.path or "", place, 1)
            lines.append(new.encode("utf-8", "surrogateescape"))
    return b"".join(lines)


def _replace_strings(text: str, moved: Callable[[str], str | None]) -> bytes:
    lines = [line.encode("utf-8", "surrogateescape") for line in re.split(r"(?<=\n)", text)]
    for node, value in sorted(_strings(text), key=lambda pair: (pair[0].lineno, -pair[0].col_offset)):
        place = moved(os.path.normpath(value)) if value.startswith("/") else None
        if place is not None and node.end_lineno == node.lineno:
            row = lines[node.lineno - 1]
            lines[node.lineno - 1] = row[: node.col_offset] + repr(place).encode() + row[node.end_col_offset :]
    return b"".join(lines)


def is_inside(place: str, names: Sequence[str]) -> bool:
    """Return whether a path is the prefix, by any of its names, or in it."""
    return (place + "/").startswith(tuple(name.rstrip("/") + "/" for name in names))


def stands_for(place: str) -> list[Path]:
    """Return the paths that a place may mean: itself, the package that it begins, or the module that it names."""
    path = Path(place)
    try:
        if path.exists():
            return [path.parent if path.name == "__init__.py" else path]
        beside = sorted(path.parent.iterdir()) if path.name else []
    except OSError:
        return []
    return [other for other in beside if other.name.split(".")[0] == path.name and other.suffix in SUFFIXES]


def refuse(items: Iterable[Content | Link], names: Sequence[str], *, brought: bool) -> None:
    """Raise InputError if a file or link leads outside: its target would be missing on every host."""
    pairs = dict.fromkeys((pointer.name, pointer.place) for pointer in outside(items, names))
    if not pairs:
        return
    listed = ", ".join(f"{name} -> {place}" for name, place in pairs)
    if brought:
        what = f"the sources that the environment imports cannot be brought along, because of their names ({listed})"
        remedy = "install it with `pip install PATH`, or leave it out with --exclude NAME"
    else:
        what = f"the environment imports from outside of it, as by an editable install ({listed})"
        remedy = (
            "bring the sources along with --editable bring, install them with `pip install PATH`, "
            "or leave them out with --exclude NAME"
        )
    raise InputError(what, remedy=remedy)


def refuse_rebuilding(items: Iterable[Content | Link]) -> None:
    """Raise InputError for an editable install that a host would have to build: it has nothing to build it with."""
    items = list(items)
    modules = _imported(items)
    for item in items:
        match = BUILDER.match(_name_in_site(item) or "") if item.path in modules else None
        if match is not None and isinstance(item, Content) and (match["meson"] or _builds(_text(item))):
            kind = "meson-python" if match["meson"] else "scikit-build-core"
            what = f"an editable install of {kind} is built again when it is imported ({modules[item.path]})"
            raise InputError(what, remedy="install it with `pip install PATH`, or leave it out with --exclude NAME")


def _builds(text: str) -> bool:
    """Return whether the module of an editable install of scikit-build-core builds its project."""
    tree = parse_source(text)
    if tree is None:
        return True
    calls = [each.value for each in tree.body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == "install" and calls:
            parameters = [each.arg for each in function.args.args]
            given = {each.arg: each.value for each in calls[-1].keywords}
            given |= dict(zip(parameters, calls[-1].args, strict=False))
            rebuild = given.get("rebuild")
            return not (isinstance(rebuild, ast.Constant) and rebuild.value is False)
    return True
