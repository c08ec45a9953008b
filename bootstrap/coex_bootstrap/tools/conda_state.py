"""Put an archive's own variables (`--env`) into `conda-meta/state`, where conda keeps those of an environment."""

import json
import os
from collections import OrderedDict

from ..base.compat import utf8
from ..base.errors import CoexError
from ..base.untrusted import parse_json
from ..start.activate import environment_variables, load_json, put_places, state_variables
from ..store.directory import beside, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Variables = List[Tuple[str, str]]

STATE = b"conda-meta/state"
VARIABLES = "env_vars"


def set_variables(directory, baked, prefix, app):
    # type: (bytes, List[Dict[str, Any]], bytes, Optional[bytes]) -> Tuple[Variables, List[str]]
    """Write variables as `conda env config vars set` does; return those that conda sets, and notes for the user.

    `directory` holds the environment that is to be at `prefix`, with its app at `app`, where that is wanted.
    conda knows no defaults: one is set where neither a package nor the environment sets that name.
    """
    known = set(name.upper() for name in environment_variables(directory))
    found, notes = [], []  # type: Variables, List[str]
    for variable in baked:
        name = variable["name"]
        if variable["default"] and utf8(name).upper() in known:
            continue
        value, why = _value(variable, prefix, app)
        if value is not None:
            found.append((name, value))
            why = "is set as %s" % name.upper() if name != name.upper() else None
        if why:
            notes.append("--env %s: by `conda activate` it %s" % (name, why))
    if found:
        _write(directory + b"/" + STATE, found)
    return found, notes


def _value(variable, prefix, app):
    # type: (Dict[str, Any], bytes, Optional[bytes]) -> Tuple[Optional[str], Optional[str]]
    """Return the value for conda, or None and what it cannot do."""
    value = utf8(variable["value"])
    if app is None and put_places(value, {b"app": b""}) != value:
        return None, "is not set: it names the application, which --app puts somewhere"
    value = put_places(value, {b"prefix": prefix, b"app": app or b""})
    if b"'" in value:
        return None, "is not set: conda's own commands for a shell break at the ' in it"
    try:
        return value.decode("utf-8"), None
    except UnicodeDecodeError:
        return None, "is not set: it names a path that is no UTF-8"


def _write(path, variables):
    # type: (bytes, Variables) -> None
    """Add to what a file of conda's has, if it is there; in ASCII, because conda reads it in the locale's encoding."""
    state = load_json(path) if os.path.lexists(path) else OrderedDict()  # type: Any
    state[VARIABLES] = OrderedDict(list(state_variables(state, path).items()) + variables)
    directory = os.path.dirname(path)
    if os.path.islink(directory):
        raise CoexError("is a link, where an environment has a directory", directory)
    if not os.path.isdir(directory):
        os.mkdir(directory, 0o755)
    document = json.dumps(state, indent=2, separators=(",", ": "))
    write_file(path, utf8(document), new=beside(path))  # PATH.new may be a file of the archive


def same_but_for(variables, old, new):
    # type: (List[Dict[str, Any]], bytes, bytes) -> bool
    """Return whether two such files say the same of everything but these variables."""
    names = [variable["name"] for variable in variables]
    try:
        first, second = [_without(names, parse_json(data)) for data in (old, new)]
    except (ValueError, TypeError, AttributeError):
        return False
    return bool(first == second)


def _without(names, state):
    # type: (List[str], Dict[str, Any]) -> Dict[str, Any]
    kept = dict((name, value) for name, value in (state.get(VARIABLES) or {}).items() if name not in names)
    return dict(state, **{VARIABLES: kept})
