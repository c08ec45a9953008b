"""The rules for words refuse the dialect that they name, and accept plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documentation.words import Prose, read, wrong

if TYPE_CHECKING:
    from pathlib import Path

DIALECT = """
Return what pip prints.
The user, who starts it, waits.
whoever starts it
Where it fails, nothing is left.
The note is kept; where it is missing, write one.
only where conda has it
It is no file.
It needs the archive no more.
It is not read, nor is it written.
Of a package the record is left out.
The root is made anew.
A lock is told by its content.
a file system that tells upper from lower case
all but for the last
as conda has it
nothing of it is left
""".strip().splitlines()
PLAIN = """
Return the output of pip.
What does pip print?
Return the places where an archive may unpack.
Users who name a store trust its owner.
There is no such file.
It is no longer there.
It is neither read nor written.
Of course it starts.
No more than two files are open.
Print `what` and `who is`.
It tells the user from the start.
""".strip().splitlines()


@pytest.mark.parametrize("text", DIALECT)
def test_refused(text: str) -> None:
    assert list(wrong(Prose(1, text)))


@pytest.mark.parametrize("text", PLAIN)
def test_accepted(text: str) -> None:
    assert list(wrong(Prose(1, text))) == []


def test_parts_of_a_python_file(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(
        '"""Module.\n\nBody\nof two lines.\n"""\n\nA = 1  # behind code\n# one\n# comment\n# type: ignore\n\n\n'
        "def test_of_a_name(x: int) -> str:\n"
        '    """Function."""\n    return f"the file {x} was not found" + "a_word" + "# no comment here"\n',
        encoding="utf-8",
    )
    expected = {"Module.", "Body\nof two lines.\n", "behind code", "one comment", "of a name", "Function."}
    assert {prose.text for prose in read(source, texts=False)} == expected
    with_texts = {prose.text for prose in read(source, texts=True)}
    assert with_texts - expected == {"the file x was not found", "# no comment here"}


def test_parts_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    text = "# Title\n\nText\nof two lines.\n\n```sh\nwhat\n```\n- item\n\n| a | b |\n|---|---|\n"
    page.write_text(text, encoding="utf-8")
    found = [prose for prose in read(page, texts=True) if prose.text and set(prose.text) != {"-"}]
    assert [prose.text for prose in found] == ["Title", "Text\nof two lines.", "item", "a", "b"]


def test_comments_of_a_shell_script(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("#!/bin/sh\n# one\n  # comment\necho # not here\n# two\n", encoding="utf-8")
    assert [prose.text for prose in read(script, texts=True)] == ["one comment", "two"]
