"""What the project promises of its own code: what an archive carries, what imports what, and what conda has to load."""

from __future__ import annotations

import ast
import json
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.hosts import HostPython
    from testbed.layout import Layout

BUILDER, BOOTSTRAP = REPOSITORY / "conda_coex", REPOSITORY / "bootstrap" / "coex_bootstrap"
PACKAGES = [pytest.param(BUILDER, id="conda_coex"), pytest.param(BOOTSTRAP, id="coex_bootstrap")]

# What stages hand on or all of them use; a stage may import these.
NOUNS = {
    BUILDER: {
        "conda_api", "content", "distribution", "document", "environment", "errors", "frames", "layout", "lock_file",
        "outcome", "package", "placeholders", "plan", "public_urls", "source", "verb_parser", "yaml_text",
    },
    BOOTSTRAP: {
        "compat", "errors", "format", "index", "relocation", "report", "shell", "tail", "untrusted", "urls", "verb",
        "waiting", "working_directory",
    },
}
# The verbs, which know the order of their stages, and what only starts them.
ORCHESTRATORS = {
    BUILDER: {
        "ask", "assemble", "cache", "cli", "cli_config", "cli_create", "cli_inspect", "cli_options", "cli_pack",
        "cli_repack", "create", "inputs", "inspect", "pack", "pip_stage", "plugin", "print_outcome", "repack",
        "__main__",
    },
    BOOTSTRAP: {"run", "tools", "__main__", *(source.stem for source in BOOTSTRAP.glob("tool_*.py"))},
}
# What else a module may import of its own package.
EDGES = {
    BUILDER: {
        ("aliases", "installed"),
        ("aliases", "live_file"),
        ("builder_paths", "elf"),
        ("builder_paths", "live_file"),
        ("builder_paths", "occurrences"),
        ("bytecode", "fetch"),
        ("direct_url", "live_file"),
        ("damage", "package_file"),
        ("editable", "direct_url"),
        ("editable", "live_file"),
        ("editable", "live_prefix"),
        ("editable", "pointers"),
        ("editable", "unmanaged"),
        ("cached_files", "live_prefix"),
        ("compiled", "elf"),
        ("compiled", "elf_references"),
        ("compiled", "live_file"),
        ("compiled", "occurrences"),
        ("elf_references", "elf"),
        ("entry_arguments", "entry_files"),
        ("entry_arguments", "entry_function"),
        ("entry_arguments", "entry_local"),
        ("entry_arguments", "entry_script"),
        ("entry_arguments", "entry_words"),
        ("entry_files", "entry_script"),
        ("entry_imports", "entry_function"),
        ("entry_local", "entry_files"),
        ("entry_local", "entry_function"),
        ("entry_local", "entry_script"),
        ("entry_local", "entry_words"),
        ("existing", "installed"),
        ("entry_point", "app"),
        ("entry_point", "entry_arguments"),
        ("entry_point", "entry_files"),
        ("entry_point", "entry_function"),
        ("entry_point", "entry_imports"),
        ("entry_point", "entry_local"),
        ("entry_point", "entry_script"),
        ("entry_point", "entry_words"),
        ("file_differences", "sizes"),
        ("fetch", "package_cache"),
        ("fetch", "package_file"),
        ("fetch", "packages"),
        ("installed", "packages"),
        ("live_file", "occurrences"),
        ("live_plan", "installed"),
        ("live_plan", "live_file"),
        ("live_plan", "packages"),
        ("live_reading", "builder_paths"),
        ("live_reading", "cached_files"),
        ("live_reading", "installed"),
        ("live_reading", "live_plan"),
        ("live_reading", "live_prefix"),
        ("live_reading", "restore"),
        ("live_reading", "unmanaged"),
        ("lock", "conda_lock"),
        ("lock", "explicit_list"),
        ("lock", "pixi_lock"),
        ("activation", "portable"),
        ("archive", "sbom"),
        ("archive_spec", "kept"),
        ("archive_spec", "local_packages"),
        ("archive_spec", "print_outcome"),
        ("archive_spec", "sizes"),
        ("kept", "sizes"),
        ("manifest", "activation"),
        ("manifest", "archive"),
        ("package_cache", "frame_cache"),
        ("package_cache", "package_file"),
        ("packages", "paths_json"),
        ("pinned", "fetch"),
        ("pinned", "local_packages"),
        ("portable", "shell_words"),
        ("pip_record", "live_file"),
        ("pip_packages", "live_prefix"),
        ("pip_install", "requirement_lines"),
        ("pip_packages", "pip_install"),
        ("pip_packages", "requirement_lines"),
        ("pip_packages", "pip_record"),
        ("pip_packages", "staging"),
        ("pip_packages", "unmanaged"),
        ("pack_notes", "compiled"),
        ("read_back", "archive"),
        ("read_back", "sizes"),
        ("restore", "live_file"),
        ("restore", "packages"),
        ("specifiers", "environment_file"),
        ("unmanaged", "live_file"),
        ("unmanaged", "live_prefix"),
        ("specifiers", "mistaken"),
        ("verb_parser", "interrupt"),
        ("wanted", "baked"),
        ("wanted", "specifiers"),
    },
    BOOTSTRAP: {
        ("launch", "boot"),
        ("survived", "activate"),
        ("survived", "boot"),
        ("survived", "relocate"),
        ("survived", "relocation"),
        ("archive_check", "archive"),
        ("archive_check", "workers"),
        ("archive", "index_check"),
        ("contents", "relocate"),
        ("contents", "trust"),
        ("contents", "large_file"),
        ("contents", "unpack"),
        ("contents", "zstd"),
        ("format", "manifest_check"),
        ("destination", "claim"),
        ("destination", "directory"),
        ("destination", "removal"),
        ("host", "microarchitecture"),
        ("host_cache", "claim"),
        ("host_cache", "leftovers"),
        ("host_cache", "removal"),
        ("host_cache", "store"),
        ("host_cache", "trust"),
        ("index", "index_check"),
        ("index", "relocate"),
        ("index_check", "relocate"),
        ("choice", "activate"),
        ("launch", "activate"),
        ("launch", "choice"),
        ("link", "workers"),
        ("leftovers", "claim"),
        ("leftovers", "removal"),
        ("link", "removal"),
        ("mend", "leftovers"),
        ("mend", "removal"),
        ("mend", "root_check"),
        ("relocate", "shebang"),
        ("large_file", "relocate"),
        ("removal", "directory"),
        ("root_check", "large_file"),
        ("root_check", "workers"),
        ("state", "activate"),
        ("store", "claim"),
        ("store", "directory"),
        ("store", "leftovers"),
        ("store", "removal"),
        ("store", "trust"),
        ("unpack", "codesign"),
        ("unpack", "large_file"),
        ("unpack", "refused"),
        ("unpack", "relocate"),
        ("unpack", "workers"),
        ("workers", "cores"),
    },
}
GUARDED = {"_signal", "compression"}  # what an import may miss: there is another way then


