"""A small archive, the questions that its verbs answer, and the root that it makes."""

import json
import os
import subprocess
import sys

from coex_bootstrap.base import compat
from coex_bootstrap.start import run
from coex_bootstrap.tools import command_line

from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, write_archive
from unit.coex_bootstrap.copies import run_copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

PYTHON = compat.path_bytes(sys.executable)
SCRIPT = b"#!/bin/sh\necho " + PLACEHOLDER + b"/share\n"
RECORD = b'{"name": "demo", "files": ["bin/demo", "share/plain"]}'
CONTENT = SCRIPT + b"plain\n" + RECORD


def demo_index():
    # type: () -> Any
    start = len(SCRIPT)
    return make_index([
        file_row(b"prefix/bin/demo", 0, 0, start, b"t:0:0=15", mode=0o755),
        file_row(b"prefix/share/plain", 0, start, 6),
        file_row(b"prefix/conda-meta/demo-1-0.json", 0, start + 6, len(RECORD)),
    ])


def write_demo(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Write the archive into a directory, in which `environ` names a store; return its path."""
    environ[b"COEX_ROOT"] = place + b"/store"
    package = {"name": "demo", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 3}
    write_archive(place + b"/demo.coex", demo_index(), [CONTENT], packages=[package])
    return place + b"/demo.coex"


def asking(environ):
    # type: (Dict[bytes, bytes]) -> Dict[bytes, bytes]
    found = dict(environ)
    found[b"COEX_TOOLS"] = b"1"
    return found


def ask(archive, environ, *words):
    # type: (bytes, Dict[bytes, bytes], *bytes) -> Tuple[int, Any, bytes]
    """Return status, document and stderr of a verb with --json, run in a copy of this process."""
    status, out, error = run_copy(environ, lambda: command_line.main(archive, list(words) + [b"--json"]))
    return status, json.loads(out.decode("utf-8")), error


def ask_python(archive, environ, *words):
    # type: (bytes, Dict[bytes, bytes], *bytes) -> Tuple[int, Any, bytes]
    """Return the same, run by a Python that loads the code of the archive itself."""
    command = [PYTHON, archive] + list(words) + [b"--json"]
    process = subprocess.Popen(command, env=asking(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, error = process.communicate()
    return process.returncode, json.loads(out.decode("utf-8")), error


def start(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Start the archive in a copy of this process; return its root."""
    status, _, error = run_copy(environ, lambda: run.main(archive, []))
    assert (status, error) == (0, b"")
    (root,) = [name for name in os.listdir(environ[b"COEX_ROOT"]) if len(name) == 24]
    return environ[b"COEX_ROOT"] + b"/" + root


def tree(root):
    # type: (bytes) -> Dict[bytes, Any]
    """Return kind, mode and content of the files in a root, by path; without the file whose time is that of the last start."""
    found = {}
    for directory, below, names in os.walk(root):
        for name in below + names:
            path = directory + b"/" + name
            content = os.readlink(path) if os.path.islink(path) else read(path) if os.path.isfile(path) else b""
            found[path[len(root) :]] = (os.lstat(path).st_mode, content)
    found.pop(b"/used", None)
    return found
