"""Promises of the project about its own code: parts of an archive, imports of modules, imports by conda, words."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from documentation.words import read, wrong
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.hosts import HostPython
    from testbed.layout import Layout

BUILDER, BOOTSTRAP = REPOSITORY / "conda_coex", REPOSITORY / "bootstrap" / "coex_bootstrap"
PACKAGES = [pytest.param(BUILDER, id="conda_coex"), pytest.param(BOOTSTRAP, id="coex_bootstrap")]

UNIT_FOLDERS = {BUILDER.name, BOOTSTRAP.name, "benchmarks"}
TEST_FOLDERS = {"unit", "end_to_end", "property", "documentation", "packaging", "testbed"}

LARGE = 10  # functions: unit tests of a larger module import it
# Larger modules whose behaviour is that of another one, which unit tests import.
TESTED_THROUGH = {
    "conda_coex": {
        "entry.arguments": "entry.resolve", "inputs.yaml_text": "inputs.document", "root.shell_words": "root.portable",
    },
    "coex_bootstrap": {
        "format.manifest_check": "format.manifest", "format.values": "format.manifest",
        "tools.check_archive": "tools.command_line", "tools.check_root": "tools.command_line",
        "tools.rewrite": "tools.command_line", "unpack.writer": "unpack.write_root",
    },
}  # fmt: skip

GUARDED = {"_hashlib", "_json", "_signal", "compression"}  # modules that an import may miss: there is another way then

# Trees and files whose words are read; old lines of the changelog stay.
TREES = ("conda_coex", "bootstrap", "docs", "benchmarks", "tests", "noxfile.py")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def sources(package: Path) -> list[Path]:
    found = sorted(package.rglob("*.py"))
    assert len(found) > 10
    return found


def imports(source: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a module that run, functions' own included, those for types excluded."""
    waiting: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        waiting += ast.iter_child_nodes(node)


def imported(source: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name) of each absolute import of a module, and (`.module`, name) of each in its own package."""
    for node in imports(source):
        if isinstance(node, ast.Import):
            yield from ((name.name, None) for name in node.names)
        elif node.level and not node.module:
            yield from ((f".{name.name}", None) for name in node.names)
        else:
            yield from ((f"{'.' * node.level}{node.module}", name.name) for name in node.names)


def graph(package: Path) -> dict[str, set[str]]:
    """Return the modules of a package that each of its modules imports, by dotted names below the package."""
    names = {source: source.relative_to(package).with_suffix("").parts for source in sources(package)}
    modules = {".".join(parts) for parts in names.values()}
    found = {}
    for source, parts in names.items():
        needs = set()
        for node in imports(source):
            if isinstance(node, ast.ImportFrom):
                level = parts[: len(parts) - node.level] if node.level else ()
                whole = [*level, *(node.module or "").split(".")] if node.level else (node.module or "").split(".")[1:]
                if node.level or (node.module or "").split(".")[0] == package.name:
                    base = ".".join(filter(None, whole))
                    needs |= {base, *(f"{base}.{name.name}".lstrip(".") for name in node.names)}
        found[".".join(parts)] = needs & modules
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_cycle(package: Path) -> None:
    left = graph(package)
    assert sum(map(len, left.values())) > 100
    while free := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_say_their_job(package: Path) -> None:
    for source in sources(package):
        assert ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))), source


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_are_two_levels_deep(package: Path) -> None:
    assert {len(source.relative_to(package).parts) for source in sources(package)} == {1, 2}


@pytest.mark.parametrize("package", PACKAGES)
def test_unit_tests_mirror_the_packages(package: Path) -> None:
    tests = REPOSITORY / "tests" / "unit" / package.name
    folders = {path.parent.name for path in package.rglob("*/__init__.py")} - {package.name}
    assert {path.parent.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")} == {".", *folders}


def functions(package: Path, module: str) -> int:
    source = (package / module.replace(".", "/")).with_suffix(".py")
    return sum(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))))


def imported_by_unit_tests(package: Path) -> set[str]:
    """Return the modules of a package that its unit tests import, by dotted names below the package."""
    tests = sorted((REPOSITORY / "tests" / "unit" / package.name).rglob("*.py"))
    pairs = [(module, name) for test in tests for module, name in imported(test)]
    names = {part for module, name in pairs for part in (module, f"{module}.{name}")}
    return {name.removeprefix(f"{package.name}.") for name in names if name.startswith(f"{package.name}.")}


def reached(modules: dict[str, set[str]], start: str) -> set[str]:
    """Return the modules that are loaded with one."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = modules[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_large_modules_have_unit_tests(package: Path) -> None:
    modules, tested, through = graph(package), imported_by_unit_tests(package), TESTED_THROUGH[package.name]
    assert tested & modules.keys()
    assert {each for each in modules if functions(package, each) > LARGE} - tested == through.keys()
    for module, other in through.items():
        assert other in tested, module
        assert module in reached(modules, other), module


