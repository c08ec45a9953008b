"""The metadata and the recipe ask for the libraries that the tree imports."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from ruamel.yaml import YAML
from testbed.layout import REPOSITORY
from testbed.wheel_package import conda_name

import conda_coex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The distribution of each module; pip cannot find conda, and the metadata does not require it.
DISTRIBUTIONS = {
    "conda": "conda",
    "conda_package_streaming": "conda-package-streaming",
    "installer": "installer",
    "packageurl": "packageurl-python",
    "packaging": "packaging",
    "ruamel": "ruamel.yaml",
    "tomli": "tomli",
    "yaml": "pyyaml",
    "zstandard": "zstandard",
}
OURS = {"conda_coex", "coex_bootstrap"}


def imported(source: Path) -> Iterator[str]:
    """Yield the first name of every module that is imported, in functions and for types, too."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def pyproject(pattern: str) -> str:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    assert found, pattern
    return found.group(1)


def required() -> dict[str, Requirement]:
    """Return the dependencies in the metadata, by name."""
    listed = map(Requirement, re.findall(r'"([^"]+)"', pyproject(r"^dependencies = \[(.*?)\]")))
    return {each.name.lower(): each for each in listed}


def recipe() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = YAML(typ="safe").load(REPOSITORY / "recipe/recipe.yaml")
    return found


def run_dependencies() -> dict[str, str]:
    """Return the dependencies of the recipe's package, by name, with the condition."""
    listed = recipe()["requirements"]["run"]
    assert isinstance(listed, list)
    return {name: condition for name, _, condition in (str(each).partition(" ") for each in listed)}


def test_every_import_is_a_dependency() -> None:
    modules = {name for source in (REPOSITORY / "conda_coex").rglob("*.py") for name in imported(source)}
    others = modules - OURS - set(sys.stdlib_module_names)
    assert others == DISTRIBUTIONS.keys()
    assert required().keys() == set(DISTRIBUTIONS.values()) - {"conda"}


def test_recipe_asks_for_the_dependencies_of_the_metadata() -> None:
    found = run_dependencies()
    assert {found.pop("__unix"), found.pop("conda"), found.pop("python")} == {"", ">=24.7", ">=${{ python_min }}"}
    assert found == {conda_name(name): str(each.specifier) for name, each in required().items()}


def test_recipe_is_of_this_version_and_of_the_oldest_python() -> None:
    assert str(recipe()["context"]["version"]) == conda_coex.__version__
    variants = YAML(typ="safe").load(REPOSITORY / "recipe/variants.yaml")
    assert variants["python_min"] == [pyproject(r'^requires-python = ">=([\d.]+)"')]


def test_recipe_and_metadata_name_one_home() -> None:
    about = recipe()["about"]
    assert about["homepage"] == pyproject(r'^Homepage = "(.*?)"')
    assert about["repository"] == pyproject(r'^Repository = "(.*?)"')
    assert about["documentation"] == pyproject(r'^Documentation = "(.*?)"')
    assert about["summary"] == pyproject(r'^description = "(.*?)"')
    assert (REPOSITORY / str(about["license_file"])).is_file()
