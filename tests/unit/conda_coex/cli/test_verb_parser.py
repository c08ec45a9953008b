"""The verbs in conda's own parser: all at once, each filled when somebody looks into it."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from typing import Any

import argcomplete
import pytest
from coex_bootstrap.tools import command_line
from conda.cli.conda_argparse import generate_parser
from conda.exceptions import ArgumentError

from conda_coex import __version__
from conda_coex.cli.main import BUILDERS, TOOLS
from conda_coex.cli.other_tools import MEANINGS, meaning
from conda_coex.cli.verb_parser import VERBS
from conda_coex.plugin import configure_parser


def verbs_of(parser: ArgumentParser) -> dict[str, Any]:
    """Return the parsers below a parser, as a program for completion finds them."""
    found = next(action for action in parser._actions if isinstance(action, _SubParsersAction))
    return dict(found.choices)


@pytest.fixture
def parser() -> ArgumentParser:
    made = ArgumentParser(prog="conda coex")
    configure_parser(made)
    return made


def test_conda_knows_the_verbs() -> None:
    coex = verbs_of(generate_parser())["coex"]
    assert set(verbs_of(coex)) == set(VERBS)


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ((), "", {*VERBS, "--help", "--version", "-V", "-h"}),
        ((), "c", {"create", "cache"}),
        (("create",), "--entry", {"--entrypoint"}),
        (("pack", "--missing"), "", {"ignore", "restore", "refuse"}),
        (("cache",), "cl", {"clean"}),
    ],
)
def test_completion_of_a_command_line(words: tuple[str, ...], begun: str, offered: set[str]) -> None:
    """argcomplete walks conda's own parser, without knowing of plugins."""
    finder = argcomplete.CompletionFinder(generate_parser(), always_complete_options=True)
    completions = finder._get_completions(["conda", "coex", *words], begun, "", None)
    assert {word.rstrip() for word in completions} == offered


def test_a_walk_finds_all_options(parser: ArgumentParser) -> None:
    found = {verb: {o for a in below._actions for o in a.option_strings} for verb, below in verbs_of(parser).items()}
    assert found.keys() == VERBS.keys()
    assert all({"--help", "--json"} <= options for options in found.values())
    assert {"--entrypoint", "--package", "--name", "--config", "--channel"} <= found["create"]
    assert {"--prefix", "--store"} <= found["unpack"]


def test_no_option_takes_the_name_of_another(parser: ArgumentParser) -> None:
    """A positional argument whose name an option has too gets the value of the option, and the reverse."""
    for verb, below in verbs_of(parser).items():
        names = [action.dest for action in below._actions if not action.option_strings]
        options = {action.dest for action in below._actions if action.option_strings}
        assert options.isdisjoint(names), verb
    assert all(below.description for below in verbs_of(parser).values())


def test_conda_offers_the_verbs_of_archives() -> None:
    of_archives = {name: verb.summary for name, verb in command_line.VERBS.items() if name != "cache"}
    assert set(of_archives) == set(TOOLS)  # `cache` of conda coex knows the frames of builds, too
    assert {name: VERBS[name] for name in of_archives} == of_archives
    assert VERBS.keys() == {*of_archives, *BUILDERS, "cache", "image", "inspect"}


