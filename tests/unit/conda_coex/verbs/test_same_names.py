"""The note on paths that differ only in case names the pairs that `alike` finds among all paths."""

from __future__ import annotations

import os

import pytest
from coex_bootstrap.store.refused import alike
from hypothesis import given
from hypothesis import strategies as st

from conda_coex.root.content import Content
from conda_coex.root.layout import Layout
from conda_coex.verbs.host_notes import same_names

# The long s and the sign of Kelvin are s and k in another case; an accent may stand in the letter or behind it.
NAME = st.text("aAkK\u212asS\u017f\u00e9\udcff", min_size=1, max_size=2) | st.just("e\u0301")
PATH = st.lists(NAME, min_size=1, max_size=2).map("/".join)


def layout_of(*paths: str) -> Layout:
    layout = Layout()
    layout.place("owner", [Content(f"prefix/{path}", 0o644, 0, None, 0) for path in paths])
    return layout


@given(st.lists(PATH, max_size=6))
def test_all_pairs(paths: list[str]) -> None:
    layout = layout_of(*paths)
    pairs = list(alike(map(os.fsencode, layout.entries), map(os.fsencode, layout.directories)))
    notes = list(same_names(layout, "osx-arm64"))
    assert len(notes) == bool(pairs)
    for first, second in pairs[:3]:
        assert f"{os.fsdecode(first)} and {os.fsdecode(second)}" in notes[0]
    assert not pairs[3:] or f"and {len(pairs) - 3} more pairs" in notes[0]


@pytest.mark.parametrize("other", ["lib/A", "LIB/a", "lib"])
def test_file_and_directory(other: str) -> None:
    assert len(list(same_names(layout_of("lib/a", other), "linux-64"))) == (other != "lib")
