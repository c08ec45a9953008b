"""Several entry points, functions, variables of the archive, renamed app files and patterns: built, and started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Coex, only_root

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

SHOW = '#!/bin/sh\nprintf "%s|" "${0##*/}" "$@" "${COEX_ENTRYPOINT-unset}" "$WHERE" "$MINE" "$ELSE"\n'
MODULE = "import os, sys\ndef main():\n    print([os.path.basename(sys.argv[0]), *sys.argv[1:]])\n    return 3\n"


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a directory with an archive of five entry points, and a store where it is unpacked."""
    work = tmp_path_factory.mktemp("several") / "a place"
    for name, text in {
        "one.sh": SHOW, "src/two.sh": SHOW, "mine/__init__.py": "", "mine/deep/mod.py": MODULE, "src/x/y/a.csv": "a",
        "src/x/b.csv": "b", "src/x/c.txt": "c", "conf/d=e.txt": "d",
    }.items():  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    coex(
        work, "-q", "-o", "tools.coex", "--entrypoint", "one.sh", "--entrypoint", "'the 2nd'=bin/second 'x y'",
        "--entrypoint", "call=mine.deep.mod:main --opt", "--entrypoint", "json.tool:main", "--entrypoint", "python -V",
        "--env", "WHERE=${COEX_APP}/x", "--env", "MINE=baked", "--env", "ELSE?=default",
        "src/two.sh=bin/second", "mine", "src/**/*.csv=tables/", "conf/d=e.txt", "src=.",
        packages=("python",),
    )  # fmt: skip
    store = tmp_path_factory.mktemp("store")
    return work, store


def start(made: tuple[Path, Path], *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    work, store = made
    environ = {"PATH": os.environ["PATH"], "HOME": str(store), "COEX_ROOT": str(store), "MINE": "caller", **(env or {})}
    return subprocess.run(words, env=environ, cwd=work, capture_output=True, text=True, check=False)


def test_app_is_renamed_and_found_by_patterns(made: tuple[Path, Path]) -> None:
    assert start(made, "./tools.coex").returncode == 0
    app = only_root(made[1]) / "app"
    files = [path for path in app.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    found = {str(path.relative_to(app)) for path in files}
    assert found == {
        "one.sh", "bin/second", "mine/__init__.py", "mine/deep/mod.py", "tables/a.csv", "tables/b.csv", "conf/d=e.txt",
        "two.sh", "x/y/a.csv", "x/b.csv", "x/c.txt",
    }  # fmt: skip


@pytest.mark.parametrize("way", [(), ("sh",), ("bash",), (sys.executable,)], ids=" ".join)
def test_chosen_by_the_name_of_a_link(made: tuple[Path, Path], way: tuple[str, ...]) -> None:
    """Symbolic, hard, in a chain, copied with the suffix: the last name counts; another is the first entry point's."""
    work, _ = made
    for link, target in (("the 2nd", "tools.coex"), ("chain", "the 2nd"), ("call", "chain")):
        if not (work / link).is_symlink():
            (work / link).symlink_to(target)
    if not (work / "the 2nd.coex").exists():
        os.link(work / "tools.coex", work / "the 2nd.coex")
    where = f"{only_root(made[1])}/app/x" if list(made[1].glob("*/start")) else ""
    for name in ("the 2nd", "the 2nd.coex"):
        done = start(made, *way, f"./{name}", "a b", "")
        where = f"{only_root(made[1])}/app/x"
        assert done.stdout == f"second|x y|a b||unset|{where}|baked|default|", done.stderr
    assert start(made, *way, "./chain", env={"ELSE": "other"}).stdout == f"one.sh|unset|{where}|baked|other|"
    done = start(made, *way, "./call", "a b")
    assert (done.returncode, done.stdout) == (3, "['call', '--opt', 'a b']\n")


def test_chosen_by_a_variable(made: tuple[Path, Path]) -> None:
    """At the first start and later: a name, a function of the environment, or any command."""
    done = start(made, "./tools.coex", "a", env={"COEX_ENTRYPOINT": "call"})
    assert done.stdout == "['tools.coex', '--opt', 'a']\n"
    code = "import os; print('COEX_ENTRYPOINT' in os.environ)"
    done = start(made, "./tools.coex", env={"COEX_ENTRYPOINT": f'python -c "{code}"'})
    assert done.stdout == "False\n"
    assert start(made, "./tools.coex", "-h", env={"COEX_ENTRYPOINT": "json"}).stdout.startswith("usage: ")
    done = start(made, "./tools.coex", "a", env={"COEX_ENTRYPOINT": "no-such"})
    assert (done.returncode, done.stdout) == (125, "")
    assert "'no-such' is neither an entry point (one, the 2nd, call, json, python) nor a command" in done.stderr
    assert done.stderr.count("\n") == 1


def test_inspect_shows_them(made: tuple[Path, Path], conda: Conda) -> None:
    shown = conda("coex", "inspect", made[0] / "tools.coex").stdout
    assert "the 2nd = app/bin/second 'x y'" in shown
    assert "call = prefix/bin/python mine.deep.mod:main --opt" in shown
    assert "ELSE?=default" in shown
    found = json.loads(conda("coex", "inspect", "--json", made[0] / "tools.coex").stdout)
    assert [entry["name"] for entry in found["entry_points"]] == ["one", "the 2nd", "call", "json", "python"]


def test_function_is_looked_for(made: tuple[Path, Path], conda: Conda, tmp_path: Path) -> None:
    """When the archive is made, and again when it is repacked: in its own modules, and in those that replace them."""
    work, _ = made
    (tmp_path / "mine/deep").mkdir(parents=True)
    (tmp_path / "mine/deep/mod.py").write_text("def other(): pass")

    def repack(*words: str) -> tuple[int, str]:
        archive = str(work / "tools.coex")
        done = conda("coex", "repack", archive, "-q", "--dry-run", *words, cwd=tmp_path, check=False)
        return done.returncode, " ".join(done.stderr.split())

    assert repack("--entrypoint", "json.tool:main") == (
        0, "coex: note: nothing was written: this was a dry run DryRunExit: Dry run. Exiting."
    )  # fmt: skip
    said = "names no function of its module: lib/python3.11/json/tool.py has no mian; correct the name"
    expected = f"EntryPointNotFound: the entry point 'json.tool:mian' {said}"
    assert repack("--entrypoint", "json.tool:mian") == (1, expected)
    status, said = repack("--keep-app", "mine/deep/mod.py")
    assert (status, "mine/deep/mod.py has no main" in said) == (1, True)
    status, said = repack("--entrypoint", "this.module.is:nowhere")
    assert (status, "names a module that is neither" in said) == (1, True)