def sources(package: Path) -> list[Path]:
    found = sorted(package.glob("*.py"))
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
    """Return what each module of a package imports of it."""
    modules = {source.stem for source in sources(package)}
    found = {}
    for source in sources(package):
        names = {name for name, _ in imported(source)}
        names |= {f".{name.partition('.')[2]}" for name in names if name.startswith(f"{package.name}.")}
        found[source.stem] = {name[1:] for name in names if name.startswith(".")} & modules
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_cycle(package: Path) -> None:
    left = graph(package)
    while free := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_stages_do_not_import_each_other(package: Path) -> None:
    edges = {(module, other) for module, needs in graph(package).items() for other in needs}
    allowed = {edge for edge in edges if edge[0] in ORCHESTRATORS[package] or edge[1] in NOUNS[package]}
    assert edges - allowed <= EDGES[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_are_small_and_say_their_job(package: Path) -> None:
    for source in sources(package):
        text = source.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 250, source
        docstring = ast.get_docstring(ast.parse(text))
        assert docstring, source


def test_bootstrap_imports_nothing_of_the_builder() -> None:
    for source in sources(BOOTSTRAP):
        names = {name.split(".")[0] for name, _ in imported(source)}
        assert not names & {"conda", "conda_coex", "zstandard"}, source


def test_bootstrap_imports_what_every_python_has(host_pythons: list[HostPython]) -> None:
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


def test_bootstrap_compiles_without_a_warning_on_every_python(host_pythons: list[HostPython]) -> None:
    assert {host.version for host in host_pythons} >= {(2, 7)} or not host_pythons
    code = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec', 0, True)"
    for host in host_pythons:
        subprocess.run([host.executable, "-W", "error", "-c", code, *sources(BOOTSTRAP)], check=True)


def test_bootstrap_loads_all_of_itself_at_once() -> None:
    """A function that imports one of its modules would fail where the archive is gone by then."""
    for source in sources(BOOTSTRAP):
        if source.stem == "__main__":
            continue
        for function in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                found = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom) and node.level]
                assert found == [], source


def test_a_start_loads_no_tool() -> None:
    known, waiting = graph(BOOTSTRAP), {"run"}
    loaded: set[str] = set()
    while waiting - loaded:
        loaded |= waiting
        waiting = set().union(*(known[module] for module in waiting))
    assert not {module for module in loaded if module.startswith("tool") or module in ("report", "verb", "contents")}


def test_bootstrap_is_ascii() -> None:
    for source in sorted(BOOTSTRAP.iterdir()):
        assert not source.is_file() or source.read_bytes().isascii(), source


def test_archive_carries_the_bootstrap_byte_for_byte(conda: Conda, testbed: Layout, tmp_path: Path) -> None:
    options = ("--override-channels", "-c", testbed.channel, "--compression-level", "1", "-o", "cprog.coex")
    conda("coex", "create", "-y", *options, "--package", "cprog", "--entrypoint", "cprog", cwd=tmp_path)
    with zipfile.ZipFile(tmp_path / "cprog.coex") as tail:
        carried = {name: tail.read(name) for name in tail.namelist()}
    running = [path for path in BOOTSTRAP.iterdir() if path.suffix in (".py", ".sh")]
    assert [path.name for path in BOOTSTRAP.iterdir() if path.is_file() and path not in running] == ["py.typed"]
    expected = {f"{BOOTSTRAP.name}/{path.name}": path.read_bytes() for path in running}
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
    assert done.stdout.split() == ["conda_coex", "conda_coex.plugin", "conda_coex.verb_parser"]
