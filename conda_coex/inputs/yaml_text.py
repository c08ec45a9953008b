"""Read YAML and JSON as text: each scalar but null stays as it was written, and each has the number of its line."""

from __future__ import annotations

import json
import reprlib
import warnings
from typing import TYPE_CHECKING

from .yaml_events import Refused, events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .yaml_events import Event

NULLS = ("", "~", "null", "Null", "NULL")
MERGE = "<<"
OLD = (1, 1)  # the version whose values differ from those of the present one
PYTHON = ("tuple", "list", "dict", "str", "unicode")  # which `conda env export` wrote in 2017
KINDS = ("str", "seq", "map", *(f"python/{kind}" for kind in PYTHON))
TAGS = ("!", *(f"tag:yaml.org,2002:{kind}" for kind in KINDS))  # that change no value


class Text(str):
    """A scalar as it was written: `plain`: without quotes, so that YAML's own readers may return another type."""

    __slots__ = ("line", "plain")
    line: int
    plain: bool


class Mapping(dict[str, object]):
    """A mapping, with the keys that it has more than once and the line of the second one; the last value counts.

    `version` is that of a `%YAML` line before it, if it is the whole document.
    """

    __slots__ = ("line", "repeated", "version")
    line: int
    repeated: dict[str, int]
    version: tuple[int, int] | None


class _Short(reprlib.Repr):
    """A part of a value: aliases may make it contain itself."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring = 2, 100

    repr_Text, repr_Mapping = reprlib.Repr.repr_str, reprlib.Repr.repr_dict  # noqa: N815


shown = _Short().repr


def load(data: bytes, wrong: Callable[[str], Exception]) -> object:
    """Return the one document of YAML: None, `Text`, lists and `Mapping`.

    If the data is not YAML, raises the error that `wrong` returns for the reason.
    """
    text = _decoded(data, wrong)
    try:
        return _composed(text) if not text.lstrip().startswith("{") else _of_json(text)
    except Refused as error:
        raise wrong(error.reason(text)) from error
    except RecursionError as error:
        raise wrong("is nested too deeply") from error


def _decoded(data: bytes, wrong: Callable[[str], Exception]) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong(f"is not UTF-8 text in line {line}; save it as UTF-8") from error


def _of_json(text: str) -> object:
    """Return the value of JSON, which may have escapes that parsers of YAML do not know. Other data may be YAML."""
    try:
        value: object = json.loads(text, object_pairs_hook=_pairs, parse_int=_number, parse_float=_number)
    except ValueError:
        return _composed(text)
    return _as_text(value)


def _number(written: str) -> Text:
    return text(written, 0, plain=True)


def _pairs(pairs: list[tuple[str, object]]) -> Mapping:
    return _mapping(((key, 0, _as_text(value)) for key, value in pairs), 0)


def _as_text(value: object) -> object:
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, bool):
        return text(str(value).lower(), 0, plain=True)
    return text(value, 0, plain=False) if type(value) is str else value


def text(value: str, line: int, *, plain: bool) -> Text:
    """Return a text of a line."""
    scalar = Text(value)
    scalar.line, scalar.plain = line, plain
    return scalar


def _mapping(pairs: Iterable[tuple[str, int, object]], line: int) -> Mapping:
    mapping = Mapping()
    mapping.line, mapping.repeated, mapping.version = line, {}, None
    for key, place, value in pairs:
        if key in mapping:
            mapping.repeated.setdefault(key, place)
        mapping[key] = value
    return mapping


def _composed(text: str) -> object:
    events = events_of(text)
    next(event for event in events if type(event).__name__ == "StreamStartEvent")
    start = next(events)
    if type(start).__name__ == "StreamEndEvent":
        return None
    value = _Composer(events).node(next(events))
    if isinstance(value, Mapping):
        value.version = start.version
    next(events)  # the end of the document
    after = next(events)
    if type(after).__name__ != "StreamEndEvent":
        raise Refused("a second document begins there", after.start_mark.line + 1)
    return value


def _scalar(event: Event, *, plain: bool) -> Text | None:
    return None if plain and event.value in NULLS else text(event.value, event.start_mark.line + 1, plain=plain)


class _Composer:
    """Makes values of events; an alias is the same object as the value of its anchor."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.anchors: dict[str, object] = {}

    def node(self, event: Event) -> object:
        """Return the value that begins with this event."""
        kind = type(event).__name__
        if kind == "AliasEvent":
            if event.anchor not in self.anchors:
                raise Refused(f"nothing before has the anchor {event.anchor!r}", event.start_mark.line + 1)
            return self.anchors[event.anchor]
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in TAGS:
            raise Refused(f"the tag {str(tag)!r} is not read; leave it out", event.start_mark.line + 1)
        value: object
        if kind == "ScalarEvent":
            value = _scalar(event, plain=event.implicit[0] and tag is None)
        elif kind == "SequenceStartEvent":
            value = [self.node(item) for item in self.until("SequenceEndEvent")]
        else:
            value = self.mapping(event.start_mark.line + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def until(self, end: str) -> Iterator[Event]:
        """Yield the events that begin a value, up to the end of the enclosing list or mapping."""
        for event in self.events:
            if type(event).__name__ == end:
                return
            yield event

    def mapping(self, line: int) -> Mapping:
        """Return a mapping: its own keys first, then those that it merges (`<<`)."""
        pairs: list[tuple[str, int, object]] = []
        merged: list[object] = []
        for event in self.until("MappingEndEvent"):
            place = event.start_mark.line + 1
            key = event.value if type(event).__name__ == "ScalarEvent" else self.node(event)
            if not isinstance(key, str):
                raise Refused("a key is not text", place)
            value = self.node(next(self.events))
            if key == MERGE and getattr(event, "implicit", (False,))[0]:
                merged += value if isinstance(value, list) else [value]
            else:
                pairs.append((key, place, value))
        mapping = _mapping(pairs, line)
        for other in merged:
            if not isinstance(other, Mapping):
                raise Refused("`<<` merges mappings alone", line)
            for key, value in other.items():
                mapping.setdefault(key, value)
        return mapping


def as_yaml_reads(text: Text, version: tuple[int, int] | None = None) -> str:
    """Return the value that conda's own reader makes of a scalar, as text: without quotes, 1.10 is 1.1.

    In a document of version 1.1 of YAML, `yes` is True and 010 is 8.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    old = version == OLD
    if not text.plain or (not old and text.isidentifier() and text.lower() not in ("true", "false")):
        return str(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on numbers that the versions read in two ways
            value = YAML(typ="safe", pure=True).load(f"%YAML 1.1\n--- {text}" if old else text)
        return str(text) if isinstance(value, (dict, list)) or value is None else str(value)
    except (YAMLError, ValueError):  # also a number of so many digits that Python does not write it
        return str(text)
