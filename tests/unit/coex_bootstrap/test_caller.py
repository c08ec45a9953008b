"""Tests begin as from a fresh login shell: nohup, `&`, a umask and variables of the caller have no say in them."""

import json
import os
import subprocess
import sys

from unit.coex_bootstrap import caller
from unit.coex_bootstrap.building import read

CODE = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from caller import forget_caller
forget_caller()
print(json.dumps([
    [signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM)],
    signal.getsignal(signal.SIGINT) is signal.default_int_handler, os.umask(0),
    sorted(name for name in os.environ if name in ("TZ", "LC_ALL", "LANG", "COEX_ROOT", "PYTHONOPTIMIZE", "XDG_CACHE_HOME")),
    "HOME" in os.environ, sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])) if hasattr(signal, "pthread_sigmask") else [],
]))
"""
LAUNCH = 'trap "" HUP INT QUIT TERM PIPE; umask 077; unset HOME; exec "$0" "$@"'


def test_forgets_who_called(tmp_path):
    # type: (object) -> None
    directory = os.path.dirname(os.path.abspath(caller.__file__))
    environ = dict(os.environ, TZ="Asia/Tokyo", LC_ALL="C", LANG="C", COEX_ROOT="/x", PYTHONOPTIMIZE="1", XDG_CACHE_HOME="/x")
    # Signals are not trapped in a shell of its own: this process keeps the handlers that it has.
    said = subprocess.check_output(["sh", "-c", LAUNCH, sys.executable, "-c", CODE, directory], env=environ)
    assert json.loads(said.decode("ascii")) == [[True] * 3, True, 0o022, [], True, []]


def test_these_tests_have_forgotten_theirs():
    # type: () -> None
    lines = [line.split() for line in read(b"/proc/self/status").decode("ascii").splitlines()]
    masks = {words[0]: int(words[1], 16) for words in lines if words[0] in ("SigIgn:", "SigBlk:")}
    python_ignores = sum(1 << (number - 1) for number in caller.IGNORED if number)
    assert masks["SigIgn:"] & ~python_ignores == 0
    assert masks["SigBlk:"] == 0
