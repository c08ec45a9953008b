"""Read the files of a prefix by which conda activates it: its variables, its scripts, and the languages that it has."""

import os

from ..base import compat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

# Paths in a prefix.
SCRIPTS, VARIABLES, STATE = b"etc/conda/activate.d", b"etc/conda/env_vars.d", b"conda-meta/state"

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
    directory, state = prefix + b"/" + VARIABLES, prefix + b"/" + STATE
    files = [directory + b"/" + entry for entry in shown_names(directory)]
    has_state = os.path.exists(state)
    if not files and not has_state:
        return {}
    from .variable_files import read_variables

    return read_variables(files, state if has_state else None)


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
