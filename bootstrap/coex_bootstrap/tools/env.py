"""Print the changes that activating an archive's environment makes in the caller's."""

import os
import re
import subprocess
from contextlib import closing

from ..base.compat import UNSEEN, text, utf8
from ..base.errors import CoexError
from ..base.shell import OPTIONS, find_program
from ..base.trace import Trace
from ..base.working_directory import absolute
from ..format.archive import Archive
from ..start import run
from ..start.activate import needed_shell
from ..start.host import check_host
from ..store.ladder import find_ready, stores
from .output import Outcome, quoted
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, List

ABOUT = """\
One line a variable, as the entry point would see it, for any POSIX shell to evaluate: PATH, CONDA_*, the variables of
the packages and of the environment, and those that the activate.d scripts of its packages set. It unpacks the archive first
if necessary.

examples:
  eval "$(CALL)"
  CALL --json
"""
COMMAND = OPTIONS + b'; . "$1" && exec "$2" -0'
OF_THE_SHELL = (b"_", b"SHLVL", b"OLDPWD", b"PWD", b"SHELLOPTS", b"BASHOPTS")


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add no options: the verb has none of its own."""


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the variables that are set and unset for the archive at `path`."""
    with closing(Archive(path)) as archive:
        manifest = archive.manifest
        check_host(manifest)
        places = stores(environ)
        root = find_ready(places, manifest) or run.make_ready(places, archive, environ, Trace(environ))
    activation = root.path + b"/activate.sh"
    shell = needed_shell(manifest.portable, root.path + b"/prefix", environ)
    after = _environment_after([shell, b"-p"] if shell else [b"/bin/sh"], activation, environ)
    after[b"COEX_FILE"] = absolute(path)
    names = [name for name in sorted(set(environ) | set(after)) if _can_be_set(name)]
    changed = [(text(name), text(after[name])) for name in names if name in after and after[name] != environ.get(name)]
    gone = [text(name) for name in names if name not in after]
    lines = ["unset " + name for name in gone] + ["export %s=%s" % (name, _word(value)) for name, value in changed]
    fields = {"archive": text(path), "root": text(root.path), "set": dict(changed), "unset": gone}
    return Outcome(fields, "\n".join(lines).split("\n"), 0)


def _word(value):
    # type: (str) -> str
    """Return a word for a shell. In it, characters that a terminal does not show are escaped, except for newlines."""
    return re.sub(u"(?:(?!\n)(?:%s))+" % UNSEEN, _printed, quoted(value))


def _printed(mark):
    # type: (re.Match[str]) -> str
    return "'\"$(printf '%s')\"'" % "".join("\\%03o" % byte for byte in bytearray(utf8(mark.group())))


def _can_be_set(name):
    # type: (bytes) -> bool
    return re.match(br"[A-Za-z_][A-Za-z0-9_]*\Z", name) is not None and name not in OF_THE_SHELL


def _environment_after(shell, activation, environ):
    # type: (List[bytes], bytes, Dict[bytes, bytes]) -> Dict[bytes, bytes]
    """Return the environment that the activation leaves in a shell."""
    env = find_program(b"env", environ) or b"env"  # a script may change PATH
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(
            shell + [b"-c", COMMAND, b"sh", activation, env], env=environ, stdin=nothing, stdout=subprocess.PIPE,
        )
        out = process.communicate()[0]
    if process.returncode:
        raise CoexError("its activation ended with status %d" % process.returncode, activation)
    pairs = [pair.partition(b"=") for pair in out.split(b"\0") if pair]
    return dict((name, value) for name, _, value in pairs)


VERB = Verb("env", "Print the variables of the activated environment, for a shell to evaluate.", ABOUT, configure, execute)
