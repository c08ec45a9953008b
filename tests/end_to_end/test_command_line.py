"""Properties of every verb: its status, and its output on each stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conda.base.context import reset_context
from conda.cli import main

from conda_coex import __version__
from conda_coex.cli.verb_parser import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Words that are wrong for every verb.
WRONG = {
    "nothing": (), "quiet": ("-q",), "dry run": ("-d",), "unknown option": ("--no-such-option",),
    "verbose": ("-v",), "unknown option first": ("--no-such-option", "x.coex", "y", "z"),
}  # fmt: skip
OF_AN_ARCHIVE = sorted(VERBS.keys() - {"create", "pack", "cache"})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty directory, and leave conda's settings as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    yield
    reset_context()


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run `conda coex` in this process; return its status and its output."""
    status = main("coex", *words)
    said = capfd.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_help_of_all(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capfd, *words)
    assert (status, err) == (0, "")
    assert out.startswith("usage: conda coex ")
    assert all(f"\n    {verb} " in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capfd, verb, "-h")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: conda coex {verb} ")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("words", WRONG.values(), ids=list(WRONG))
def test_wrong(verb: str, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capfd, verb, *words)
    assert (status, out) == (2, "")
    assert err.strip().startswith("ArgumentError: ")
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("words", WRONG.values(), ids=list(WRONG))
def test_wrong_in_json(verb: str, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capfd, verb, "--json", *words)
    assert (status, err) == (2, "")
    assert json.loads(out)["exception_name"] == "ArgumentError"


@pytest.mark.parametrize("verb", OF_AN_ARCHIVE)
@pytest.mark.parametrize("kind", ["missing", "directory", "text"])
def test_no_archive(verb: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if kind == "directory":
        (tmp_path / "x.coex").mkdir()
    elif kind == "text":
        (tmp_path / "x.coex").write_text("#!/bin/sh\n", encoding="utf-8")
    more = {"unpack": ("-p", "env"), "repack": ("--env", "A=b")}.get(verb, ())
    status, out, err = run(capfd, verb, "x.coex", *more)
    is_answer = (verb, kind) == ("verify", "text")
    assert (status, out == "") == (1, not is_answer)
    assert "x.coex: " in err + out
    assert kind != "text" or "not a complete coex archive" in err + out
    assert len(err.strip().splitlines()) == (not is_answer)
    status, out, err = run(capfd, verb, "x.coex", *more, "--json")
    assert (status, err) == (1, "")
    assert is_answer or "x.coex: " in json.loads(out)["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.coex"] * (kind != "missing")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_packages_that_are_named_like_files(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    command = ("create", "python", "--entrypoint", "python", "conda-forge::numpy >=2", "--fast", "-o", "python", *words)
    status, out, err = run(capfd, *command)
    meant = "conda coex create --package python --entrypoint python --package 'conda-forge::numpy >=2' --fast -o python"
    assert status == 1
    said = json.loads(out)["message"] if words else err
    assert f"no such file or directory for the app; if packages were meant: {meant}" in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("-qy", "numpy"), ("-qy", "--package", "numpy")),
        (("-q", "numpy"), ("-q", "--package", "numpy")),
        (("-qyo", "numpy", "numpy"), ("-qyo", "numpy", "--package", "numpy")),
        (("-onumpy", "numpy"), ("-onumpy", "--package", "numpy")),
        (("-o=numpy", "numpy"), ("-o=numpy", "--package", "numpy")),
        (("--output=numpy", "numpy"), ("--output=numpy", "--package", "numpy")),
    ],
)
def test_packages_after_options(
    words: tuple[str, ...], meant: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capfd, "create", "--entrypoint", "python", *words)
    assert status == 1
    assert f"if packages were meant: conda coex create --entrypoint python {' '.join(meant)}\n" in err


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capfd, "--version")
    assert (status, out, err) == (0, f"conda-coex {__version__}\n", "")


def test_environment_among_the_files_to_pack(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "env/conda-meta").mkdir(parents=True)
    status, out, err = run(capfd, "pack", "env", "--entrypoint", "python")
    assert (status, out) == (1, "")
    assert "env: is a conda environment, and no part of the app; to pack it, use --from-prefix env" in err
