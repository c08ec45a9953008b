"""Scripts of activate.d as people write them: bash is the oracle, and their output is not the entry point's."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import OF_THE_SHELL, only_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Conda

    Pack = Callable[..., Path]
    Found = tuple[int, dict[str, str], str]

DUMP = "#!/bin/sh\nexec cat /proc/$$/environ\n"
NOT_POSIX = """\
if [[ -n "$SOME_UNSET" ]]; then export X=1; fi
if [ "$SHELL" == "/bin/zsh" ]; then :; fi
source "$CONDA_PREFIX/share/more.sh"
"""
GDAL = """\
if [[ -n "$GDAL_DATA" ]]; then export _OLD=$GDAL_DATA; fi
export GDAL_DATA=$CONDA_PREFIX/share/gdal
"""
POSIX = """\
if [ -n "${GDAL_DATA:-}" ]; then
    export _OLD="$GDAL_DATA"
fi
export GDAL_DATA="$CONDA_PREFIX/share/gdal"
"""
OPTIONS = "SHELLOPTS=allexport:errexit:noclobber:noglob:nounset"
WITH_OPTIONS = (("bash", "-eua"), ("dash", "-eufCa"), ("env", OPTIONS, "bash"))
CALLERS: list[dict[str, str]] = [{}, {"GDAL_DATA": "/my own", "SOME_UNSET": "1", "X": "0", "SHELL": "/bin/zsh"}]


@pytest.fixture(scope="module")
def pack(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Return a function that packs an environment with these files of nobody, and an entry point."""
    made: dict[str, Path] = {}

    def run(files: dict[str, str], entry: str = DUMP) -> Path:
        key = repr((files, entry))
        if key not in made:
            made[key] = make(files, entry)
        return made[key]

    def make(files: dict[str, str], entry: str) -> Path:
        work = tmp_path_factory.mktemp("work")
        conda("create", "-q", "-y", "--offline", *channel, "-p", work / "env", "zstd")
        for path, content in files.items():
            (work / "env" / path).parent.mkdir(parents=True, exist_ok=True)
            (work / "env" / path).write_bytes(content.encode("latin-1"))
        (work / "entry").write_text(entry)
        (work / "entry").chmod(0o755)
        words = ("--from-prefix", work / "env", "--entrypoint", "./entry", "--fast", "-q")
        conda("coex", "pack", *words, "-o", "app.coex", cwd=work)
        return work / "app.coex"

    return run


def script(text: str) -> dict[str, str]:
    return {"etc/conda/activate.d/a.sh": text, "share/more.sh": 'export -n MORE=; export MORE="${CONDA_PREFIX^^}"\n'}


def start(archive: Path, store: Path, caller: dict[str, str], shell: tuple[str, ...] = ()) -> Found:
    """Return status, environment and errors of a start."""
    known = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(store), **caller}
    done = subprocess.run([*shell, archive], env=known, capture_output=True, text=True, check=False)
    pairs = (pair.partition("=") for pair in done.stdout.split("\0") if pair)
    return done.returncode, {name: value for name, _, value in pairs if name not in OF_THE_SHELL}, done.stderr


def by_bash(path: Path, caller: dict[str, str], prefix: Path) -> dict[str, str]:
    """Return the variables that bash makes of a script, sourced as by conda."""
    known = {"PATH": "/usr/bin:/bin", **caller, "CONDA_PREFIX": str(prefix)}
    command = ["bash", "-c", '. "$0"; exec env -0', path]
    done = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    pairs = (pair.partition("=") for pair in done.stdout.split("\0") if pair)
    return {name: value for name, _, value in pairs if name not in OF_THE_SHELL}


@pytest.mark.parametrize("text", [NOT_POSIX, GDAL, POSIX], ids=["not-posix", "gdal", "posix"])
@pytest.mark.parametrize("callers", [CALLERS, CALLERS[::-1]], ids=["empty-first", "empty-last"])
def test_same_as_in_bash_for_any_first_caller(
    pack: Pack, tmp_path: Path, shells: dict[str, list[str]], text: str, callers: list[dict[str, str]]
) -> None:
    archive = pack(script(text))
    for _ in "cold", "warm":
        for caller in callers:
            for shell in ((), *map(tuple, shells.values()), *WITH_OPTIONS):
                status, found, said = start(archive, tmp_path, caller, shell)
                assert (status, said) == (0, "")
                assert [name for name in found if name.startswith("_coex")] == []
                assert "privileged" not in found.get("SHELLOPTS", "")
                root = only_root(tmp_path)
                expected = by_bash(root / "prefix/etc/conda/activate.d/a.sh", caller, root / "prefix")
                assert {name: found.get(name) for name in expected if name != "PATH"} == {
                    name: value for name, value in expected.items() if name != "PATH"
                }
    assert ("/bash'" in (only_root(tmp_path) / "start").read_text()) is (text != POSIX)