def test_folders_of_tests() -> None:
    tests = REPOSITORY / "tests"
    places = [path.relative_to(tests).parts for path in tests.rglob("*.py")]
    assert {parts[0] for parts in places if len(parts) > 1} == TEST_FOLDERS
    assert {parts[1] for parts in places if parts[0] == "unit" and len(parts) > 2} == UNIT_FOLDERS


def test_tests_import_no_other_test() -> None:
    """Their shared set-up is in modules of its own, and its fixtures are in a conftest."""
    for source in sources(REPOSITORY / "tests"):
        names = {part for module, name in imported(source) for part in (*module.split("."), name or "")}
        assert not any(name.startswith("test_") for name in names), source


def test_bootstrap_does_not_import_the_builder() -> None:
    for source in sources(BOOTSTRAP):
        names = {name.split(".")[0] for name, _ in imported(source)}
        assert not names & {"conda", "conda_coex", "zstandard"}, source


def test_bootstrap_imports_modules_that_every_python_has(host_pythons: list[HostPython]) -> None:
    wanted = {pair for source in sources(BOOTSTRAP) for pair in imported(source)}
    outside = [pair for pair in wanted if not pair[0].startswith((".", BOOTSTRAP.name)) and pair[0] not in GUARDED]
    assert ("os", None) in outside
    code = """
import importlib, json, sys
for module, name in json.loads(sys.argv[1]):
    module = importlib.import_module(module)
    assert name is None or hasattr(module, str(name)), (module, name)
"""
    for host in host_pythons:
        subprocess.run([host.executable, "-W", "error", "-c", code, json.dumps(sorted(outside, key=str))], check=True)


def test_bootstrap_uses_its_imports() -> None:
    """Its linter cannot tell: many names are in type comments alone. Its tests are written in the same way."""
    for source in [*sources(BOOTSTRAP), *sources(REPOSITORY / "tests/unit/coex_bootstrap")]:
        text = source.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and "noqa" not in lines[node.lineno - 1]:
                others = "\n".join(lines[: node.lineno - 1] + lines[node.end_lineno :])
                names = [(alias.asname or alias.name).split(".")[0] for alias in node.names]
                assert [name for name in names if not re.search(rf"\b{name}\b", others)] == [], source


def test_bootstrap_compiles_without_a_warning_on_every_python(host_pythons: list[HostPython]) -> None:
    assert {host.version for host in host_pythons} >= {(2, 7)} or not host_pythons
    code = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec', 0, True)"
    for host in host_pythons:
        subprocess.run([host.executable, "-W", "error", "-c", code, *sources(BOOTSTRAP)], check=True)


def test_a_start_loads_few_modules() -> None:
    """Each costs a first start the time in which it is compiled.

    A start that needs a rare one imports it in a function.
    """
    names = loaded_by("run") | loaded_by("new_root")
    assert not names & {"collections", "enum", "functools", "json", "re", "signal", "subprocess", "threading"}
    loaded = {name.partition(f"{BOOTSTRAP.name}.")[2] for name in names}
    assert {"start.launch", "unpack.write_root", "format.index"} <= loaded
    assert not loaded & {
        "format.index_write", "format.relocation_write", "start.microarchitecture", "start.post_link", "start.rosetta",
        "start.survived", "start.variable_files", "store.leftovers", "store.memory", "store.ps", "store.refused",
        "store.removal", "store.site", "store.statfs", "unpack.codesign", "unpack.expected_contents", "unpack.mach_o",
        "unpack.progress_line", "unpack.relocate", "unpack.relocate_pieces", "unpack.shebang", "unpack.source_hash",
        "unpack.zstd_program",
    }  # fmt: skip


