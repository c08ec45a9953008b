"""Commands as people write them who have written a Dockerfile: built, and started from another directory."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Coex, only_root

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

SHOW = "import os, sys\nprint([a.replace(os.environ['COEX_APP'], 'APP') for a in sys.argv], __name__, os.getcwd())\n"
FILES = {
    "app.py": SHOW + "def app():\n    print('app')\n",
    "pkg/__init__.py": "",
    "pkg/__main__.py": SHOW + "import sys, pkg.other\nprint(sys.path[0].replace(os.environ['COEX_APP'], 'APP'))\n",
    "pkg/other.py": "import subprocess, sys\ndef run():\n    subprocess.run([sys.executable, '-m', 'pkg', 'child'])\n",
    "code/src/lib2/__init__.py": "",
    "code/src/lib2/cli.py": SHOW + "def main():\n    print('lib2')\n",
    "serve.py": "import sys, importlib as i\nmod, at = sys.argv[1].split(':')\ngetattr(i.import_module(mod), at)()\n",
    "conf/a.yml": "a",
    "run.sh": 'echo run "$@" in "$PWD"\n',
    "x.js": "console.log('js', process.argv.slice(2).map(x => x.replace(process.env.COEX_APP, 'APP')).join())\n",
    "dir/__main__.py": SHOW,
}
HERE = "/ours"
# name: command, and the output when `arg` follows it; the caller's own app.py and pkg are not used.
COMMANDS = {
    "script": ("python app.py", f"['APP/app.py', 'arg'] __main__ {HERE}"),
    "config": ("python -u app.py --c conf/a.yml", f"['APP/app.py', '--c', 'APP/conf/a.yml', 'arg'] __main__ {HERE}"),
    "joined": ("python app.py --c=conf/a.yml", f"['APP/app.py', '--c=APP/conf/a.yml', 'arg'] __main__ {HERE}"),
    "placed": ("python ${COEX_APP}/app.py ${COEX_APP}", f"['APP/app.py', 'APP', 'arg'] __main__ {HERE}"),
    "callers": ("python app.py ${PWD}/app.py", f"['APP/app.py', '{HERE}/app.py', 'arg'] __main__ {HERE}"),
    "module": ("python -Bm pkg", f"['APP/pkg/__main__.py', 'arg'] __main__ {HERE}\nAPP"),
    "deep": ("python -m lib2.cli", f"['APP/code/src/lib2/cli.py', 'arg'] __main__ {HERE}"),
    "function": ("lib2.cli:main", f"['APP', 'arg'] lib2.cli {HERE}\nlib2"),
    "children": ("python serve.py pkg.other:run", f"['APP/pkg/__main__.py', 'child'] __main__ {HERE}\n{HERE}"),
    "stdlib": ("python -m json.tool --no-such", None),
    "shell": ("bash run.sh --x", f"run --x arg in {HERE}"),
    "sh": ("sh -e run.sh", f"run arg in {HERE}"),
    "absolute": ("/bin/sh run.sh", f"run arg in {HERE}"),
    "suffix": ("./run.sh", f"run arg in {HERE}"),
    "code": ('python -c "import sys; print(sys.argv)" conf/a.yml', None),
    "node": ("node x.js conf/a.yml", "js APP/conf/a.yml,arg"),
    "directory": ("./dir", f"['APP/dir', 'arg'] __main__ {HERE}"),
    "python": ("python dir", f"['APP/dir', 'arg'] __main__ {HERE}"),
    "spaced": ("spaced = lib2.cli:main [extra]", f"['APP', 'arg'] lib2.cli {HERE}\nlib2"),
}


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Return an archive of all the commands, a store, and the messages of its build."""
    work = tmp_path_factory.mktemp("words")
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    points = [f"--entrypoint={name}={command}" for name, (command, _) in COMMANDS.items() if name != "spaced"]
    points += ["--entrypoint", COMMANDS["spaced"][0]]
    done = coex(work, "-q", "-o", "tools.coex", *points, "conf", "code", packages=("python", "nodejs"))
    return work / "tools.coex", tmp_path_factory.mktemp("store"), done.stderr


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the caller's directory, which has files of the same names."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("app.py", "json.py", "runpy.py", "os.py", "run.sh", "lib2.py"):
        (elsewhere / name).write_text("raise SystemExit('the caller has this, too')\n")
    return elsewhere


def start(made: tuple[Path, Path, str], name: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    store = str(made[1])
    environ = {"PATH": os.environ["PATH"], "HOME": store, "COEX_ROOT": store, "COEX_ENTRYPOINT": name}
    environ["PYTHONPATH"] = "/nowhere"
    done = subprocess.run([made[0], "arg"], cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    root = only_root(made[1])
    done.stdout = done.stdout.replace(f"{root}/app", "APP").replace(str(cwd), HERE).replace(str(made[0]), "APP")
    return done


@pytest.mark.parametrize("name", COMMANDS)
def test_started_from_another_directory(made: tuple[Path, Path, str], elsewhere: Path, name: str) -> None:
    done = start(made, name, elsewhere)
    expected = COMMANDS[name][1]
    if name == "stdlib":
        assert done.stderr == "the caller has this, too\n"  # as of every `python -m` that names no module of the app
        return
    if name == "code":
        assert done.stdout == "['-c', 'APP/conf/a.yml', 'arg']\n", done.stderr
        return
    assert (done.stdout, done.stderr, done.returncode) == (f"{expected}\n", "", 0)


def test_nothing_is_noted(made: tuple[Path, Path, str]) -> None:
    assert [line for line in made[2].splitlines() if "note" in line] == []


def test_inspect_shows_commands_as_typed(made: tuple[Path, Path, str], conda: Conda) -> None:
    shown = conda("coex", "inspect", made[0]).stdout
    for line in (
        "config = prefix/bin/python -u app/app.py --c '${COEX_APP}/conf/a.yml'",
        "deep = prefix/bin/python -m lib2.cli",
        "shell = bash app/run.sh --x",
    ):
        assert line in shown


def test_repack(made: tuple[Path, Path, str], conda: Conda, tmp_path: Path, elsewhere: Path) -> None:
    """Old words need the files that they name in the new app; new words may name files that stay."""

    def repack(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return conda("coex", "repack", made[0], "-q", *words, "-o", tmp_path / "new.coex", cwd=tmp_path, check=check)

    for name, text in FILES.items():
        if name != "conf/a.yml":
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
    failed = repack(".", check=False)
    said = " ".join(failed.stderr.split())
    assert "the entry point 'config' needs conf/a.yml, which is not in the new app" in said
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    repack("--keep-app", "--entrypoint", "c=python -m pkg conf/a.yml", "--entrypoint", "d=python app.py")
    new = (tmp_path / "new.coex", made[1] / "new", "")
    new[1].mkdir(mode=0o700)
    words = "['APP/pkg/__main__.py', 'APP/conf/a.yml', 'arg']"
    assert start(new, "c", elsewhere).stdout == f"{words} __main__ {HERE}\nAPP\n"
    assert start(new, "d", elsewhere).stdout == f"['APP/app.py', 'arg'] __main__ {HERE}\n"