def test_only_the_verb_that_is_asked_for_is_filled() -> None:
    code = """
import sys
from argparse import ArgumentParser
from conda_coex.plugin import configure_parser
parser = ArgumentParser()
configure_parser(parser)
parser.format_help()
loaded = [name for name in sys.modules if name.startswith(("conda_coex.", "coex_bootstrap"))]
assert sorted(loaded) == ["conda_coex.cli", "conda_coex.cli.verb_parser", "conda_coex.plugin"], loaded
parser.parse_args(["inspect", "x.coex"])
assert "conda_coex.cli.main" in sys.modules
assert "coex_bootstrap.tools.command_line" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["creat"], "conda coex has no verb 'creat' (did you mean create?); see `conda coex --help`"),
        (["nothing-alike"], "conda coex has no verb 'nothing-alike'; see `conda coex --help`"),
        (["create", "--entry-point", "x"], "--entry-point (did you mean --entrypoint?); see `conda coex create -"),
        (["create", "--fiel=x"], "--fiel=x (did you mean --file?)"),
        (["verify", "x.coex", "--rot"], "--rot (did you mean --root?); see `conda coex verify --help`"),
        (["cache"], "the following arguments are required: {list,clean,path}; see `conda coex cache --help`"),
        (["inspect"], "the following arguments are required: ARCHIVE; see `conda coex inspect --help`"),
        (["cache", "lst"], "argument {list,clean,path}: invalid choice: 'lst'"),
        (["repack", "x.coex", "--env", "A=1", "-o", ""], "--output is empty; see `conda coex repack --help`"),
        (["repack", ""], "ARCHIVE is empty; see `conda coex repack --help`"),
        (["create", "-f", "e.yml", "--file="], "--file is empty; see `conda coex create --help`"),
        (["create", "a", ""], "PATH[=TARGET] is empty; see `conda coex create --help`"),
        (["verify", "x.coex", "-p", ""], "--prefix is empty; see `conda coex verify --help`"),
        (["create", "--nothing-alike"], "unrecognized arguments: --nothing-alike; see `conda coex create --help`"),
        (["create", "--inject", "x"], "--inject (here: --package SPEC, or files of the app at the end); see"),
        (["pack", "--ignore-missing-files"], "(here: --missing ignore, which is the default); see"),
        (["unpack", "x.coex", "a b"], "unrecognized arguments: a b (here: -p 'a b'); see `conda coex unpack --help`"),
        (["verify", "x.coex", "y"], "unrecognized arguments: y; see `conda coex verify --help`"),
        (["create", "--entry", "x"], "unrecognized arguments: --entry (did you mean --entrypoint?); see"),
        (["pack", "-j4"], "unrecognized arguments: -j4 (here: a build uses all cores); see"),
        (["pack", "--trce"], "unrecognized arguments: --trce; see `conda coex pack --help`"),  # no help shows --trace
        (["--jsn", "create"], "unrecognized arguments: --jsn; options come after the verb; see `conda coex --help`"),
        (["-v"], "unrecognized arguments: -v; see `conda coex --help`"),
    ],
)
def test_wrong_command_line(parser: ArgumentParser, words: list[str], says: str) -> None:
    with pytest.raises(ArgumentError) as error:
        parser.parse_args(words)
    assert says in str(error.value)
    assert error.value.return_code == 2


@pytest.mark.parametrize(("verb", "option"), [(verb, option) for verb in MEANINGS for option in MEANINGS[verb]])
def test_options_of_other_tools(parser: ArgumentParser, verb: str, option: str) -> None:
    with pytest.raises(ArgumentError, match=rf"unrecognized arguments: {option} \(here: "):
        parser.parse_args([verb, "x.coex", option])
    said = str(meaning(verb, option))
    offered = verbs_of(parser)[verb].format_help()
    named = re.findall(r"(?<![\w`-])--?[a-z-]+", said.replace("python -m MODULE", ""))
    assert [name for name in named if name not in offered] == []


def test_an_option_that_needs_no_value_has_none(parser: ArgumentParser) -> None:
    assert parser.parse_args(["pack", "--from-prefix"]).from_prefix == ""


def test_version(parser: ArgumentParser, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("--version", "-V"):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([word])
        assert ended.value.code == 0
        assert capsys.readouterr().out == f"conda-coex {__version__}\n"


def test_paths_stand_anywhere(parser: ArgumentParser) -> None:
    words = ["create", "a", "--fast", "b", "-f", "e.yml", "--", "c"]
    assert parser.parse_args(words).sources == ["a", "b", "c"]


@pytest.mark.parametrize("verb", ["pack", "repack", "create", "cache"])
def test_yes_is_offered_by_verbs_that_ask(parser: ArgumentParser, verb: str) -> None:
    text = verbs_of(parser)[verb].format_help()
    assert ("--yes" in text) is (verb in ("create", "cache"))
    needed = {"repack": ["x"], "cache": ["clean"]}.get(verb, [])
    assert parser.parse_args([verb, *needed, "-y"]).yes is True


@pytest.mark.parametrize("verb", ["create", "pack"])
def test_environments_to_take_have_no_heading_for_one_to_make(parser: ArgumentParser, verb: str) -> None:
    text = verbs_of(parser)[verb].format_help()
    assert "Target Environment" not in text
    assert "-n ENVIRONMENT, --name ENVIRONMENT" in text.partition("\nEnvironment:\n")[2]
