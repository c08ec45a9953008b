"""The help of every verb: the parts of a manual page, for a terminal of 80 columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from conda.cli.conda_argparse import ArgumentParser

from conda_coex.cli.verb_parser import VERBS
from conda_coex.plugin import configure_parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def help_of(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    parser = ArgumentParser(prog="conda coex")
    configure_parser(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([verb, "-h"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def options(text: str) -> Iterator[tuple[str, str]]:
    """Yield the options of a help text, each with its description."""
    body = text.partition("options:")[2].partition("\nexamples:")[0]
    for found in re.finditer(r"^  (-\S.*?)(?:\s{2,}|\n {10,})(\S.*(?:\n {10,}.*)*)", body, re.MULTILINE):
        yield found[1], " ".join(found[2].split())


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(verb, monkeypatch, capsys)
    assert text.startswith(f"usage: conda coex {verb} ")
    headings = re.findall(r"^(examples|exit status):$", text, re.MULTILINE)
    assert sorted(headings) == ["examples", "exit status"]
    assert f"\n  conda coex {verb} " in text.partition("examples:")[2]
    found = dict(options(text))
    assert "-h, --help" in found
    assert [option for option, said in found.items() if len(said.split()) < 2] == []


@pytest.mark.parametrize("verb", VERBS)
def test_width(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_of(verb, monkeypatch, capsys).splitlines()
    assert [line for line in lines if len(line) > 80] == []
