"""How the options of a file and those of the command line come together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda.base.context import context, reset_context

from conda_coex.cli.config import fill
from conda_coex.cli.main import BUILDERS
from conda_coex.cli.verb_parser import VerbParser
from conda_coex.errors import InputError
from conda_coex.plugin import configure_verb

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = """\
entrypoint = ["report=./report.py", "python"]
app = ["data", "*.csv"]
file = "environment.yml"
output = "out.coex"
compression-level = 12
channel = ["./channel", "conda-forge"]
platform = "linux-aarch64"
small = true
exclude = ["*.ipynb"]
missing = "refuse"
[env]
MODE = "file"
PORT = 8000
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the directory of a project with a file of options, which is the working directory."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/coex.toml").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "project")
    yield tmp_path / "project"
    reset_context()


def filled(verb: str, *words: str) -> Any:
    parser = VerbParser(verb=verb, configure=configure_verb, prog=f"conda coex {verb}")
    arguments = parser.parse_args([*words])
    arguments.coex_verb = verb
    return fill(arguments, BUILDERS[verb])


def test_file_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = filled("create")
    assert found.entrypoint == ["report=./report.py", "python"]
    assert found.sources == ["data", "*.csv"]
    assert (found.file, found.output, found.compression_level) == (["environment.yml"], "out.coex", 12)
    assert found.env == ["MODE=file", "PORT=8000"]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "coex: note: options of coex.toml: entrypoint, app, file, output, compression-level, channel, platform, env\n"
    )


def test_settings_of_conda() -> None:
    filled("create")
    assert context.subdir == "linux-aarch64"
    assert tuple(context.channels)[:2] == ("./channel", "conda-forge")


def test_options_win() -> None:
    found = filled("create", "--entrypoint", "python", "-o", "mine.coex", "--compression-level", "9", "-f", "mine.yml")
    assert (found.entrypoint, found.output, found.file) == (["python"], "mine.coex", ["mine.yml"])
    assert found.compression_level == 9  # the default, but said
    assert found.sources == ["data", "*.csv"]
    assert filled("create", "--fast").compression_level == 3
    assert filled("create", "x", "--", "-y").sources == ["x", "-y"]
    assert filled("create", "--fast", "--", "-y").sources == ["-y"]


def test_variables_are_joined_by_name() -> None:
    assert filled("create", "--env", "MODE=mine").env == ["MODE=file", "PORT=8000", "MODE=mine"]


@pytest.mark.parametrize("words", [("-n", "mine"), ("-p", "/mine")])
def test_environment_that_is_named_is_the_whole(words: tuple[str, ...]) -> None:
    assert filled("create", *words).file == []


def test_pack_has_its_own_options() -> None:
    found = filled("pack")
    assert (found.small, found.exclude, found.missing) == (True, ["*.ipynb"], "refuse")
    assert not hasattr(found, "file")


def test_repack_changes_only_the_named_parts() -> None:
    assert filled("repack", "x.coex").sources == ["data", "*.csv"]
    found = filled("repack", "x.coex", "--env", "A=b")
    assert (found.sources, found.entrypoint, found.env, found.output) == ([], [], ["A=b"], None)
    found = filled("repack", "x.coex", "--env", "A=b", "--config", "coex.toml")
    assert (found.sources, found.output) == (["data", "*.csv"], None)


def test_file_elsewhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    words = ("-o", "mine.coex", "-c", "./mine", "-c", "bioconda", "-f", "mine.yml")
    pythons = ("--bytecode-for", "bin/python", "--bytecode-for", "python3")
    found = filled("create", "--config", "project/coex.toml", *words, *pythons)
    assert Path.cwd() == project
    here = str(project.parent)
    assert (found.output, found.file) == (f"{here}/mine.coex", [f"{here}/mine.yml"])
    assert found.channel == [f"{here}/mine", "bioconda"]
    assert found.bytecode_for == [f"{here}/bin/python", "python3"]
    assert found.sources == ["data", "*.csv"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("missing = 'perhaps'", "coex.toml: argument --missing: invalid choice: 'perhaps'"),
        ("fast = true\ncompression-level = 3", "coex.toml: argument"),
        ("name = 'a'\nprefix = 'b'", "coex.toml: argument"),
    ],
)
def test_values_that_no_command_line_could_have(project: Path, text: str, says: str) -> None:
    (project / "coex.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        filled("pack")
    assert says in str(error.value)


def test_without_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "coex.toml").unlink()
    assert filled("create", "--entrypoint", "x").entrypoint == ["x"]
    assert capsys.readouterr().err == ""
