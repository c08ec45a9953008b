"""The tables of the page on JSON documents, and the differences of a document from them.

A row is `| field | type | meaning |`, in the section of a document or of an object that others refer to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = REPOSITORY / "docs" / "reference" / "json.md"
ALWAYS = "Every document"
SCALARS = {"text": str, "boolean": bool, "integer": int, "null": type(None), "any object": dict}
ABSENT = " or absent"


class Place(NamedTuple):
    """The rows of a section below a path, such as `files[].`."""

    section: str
    path: str


class JsonPage:
    """The page. `unseen` has the rows that no document had so far."""

    def __init__(self, text: str) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.included: dict[str, str] = {}
        for part in re.split(r"(?m)^#+ ", text)[1:]:
            title = part.partition("\n")[0]
            found = re.findall(r"(?m)^\| `([^`]+)` \| ([^|]+) \|", part)
            if found:
                self.rows[title] = dict(found)
                assert len(found) == len(self.rows[title]), f"{title}: a field is listed twice"
                included = re.search(r"(?m)^All fields of `(\w+)`", part)
                self.included |= {title: included[1]} if included else {}
        self.unseen = {(title, field) for title, rows in self.rows.items() for field in rows}

    def objects(self) -> set[str]:
        """Return the sections that types refer to."""
        return {name for rows in self.rows.values() for kind in rows.values() for name in re.findall("`(.+?)`", kind)}

    def differences(self, title: str, document: object, *, every: bool = True) -> list[str]:
        """Return the differences of a document; `every` if it has the fields of every document."""
        sections = [title, self.included.get(title), ALWAYS if every else None]
        return list(self._fields(document, [Place(name, "") for name in sections if name]))

    def _fields(self, value: object, places: list[Place]) -> Iterator[str]:
        """Yield the differences of an object, whose fields are those at all the places."""
        assert isinstance(value, dict), f"{places}: {value!r} is not an object"
        listed = {name: (place, kind) for place in places for name, kind in self._below(place)}
        for name in value.keys() - listed.keys():
            yield f"{places[0].section}: {places[0].path}{name} is not on the page"
        for name, (place, kind) in listed.items():
            if name in value:
                self.unseen.discard((place.section, place.path + name))
                kinds = kind.removesuffix(ABSENT).split(" or ")
                yield from self._value(value[name], kinds, Place(place.section, place.path + name))
            elif not kind.endswith(ABSENT):
                yield f"{place.section}: {place.path}{name} is not in the document"

    def _below(self, place: Place) -> Iterator[tuple[str, str]]:
        """Yield name and type of the fields at a place, also of those that only their own fields name."""
        rows = self.rows[place.section]
        for field in rows:
            if field.startswith(place.path):
                name = re.split(r"[.\[]", field[len(place.path) :])[0]
                yield name, rows.get(place.path + name, "object")

    def _value(self, value: object, kinds: list[str], place: Place) -> Iterator[str]:
        """Yield the differences of a value of one of these types."""
        kind = next((each for each in kinds if _fits(value, each)), None)
        if kind is None:
            yield f"{place.section}: {place.path} is {value!r}, and not {' or '.join(kinds)}"
        elif kind == "object":
            yield from self._fields(value, [Place(place.section, f"{place.path}.")])
        elif kind.startswith("`"):
            yield from self._fields(value, [Place(kind.strip("`"), ""), Place(place.section, f"{place.path}.")])
        elif isinstance(value, list):
            for each in value:
                yield from self._value(each, [_one(kind)], Place(place.section, f"{place.path}[]"))
        elif isinstance(value, dict) and kind != "any object":
            for each in value.values():
                yield from self._value(each, [_one(kind)], Place(place.section, f"{place.path}.*"))


def _fits(value: object, kind: str) -> bool:
    """Return whether a value is of a type, without a look into it."""
    wanted = list if kind.startswith("list of ") else SCALARS.get(kind, dict)
    known = kind in SCALARS or kind == "object" or kind.startswith(("list of ", "object of ", "`"))
    assert known, f"the page has an unknown type: {kind}"
    return isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool))


def _one(kind: str) -> str:
    """Return the type of an element: `list of texts` has each a `text`."""
    return re.sub(r"^(any )?(text|integer|object|list)s\b", r"\1\2", kind.partition(" of ")[2])
