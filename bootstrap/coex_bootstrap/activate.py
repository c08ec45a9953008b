"""Write what activating the prefix of a root means, as the POSIX sh text that every start sources.

The result equals `conda shell.posix activate` for the variables that are the environment's own
(conda's `activate.py`): PATH, CONDA_*, `etc/conda/env_vars.d`, `conda-meta/state`, `activate.d`. In a
caller's active environment it is stacked on that one, as `conda activate --stack` does.
"""

import json
import os
import re
from collections import OrderedDict

from . import compat
from .errors import CoexError
from .shell import fill, find_program, quote, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Sequence

UNSET = "***unset***"  # conda's mark of a variable that is switched off

# What the caller's environment would otherwise decide inside the archive.
REMOVED = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__",
    "COEX_ENTRYPOINT",  # was for this start, not for an archive that the entry point starts
)
FIXED = {"PYTHONNOUSERSITE": "1"}
# What no environment can set: it is the archive's own, or a shell ends over the try.
KEPT = re.compile(r"(PATH|COEX_(FILE|PREFIX|APP)|PPID|E?UID|(BASH|SHELL)OPTS|BASH_VERSINFO)\Z")

TEMPLATE = b"""\
# Activation of a coex prefix, to be sourced by a POSIX shell: . %(file)s
unset %(removed)s
%(fixed)s
export COEX_PREFIX=%(prefix)s COEX_APP=%(app)s
if [ "${CONDA_PREFIX-}" = %(prefix)s ] && [ -n "${CONDA_SHLVL-}" ]; then
  _coex_level=$((CONDA_SHLVL - 1))
else
  case ${CONDA_SHLVL-} in ''|*[!0-9]*) _coex_level=0 ;; *) _coex_level=$CONDA_SHLVL ;; esac
  if [ "$_coex_level" -gt 0 ]; then
    eval "export CONDA_PREFIX_$_coex_level=\\${CONDA_PREFIX-} CONDA_STACKED_$((_coex_level + 1))=true"
  fi
  PATH=%(prefix)s/bin:${PATH-/usr/bin:/bin}
fi
export PATH CONDA_PREFIX=%(prefix)s CONDA_SHLVL=$((_coex_level + 1))
export CONDA_DEFAULT_ENV=%(name)s CONDA_PROMPT_MODIFIER=%(prompt)s
%(variables)s
_coex_scripts() {
:
%(scripts)s
}
_coex_scripts
%(after)s
unset -f _coex_scripts
unset _coex_level
"""


def write_activation(root, write=write_file, baked=(), prefix=None):
    # type: (bytes, Callable[[bytes, bytes], None], Sequence[Dict[str, Any]], Optional[bytes]) -> bytes
    """Write `activate.sh` of the root from what its prefix holds now; return its path.

    `baked` are the archive's own variables, as in its manifest; a `prefix` is where the environment is, if elsewhere.
    """
    prefix, path = prefix or root + b"/prefix", root + b"/activate.sh"
    name = _default_env(prefix)
    fields = {
        b"file": quote(path),
        b"prefix": quote(prefix),
        b"app": quote(root + b"/app"),
        b"name": quote(name),
        b"prompt": quote(b"(" + name + b") "),
        b"removed": compat.utf8(" ".join(REMOVED)),
        b"fixed": compat.utf8("\n".join("export %s=%s" % pair for pair in sorted(FIXED.items()))),
        b"variables": b"\n".join(
            [_assignment(n, v) for n, v in sorted(environment_variables(prefix).items())]
            + [_baked_line(variable, root) for variable in baked]
        ),
        b"after": b"\n".join(_baked_line(variable, root) for variable in baked if not variable["default"]),
        b"scripts": b"\n".join(b". " + quote(script) for script in scripts(prefix)),
    }
    write(path, fill(TEMPLATE, fields))
    return path


def _default_env(prefix):
    # type: (bytes) -> bytes
    """conda's `_default_env`: the name of an environment in a directory `envs`, else its path."""
    parent, name = os.path.split(prefix)
    return name if os.path.basename(parent) == b"envs" else prefix


def _assignment(name, value):
    # type: (bytes, Optional[bytes]) -> bytes
    """Export a variable, or unset it; the caller's other value is kept where `conda deactivate` looks for it."""
    upper = name.upper()
    kept = b"__CONDA_SHLVL_${_coex_level}_" + upper
    keep = b'[ -z "${' + name + b'+x}" ] || eval "export ' + kept + b'=\\$' + name + b'"'
    return keep + b"\n" + (b"unset " + upper if value is None else b"export " + upper + b"=" + quote(value))


