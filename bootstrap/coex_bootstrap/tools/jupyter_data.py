"""Find the directories where Jupyter looks for kernels, and write one there."""

import errno
import json
import os
import re
import sys

from ..base.compat import path_bytes, text, utf8
from ..base.errors import CoexError
from ..base.untrusted import parse_json, read_regular
from ..base.working_directory import absolute
from ..store.directory import beside, write_file
from ..store.trust import distrust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Dict, Mapping, Optional, Text

SPEC = b"kernel.json"
NAME = re.compile(r"(?!\.{1,2}\Z)(?!-)[A-Za-z0-9._-]+\Z")
BESIDE = re.compile(br"(logo-.*|kernel\.(js|css))\Z")  # that Jupyter reads beside it


def data_directory(options, environ):
    # type: (Namespace, Dict[bytes, bytes]) -> bytes
    """Return the data directory of Jupyter that the options name, by the rules of jupyter_core; raises CoexError."""
    if options.prefix:
        return absolute(path_bytes(options.prefix)) + b"/share/jupyter"
    if options.sys_prefix:
        active = environ.get(b"VIRTUAL_ENV") or environ.get(b"CONDA_PREFIX")
        if not active:
            raise CoexError("no environment is active", remedy="activate that of Jupyter, or name it with --prefix")
        return absolute(active) + b"/share/jupyter"
    if environ.get(b"JUPYTER_DATA_DIR"):
        return absolute(environ[b"JUPYTER_DATA_DIR"])
    home = environ.get(b"HOME")
    if sys.platform == "darwin":
        below = b"/Library/Jupyter"
    elif environ.get(b"XDG_DATA_HOME"):
        return absolute(environ[b"XDG_DATA_HOME"]) + b"/jupyter"
    else:
        below = b"/.local/share/jupyter"
    if not home:
        raise CoexError("HOME is not set, and Jupyter's directory is below it", remedy="name a place with --prefix")
    return absolute(home) + below


def kernel_name(word):
    # type: (str) -> bytes
    """Return the name of a kernel as Jupyter writes it; raises CoexError for a name that it does not read.

    Its commands would take a name that begins with a hyphen for an option.
    """
    if not NAME.match(word):
        remedy = "use letters, digits, -, . and _, and no - at the beginning"
        raise CoexError("Jupyter does not take %s as the name of a kernel" % word, remedy=remedy)
    return utf8(word).lower()


def kernel_directory(kernels, name):
    # type: (bytes, bytes) -> bytes
    """Return the directory of a kernel of this name: Jupyter takes one whose name has other cases for the same kernel."""
    try:
        there = [entry for entry in sorted(os.listdir(kernels)) if entry.lower() == name]
    except EnvironmentError:  # it is not there yet
        there = []
    return kernels + b"/" + (name if name in there or not there else there[0])


def openness(directory, is_named):
    # type: (bytes, bool) -> Optional[str]
    """Return why other users can change the kernel in a directory; None if they cannot. `is_named`: the user trusts its owner."""
    try:
        return distrust(directory, is_named)
    except EnvironmentError as error:
        return error.strerror or str(error)


def name_from(word):
    # type: (str) -> bytes
    """Return a name for a kernel that is like this word."""
    name = re.sub(u"[^A-Za-z0-9._-]+", u"-", word).strip("-")
    return kernel_name(name) if NAME.match(name) else b"coex"


def started_by(directory):
    # type: (bytes) -> Optional[Text]
    """Return the program that the kernel in a directory starts, empty if it cannot be read; None if there is no kernel."""
    try:
        spec = parse_json(read_regular(directory + b"/" + SPEC) or b"")
    except EnvironmentError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise CoexError(error.strerror or str(error), directory + b"/" + SPEC)
    except ValueError:
        return u""
    words = spec.get("argv") if isinstance(spec, dict) else None
    return words[0] if isinstance(words, list) and words and isinstance(words[0], type(u"")) else u""


def write_kernel(directory, spec, files):
    # type: (bytes, Mapping[str, object], Mapping[bytes, bytes]) -> None
    """Write a kernel into a directory, in the place of an earlier one; Jupyter sees the old one or the new one.

    Each file is renamed into its place, `kernel.json` last: a file may be a hard link to that of a package's cache.
    Files that are not of a kernel stay. A link, as by `jupyter kernelspec install --symlink`, is replaced by a
    directory: the files behind it are those of others. Raises CoexError.
    """
    document = json.dumps(spec, indent=1, separators=(",", ": ")) + "\n"
    try:
        if os.path.islink(directory):
            os.unlink(directory)
        make_directory(directory)
        for name in sorted(files):
            _write(directory + b"/" + name, files[name])
        _write(directory + b"/" + SPEC, utf8(document))
        for name in os.listdir(directory):
            if BESIDE.match(name) and name not in files:
                _unlink(directory + b"/" + name)
    except EnvironmentError as error:
        raise CoexError("the kernel cannot be written: %s" % (error.strerror or error), directory)


def make_directory(path):
    # type: (bytes) -> None
    """Make a directory, and those above it, to which no other user may write, under any umask. Raises EnvironmentError."""
    if not os.path.isdir(path):
        umask = os.umask(0)
        os.umask(umask | 0o022)
        try:
            os.makedirs(path)
        except EnvironmentError as error:
            if error.errno != errno.EEXIST or not os.path.isdir(path):  # another process made it meanwhile
                raise
        finally:
            os.umask(umask)


def _write(path, content):
    # type: (bytes, bytes) -> None
    write_file(path, content, new=beside(path))


def _unlink(path):
    # type: (bytes) -> None
    try:
        os.unlink(path)
    except EnvironmentError:  # a directory, which Jupyter does not read; or another process did it
        pass


def refuse_other(directory, archive):
    # type: (bytes, bytes) -> None
    """Raise CoexError if a directory has a kernel that starts something else than this archive, or is a link."""
    if os.path.islink(directory):
        what = "there is a link of this name"
    else:
        program = started_by(directory)
        if program is None or program == text(archive):
            return
        what = "there is a kernel of this name" + (", which starts %s" % program if program else "")
    raise CoexError(what, directory, "choose another one with --name, or replace it with --force")
