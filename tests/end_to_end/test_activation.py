"""The environment of an entry point is the one that `conda activate` makes of the caller's, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import OF_THE_SHELL, Archive, MakeArchive, only_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conftest import Conda
    from testbed.hosts import HostPython

    Environ = dict[str, str]
    Activate = Callable[..., Environ]

# Prints the environment that the kernel has for this process: a shell would add its own variables.
DUMP = "#!/bin/sh\nexec cat /proc/$$/environ\n"

# Where the base conda is: an archive has none to name.
OF_CONDA = ("CONDA_EXE", "CONDA_PYTHON_EXE", "_CE_M", "_CE_CONDA", "_CONDA_EXE", "_CONDA_ROOT")
# Variables that describe an archive, and its own rule on the caller's Python.
OF_COEX = ("COEX_FILE", "COEX_PREFIX", "COEX_APP", "PYTHONNOUSERSITE")


def parse(block: str) -> Environ:
    return dict(pair.split("=", 1) for pair in block.split("\0") if pair)


def visible(environ: Mapping[str, str]) -> Environ:
    """Return the variables that both sides set."""
    left_out = {*OF_CONDA, *OF_COEX, *OF_THE_SHELL}
    found = {name: value for name, value in environ.items() if name not in left_out}
    found["PATH"] = ":".join(part for part in found["PATH"].split(":") if not part.endswith("/condabin"))
    return found


@pytest.fixture(scope="session")
def activate(conda: Conda) -> Activate:
    """Return a function that gives the environment that `conda activate` makes of another one."""

    def run(prefix: Path, caller: Environ, *options: str) -> Environ:
        shown = json.loads(conda("shell.posix+json", "activate", *options, prefix, env=caller).stdout)
        assert not shown["scripts"]["deactivate"]
        environ = {**caller, **{name: str(value) for name, value in shown["vars"]["export"].items()}}
        environ["PATH"] = ":".join(shown["path"]["PATH"])
        for name in shown["vars"]["unset"]:
            environ.pop(name, None)
        scripts = "".join('. "$1"; shift; ' for _ in shown["scripts"]["activate"])
        command = ["bash", "--norc", "-c", scripts + "exec env -0", "bash", *shown["scripts"]["activate"]]
        return parse(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)

    return run


@pytest.fixture
def caller(tmp_path: Path) -> Environ:
    """Return an environment of a user: odd values, and some that packages set too."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "COEX_ROOT": str(tmp_path / "store"),
        "ODD": " a'b\"c`d$e\\f\ng\t* ",
        "EMPTY": "",
        "DEMO_SPACES": "the caller's own",
        "CDPATH": "/usr",
        "IFS": ":",
    }


def started(archive: Archive, caller: Environ) -> tuple[Environ, Path]:
    """Start an archive that dumps its environment; return that and its prefix."""
    store = caller["COEX_ROOT"]
    out = subprocess.run([archive.path], env=caller, capture_output=True, text=True, check=True).stdout
    return parse(out), only_root(Path(store)) / "prefix"


@pytest.fixture(scope="module")
def demo(make_archive: MakeArchive) -> Archive:
    return make_archive("./dump.sh", packages=("activate-demo", "zstd"), dump=DUMP)


@pytest.fixture(scope="module")
def bash_only(make_archive: MakeArchive) -> Archive:
    return make_archive("./dump.sh", packages=("activate-bash", "activate-demo", "zstd"), dump=DUMP)


