"""The reference names everything that the code knows: variables, errors, keys of `coex.toml`, the parts of the file."""

from __future__ import annotations

import re

import pytest
from coex_bootstrap.format.index import COLUMNS
from coex_bootstrap.format.manifest import NEEDED
from coex_bootstrap.unpack.relocate import ENCODINGS
from testbed.layout import REPOSITORY

from conda_coex import errors
from conda_coex.cli.verb_parser import VERBS
from conda_coex.inputs.config_file import KEYS

REFERENCE = REPOSITORY / "docs" / "reference"
SOURCES = [path for tree in ("bootstrap", "conda_coex") for path in (REPOSITORY / tree).rglob("*.[ps][yh]")]
VARIABLES = {name for path in SOURCES for name in re.findall(r"\bCOEX_[A-Z]+\b", path.read_text(encoding="utf-8"))}
SHOWN = {name for name in errors.__all__ if issubclass(getattr(errors, name), errors.CoexError)}
ERRORS = SHOWN - {"CoexError", "Interrupted", "Misuse"}  # shown as others, or by a status


def literals(name: str) -> set[str]:
    text = (REFERENCE / name).read_text(encoding="utf-8")
    return {word.partition("=")[0] for word in re.findall(r"`([^`\n]+)`", text)}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("environment-variables.md", VARIABLES - {"COEX_APP", "COEX_FILE", "COEX_PREFIX"}),
        ("entry-point-environment.md", {"COEX_APP", "COEX_FILE", "COEX_PREFIX"}),
        ("exit-statuses.md", ERRORS),
        ("project-options.md", set(KEYS)),
        ("file-format.md", {name for name, _ in COLUMNS}),
        ("file-format.md", set(NEEDED) | {"format", "builder", "specs", "pip", "portable", "keep_env"}),
        ("file-format.md", set(ENCODINGS)),
    ],
)
def test_names(page: str, names: set[str]) -> None:
    assert names
    assert names - literals(page) == set()


def test_the_readme_names_all_verbs() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    literals_outside = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    named = {*re.findall(r"\bcoex (\w+)", text), *(word for code in literals_outside for word in code.split())}
    assert VERBS.keys() - named == set()
