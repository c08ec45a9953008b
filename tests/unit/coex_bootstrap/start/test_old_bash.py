"""Shell text of the bootstrap: nothing that bash 3.2 lacks, which is /bin/sh and /bin/bash of macOS."""

import re
import subprocess

import pytest
from coex_bootstrap.format.manifest import ID_LENGTH, fill_prelude

from unit.coex_bootstrap.building import CARRIED
from unit.coex_bootstrap.programs import program

# By feature: how it is recognised, and a line with it. The versions are those of bash's own list of changes.
LACKING = {
    "operators of parameters (4.4)": (r"\$\{[^}\s]*@[A-Za-z]\}", 'x=a; echo "${x@Q}"'),
    "upper and lower case (4.0)": (r"\$\{!?\w+(?:\[[^]]*\])?(?:\^\^?|,,?)[^}]*\}", 'x=a; echo "${x^^}" "${x,}"'),
    "negative lengths (4.2)": (r"\$\{\w+(?:\[[^]]*\])?:[^}]*:\s*-\d", 'x=abc; echo "${x:0:-1}"'),
    "negative subscripts (4.2)": (r"\$\{\w+\[-\d", 'x=(a b); echo "${x[-1]}"'),
    "associative arrays and references (4.0, 4.3)": (r"\b(?:declare|typeset|local)\s+-\w*[Agnlu]", "declare -A x; x[a]=1"),
    "mapfile (4.0)": (r"\b(?:mapfile|readarray)\b", "mapfile x </dev/null"),
    "|& (4.0)": (r"\|&", "echo a |& cat"),
    "&>> (4.0)": (r"&>>", "echo a &>>/dev/null"),
    "coproc (4.0)": (r"\bcoproc\b", "coproc true; wait"),
    "wait -n (4.3)": (r"\bwait\s+-[fnp]", "true & wait -n"),
    "tests of variables (4.2)": (r"(?:\[|\btest)\s+(?:!\s+)?-[vR]\s", "x=1; [[ -v x ]]"),
    "case that goes on (4.0)": (r";;?&", "case a in a) true ;& b) true ;; esac"),
    "steps and zeros in braces (4.0)": (r"\{(?:-?\w+\.\.-?\w+\.\.|0\d+\.\.)", "[ \"$(echo {1..9..4})\" = '1 5 9' ]"),
    "descriptors by name (4.1)": (r"(?<!\$)\{\w+\}(?:[<>]|&[<>])", "exec {x}>/dev/null"),
    "Unicode escapes (4.2)": (r"\$'[^']*\\[uU]", "[ $'\\u41' = A ]"),
    "printf of times and into arrays (4.1, 4.2)": (
        r"\bprintf\s+(?:-v\s+['\"]?\w+\[|['\"]?[^'\"\n]*%\([^)]*\)T)", "printf -v 'x[1]' a",
    ),
    "variables of newer versions (4.0 to 5.1)": (
        r"\$\{?(?:BASHPID|EPOCH(?:SECONDS|REALTIME)|SRANDOM|BASH_ARGV0)\b", '[ -n "$BASHPID" ]',
    ),
    "options of newer versions (4.0 to 4.2)": (
        r"\bshopt\s+-\w+\s+(?:globstar|lastpipe|dirspell|autocd|checkjobs)", "shopt -s globstar",
    ),
    "options of read (4.0, 4.1)": (r"\bread\s+(?:-\w+\s+)*-(?:[iN]|t\s*0?\.\d)", "echo ab | read -N 1 x"),
    "a pattern in $( ) without its first parenthesis (4.0)": (
        r"\$\((?:[^()'\"]|'[^']*')*\bcase\s[^()]*\sin\s+[^(\s][^()]*\)", "x=$(case a in a) echo b;; esac)",
    ),
}
TEXTS = dict((name, text) for name, text in CARRIED.items() if name.endswith((".sh", ".py")))
TEXTS["prelude of macOS"] = fill_prelude(CARRIED["coex_bootstrap/prelude.sh"], b"0" * ID_LENGTH, "osx-arm64")


@pytest.mark.parametrize("feature", sorted(LACKING))
def test_nothing_that_it_lacks(feature):
    # type: (str) -> None
    pattern = re.compile(LACKING[feature][0])
    lines = [(name, line) for name, text in TEXTS.items() for line in text.decode("utf-8").splitlines() if pattern.search(line)]
    assert lines == []


@pytest.mark.parametrize("feature", sorted(LACKING))
def test_the_list_is_right(feature):
    # type: (str) -> None
    """Each line is found, and runs in a newer bash, so that nothing else is wrong with it. bash 3.2 fails at each line."""
    pattern, line = LACKING[feature]
    assert re.search(pattern, line)
    if program("bash") is None:
        pytest.skip("this machine has no bash")
    said = subprocess.check_output(["bash", "-c", "echo ${BASH_VERSINFO[0]}"])
    process = subprocess.Popen(["bash", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate(b"")[0]
    failed = process.returncode != 0 or bool(output.strip() and b"bash:" in output)
    assert failed == (int(said) < 4), output
