"""Finish a prefix in its final place: post-link scripts, once, in link order, and sources to compile."""

import os

from . import compat
from .errors import ScriptFailed
from .shell import find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    from .format import Manifest

# conda's `core/link.py: run_script`: sourced by bash in the activated prefix, from its bin/.
RUN = b'. "$1" && cd "$PREFIX/bin" && . "$2"'


def run_post_link(manifest, root, environ, activation):
    # type: (Manifest, bytes, Dict[bytes, bytes], Callable[[bytes], bytes]) -> None
    """Run the post-link scripts; raises ScriptFailed with the output of the one that failed.

    `activation` writes the activation of the root as it is then, and returns its path: a script may add to it.
    """
    for package in manifest.post_link:
        _run_script(package, root, environ, activation(root))


def _run_script(package, root, environ, activation):
    # type: (Dict[str, Any], bytes, Dict[bytes, bytes], bytes) -> None
    import subprocess

    prefix, name = root + b"/prefix", compat.utf8(package["name"])
    script = prefix + b"/bin/." + name + b"-post-link.sh"
    if not os.path.isfile(script):
        return
    shell = find_program(b"bash", environ) or b"/bin/sh"
    variables = dict(environ)
    variables.update({
        b"PREFIX": prefix,
        b"ROOT_PREFIX": prefix,
        b"PKG_NAME": name,
        b"PKG_VERSION": compat.utf8(package["version"]),
        b"PKG_BUILDNUM": compat.utf8(str(package["build_number"])),
    })
    with open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(
            [shell, b"-c", RUN, shell, activation, script],
            env=variables, stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        output = process.communicate()[0]
    messages = _take_messages(prefix)
    if process.returncode:
        said = compat.readable((messages + output).rstrip())
        raise ScriptFailed(
            "the post-link script of %s ended with status %d" % (package["name"], process.returncode),
            script, "its output was:\n" + said,
        )
    os.write(2, messages)


def _take_messages(prefix):
    # type: (bytes) -> bytes
    """Return and remove `.messages.txt`, in which post-link scripts speak to the user."""
    path = prefix + b"/.messages.txt"
    try:
        with open(path, "rb") as stream:
            text = stream.read()
        os.unlink(path)
    except EnvironmentError:
        return b""
    return text


def compile_sources(manifest, root, environ):
    # type: (Manifest, bytes, Dict[bytes, bytes]) -> None
    """Compile the noarch sources whose .pyc the builder could not make, with the environment's own Python.

    Names are relative to the prefix, as conda gives them. A source that does not compile is no error.
    """
    if not manifest.compile:
        return
    import subprocess

    prefix = root + b"/prefix"
    listing = root + b"/compile.txt"
    with open(listing, "wb") as stream:
        stream.write(b"".join(compat.utf8(source) + b"\n" for source in manifest.compile["sources"]))
    python = prefix + b"/" + compat.utf8(manifest.compile["python"])
    command = [python, b"-Wi", b"-m", b"compileall", b"-q", b"-l", b"-i", listing]
    clean = dict((name, value) for name, value in environ.items() if not name.startswith(b"PYTHON"))
    umask = os.umask(0o022)
    try:
        with open(os.devnull, "r+b") as nothing:
            subprocess.call(command, cwd=prefix, env=clean, stdin=nothing, stdout=nothing, stderr=nothing)
    finally:
        os.umask(umask)
    os.unlink(listing)
