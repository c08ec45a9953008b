"""Read the files of a prefix by which conda activates it: its variables, its scripts, and the languages that it has."""

import os

from ..base import compat
from ..base.errors import CoexError
from ..base.untrusted import parse_json, read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

# Paths in a prefix.
SCRIPTS, VARIABLES, STATE = b"etc/conda/activate.d", b"etc/conda/env_vars.d", b"conda-meta/state"
UNSET = "***unset***"  # conda's mark of a variable that is switched off
# Variables of an environment that a start ignores: they belong to the archive, or a shell ends if they are set.
UNSETTABLE = "PATH|COEX_(?:FILE|PREFIX|APP)|PPID|E?UID|(?:BASH|SHELL)OPTS|BASH_VERSINFO"

# Variables that lead into libraries of the caller: always those of Python; of other languages if the environment has
# them.
REMOVED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
LANGUAGES = (
    ("R", "R_HOME R_LIBS R_LIBS_USER R_LIBS_SITE R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER"),
    ("perl", "PERL5LIB PERLLIB PERL5OPT PERL_LOCAL_LIB_ROOT PERL_MM_OPT PERL_MB_OPT"),
    ("ruby", "RUBYLIB RUBYOPT GEM_HOME GEM_PATH BUNDLE_GEMFILE BUNDLE_PATH"),
    ("node", "NODE_PATH"),
    ("julia", "JULIA_LOAD_PATH JULIA_DEPOT_PATH JULIA_PROJECT"),
    ("lua", "LUA_INIT LUA_PATH LUA_PATH_5_2 LUA_PATH_5_3 LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4"),
    ("tclsh", "TCLLIBPATH TCL_LIBRARY TK_LIBRARY"),
    ("java", "CLASSPATH JAVA_HOME"),
)


def removed(prefix):
    # type: (bytes) -> List[str]
    """Return the caller's variables that an environment does not want: they lead its programs outside."""
    variables = list(REMOVED)
    for program, names in LANGUAGES:
        if os.path.lexists(prefix + b"/bin/" + compat.utf8(program)):
            variables += names.split()
    return variables


def environment_variables(prefix):
    # type: (bytes) -> Dict[bytes, Optional[bytes]]
    """Return the variables of the packages (`env_vars.d`, in order) and of the environment (`state`), which win.

    A null value means unset, as for conda.
    """
    variables = {}  # type: Dict[str, object]
    directory = prefix + b"/" + VARIABLES
    for entry in shown_names(directory):
        variables.update(load_json(directory + b"/" + entry))
    state = prefix + b"/" + STATE
    if os.path.exists(state):
        variables.update(state_variables(load_json(state), state))
    if not variables:
        return {}
    import re

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


def scripts(prefix):
    # type: (bytes) -> List[bytes]
    """Return the activate.d scripts of the prefix in the order in which conda sources them."""
    directory = prefix + b"/" + SCRIPTS
    return [directory + b"/" + name for name in shown_names(directory) if name.endswith(b".sh")]


def shown_names(directory):
    # type: (bytes) -> List[bytes]
    """Return the sorted names in a directory of conda's. Names with a leading dot belong to other programs."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return sorted(name for name in names if not name.startswith(b"."))
