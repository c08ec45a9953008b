"""Scripts that mean the same to every shell: the shells themselves prove it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from conda_coex.root.portable import is_portable

if TYPE_CHECKING:
    from pathlib import Path

PORTABLE = [
    "",
    "# a comment \u00e9\n\n",
    "export A=1 B=two/3:4 C\n",
    "A=1\nexport A",
    'if [ -n "${X-}" ]; then\n  export OLD="$X"\nelif [ ! -d "${HOME}/none" ]; then :; else unset X Y; fi',
    'if ! [ -f "$X" ]; then export A=1; fi >/dev/null 2>&1\n',
    'case $X in\n a*|"b c") export A=1 ;;\n *) : ;;\nesac\n',
    "case $X in # one\n # two\n x*) export A=1 # three\n ;; # four\n\n *) true;;\nesac; export B=1",
    'case "${X:-}" in "") export A=none ;; esac',
    "case x in x) export A=1 ; esac",
    '[ -z "${X+x}" ] || export A="${X##*/}" B="${X%/*}" C="${X%%/*}"',
    'for d in a "b c" "$X"; do\n  export A="${A:-}:$d"\ndone',
    'export "A=$X" B=c\n',
    "A=$X:${Y:-/x/$HOME}\nexport A\n",
    "echo hello \"wor ld\" '$x  y' a=b\n",
    "{ true; export A=1; }\n",
    'export A="x" && export B="y" ||\n true # no\n',
    '[ "$X" = b ] && return 0\nexport A=1',
    'return 3\nexport A="never"',
    "export A \\\n  B=2\n",
    'A="it\'s \\$HOME \\"x\\" \\\\ \\`"\nexport A\n',
    'export A="${X:=set}" B="${Y-}" C="${Y+x}" X',
    "false\n",
    '[ -d /dev/null ] && export A=1',
    'export PATH="$HOME/bin:$PATH"',
    "unset HOME NEVER_SET",
    '[ "$X" ] || export A=1',
]  # fmt: skip
FOR_BASH = [
    "[[ -n $A ]]", "source x", ". x", '[ "$A" == b ]', "[ -n $A ]", "A=(1 2)", "function f { :; }", "f() { :; }",
    "A=$'x'", "A=${x//a/b}", "cat <<< x", "true &> /dev/null", "(( 1 ))", "local x=1", "read -r -a x", "cat <(true)",
    "declare A=1", "shopt -s nullglob", "A=$BASH_SOURCE", "set -o pipefail", "echo -e x", "trap x ERR", "true &>> x",
    "echo {1..3}", "printf -v x y", 'A="${x^^}"', "A+=x", "let x=1", "time true", "select x in a; do :; done",
    "true >& x", "A=$RANDOM", "export A=$B", "export A=~/x", "A=~", "echo -n x", 'echo "$X"', "echo 'a\\nb'",
    "echo ''-n", '[ "$SHELL" = x ]', "A=`id`", 'A="$(id)"', "A=$((1+1))", "true &", "true | true", "true >x",
    "true 2>x", "set -e", "cd /", "exit 0", "exec x", "export -n A", "export 1A=b", "export A-B=c", "A=1 true",
    "UID=5", "unset -f x", '[ -n "$A" -a -n "$B" ]', "umask 077", '[ "$A" -eq 1 ]', 'A="${!B}"', 'A="${B:0:1}"',
    'A="${B/x}"', 'A="${B?}"', 'A="${B:-"x"}"', 'A="${B@Q}"', "alias x=y", "while true; do :; done",
    "for x in $A; do :; done", "for x in *; do :; done", "export A=b\r\n", "nonsense", "eval x", "echo \\$x",
    'A="x\\y"', 'A="\u00e9"', "=x", '"A=x"', "! ! true",
    # letters or bytes, and values as patterns
    'A="${#X}"', 'A="${X#?}"', 'A="${X%%/?}"', "case $X in ?) A=1 ;; esac", "case $X in a?*) A=1 ;; esac",
    'A="${X#$Y}"', 'A="${X%/$Y}"', "case x in $Y) A=1 ;; esac", "case x in a|${Y:-b}) A=1 ;; esac",
    "! return 3", "! if true; then return 3; fi", "! { return; }",  # busybox returns the opposite
    "case 2>/dev/null x in a) :; esac", ">/dev/null if true; then :; fi", "for 2>&1 x in a; do :; done",
    "POSIXLY_CORRECT=1", "export _coex_level=1", "_coex_shell=1",
    # text that no shell reads
    "if true; then fi", "true ; ; true", ";true", "true;;", "true &&", "if true; then :", "fi", "then", "true)",
    "[ a ", "}", "case x in a) ;; b", "case x in esac x", "case x in a) : b) : ;; esac", "case x in a|) :;; esac",
    "! if", "{true; }", "case x in a b) :;; esac", "case x in a) : ;; ;; esac", "if true; then true; fi true", 'A="x',
    "A='x", 'A="${B', "if",
]  # fmt: skip
ENVIRONMENTS: list[dict[str, str]] = [
    {}, {"X": ""}, {"X": "b"}, {"X": " a/*  b\\c\n/d'e\" ", "Y": "!"}, {"X": "(", "A": "="}, {"X": "-n", "Y": "x y"},
    {"X": "\u00e9/\u20ac", "Y": "\\x", "LC_ALL": "C.UTF-8"}, {"X": "[^a]", "Y": "[!\u00e9]"},
]  # fmt: skip
COUNTED = (b"_=", b"SHLVL=", b"PWD=", b"OLDPWD=")


@pytest.mark.parametrize("script", PORTABLE)
def test_every_shell_does_the_same(script: str, shells: dict[str, list[str]], tmp_path: Path) -> None:
    """The status too: a later script may look at it."""
    assert is_portable(script.encode())
    (tmp_path / "script").write_text(script)
    code = 'f() { . "$1"; }; f "$0" >&2; STATUS=$? exec /usr/bin/env -0'
    for environ in ENVIRONMENTS:
        known = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", **environ}
        seen = {}
        for name, command in {**shells, "bash -p": ["bash", "-p"]}.items():
            words = [*command, "-c", code, tmp_path / "script"]
            done = subprocess.run(words, env=known, capture_output=True, check=False)
            pairs = sorted(pair for pair in done.stdout.split(b"\0") if not pair.startswith(COUNTED))
            seen[name] = (done.returncode, pairs, done.stderr)
        assert [found for found in seen.values() if found != seen["bash -p"]] == []


@pytest.mark.parametrize("script", FOR_BASH)
def test_scripts_for_bash(script: str) -> None:
    assert not is_portable(script.encode("latin-1"))
    assert not is_portable(f"export A=1\n{script}\n".encode("latin-1"))


def test_bytes_that_are_not_a_script() -> None:
    for script in (b"\0", b"export A=1\0", bytes(range(256)), b"{" * 100000, b'"${A-' * 100000, b"if " * 100000):
        assert not is_portable(script)