@pytest.fixture(scope="module")
def outer(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that is active already, and sets variables of the same names."""
    prefix = tmp_path_factory.mktemp("outer") / "env"
    conda("create", "-q", "-y", "--offline", *channel, "-p", prefix, "activate-demo")
    return prefix


@pytest.fixture(params=["sh", "bash_only"])
def archive(request: pytest.FixtureRequest, demo: Archive, bash_only: Archive) -> Archive:
    """Return an archive whose activation any shell understands, and one that needs bash."""
    return demo if request.param == "sh" else bash_only


def test_same_as_conda(archive: Archive, caller: Environ, activate: Activate) -> None:
    found, prefix = started(archive, caller)
    assert found["DEMO_NEWLINE"] == "first line\nsecond line"
    assert found["DEMO_ORDER"] == "ab"
    assert visible(found) == visible(activate(prefix, caller))


def test_bash_script_under_any_sh(bash_only: Archive, caller: Environ) -> None:
    found, prefix = started(bash_only, caller)
    assert found["DEMO_BASH_COMPILER"] == f"{prefix}/bin/demo-cc"
    assert found["DEMO_BASH_OPTIMIZED"] == "yes"


def test_stacked_on_an_active_environment(
    archive: Archive, caller: Environ, activate: Activate, outer: Path
) -> None:
    active = activate(outer, caller)
    assert active["CONDA_SHLVL"] == "1"
    found, prefix = started(archive, active)
    assert found["CONDA_PREFIX_1"] == str(outer)
    assert visible(found) == visible(activate(prefix, active, "--stack"))


def test_started_by_itself(archive: Archive, caller: Environ) -> None:
    """An archive that starts itself is activated once: conda calls that reactivation."""
    first, _ = started(archive, caller)
    again, _ = started(archive, first)
    assert {name: value for name, value in again.items() if not name.startswith("__CONDA")} == {
        name: value for name, value in first.items() if not name.startswith("__CONDA")
    }


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}, {"LC_CTYPE": "C", "LANG": "C"}], ids=["none", "all", "some"])
def test_first_start_is_like_any_other(archive: Archive, caller: Environ, locale: Environ) -> None:
    """No variable of the Python that unpacks is left: Python 3 sets LC_CTYPE in the C locale."""
    first, _ = started(archive, {**caller, **locale})
    second, _ = started(archive, {**caller, **locale})
    assert first == second


@pytest.mark.parametrize("name", ["2.7", "3.6", "pypy3"])
def test_first_start_by_another_python(
    bash_only: Archive, caller: Environ, host_pythons: list[HostPython], name: str
) -> None:
    hosts = [host for host in host_pythons if host.name == name]
    if not hosts:
        pytest.skip(f"no Python {name} here")
    environ = {**caller, "COEX_PYTHON": str(hosts[0].executable)}
    first, _ = started(bash_only, environ)
    assert first == started(bash_only, environ)[0]


def test_python_variables_of_the_caller(archive: Archive, caller: Environ, activate: Activate, tmp_path: Path) -> None:
    """Variables of the caller for another Python mislead neither the bootstrap nor the entry point."""
    (tmp_path / "zipfile.py").write_text("raise SystemExit('the caller has a zipfile of their own')\n")
    mine = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "/nowhere/rc.py"}
    first, prefix = started(archive, {**caller, **mine})
    second, _ = started(archive, {**caller, **mine})
    assert first == second
    assert not mine.keys() & first.keys()
    assert visible(first) == visible(activate(prefix, caller))


@pytest.mark.parametrize("more", [{}, {"POSIXLY_CORRECT": "y"}], ids=["", "posix"])
def test_shell_variables_of_the_caller(
    archive: Archive, caller: Environ, activate: Activate, tmp_path: Path, more: Environ
) -> None:
    """Files and options that the caller's shells read at start take no part, and are handed on."""
    profile = tmp_path / "profile"
    profile.write_text("echo profile; export FROM_PROFILE=1\n")
    mine = {"ENV": str(profile), "BASH_ENV": str(profile), **more}
    first, prefix = started(archive, {**caller, **mine})
    second, _ = started(archive, {**caller, **mine})
    assert first == second
    assert mine.items() <= first.items()
    assert visible(first) == visible({**activate(prefix, caller), **mine})


def test_shell_is_chosen_by_the_scripts(
    archive: Archive, bash_only: Archive, caller: Environ, tmp_path: Path
) -> None:
    """bash starts archives that need it, even if settings of the first caller break a bash."""
    profile = tmp_path / "profile"
    profile.write_text("export FROM_PROFILE=1\n")
    _, prefix = started(archive, {**caller, "BASH_ENV": str(profile), "SHELLOPTS": "braceexpand:noclobber"})
    assert ("/bash'" in (prefix.parent / "start").read_text()) is (archive is bash_only)


def test_names_of_the_archive(demo: Archive, caller: Environ) -> None:
    found, prefix = started(demo, caller)
    assert found["COEX_FILE"] == str(demo.path)
    assert found["COEX_PREFIX"] == found["CONDA_PREFIX"] == str(prefix)
    assert found["COEX_APP"] == str(prefix.parent / "app")


VARIABLES: dict[str, object] = {
    "PLAIN": "value",
    "SPACES": " two  words ",
    "QUOTES": "it's \"quoted\"",
    "DOLLAR": "$HOME `id` \\n",
    "lower": "x",
    "NOTHING": "",
    "LINES": "\none\n\n",
    "LETTERS": "\u017c\u00f3\u0142\u0107 \u2603 \U0001d11e",
    "NUMBER": 1.5,
    "MARKS": "-n %s !x * ? [a] #~ \t",
    "EMPTY": None,  # the caller has one, and conda unsets it
    "UID": 5,
}


def test_variables_of_an_environment_file(
    caller: Environ, activate: Activate, tmp_path: Path, make_archive: MakeArchive
) -> None:
    file = tmp_path / "environment.yml"
    content = {"dependencies": ["data-generic"], "variables": VARIABLES}  # JSON is YAML
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    archive = make_archive("./dump.sh", "-f", file, packages=(), dump=DUMP)
    assert archive.said == "coex: note: the variable UID is left out: activation or the shell sets it\n"
    found, prefix = started(archive, caller)
    for name, value in VARIABLES.items():
        expected = None if name in ("EMPTY", "UID") else str(value)
        assert found.get(name.upper()) == expected
    assert visible(found) == visible(activate(prefix, caller))


def test_variables_of_the_archive_under_each_shell(
    caller: Environ, shells: dict[str, list[str]], tmp_path: Path, make_archive: MakeArchive
) -> None:
    """--env wins over the environment file and the caller, in any sh; the last value of a name counts."""
    (tmp_path / "environment.yml").write_text(json.dumps({"dependencies": ["data-generic"], "variables": {"A": "1"}}))
    values = {
        "A": "it's \"mine\" $HOME `id` \\n", "EMPTY": "", "ODD": "\none\n\n", "L": "\u017c \u2603", "P": "-n %s * #",
    }  # fmt: skip
    words = [word for name, value in values.items() for word in ("--env", f"{name}={value}")]
    words += ["--env", "A?=not this", "--env", f"A={values['A']}", "--env", "CDPATH?=no", "--env", "NEW?=a 'default'"]
    archive = make_archive("./dump.sh", "-f", tmp_path / "environment.yml", *words, packages=(), dump=DUMP)
    first, _ = started(archive, caller)
    for shell in shells.values():
        out = subprocess.run([*shell, archive.path], env=caller, capture_output=True, text=True, check=True).stdout
        found = parse(out)
        assert {**values, "CDPATH": "/usr", "NEW": "a 'default'"}.items() <= found.items()
        assert {name: value for name, value in found.items() if name not in OF_THE_SHELL} == {
            name: value for name, value in first.items() if name not in OF_THE_SHELL
        }


def test_variables_of_an_existing_environment(
    conda: Conda,
    channel: tuple[str, ...],
    caller: Environ,
    activate: Activate,
    tmp_path: Path,
    make_archive: MakeArchive,
) -> None:
    """Values of `conda env config vars set` and `unset` win over those of packages."""
    existing = tmp_path / "existing"
    conda("create", "-q", "-y", "--offline", *channel, "-p", existing, "activate-demo")
    variables = ("OF_STATE=it's $5", "DEMO_DOLLAR=mine", "DEMO_QUOTES=x", "GONE=x")
    conda("env", "config", "vars", "set", "-p", existing, *variables)
    conda("env", "config", "vars", "unset", "-p", existing, "GONE", "DEMO_QUOTES")
    archive = make_archive("./dump.sh", "-p", existing, packages=(), dump=DUMP)
    found, prefix = started(archive, caller)
    assert (found["OF_STATE"], found["DEMO_DOLLAR"]) == ("it's $5", "mine")
    assert not {"GONE", "DEMO_QUOTES"} & found.keys()
    assert visible(found) == visible(activate(prefix, caller))