def _baked_line(variable, root):
    # type: (Dict[str, Any], bytes) -> bytes
    """Export one of the archive's own variables; the scripts see it, and what they make of it does not stay.

    A default is for who has none, neither the caller nor a package.
    """
    name, value = compat.utf8(variable["name"]), compat.utf8(variable["value"])
    value = put_places(value, dict((place, root + b"/" + place) for place in (b"prefix", b"app")))
    line = b"export " + name + b"=" + quote(value)
    return b'[ -n "${' + name + b'+x}" ] || ' + line if variable["default"] else line


def put_places(value, places):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return the value of a variable with paths for `${COEX_PREFIX}` and `${COEX_APP}`."""
    for name, path in places.items():
        value = value.replace(b"${COEX_" + name.upper() + b"}", path)
    return value


def environment_variables(prefix):
    # type: (bytes) -> Dict[bytes, Optional[bytes]]
    """Return the variables of the packages (`env_vars.d`, in order) and of the environment (`state`), which win.

    One that is null is to be unset, as for conda.
    """
    found = {}  # type: Dict[str, Any]
    directory = prefix + b"/etc/conda/env_vars.d"
    for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        found.update(load_json(directory + b"/" + entry))
    state = prefix + b"/conda-meta/state"
    if os.path.exists(state):
        found.update(state_variables(load_json(state), state))
    return dict(
        (compat.utf8(name), None if value is None else _text(value))
        for name, value in found.items()
        if value != UNSET and not KEPT.match(name.upper()) and re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", name)
    )


def _text(value):
    # type: (Any) -> bytes
    return compat.utf8(value if isinstance(value, type(u"")) else str(value))


def load_json(path):
    # type: (bytes) -> Dict[str, Any]
    """Return what a file of conda's with variables holds, in its order; raises CoexError."""
    try:
        with open(path, "rb") as stream:
            found = json.loads(stream.read().decode("utf-8"), object_pairs_hook=OrderedDict)
        if not isinstance(found, OrderedDict):
            raise ValueError("no mapping")
        return found
    except (ValueError, TypeError, RuntimeError) as error:
        raise CoexError("cannot be read as variables of the environment: %s" % error, path)


def state_variables(state, path):
    # type: (Dict[str, Any], bytes) -> Dict[str, Any]
    """Return the variables in what `conda-meta/state` holds; raises CoexError."""
    found = state.get("env_vars") or {}
    if not isinstance(found, dict):
        raise CoexError("has env_vars that are no mapping", path)
    return found


def scripts(prefix):
    # type: (bytes) -> List[bytes]
    """Return the activate.d scripts of the prefix in the order in which conda sources them."""
    directory = prefix + b"/etc/conda/activate.d"
    if not os.path.isdir(directory):
        return []
    return [directory + b"/" + name for name in sorted(os.listdir(directory)) if name.endswith(b".sh")]


def needed_shell(activation, root, environ):
    # type: (bytes, bytes, Dict[bytes, bytes]) -> Optional[bytes]
    """Return the path of bash where sh makes something else of the activate.d scripts, else None.

    People write these scripts in the language of their own shell. Both shells try; where they leave the
    same environment, sh serves, which starts faster.
    """
    bash = find_program(b"bash", environ)
    if bash is None or not scripts(root + b"/prefix"):
        return None
    # -p: without the caller's BASH_ENV and functions
    seen = [_environment_after(shell, activation, environ) for shell in ([b"/bin/sh"], [bash, b"-p"])]
    return bash if seen[1] is not None and seen[0] != seen[1] else None


def _environment_after(shell, activation, environ):
    # type: (List[bytes], bytes, Dict[bytes, bytes]) -> Optional[List[bytes]]
    """Return the environment that the activation leaves in a shell, without what the shell itself counts."""
    import subprocess

    command = b'. "$1" >/dev/null && exec env -0'
    with open(os.devnull, "r+b") as nothing:
        process = subprocess.Popen(
            shell + [b"-c", command, b"sh", activation],
            env=environ, stdin=nothing, stderr=nothing, stdout=subprocess.PIPE,
        )
        out = process.communicate()[0]
    if process.returncode:
        return None
    own = (b"_=", b"SHLVL=", b"OLDPWD=", b"SHELLOPTS=", b"BASHOPTS=")
    return sorted(pair for pair in out.split(b"\0") if not pair.startswith(own))
