"""Parse YAML into events, with the lines that editors show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEMPLATE = re.compile(r"\{\{|\{%")
BREAKS = "\x85\u2028\u2029"  # they end a line in YAML 1.1 alone: an editor shows the next words in the same comment


class Refused(Exception):
    """The fault of a document, and the line, if it is known."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(problem)
        self.problem, self.line = problem, line

    def reason(self, text: str) -> str:
        """Return why this text is not read."""
        if not self.line:
            return f"is not YAML: {self.problem}"
        lines = text.split("\n", self.line)
        if len(lines) >= self.line and TEMPLATE.search(lines[self.line - 1]):
            return f"is a template, as line {self.line} shows: give the file that is made of it"
        return f"is not YAML in line {self.line}: {self.problem}"


class Mark(Protocol):
    """A place in a text."""

    line: int  # from 0


class Event(Protocol):
    """An event of both parsers; a kind of event has only some of the fields behind the first."""

    start_mark: Mark
    anchor: str | None  # of values and aliases
    value: str  # of scalars
    implicit: tuple[bool, bool]  # of scalars: whether it is plain, whether it is quoted
    version: tuple[int, int] | None  # of the start of a document


def events_of(text: str) -> Iterator[Event]:
    """Yield the events of a parser: libyaml's by PyYAML, which is thirty times as fast, or the one of conda itself.

    Only the ends of lines that editors show end one.
    """
    left = sum(map(text.count, BREAKS))
    return _with_breaks(text, left) if left else _parsed(text)


def _with_breaks(text: str, left: int) -> Iterator[Event]:
    """Parse a text that has `left` rare ends of lines: they are refused outside of values, as in a comment."""
    unused = (mark for mark in map(chr, range(0xE000, 0xF900)) if mark not in text)
    marks = {ord(sign): next(unused) for sign in BREAKS}
    signs = {ord(mark): chr(sign) for sign, mark in marks.items()}
    for event in _parsed(text.translate(marks)):
        if hasattr(event, "value"):
            left -= sum(event.value.count(marks[ord(sign)]) for sign in BREAKS[1:])  # conda makes a blank of U+0085
            event.value = event.value.translate(signs)
        if left and type(event).__name__ == "StreamEndEvent":
            first = min(text.index(sign) for sign in BREAKS if sign in text)
            what = f"some readers end a line at U+{ord(text[first]):04X}; remove it"
            raise Refused(what, text.count("\n", 0, first) + 1)
        yield event


def _parsed(text: str) -> Iterator[Event]:
    try:
        import yaml
    except ImportError:  # installed without dependencies
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError as RuamelError

        failure: type[Exception] = RuamelError
        parsed: Iterable[object] = YAML(typ="safe", pure=True).parse(text)
    else:
        failure = yaml.YAMLError
        parsed = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        yield from cast("Iterable[Event]", parsed)
    except failure as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise Refused(problem, mark.line + 1 if mark is not None else 0) from error
    except ValueError as error:  # half of a surrogate pair
        raise Refused(" ".join(str(error).split())) from error
