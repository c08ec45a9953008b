"""The distribution of each file is the one that importlib.metadata names; a bad RECORD lists nothing."""

from __future__ import annotations

import csv
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from conda_coex.pypi.listed import owners_of
from conda_coex.root.content import Content, Link
from conda_coex.root.source import InMemory

PLACE = "prefix/lib/python3.11/site-packages"
RECORDS = {
    "one-1.0": "one/__init__.py,sha256=x,1\none/data,,\n../../../bin/one,,\none-1.0.dist-info/RECORD,,\n",
    "two-2.0+local": '"two, and more/a ""b"".py",,\r\n./two//c.py,,\r\ntwo-2.0+local.dist-info/RECORD,,\r\n',
}


def record(name: str, text: str, place: str = PLACE) -> Content:
    data = text.encode("utf-8", "surrogateescape")
    return Content(f"{place}/{name}.dist-info/RECORD", 0o644, 0, InMemory(data), len(data))


def test_as_importlib_metadata(tmp_path: Path) -> None:
    expected = {}
    for name, text in RECORDS.items():
        info = tmp_path / PLACE / f"{name}.dist-info"
        info.mkdir(parents=True)
        (info / "RECORD").write_bytes(text.encode())
        for file in PathDistribution(info).files or ():
            expected[str(Path(file.locate()).resolve().relative_to(tmp_path))] = name
    assert len(expected) == 7
    assert owners_of([record(name, text) for name, text in RECORDS.items()]) == expected


def test_first_of_several() -> None:
    """In the order of their paths; each has its own RECORD."""
    items = [record("b-1", "same.py,,\na-1.dist-info/RECORD,,\n"), record("a-1", "same.py,,\n")]
    assert owners_of(items) == {
        f"{PLACE}/same.py": "a-1", f"{PLACE}/a-1.dist-info/RECORD": "a-1", f"{PLACE}/b-1.dist-info/RECORD": "b-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        record("carried-1", "x.py,,\n", f"{PLACE}/one/_vendor"),
        record("two words-1", "x.py,,\n"),
        record("x (pip) compiled", "x.py,,\n"),
        record("other-1", "x.py,,\n", "prefix/share"),
        Link(f"{PLACE}/linked-1.dist-info/RECORD", "elsewhere"),
    ],
    ids=["carried by another", "two words", "as an owner", "elsewhere", "a link"],
)
def test_no_distribution(item: Content | Link) -> None:
    assert owners_of([item]) == {}


@pytest.mark.parametrize("text", ["", "\n\n", "\0", "\udcff,,\n", "x" * (csv.field_size_limit() + 1), '"open,,\n'])
def test_unreadable(text: str) -> None:
    assert owners_of([record("one-1.0", text)])[f"{PLACE}/one-1.0.dist-info/RECORD"] == "one-1.0"
