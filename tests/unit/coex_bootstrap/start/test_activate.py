"""The activation text: its result in each shell, with any names and values."""

import os
import subprocess

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import CoexError
from coex_bootstrap.base.shell import find_bash, find_program, quote
from coex_bootstrap.start.activate import needed_shell, write_activation
from coex_bootstrap.start.activation_files import LANGUAGES, environment_variables, scripts

from unit.coex_bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Tuple

AWKWARD = [
    b"plain", b"with blank", b"it's", b'"double"', b"$HOME `id` $(id)", b"back\\slash", b"new\nline", b"\xff\xfe", b"*?[a]",
    b"~", b"-n", b"#", b"!x", b"%(app)s %(scripts)s", b"\\1 \\g<0>", b";&|<>", b"@ROOT@",
]


def after(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> Dict[bytes, bytes]
    """Return the environment that a shell has after it sourced the activation of a root."""
    path = write_activation(root)
    command = [word.encode("ascii") for word in shell] + [b"-c", b'. "$1"; exec env -0', b"sh", path]
    out = subprocess.check_output(command, env=environ)
    pairs = [pair.partition(b"=") for pair in out.split(b"\0") if pair]
    return dict((name, value) for name, _, value in pairs if name != b"SHLVL")


@pytest.fixture
def root(place):
    # type: (bytes) -> bytes
    os.makedirs(place + b"/root/prefix/bin")
    return place + b"/root"


def set_state(root, text):
    # type: (bytes, bytes) -> None
    write(root + b"/prefix/conda-meta/state", b'{"env_vars": ' + text + b"}")


def test_variables_of_an_environment(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    environ.update({b"PYTHONPATH": b"/x", b"PYTHONHOME": b"/x", b"PYTHONSTARTUP": b"/x"})
    found = after(shell, root, environ)
    prefix = root + b"/prefix"
    expected = {
        b"PATH": prefix + b"/bin:" + environ[b"PATH"], b"CONDA_PREFIX": prefix, b"CONDA_SHLVL": b"1",
        b"CONDA_DEFAULT_ENV": prefix, b"CONDA_PROMPT_MODIFIER": b"(" + prefix + b") ", b"PYTHONNOUSERSITE": b"1",
        b"COEX_PREFIX": prefix, b"COEX_APP": root + b"/app",
    }
    assert dict((name, found.get(name)) for name in expected) == expected
    assert [name for name in found if name.startswith(b"PYTHON")] == [b"PYTHONNOUSERSITE"]
    assert [name for name in found if name.startswith((b"_coex", b"CONDA_STACKED"))] == []


def test_stacked_on_the_callers_environment(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    environ.update({b"CONDA_SHLVL": b"2", b"CONDA_PREFIX": b"/my env's"})
    found = after(shell, root, environ)
    assert found[b"CONDA_SHLVL"] == b"3"
    assert found[b"CONDA_PREFIX_2"] == b"/my env's"
    assert found[b"CONDA_STACKED_3"] == b"true"


def test_activated_again(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    once = after(shell, root, environ)
    assert after(shell, root, once) == once


@pytest.mark.parametrize("level", [b"", b"x", b"-1", b"1; id", b"$(id)"])
def test_level_that_is_not_a_number(shell, root, environ, level):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    environ[b"CONDA_SHLVL"] = level
    assert after(shell, root, environ)[b"CONDA_SHLVL"] == b"1"


@pytest.mark.parametrize("name", [value for value in AWKWARD if b"\n" not in value])  # no store is below such a path
def test_root_of_any_name(shell, place, environ, name):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    root = place + b"/" + name.replace(b"/", b"")
    os.makedirs(root + b"/prefix/bin")
    found = after(shell, root, environ)
    assert found[b"CONDA_PREFIX"] == root + b"/prefix"
    assert found[b"COEX_APP"] == root + b"/app"


def test_values_of_any_kind(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    values = [value for value in AWKWARD if value != b"\xff\xfe"]
    rows = []
    for number, value in enumerate(values):
        text = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        rows.append(b'"V' + str(number).encode("ascii") + b'": "' + text + b'"')
    set_state(root, b"{" + b", ".join(rows) + b"}")
    environ[b"V1"] = b"the caller's $own"
    found = after(shell, root, environ)
    assert [found[b"V" + str(number).encode("ascii")] for number in range(len(values))] == values
    assert found[b"__CONDA_SHLVL_0_V1"] == b"the caller's $own"


def test_state_wins_over_packages_and_later_packages_win(root):
    # type: (bytes) -> None
    write(root + b"/prefix/etc/conda/env_vars.d/a.json", b'{"A": "a", "B": "a", "C": "a", "OFF": "a"}')
    write(root + b"/prefix/etc/conda/env_vars.d/b.json", b'{"B": "b", "C": "b", "N": 1}')
    set_state(root, b'{"C": "state", "OFF": "***unset***", "PATH": "/evil", "X;id": "1", "": "1", "Z": null}')
    assert environment_variables(root + b"/prefix") == {
        b"A": b"a", b"B": b"b", b"C": b"state", b"N": b"1", b"Z": None,
    }


def test_variables_that_are_not_the_environments_to_set(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    """Shells keep some for themselves, and bash ends over the try where it is called sh; null unsets, as for conda."""
    kept = (b"UID", b"euid", b"PPID", b"BASHOPTS", b"SHELLOPTS", b"BASH_VERSINFO", b"COEX_APP", b"COEX_PREFIX", b"PATH")
    set_state(root, b'{"GONE": null, "LAST": "1", ' + b", ".join(b'"' + name + b'": "5"' for name in kept) + b"}")
    environ[b"GONE"] = b"the caller's"
    found = after(shell, root, environ)
    assert (found[b"LAST"], found[b"__CONDA_SHLVL_0_GONE"]) == (b"1", b"the caller's")
    assert b"GONE" not in found
    assert found[b"COEX_APP"] == root + b"/app"
    assert [name for name in kept if found.get(name) == b"5"] == []


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff", b'"x"'])
def test_variables_that_cannot_be_read(root, text):
    # type: (bytes, bytes) -> None
    path = write(root + b"/prefix/etc/conda/env_vars.d/a.json", text)
    with pytest.raises(CoexError) as caught:
        environment_variables(root + b"/prefix")
    assert str(caught.value).startswith(path.decode("utf-8") + ": cannot be read as variables")


@pytest.mark.parametrize("inside", [b"etc/conda/env_vars.d/a.json", b"conda-meta/state"])
@pytest.mark.parametrize(("kind", "reason"), [
    ("pipe", "it is not a regular file"), ("/dev/zero", "it is not a regular file"), ("/", "it is not a regular file"),
    ("large", "it is too large"),
])
def test_variables_in_a_file_without_end(root, inside, kind, reason):
    # type: (bytes, bytes, str, str) -> None
    path = write(root + b"/prefix/" + inside, b"")
    if kind == "large":
        with open(path, "r+b") as stream:
            stream.truncate(1 << 34)
    else:
        os.unlink(path)
        if kind == "pipe":
            os.mkfifo(path)
        else:
            os.symlink(kind.encode("ascii"), path)
    with pytest.raises(CoexError) as caught:
        environment_variables(root + b"/prefix")
    assert str(caught.value) == "%s: cannot be read as variables of the environment: %s" % (path.decode("utf-8"), reason)


def test_scripts_in_order(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    folder = root + b"/prefix/etc/conda/activate.d/"
    write(folder + b"b's.sh", b"export SEEN=${SEEN}b\n")
    write(folder + b"a x.sh", b"export SEEN=a$CONDA_SHLVL\nlocal_only=1\n")
    write(folder + b"c.fish", b"export SEEN=never\n")
    assert scripts(root + b"/prefix") == [folder + b"a x.sh", folder + b"b's.sh"]
    found = after(shell, root, environ)
    assert found[b"SEEN"] == b"a1b"
    assert b"local_only" not in found


def test_shell_that_the_scripts_need(root, place):
    # type: (bytes, bytes) -> None
    """bash, unless the builder found all scripts to be the same to every sh; the caller makes no difference."""
    prefix, folder = root + b"/prefix", root + b"/prefix/etc/conda/activate.d/"
    assert needed_shell({}, prefix, {}) is None
    write(folder + b"a.sh", b"export A=1\n")
    assert needed_shell({"a.sh": 11}, prefix, {}) is None
    mine = write(place + b"/mine/bash", b"#!/bin/sh\n", 0o755)
    here = find_bash(prefix, {}) or b""
    if here:
        assert needed_shell({"a.sh": 10}, prefix, {}) == here  # a post-link script wrote it again
        assert needed_shell({}, prefix, {b"PATH": place + b"/mine"}) == here
    write(folder + b"b.sh", b"export B=1\n")
    assert needed_shell({"a.sh": 11}, prefix, {}) == here
    assert find_bash(prefix, {b"PATH": b"mine:" + place + b"/mine"}, places=[]) == mine
    assert find_bash(prefix, {b"PATH": b"mine"}, places=[]) is None
    assert find_bash(prefix, {}, places=[place, root]) is None
    write(prefix + b"/bin/bash", b"", 0o755)
    assert find_bash(prefix, {}, places=[]) == prefix + b"/bin/bash"


def test_names_with_a_leading_dot(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    """Files that another system leaves beside scripts and variables are neither."""
    write(root + b"/prefix/etc/conda/activate.d/._a.sh", b"\0\5\026\7Mac OS X")
    write(root + b"/prefix/etc/conda/activate.d/.b.sh", b"export B=1\n")
    write(root + b"/prefix/etc/conda/env_vars.d/._a.json", b"\0\5\026\7Mac OS X")
    assert scripts(root + b"/prefix") == []
    assert environment_variables(root + b"/prefix") == {}
    assert b"B" not in after(shell, root, environ)
    assert needed_shell({}, root + b"/prefix", environ) is None


def run(shell, root, environ, text=b"", before=b"", after=b""):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, bytes, bytes) -> Tuple[int, bytes, bytes]
    """Source the activation with a script in it, as a start does, with one argument; return status, output, errors."""
    if text:
        write(root + b"/prefix/etc/conda/activate.d/a.sh", text)
    code = before + b'\n. "$0"\n' + after
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [word.encode("ascii") for word in shell] + [b"-c", code, write_activation(root), b"argument"]
    process = subprocess.Popen(command, env=environ, **streams)  # type: ignore[call-overload]
    out, said = process.communicate(b"first\nsecond\n")
    return process.returncode, out, said


LAST = b"""exec /bin/sh -c 'read -r line; printf "%s|" "$line" "$#" "$1" "$PWD"' sh "$@"\n"""


@pytest.mark.parametrize(
    "text",
    [
        b"echo said", b"cat >/dev/null; read -r x", b"set -- a b c", b"false", b"return 3", b"[ -d /dev/null ] && A=1",
        b"cd /", b"cd /; unset PWD", b"PATH=/nonexistent", b"unset PATH", b"IFS=0123456789/", b"unset IFS", b"set -u", b"set -f",
        b"set -C", b"set -e", b"exec <&-", b"exec >&-", b"exec >/dev/null </dev/null", b"exec 3>&1", b"f() { :; }; x=1",
        b"umask 077", b"trap 'echo trapped' EXIT INT", b"CONDA_PREFIX=/x; CONDA_SHLVL=9", b"echo said >&2", b"(exit 5)",
    ],
)  # fmt: skip
def test_script_leaves_the_entry_points_own_alone(shell, root, environ, text):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    """Standard input and output, arguments and directory; with any status."""
    status, out, said = run(shell, root, environ, text, after=LAST)
    here = compat.path_bytes(os.getcwd())
    assert (status, out) == (0, b"|".join([b"first", b"1", b"argument", here, b""]))
    assert said == (b"said\n" if b"said" in text else b"")


def test_script_that_has_itself_traced(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    """No line of ours is in that, unless the caller's shell traces anyway."""
    status, out, said = run(shell, root, environ, b"set -x; export TRACED=1\n", after=LAST)
    assert (status, out[:6]) == (0, b"first|")
    assert said.splitlines()[-1].strip(b"'").endswith(b"TRACED=1")
    assert b"_coex" not in said
    assert b"unset" in run(shell + ["-x"], root, environ, b"true\n", after=LAST)[2]


@pytest.mark.parametrize(
    "text, status", [(b"exit 0", 0), (b"exit 7", 7), (b"set -e; false", 1), (b"exec sh -c 'exit 9'", 9)]
)
def test_script_that_ends_the_shell(shell, root, environ, text, status):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, int) -> None
    """It ends the start, as it ends `conda run`, and that is said; a program that it becomes speaks for itself."""
    found = run(shell, root, environ, text, after=b"echo ran")
    assert found[:2] == (status, b"")
    line = b"coex: a script in " + root + b"/prefix/etc/conda/activate.d ended the shell"
    assert (line in found[2].splitlines()) is not text.startswith(b"exec")


@pytest.mark.parametrize("closed", [b"<&-", b">&-", b"2>&-", b"<&- >&- 2>&-"])
def test_closed_streams_stay_closed(shell, root, environ, place, closed):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, bytes) -> None
    look = b"for n in 0 1 2; do [ ! -e /dev/fd/$n ] || printf $n >&7; done; echo ' '${RAN-} >&7\n"
    before = b"exec 7>" + quote(place + b"/seen") + b"; exec " + closed + b"\n" + look
    run(shell, root, environ, b"export RAN=ran; echo said\n", before, look)
    with open(place + b"/seen", "rb") as stream:
        first, second = stream.read().splitlines()
    assert second == first + b"ran"
    assert len(first) == 4 - closed.count(b"-")


@pytest.mark.parametrize("options", ["-e", "-u", "-C", "-f", "-a", "-euCfa"])
def test_activation_under_options(shell, root, environ, options):
    # type: (List[str], bytes, Dict[bytes, bytes], str) -> None
    set_state(root, b'{"A": "1", "GONE": null}')
    environ[b"GONE"] = b"x"
    assert run(shell + [options], root, environ, after=b'echo "$A${GONE-}$CONDA_SHLVL"') == (0, b"11\n", b"")


@pytest.mark.parametrize(
    "level, found",
    [
        (b"0", b"1"), (b"00", b"1"), (b"08", b"9"), (b"1", b"2"), (b"0010", b"11"), (b"12345678901234567890", b"1"),
        (b"a[$(echo x >&2)]", b"1"), (b"1\n", b"1"), (b"-2", b"1"), (b"0x2", b"1"),
    ],
)
def test_level_of_the_caller(shell, root, environ, level, found):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, bytes) -> None
    """Digits only, in tens: text in an arithmetic expression of bash may run a command."""
    for prefix, expected in ((b"/other", found), (root + b"/prefix", str(max(1, int(found) - 1)).encode("ascii"))):
        environ.update({b"CONDA_SHLVL": level, b"CONDA_PREFIX": prefix})
        assert run(shell, root, environ, after=b'printf %s "$CONDA_SHLVL"') == (0, expected, b"")


def test_variables_of_languages(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    """Those of a language that the environment has; the caller may keep some by name, and so may the archive."""
    mine = dict((name.encode("ascii"), b"/mine") for _, names in LANGUAGES for name in names.split())
    environ.update(mine)
    environ[b"PYTHONPATH"] = b"/mine"
    assert set(after(shell, root, environ)) & set(environ) == set(environ) - set([b"PYTHONPATH"])
    for program, names in LANGUAGES:
        path = write(root + b"/prefix/bin/" + program.encode("ascii"), b"", 0o755)
        gone = set(environ) - set(after(shell, root, environ))
        assert gone == set([b"PYTHONPATH"] + [name.encode("ascii") for name in names.split()])
        os.unlink(path)
    write(root + b"/prefix/bin/R", b"", 0o755)
    environ[b"COEX_KEEP"] = b"R_LIBS,OTHER,PYTHONPATH"
    found = after(shell, root, environ)
    assert (found[b"R_LIBS"], found[b"PYTHONPATH"], found[b"COEX_KEEP"]) == (b"/mine", b"/mine", environ[b"COEX_KEEP"])
    assert b"R_LIBS_USER" not in found
    assert b"_coex_name" not in found
    del environ[b"COEX_KEEP"]
    path = write_activation(root, keep=["R_LIBS_USER"])
    command = [word.encode("ascii") for word in shell] + [b"-c", b'. "$0"; echo ${R_LIBS_USER-} ${R_LIBS-}', path]
    out = subprocess.check_output(command, env=environ)
    assert out == b"/mine\n"


@pytest.mark.parametrize("value", [b"A B", b"*", b"$(id)", b"A;B", b"A,B\n"])
def test_names_to_keep_that_are_none(shell, root, environ, value):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    environ[b"COEX_KEEP"] = value
    said = b"coex: COEX_KEEP: '" + value + b"' is not a list of variables; write COEX_KEEP=NAME,NAME\n"
    assert run(shell, root, environ, after=b"echo ran") == (125, b"", said)


@pytest.mark.parametrize("value", AWKWARD + [bytes(bytearray(range(1, 256))), b"", b"'", b"''", b"a'b'c\n\n"])
def test_quote(shell, value):
    # type: (List[str], bytes) -> None
    command = [word.encode("ascii") for word in shell] + [b"-c", b"printf %s. " + quote(value)]
    assert subprocess.check_output(command, env={b"PATH": b"/bin", b"LC_ALL": b"C"}) == value + b"."


def test_find_program(place):
    # type: (bytes) -> None
    write(place + b"/bin/tool", b"", 0o755)
    write(place + b"/first/tool", b"", 0o644)
    os.makedirs(place + b"/second/tool")
    path = b":".join([b"", b".", place + b"/first", place + b"/second", place + b"/bin"])
    assert find_program(b"tool", {b"PATH": path}) == place + b"/bin/tool"
    assert find_program(b"no such tool", {b"PATH": path}) is None
    assert (find_program(b"sh", {}) or b"").endswith(b"bin/sh")


def test_variables_of_the_archive(root, shell, environ):
    # type: (bytes, List[str], Dict[bytes, bytes]) -> None
    """Set over everyone's, as the scripts see too; a default is only for callers who have none."""
    write(root + b"/prefix/etc/conda/env_vars.d/a.json", b'{"PACKAGE": "package", "BOTH": "package"}')
    write(root + b"/prefix/etc/conda/activate.d/a.sh", b'export SEEN="$BOTH/$DEFAULT" SCRIPT=script BOTH=script\n')
    own = [
        {"name": name, "value": value, "default": default}
        for name, value, default in (
            ("BOTH", "b'o$t\\h \n", False), ("PACKAGE", "x", True), ("DEFAULT", "d", True), ("CALLER", "x", True),
            ("EMPTY", "x", True), ("OVER", u"\xe9", False), ("PLACES", "${COEX_APP}/a:${COEX_PREFIX}:$COEX_APP", False),
        )
    ]
    path = write_activation(root, variables=own)
    environ.update({b"CALLER": b"caller", b"EMPTY": b"", b"OVER": b"caller"})
    code = b'. "$1"; printf "%s|" "$BOTH" "$PACKAGE" "$DEFAULT" "$CALLER" "$EMPTY" "$OVER" "$PLACES" "$SEEN" "$SCRIPT"'
    out = subprocess.check_output([word.encode("ascii") for word in shell] + [b"-c", code, b"sh", path], env=environ)
    assert out.split(b"|")[:-1] == [
        b"b'o$t\\h \n", b"package", b"d", b"caller", b"", b"\xc3\xa9", root + b"/app/a:" + root + b"/prefix:$COEX_APP",
        b"b'o$t\\h \n/d", b"script",
    ]
