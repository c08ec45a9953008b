"""Read an environment.yml as conda does, in the same way for every version of conda; errors name the line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import InputError
from .document import lines_of
from .suffixes import YAML_SUFFIXES
from .yaml_events import TEMPLATE
from .yaml_text import Mapping, Text, as_yaml_reads, shown, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conda_record import CondaRecord
    from .document import Document

KEYS = {"name", "prefix", "channels", "dependencies", "variables"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PIP = re.compile(r"(?:[^\s=<>!~]*::)?pip(?:[\s=<>!~;\[].*)?", re.DOTALL)


@dataclass(frozen=True)
class EnvironmentFile:
    """The content of an environment file; `pinned` are the records of a lock file that a plugin has read."""

    channels: tuple[str, ...]
    specs: tuple[str, ...]
    pip: tuple[str, ...]
    variables: dict[str, str | None]
    pinned: tuple[CondaRecord, ...] = field(default=())
    notes: tuple[str, ...] = ()
    has_pip_section: bool = False

    @property
    def lacks_pip(self) -> bool:
        """Whether it has a section for pip, or an empty one, and does not ask for pip itself: conda adds it then."""
        return self.has_pip_section and not any(PIP.fullmatch(spec) for spec in self.specs)


def read(document: Document) -> EnvironmentFile | None:
    """Return the content of an environment file or a list of specs (.txt), None for other formats; raises InputError.

    Files of other names are left to conda and its plugins if they are not YAML, or have other keys.
    """
    if document.path.endswith(".txt") and "dependencies" not in document.keys:
        return EnvironmentFile((), tuple(_listed(document)), (), {})
    named = document.path.endswith(YAML_SUFFIXES)
    if document.problem is not None:
        if named:
            raise wrong(document.path, document.problem)
        return None
    if not isinstance(document.parsed, Mapping):
        if named:
            what = "is empty" if document.parsed is None else "is not a mapping"
            lines = ", or name it `.txt` if it is a list of specs" if isinstance(document.parsed, Text) else ""
            raise wrong(document.path, what, f"list packages under `dependencies:`{lines}")
        return None
    if "dependencies" not in document.keys and not document.keys <= KEYS:
        return None
    return _Reader(document.path, document.parsed).read()


def _listed(document: Document) -> Iterator[Text]:
    """Yield the lines of a list of specs, without comments, as `conda env create` reads it."""
    try:
        lines = lines_of(document.data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise wrong(document.path, "is not UTF-8 text", "save it as UTF-8") from error
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield text(line.strip(), number, plain=True)


class _Reader:
    """Takes the parts of one file; every check raises InputError."""

    def __init__(self, path: str, mapping: Mapping) -> None:
        self.path, self.mapping = path, mapping
        self.pip_sections, self.has_pip_section = 0, False

    def read(self) -> EnvironmentFile:
        self.check_once(self.mapping)
        specs: list[str] = []
        pip: list[str] = []
        for item in self.listed("dependencies"):
            if isinstance(item, Mapping):
                pip += self.pip_lines(item)
            else:
                specs.append(self.text(item, "dependencies"))
        if not (specs or pip):
            raise self.wrong("asks for no package", "list some under `dependencies:`")
        channels = tuple(os.path.expandvars(self.text(item, "channels")) for item in self.listed("channels"))
        written = self.variables()
        variables = {name: value and as_yaml_reads(value, self.mapping.version) for name, value in written.items()}
        notes = tuple(self.notes(written, variables))
        return EnvironmentFile(
            channels, tuple(specs), tuple(pip), variables, notes=notes, has_pip_section=self.has_pip_section
        )

    def wrong(self, what: str, remedy: str | None = None, at: object = None) -> InputError:
        line = getattr(at, "line", 0)
        return wrong(self.path, f"{what}, in line {line}" if line else what, remedy)

    def check_once(self, mapping: Mapping) -> None:
        for key, line in mapping.repeated.items():
            raise self.wrong(f"has `{key}` twice" + (f", again in line {line}" if line else ""), "keep one")

    def listed(self, key: str) -> list[object]:
        value = self.mapping.get(key)
        if value is not None and not isinstance(value, list):
            raise self.wrong(f"has `{key}` that are not a list", "begin each with `- `", value)
        return value or []

    def text(self, item: object, where: str) -> Text:
        """Return an item of a list that is text, of one line, which a program can be given."""
        remedy = "put it in quotes, or remove it"
        if not isinstance(item, Text) or not item.strip() or not is_value(item):
            description = "an empty item" if item is None or item == "" else shown(item)
            raise self.wrong(f"has {description} in `{where}`, which is not text", remedy, item)
        if TEMPLATE.search(item):
            raise self.wrong(f"is a template, as {str(item)!r} shows", "give the file that is made of it", item)
        return item

    def pip_lines(self, item: Mapping) -> Iterator[str]:
        """Yield the lines of `pip:`. A text instead of a list is refused: conda would split it into letters."""
        self.check_once(item)
        for key, lines in item.items():
            if key != "pip":
                meant = f"{key}={lines}" if isinstance(lines, str) else key
                what = f"has the mapping {key!r} in `dependencies`"
                raise self.wrong(what, f"`pip:` alone is one; write `- {meant}`", item)
            if lines is not None and not isinstance(lines, list):
                raise self.wrong("has a `pip:` that is not a list of texts", "begin each line with `- `", item)
            self.pip_sections += bool(lines)
            self.has_pip_section = True
            for line in lines or []:
                yield self.text(line, "pip")

    def variables(self) -> dict[str, Text | None]:
        """Return the variables as they are written; null unsets one. conda takes names as they come."""
        mapping = self.mapping.get("variables")
        if mapping is not None and not isinstance(mapping, Mapping):
            raise self.wrong("has `variables` that are not a mapping", "write them as `NAME: value`", mapping)
        self.check_once(mapping or self.mapping)
        variables: dict[str, Text | None] = {}
        for name, value in (mapping or {}).items():
            if not NAME.fullmatch(name):
                what = f"has the variable {name!r}, and no shell can set one of that name"
                raise self.wrong(what, "rename it", value)
            if value is not None and not isinstance(value, Text):
                raise self.wrong(f"has a value of {name} that is not text", "put it in quotes", value)
            if not is_value(value or ""):
                raise self.wrong(f"has a value of {name} that no variable can have, {value!r}", "correct it", value)
            variables[name] = value
        return variables

    def notes(self, written: dict[str, Text | None], variables: dict[str, str | None]) -> Iterator[str]:
        """Yield a note on each part that is not taken as it is written."""
        unknown = [key for key in self.mapping if key not in KEYS]
        if unknown:
            yield f"{self.path}: keys that neither conda nor conda-coex reads: {', '.join(unknown)}"
        if self.pip_sections > 1:
            yield f"{self.path}: `pip:` is there {self.pip_sections} times; all are taken (conda takes the last)"
        for name, value in variables.items():
            if value != written[name]:
                text = str(written[name])
                yield f"{self.path}: the variable {name} is {value!r}, as conda reads {text!r} without quotes"


def is_value(text: str) -> bool:
    """Return whether a program can be given this text."""
    try:
        return "\0" not in text and text.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def wrong(path: str, what: str, remedy: str | None = None) -> InputError:
    """Return the error of an environment file."""
    return InputError(f"the environment file {what}", os.fsencode(path), remedy)
