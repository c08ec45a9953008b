"""Put an archive's own variables (`--env`) into `conda-meta/state`, where conda keeps those of an environment."""

import json
import os
from collections import OrderedDict

from ..base.compat import utf8
from ..base.errors import CoexError
from ..base.untrusted import parse_json
from ..start.activate import put_places
from ..start.activation_files import STATE, environment_variables
from ..start.variable_files import load_json, state_variables
from ..store.directory import beside, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

    from ..format.manifest import Variable

    Pairs = List[Tuple[str, str]]

VARIABLES = "env_vars"


def set_variables(directory, variables, prefix, app):
    # type: (bytes, List[Variable], bytes, Optional[bytes]) -> Tuple[Pairs, List[str]]
    """Write an archive's variables as `conda env config vars set` does; return the written ones, and notes for the user.

    `directory` contains the environment that will be at `prefix`, with its app at `app`, if it gets one. conda has no
    defaults: a default is written unless a package or the environment sets its name. Raises CoexError and
    EnvironmentError.
    """
    set_elsewhere = set(name.upper() for name in environment_variables(directory))
    written, notes = [], []  # type: Pairs, List[str]
    for variable in variables:
        name = variable["name"]
        if variable["default"] and utf8(name).upper() in set_elsewhere:
            continue
        value, note = _value(variable, prefix, app)
        if value is not None:
            written.append((name, value))
            note = "is set as %s" % name.upper() if name != name.upper() else None
        if note:
            notes.append("--env %s: by `conda activate` it %s" % (name, note))
    if written:
        _write(directory + b"/" + STATE, written)
    return written, notes


def _value(variable, prefix, app):
    # type: (Variable, bytes, Optional[bytes]) -> Tuple[Optional[str], Optional[str]]
    """Return the value for conda and None, or None and the reason why conda cannot set it."""
    value = utf8(variable["value"])
    if app is None and put_places(value, {b"app": b""}) != value:
        return None, "is not set: it names the application, which --app puts somewhere"
    value = put_places(value, {b"prefix": prefix, b"app": app or b""})
    if b"'" in value:
        return None, "is not set: conda's own commands for a shell break at the ' in it"
    try:
        return value.decode("utf-8"), None
    except UnicodeDecodeError:
        return None, "is not set: it names a path that is not UTF-8"


def _write(path, variables):
    # type: (bytes, Pairs) -> None
    """Add variables to a file of conda, or make it; in ASCII, because conda reads it in the encoding of the locale."""
    state = OrderedDict(load_json(path) if os.path.lexists(path) else ())
    own = OrderedDict(state_variables(state, path))
    own.update(variables)
    state[VARIABLES] = own
    directory = os.path.dirname(path)
    if os.path.islink(directory):
        raise CoexError("is a link, and an environment has a directory there", directory)
    if not os.path.isdir(directory):
        os.mkdir(directory, 0o755)
    document = json.dumps(state, indent=2, separators=(",", ": "))
    write_file(path, utf8(document), new=beside(path))  # PATH.new may be a file of the archive


def differ_only_in(variables, first, second):
    # type: (List[Variable], bytes, bytes) -> bool
    """Return whether two such files differ in nothing but these variables."""
    names = [variable["name"] for variable in variables]
    try:
        return _without(names, parse_json(first)) == _without(names, parse_json(second))
    except ValueError:
        return False


def _without(names, state):
    # type: (List[str], object) -> Dict[str, object]
    """Return the content of such a file without the variables of these names; raises ValueError if it is another file."""
    variables = (state.get(VARIABLES) or {}) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(variables, dict):
        raise ValueError("no variables")
    return dict(state, **{VARIABLES: dict((name, value) for name, value in variables.items() if name not in names)})
