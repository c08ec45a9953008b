"""The activation text: what each shell makes of it, whatever stands in names and values."""

import os
import subprocess

import pytest
from coex_bootstrap.activate import environment_variables, needed_shell, scripts, write_activation
from coex_bootstrap.errors import CoexError
from coex_bootstrap.shell import find_program, quote

from bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

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
def test_level_that_is_no_number(shell, root, environ, level):
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


@pytest.mark.parametrize(
    ("text", "needs_bash"),
    [
        (b"export SAME=1\n", False),
        (b"if [[ -n $HOME ]]; then export ONLY_BASH=1; fi\n", True),
        (b"words=(a b); export ONLY_BASH=${words[1]}\n", True),
        (b"export RANDOM_PLACE=$HOME/x\n", False),
    ],
)
def test_shell_that_the_scripts_need(root, environ, text, needs_bash):
    # type: (bytes, Dict[bytes, bytes], bytes, bool) -> None
    if find_program(b"bash", environ) is None:
        pytest.skip("this machine has no bash")
    if b"dash" not in os.path.realpath(b"/bin/sh"):
        pytest.skip("/bin/sh of this machine knows bash's language")
    write(root + b"/prefix/etc/conda/activate.d/a.sh", text)
    needed = needed_shell(write_activation(root), root, environ)
    assert (needed is not None and needed.endswith(b"/bash")) is needs_bash


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
    """Set over everyone's, as the scripts see too; a default is only for who has none."""
    write(root + b"/prefix/etc/conda/env_vars.d/a.json", b'{"PACKAGE": "package", "BOTH": "package"}')
    write(root + b"/prefix/etc/conda/activate.d/a.sh", b'export SEEN="$BOTH/$DEFAULT" SCRIPT=script BOTH=script\n')
    baked = [
        {"name": name, "value": value, "default": default}
        for name, value, default in (
            ("BOTH", "b'o$t\\h \n", False), ("PACKAGE", "x", True), ("DEFAULT", "d", True), ("CALLER", "x", True),
            ("EMPTY", "x", True), ("OVER", u"\xe9", False), ("PLACES", "${COEX_APP}/a:${COEX_PREFIX}:$COEX_APP", False),
        )
    ]
    path = write_activation(root, baked=baked)
    environ.update({b"CALLER": b"caller", b"EMPTY": b"", b"OVER": b"caller"})
    code = b'. "$1"; printf "%s|" "$BOTH" "$PACKAGE" "$DEFAULT" "$CALLER" "$EMPTY" "$OVER" "$PLACES" "$SEEN" "$SCRIPT"'
    out = subprocess.check_output([word.encode("ascii") for word in shell] + [b"-c", code, b"sh", path], env=environ)
    assert out.split(b"|")[:-1] == [
        b"b'o$t\\h \n", b"package", b"d", b"caller", b"", b"\xc3\xa9", root + b"/app/a:" + root + b"/prefix:$COEX_APP",
        b"b'o$t\\h \n/d", b"script",
    ]
