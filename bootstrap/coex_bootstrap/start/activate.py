"""Write the activation of a root's prefix: the POSIX sh text that every start sources.

The result equals `conda shell.posix activate` for the environment's own variables (conda's `activate.py`): PATH,
CONDA_*, `etc/conda/env_vars.d`, `conda-meta/state`, `activate.d`. If the caller has an active environment, it is
stacked on that one, as by `conda activate --stack`.
"""

import os

from ..base import compat
from ..base.shell import fill, find_bash, quote
from ..store.directory import write_file
from .activation_files import environment_variables, removed, scripts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Sequence

    from ..format.manifest import Variable

FIXED = {"PYTHONNOUSERSITE": "1"}
# `export NAME=$VALUE` is split into words by some shells: values of others are quoted.
TEMPLATE = b"""\
# Activation of a coex prefix, to be sourced by a POSIX shell: . %(file)s
unset COEX_ENTRYPOINT  # was for this start, not for an archive that the entry point starts
if [ -z "${COEX_KEEP-}" ]; then
  unset %(removed)s
else
  case $COEX_KEEP in *[!A-Za-z0-9_,]*)
    printf '%s\\n' "coex: COEX_KEEP: '$COEX_KEEP' is not a list of variables; write COEX_KEEP=NAME,NAME" >&2
    exit 125 ;;
  esac
  for _coex_name in %(removed)s; do
    case ,$COEX_KEEP, in *,"$_coex_name",*) ;; *) unset "$_coex_name" ;; esac
  done
  unset _coex_name
fi
%(fixed)s
export COEX_PREFIX=%(prefix)s COEX_APP=%(app)s
case ${CONDA_SHLVL-} in
  ''|*[!0123456789]*|??????????*) _coex_level=0 ;;
  *) _coex_level=${CONDA_SHLVL#"${CONDA_SHLVL%%[!0]*}"} ;;
esac
_coex_level=${_coex_level:-0}
if [ "${CONDA_PREFIX-}" = %(prefix)s ] && [ "$_coex_level" -gt 0 ]; then
  _coex_level=$((_coex_level - 1))
else
  if [ "$_coex_level" -gt 0 ]; then
    eval "export CONDA_PREFIX_$_coex_level=\\"\\${CONDA_PREFIX-}\\" CONDA_STACKED_$((_coex_level + 1))=true"
  fi
  PATH=%(prefix)s/bin:${PATH:-/usr/bin:/bin}
fi
export PATH CONDA_PREFIX=%(prefix)s CONDA_SHLVL="$((_coex_level + 1))"
export CONDA_DEFAULT_ENV=%(name)s CONDA_PROMPT_MODIFIER=%(prompt)s
%(variables)s
%(scripts)s
%(after)s
unset _coex_level
"""
# The scripts are sourced in a function, so that they neither see nor change the arguments. Standard input and output
# are the entry point's alone, and so is the directory. `set -x` in a script shows the script, not the lines here. A
# script that ends the shell ends the start, with a message; `set -e` in one script lets any later script end it.
SCRIPTS = b"""\
_coex_directory=${PWD-} _coex_options=$-
_coex_scripts() {
%(sourced)s
}
trap 'printf "%s\\n" "coex: a script in $COEX_PREFIX/etc/conda/activate.d ended the shell" >&2' EXIT
if true >&2; then _coex_scripts </dev/null >&2; else _coex_scripts </dev/null >/dev/null; fi
{ case $_coex_options in *x*) ;; *) set +x ;; esac; trap - EXIT; } 2>/dev/null
[ "${PWD-}" = "$_coex_directory" ] || [ -z "$_coex_directory" ] || command cd "$_coex_directory" || :
unset -f _coex_scripts
unset _coex_directory _coex_options"""


def write_activation(root, write=write_file, variables=(), prefix=None, keep=()):
    # type: (bytes, Callable[[bytes, bytes], None], Sequence[Variable], Optional[bytes], Sequence[str]) -> bytes
    """Write `activate.sh` of the root from the scripts and variables of its prefix; return its path.

    `variables` are the archive's own (--env), and `keep` names that are not removed, as in its manifest; a `prefix` is
    where the environment is, if elsewhere.
    """
    path = root + b"/activate.sh"
    write(path, activation_text(root, variables, prefix, keep))
    return path


def activation_text(root, variables=(), prefix=None, keep=(), seen=None):
    # type: (bytes, Sequence[Variable], Optional[bytes], Sequence[str], Optional[bytes]) -> bytes
    """Return the content of `activate.sh`: as `write_activation`, with the files of the prefix `seen` elsewhere now."""
    prefix = prefix or root + b"/prefix"
    seen = seen or prefix
    name = _default_env(prefix)
    sourced = b"\n".join(b". " + quote(prefix + script[len(seen):]) for script in scripts(seen))
    fields = {
        b"file": quote(root + b"/activate.sh"),
        b"prefix": quote(prefix),
        b"app": quote(root + b"/app"),
        b"name": quote(name),
        b"prompt": quote(b"(" + name + b") "),
        b"removed": compat.utf8(" ".join(each for each in removed(seen) if each not in keep)),
        b"fixed": compat.utf8("\n".join("export %s=%s" % pair for pair in sorted(FIXED.items()))),
        b"variables": b"\n".join(
            [_assignment(n, v) for n, v in sorted(environment_variables(seen).items())]
            + [_variable_line(variable, root) for variable in variables]
        ),
        b"after": b"\n".join(_variable_line(variable, root) for variable in variables if not variable["default"]),
        b"scripts": fill(SCRIPTS, {b"sourced": sourced}) if sourced else b"",
    }
    return fill(TEMPLATE, fields)


def _default_env(prefix):
    # type: (bytes) -> bytes
    """conda's `_default_env`: the name of an environment in a directory `envs`, else its path."""
    parent, name = os.path.split(prefix)
    return name if os.path.basename(parent) == b"envs" else prefix


def _assignment(name, value):
    # type: (bytes, Optional[bytes]) -> bytes
    """Export a variable, or unset it; the caller's other value is kept where `conda deactivate` looks for it."""
    upper = name.upper()
    saved_name = b"__CONDA_SHLVL_${_coex_level}_" + upper
    line = b'[ -z "${' + name + b'+x}" ] || eval "export ' + saved_name + b'=\\"\\$' + name + b'\\""'
    return line + b"\n" + (b"unset " + upper if value is None else b"export " + upper + b"=" + quote(value))


def _variable_line(variable, root):
    # type: (Variable, bytes) -> bytes
    """Export one of the archive's own variables; the scripts see it, and it has this value again after them.

    A default applies if neither the caller nor a package sets the variable.
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


def needed_shell(portable, prefix, environ):
    # type: (Dict[str, int], bytes, Dict[bytes, bytes]) -> Optional[bytes]
    """Return the path of bash if it has to source the activate.d scripts, None if any sh can do it, b"" without bash.

    It does not depend on the caller.
    """
    return None if any_shell_serves(portable, prefix) else find_bash(prefix, environ) or b""


def any_shell_serves(portable, prefix):
    # type: (Dict[str, int], bytes) -> bool
    """Return whether any sh may source the activate.d scripts: people write these in the language of bash.

    `portable` are those that the builder found to mean the same to every shell: sizes by name.
    """
    return all(portable.get(compat.text(os.path.basename(path))) == os.path.getsize(path) for path in scripts(prefix))
