"""The environment of the entry point, row by row as in the reference: the names are read from its table."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.start.activation_files import LANGUAGES
from end_to_end.archives import OF_THE_SHELL, only_root
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from end_to_end.archives import Archive, MakeArchive

SHOW = "#!/bin/sh\ncat /proc/$$/environ\n"  # the environment that the kernel has for it


def row(first: str) -> list[str]:
    """Return the variables that a row of the table names."""
    text = (REPOSITORY / "docs/reference/entry-point-environment.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return re.findall(r"`([A-Z0-9_]+)(?:=[^`]*)?`", line)


@pytest.fixture(scope="module")
def show(make_archive: MakeArchive) -> Archive:
    return make_archive("./show.sh", packages=("activate-demo", "zstd"), show=SHOW)


def seen(show: Archive, store: Path, env: dict[str, str]) -> list[dict[str, str]]:
    """Return the environment of the entry point in a first start and in the next."""
    caller = {"PATH": "/usr/bin:/bin", "HOME": str(store), "COEX_ROOT": str(store), **env}
    found = []
    for _ in "cold", "warm":
        done = subprocess.run([show.path], env=caller, capture_output=True, check=True)
        assert done.stderr == b""
        pairs = (pair.partition("=") for pair in done.stdout.decode().split("\0") if pair)
        found.append({name: value for name, _, value in pairs if name not in OF_THE_SHELL})
    return found


def test_removed(show: Archive, store: Path) -> None:
    removed = row("removed")
    assert {"PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE"} < set(removed)
    mine = dict.fromkeys(removed, "/nowhere")
    if "COEX_ENTRYPOINT" in mine:
        mine["COEX_ENTRYPOINT"] = "show"
    for found in seen(show, store, mine):
        assert set(found) & set(removed) == set()


def test_removed_with_a_language() -> None:
    """The rows of the languages name the work of the activation (`test_activate.py` has each of them removed)."""
    rows = [row(f"removed, if it has {name}") for name in ("Perl", "Ruby", "node", "Julia", "Lua", "Tcl", "Java")]
    told = {*row("removed, if the environment has R"), *(name for names in rows for name in names)}
    known = {name for _, names in LANGUAGES for name in names.split()}
    assert told == {*(name for name in known if not re.search(r"_5_\d$", name)), "_5_2", "_5_4"}


def test_kept_by_the_caller(show: Archive, store: Path, conda: Conda) -> None:
    """For every start, and for the shell that evaluates the output of `env`."""
    mine = {"PYTHONPATH": "/mine", "PYTHONSTARTUP": "/mine", "COEX_KEEP": "R_LIBS,PYTHONPATH"}
    for found in seen(show, store, mine):
        assert (found["PYTHONPATH"], found["COEX_KEEP"]) == ("/mine", mine["COEX_KEEP"])
        assert "PYTHONSTARTUP" not in found
    told = json.loads(conda("coex", "env", show.path, "--json", env={"COEX_ROOT": str(store), **mine}).stdout)
    assert "PYTHONSTARTUP" in told["unset"]
    assert "PYTHONPATH" not in told["unset"]
    done = show.run(store=store, env={"COEX_KEEP": "PYTHONPATH; id"})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        "coex: COEX_KEEP: 'PYTHONPATH; id' is not a list of variables; write COEX_KEEP=NAME,NAME\n"
    )


def test_kept_by_the_archive(make_archive: MakeArchive, store: Path, conda: Conda) -> None:
    kept = make_archive("./show.sh", "--keep-env", "PYTHONPATH", packages=("zstd",), show=SHOW)
    mine = {"PYTHONPATH": "/mine", "PYTHONSTARTUP": "/mine"}
    for found in seen(kept, store, mine):
        assert found["PYTHONPATH"] == "/mine"
        assert "PYTHONSTARTUP" not in found
    assert re.search(r"^ +keeps +PYTHONPATH$", conda("coex", "info", kept.path).stdout, re.MULTILINE)
    other = kept.path.with_name("other.coex")
    conda("coex", "repack", kept.path, "--keep-env", "R_LIBS", "--unset", "PYTHONPATH", "-o", other)
    assert json.loads(conda("coex", "info", "--json", other).stdout)["keep_env"] == ["R_LIBS"]
    wrong = conda("coex", "repack", kept.path, "--keep-env", "HOME", check=False)
    assert "--keep-env 'HOME' is not a variable that a start removes; those are: BUNDLE_GEMFILE, " in wrong.stderr


def test_names_that_no_shell_can_set(show: Archive, store: Path, shells: dict[str, list[str]]) -> None:
    mine = {"MY-VAR": "1", "spring.profile": "2", "BASH_FUNC_m%%": "() {  :\n}"}
    known = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(store), **mine}
    for name in ("dash", "dash", "busybox", "bash"):
        command = [*shells.get(name, ["bash"]), show.path]
        done = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
        found = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)
        lost = name in ("dash", "busybox") and name in shells
        assert {name: found[name] for name in mine if name in found} == ({} if lost else mine)


def test_set(show: Archive, store: Path) -> None:
    ours, condas = row("set"), row("set, as `conda activate` does")
    assert {"COEX_FILE", "PYTHONNOUSERSITE"} < set(ours)
    assert {"PATH", "CONDA_PREFIX", "CONDA_SHLVL"} < set(condas)
    for found in seen(show, store, dict.fromkeys([*ours, "CONDA_PREFIX", "CONDA_DEFAULT_ENV"], "/nowhere")):
        root = only_root(store)
        assert (found["COEX_FILE"], found["COEX_APP"]) == (str(show.path), f"{root}/app")
        assert found["COEX_PREFIX"] == found["CONDA_PREFIX"] == f"{root}/prefix"
        assert found["PATH"].split(":")[0] == f"{root}/prefix/bin"
        assert found["PYTHONNOUSERSITE"] == "1"
        assert all(found[name] not in ("", "/nowhere") for name in [*ours, *condas])


def test_kept(show: Archive, store: Path) -> None:
    mine = {"EDITOR": "vi", "LC_ALL": "C", "LD_LIBRARY_PATH": "/nowhere", "EMPTY": "", "MANY": "a\nb='c' $d `e`"}
    for found in seen(show, store, mine):
        assert {name: found[name] for name in mine} == mine
        known = {*mine, *row("set"), *row("set, as `conda activate` does"), "HOME", "COEX_ROOT"}
        demo = {name for name in found if name.startswith("DEMO_")}  # variables of the package's scripts
        assert set(found) == known | demo


def test_kept_for_conda_deactivate(show: Archive, store: Path) -> None:
    """An active environment of the caller stays beneath."""
    active = {"CONDA_PREFIX": "/env/a", "CONDA_SHLVL": "1", "PATH": "/env/a/bin:/usr/bin:/bin"}
    for found in seen(show, store, active):
        assert (found["CONDA_SHLVL"], found["CONDA_PREFIX_1"], found["CONDA_STACKED_2"]) == ("2", "/env/a", "true")
        assert found["PATH"].split(":")[1] == "/env/a/bin"
