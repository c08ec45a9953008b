"""The digest of files differs exactly if their frames could: by names, bytes and relocations."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conda_coex.root.content import Content, relocation_of, script_of
from conda_coex.root.content_digest import content_digest
from conda_coex.root.source import InMemory

if TYPE_CHECKING:
    from coex_bootstrap.format.relocation import Edits

DATA = b"the text of a file"


def content(path: str = "prefix/a", data: bytes = DATA, edits: Edits | None = None, **changes: object) -> Content:
    item = Content(path, 0o644, 0, InMemory(data), len(data), hashlib.sha256(data).hexdigest())
    if edits is not None:
        item = replace(item, relocation=relocation_of("/place", "text", edits))
    return replace(item, **changes)  # type: ignore[arg-type]


DIFFERENT = {
    "plain": [content()],
    "another name": [content("prefix/b")],
    "other bytes": [content(data=DATA.upper())],
    "one more": [content(), content("prefix/b")],
    "in another order": [content("prefix/b"), content()],
    "a placeholder": [content(relocation=relocation_of("/place", "text"))],
    "another placeholder": [content(relocation=relocation_of("/other", "text"))],
    "in a binary": [content(relocation=relocation_of("/place", "binary"))],
    "of an unknown mode": [content(relocation=relocation_of("/place", "other"))],
    "known edits": [content(edits=((0, ((3, 0),)),))],
    "other edits": [content(edits=((0, ((4, 0),)),))],
    "edits in another encoding": [content(edits=((1, ((3, 0),)),))],
    "no edits": [content(edits=())],
    "a script": [content(relocation=script_of("bin/python"))],
    "a script of another Python": [content(relocation=script_of("bin/python3"))],
    "a name that is no UTF-8": [content("prefix/\udcff")],
    "a name with a line break": [content("prefix/a\nb")],
    "nothing": [],
}


def test_different() -> None:
    digests = {what: content_digest(files) for what, files in DIFFERENT.items()}
    assert None not in digests.values()
    assert len(set(digests.values())) == len(digests)


@pytest.mark.parametrize("what", DIFFERENT)
def test_modes_and_times_are_those_of_the_index(what: str) -> None:
    files = DIFFERENT[what]
    other = [replace(item, mode=0o755, mtime_ns=5, source=None) for item in files]
    assert content_digest(other) == content_digest(files)


def test_not_known() -> None:
    assert content_digest([content(), content("prefix/b", sha256=None)]) is None