@pytest.mark.parametrize(
    "text",
    ["echo activated", "cat", "read -r line", "set -- x; shift 9", "exec <&- >&-", "cd /; false", "unset PATH IFS"],
)
def test_streams_arguments_and_directory_are_the_entry_points(pack: Pack, tmp_path: Path, text: str) -> None:
    """The output of an archive is that of its program, as JSON for another one."""
    entry = '#!/bin/sh\nread -r line\nprintf "%s|" "$line" "$@" "$PWD"\n'
    archive = pack(script(text + "\n"), entry)
    for _ in "cold", "warm":
        done = subprocess.run(
            [archive, "1", "2 3"], input="first\nsecond\n", cwd=tmp_path, env={"COEX_ROOT": str(tmp_path / "store")},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == f"first|1|2 3|{tmp_path}|"
        command = ["bash", "-c", text]
        expected = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = done.stderr.replace(f"{only_root(tmp_path / 'store')}/prefix/etc/conda/activate.d/a.sh", "bash")
        assert said == expected.stdout + expected.stderr


@pytest.mark.parametrize("locale", [{"LC_ALL": "xx_YY.UTF-8"}, {"LC_CTYPE": "UTF-8", "LC_TIME": "xx"}])
def test_locale_that_the_host_does_not_have(pack: Pack, tmp_path: Path, locale: dict[str, str]) -> None:
    """bash warns of it; the streams of the caller are there all the same."""
    archive = pack(script(GDAL), "#!/bin/sh\nls -l /proc/self/fd | grep -c null\necho said >&2\n")
    seen = []
    for shell in ("exec", "exec 9</dev/null"):
        for _ in "cold", "warm":
            known = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(tmp_path), **locale}
            command = ["sh", "-c", f'{shell}; exec "$0"', archive]
            done = subprocess.run(command, env=known, stdin=subprocess.PIPE, capture_output=True, text=True, check=True)
            seen.append((done.stdout, [line for line in done.stderr.splitlines() if "setlocale" not in line]))
            assert shell != "exec" or done.stderr == "said\n"
    assert seen == [("0\n", ["said"])] * 2 + [("1\n", ["said"])] * 2


def test_names_with_a_leading_dot(pack: Pack, conda: Conda, tmp_path: Path) -> None:
    """Files that a Mac leaves beside each file are neither scripts nor variables.

    For starts, verbs and environments.
    """
    other = "\0\5\26\7\0\2\0\0Mac OS X"
    names = ("activate.d/._a.sh", "deactivate.d/._a.sh", "env_vars.d/._a.json")
    archive = pack({**{f"etc/conda/{name}": other for name in names}, **script("export OK=1\n")})
    for _ in "cold", "warm":
        status, found, said = start(archive, tmp_path, {})
        assert (status, said, found["OK"]) == (0, "", "1")
    told = conda("coex", "env", archive, env={"COEX_ROOT": str(tmp_path)})
    assert "export OK=1" in told.stdout.splitlines()
    conda("coex", "unpack", archive, "-p", tmp_path / "unpacked")


BAD = "cannot be read as variables of the environment"


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("etc/conda/env_vars.d/x.json", "{", f"env_vars.d/x.json: {BAD}"),
        ("etc/conda/env_vars.d/x.json", "[1]", f"env_vars.d/x.json: {BAD}: no mapping"),
        ("etc/conda/env_vars.d/x.json/y", "{}", "env_vars.d/x.json: is a directory, where a start expects a file"),
        ("conda-meta/state", '{"env_vars": 5}', "state"),
    ],
)
def test_variables_that_no_start_can_read(pack: Pack, path: str, text: str, why: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(why)):
        pack({path: text})


def test_host_without_bash(pack: Pack, tmp_path: Path) -> None:
    """A message says it once, and sh sources the scripts."""
    if os.geteuid():
        pytest.skip("only root may mount")
    archive = pack(script("export A=1; [[ -n 1 ]]\n"))
    hide = 'for b in /bin/bash /usr/bin/bash; do mount --bind /dev/null "$b" 2>/dev/null; done; exec "$@"'
    for said in ("coex: note: this host has no bash, which activation scripts are for; sh runs them\n", ""):
        status, found, errors = start(archive, tmp_path, {}, ("unshare", "-m", "sh", "-c", hide, "sh"))
        assert (status, found["A"]) == (0, "1")
        assert errors.startswith(said)
        assert errors.count("\n") == 1 + bool(said)  # and sh's own line


@pytest.mark.parametrize(
    ("text", "named", "words"),
    [
        ("exit 0\n", "`exit`", 1),
        ("leave() { exit 0; }\nleave\n", "`exit`", 1),
        ("exec true\n", "`exec`", 0),
        ("trap - EXIT\nexit 0\n", "`trap - EXIT`, `exit`", 0),
    ],
)
def test_script_that_ends_the_start(
    conda: Conda, channel: tuple[str, ...], tmp_path: Path, text: str, named: str, words: int
) -> None:
    """The builder names it; a host says so wherever a shell lets it."""
    conda("create", "-q", "-y", "--offline", *channel, "-p", tmp_path / "env", "zstd")
    script = tmp_path / "env/etc/conda/activate.d/a.sh"
    script.parent.mkdir(parents=True)
    script.write_text(text)
    (tmp_path / "entry").write_text(DUMP)
    line = ("--from-prefix", tmp_path / "env", "--entrypoint", "sh entry", "--fast", "-o", "app.coex")
    told = conda("coex", "pack", *line, cwd=tmp_path)
    (note,) = [line for line in told.stderr.splitlines() if "the activation script a.sh has " in line]
    assert f" has {named}: if a start reaches it, the start ends before the entry point runs" in note
    for _ in "cold", "warm":
        status, found, said = start(tmp_path / "app.coex", tmp_path / "store", {})
        assert (status, found) == (0, {})
        assert said.count("etc/conda/activate.d ended the shell") == words
