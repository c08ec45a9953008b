"""Read the files of conda with variables of an environment: JSON that a package or the user wrote."""

from ..base import compat
from ..base.errors import CoexError
from ..base.untrusted import parse_json, read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

UNSET = "***unset***"  # conda's mark of a variable that is switched off
# Variables of an environment that a start ignores: they belong to the archive, or a shell ends if they are set.
UNSETTABLE = "PATH|COEX_(?:FILE|PREFIX|APP)|PPID|E?UID|(?:BASH|SHELL)OPTS|BASH_VERSINFO"


def read_variables(files, state):
    # type: (List[bytes], Optional[bytes]) -> Dict[bytes, Optional[bytes]]
    """Return the variables of these files, in order, and of the file `state`, which win; raises CoexError."""
    import re

    variables = {}  # type: Dict[str, object]
    for path in files:
        variables.update(load_json(path))
    if state is not None:
        variables.update(state_variables(load_json(state), state))
    return dict(
        (compat.utf8(name), None if value is None else _text(value))
        for name, value in variables.items()
        if value != UNSET and not re.match("(?:%s)\\Z" % UNSETTABLE, name.upper()) and re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", name)
    )


def _text(value):
    # type: (object) -> bytes
    return compat.utf8(value if isinstance(value, type(u"")) else str(value))


def load_json(path):
    # type: (bytes) -> Dict[str, object]
    """Return the variables in one of conda's files, in its order; raises CoexError. A package may make it a device."""
    try:
        data = read_regular(path)
    except EnvironmentError as error:
        raise CoexError("cannot be read as variables of the environment: %s" % error.strerror, path)
    if data is None:
        raise CoexError("cannot be read as variables of the environment: it is not a regular file", path)
    return parse_variables(data, path)


def parse_variables(data, path):
    # type: (bytes, bytes) -> Dict[str, object]
    """Return the JSON object in `data`, in its order; raises CoexError, which names the file at `path`."""
    import json
    from collections import OrderedDict

    try:
        variables = parse_json(data, pairs=OrderedDict)
        if not isinstance(variables, OrderedDict):
            raise ValueError("no mapping")
        compat.utf8(json.dumps(variables, ensure_ascii=False))  # raises for half of a surrogate pair
        return variables
    except (ValueError, TypeError) as error:
        raise CoexError("cannot be read as variables of the environment: %s" % error, path)


def state_variables(state, path):
    # type: (Dict[str, object], bytes) -> Dict[str, object]
    """Return the variables in `conda-meta/state`; raises CoexError."""
    variables = state.get("env_vars") or {}
    if not isinstance(variables, dict):
        raise CoexError("has env_vars that are not a mapping", path)
    return variables
