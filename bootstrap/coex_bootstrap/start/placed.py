"""Write the files that start a root without its archive, at one place: in a container image, for example."""

import os

from ..base.compat import utf8
from ..base.shell import OPTIONS, fill, quote
from ..store.boot import START
from ..store.directory import write_file
from .activate import activation_text
from .launch import BEGIN, start_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

    from ..format.manifest import Manifest

RUN = b"bin"  # the directory of the programs, one for each entry point
BOTH = b"run"  # the file that they are links to
TEMPLATE = b"""\
#!/bin/sh
# Runs an entry point of %(root)s: the one that has the name of this file, or the first.
%(options)s
case $0 in /*) _coex_file=$0 ;; *) _coex_file=$PWD/$0 ;; esac
_coex_begun= _coex_start=%(start)s
%(begin)s
"""


def placed_files(manifest, root, shell, seen=None):
    # type: (Manifest, bytes, Optional[bytes], Optional[bytes]) -> Dict[bytes, Tuple[int, bytes]]
    """Return the files beside `prefix` and `app` of the root at `root`: {name: (mode, content)}.

    `shell` is the bash that sources the activation, None if any sh may. The files of the prefix are `seen` elsewhere now.
    """
    activation = activation_text(root, manifest.env, keep=manifest.kept_variables, seen=seen)
    fields = {b"root": quote(root), b"options": OPTIONS, b"start": quote(root + START), b"begin": BEGIN}
    return {
        b"activate.sh": (0o644, activation),
        b"start": (0o644, start_text(manifest, root, root + b"/activate.sh", shell)),
        BOTH: (0o755, fill(TEMPLATE, fields)),
    }


def placed_links(manifest):
    # type: (Manifest) -> List[Tuple[bytes, bytes]]
    """Return (path in the root, target) of the link that runs each entry point; the first is that of the default."""
    return [(RUN + b"/" + utf8(entry["name"]), b"../" + BOTH) for entry in manifest.entry_points]


def write_placed(manifest, root, shell):
    # type: (Manifest, bytes, Optional[bytes]) -> None
    """Write these files and links into the root at `root`; raises EnvironmentError and CoexError."""
    os.mkdir(root + b"/" + RUN)
    os.chmod(root + b"/" + RUN, 0o755)
    for name, (mode, content) in sorted(placed_files(manifest, root, shell).items()):
        write_file(root + b"/" + name, content)
        os.chmod(root + b"/" + name, mode)
    for path, target in sorted(set(placed_links(manifest))):
        os.symlink(target, root + b"/" + path)