def test_a_start_of_a_ready_root_does_not_load_modules_that_unpack() -> None:
    """A start that a shell leaves to Python compiles its modules, too."""
    names = {name.partition(f"{BOOTSTRAP.name}.")[2] for name in loaded_by("run")}
    assert {"start.launch", "store.ladder"} <= names
    assert not {name for name in names if name.startswith("unpack.")} | names & {"start.new_root", "start.finish"}


def loaded_by(module: str) -> set[str]:
    """Return the names of all modules that Python loads for a module of the start."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import coex_bootstrap.start.{module}; print(*sys.modules)"
    words = [sys.executable, "-E", "-s", "-S", "-c", code, BOOTSTRAP.parent]
    return set(subprocess.check_output(words, text=True).split())


def test_a_start_loads_no_tool() -> None:
    known, waiting = graph(BOOTSTRAP), {"start.run"}
    loaded: set[str] = set()
    while waiting - loaded:
        loaded |= waiting
        waiting = set().union(*(known[module] for module in waiting))
    assert {"unpack.write_root", "unpack.expected"} <= loaded
    assert not {module for module in loaded if module.startswith("tools.")}


def test_words_are_plain() -> None:
    """The style page explains the rules; `documentation/words.py` has them."""
    found = [path for name in TREES + PAGES for path in (REPOSITORY / name, *sorted((REPOSITORY / name).rglob("*")))]
    files = [path for path in found if path.suffix in (".py", ".sh", ".md")]
    assert len(files) > 400
    problems = []
    for path in files:
        is_test = path.is_relative_to(REPOSITORY / "tests")  # its texts are input and output of programs
        problems += [f"{path}:{each}" for prose in read(path, texts=not is_test) for each in wrong(prose)]
    assert problems == []


def test_bootstrap_is_ascii() -> None:
    for source in sorted(path for path in BOOTSTRAP.rglob("*") if path.suffix != ".pyc"):
        assert not source.is_file() or source.read_bytes().isascii(), source


def test_archive_carries_the_bootstrap_byte_for_byte(conda: Conda, testbed: Layout, tmp_path: Path) -> None:
    options = ("--override-channels", "-c", testbed.channel, "--compression-level", "1", "-o", "cprog.coex")
    conda("coex", "create", "-y", *options, "--package", "cprog", "--entrypoint", "cprog", cwd=tmp_path)
    with zipfile.ZipFile(tmp_path / "cprog.coex") as tail:
        carried = {name: tail.read(name) for name in tail.namelist()}
    files = [path for path in BOOTSTRAP.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    running = [path for path in files if path.suffix in (".py", ".sh")]
    assert [path.name for path in files if path not in running] == ["py.typed"]
    expected = {str(path.relative_to(BOOTSTRAP.parent)): path.read_bytes() for path in running}
    expected["__main__.py"] = (BOOTSTRAP / "__main__.py").read_bytes()
    assert {name: carried.pop(name, None) for name in expected} == expected
    assert carried.keys() == {"coex.json", "index", "libzstd", "sbom.json"}


def test_conda_loads_nothing_more_for_the_plugin(testbed: Layout) -> None:
    code = """
import argparse, sys
import conda.cli.conda_argparse, conda.cli.main_create, conda.plugins.types
conda.cli.main_create.configure_parser(argparse.ArgumentParser().add_subparsers())
for name in [name for name in sys.modules if name.startswith(("conda_coex", "coex_bootstrap"))]:
    del sys.modules[name]
known = set(sys.modules)
import conda_coex.plugin
list(conda_coex.plugin.conda_subcommands())
parser = argparse.ArgumentParser()
conda_coex.plugin.configure_parser(parser)
assert "create" in parser.format_help()
print(" ".join(sorted(set(sys.modules) - known)))
"""
    done = subprocess.run([testbed.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["conda_coex", "conda_coex.cli", "conda_coex.cli.verb_parser", "conda_coex.plugin"]
