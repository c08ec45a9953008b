"""Run the post-link scripts of a prefix in its final place, once, in link order.

Compile the sources that the builder could not.
"""

import os
import signal

from ..base import compat
from ..base.errors import ScriptFailed
from ..base.pipes import nothing, read_all
from ..base.shell import find_program, quote
from ..base.untrusted import read_regular
from ..store.directory import write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Tuple

    from ..format.manifest import Manifest, PostLink

OF_SHELLS = (b"BASH_ENV", b"BASHOPTS", b"ENV", b"SHELLOPTS")  # variables of the caller that change every shell
ACTIVATED = b"\0activated\0"  # printed between the activation, which may end the shell, and the script
IGNORED = ("SIGPIPE", "SIGXFZ", "SIGXFSZ")  # by Python, 2.7 leaves that to its children
REMEDY = (
    "start it again if the network, or a program of the host, was missing; or build it with `conda coex pack` from an "
    "environment where the script has run"
)

# Runs a command in a session of its own. The command ends whenever this process ends, for any reason: it must not write
# into a prefix that another process is making again. Standard input is a pipe that only this process can close.
GUARD = b"""
exec 3<&0 </dev/null
{ read -r _ <&3; kill -9 0; } >/dev/null 2>&1 &
_coex_guard=$!
"$@" 3<&-
_coex_status=$?
exec >/dev/null 2>&1
kill -9 "$_coex_guard"
exit "$_coex_status"
"""


def run_post_link(manifest, root, environ, activation, beat=nothing, prefix=None):
    # type: (Manifest, bytes, Dict[bytes, bytes], Callable[[bytes], bytes], Callable[[], None], Optional[bytes]) -> None
    """Run the post-link scripts; raises ScriptFailed with the output of the one that failed.

    `activation` writes the activation of the root as it is then, and returns its path: a script may add to it.
    `beat` is called every few seconds.
    """
    for package in manifest.post_link:
        _run_script(package, prefix or root + b"/prefix", environ, activation(root), beat)


def run_guarded(command, environ, directory, beat):
    # type: (List[bytes], Dict[bytes, bytes], Optional[bytes], Callable[[], None]) -> Tuple[int, bytes]
    """Run a command and return its status and output; it and its children end with this process."""
    import subprocess

    def begin():
        # type: () -> None
        os.setsid()
        for name in IGNORED:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.umask(0o022)  # others could write code into the files, and this user would run it

    process = subprocess.Popen(
        [b"/bin/sh", b"-c", GUARD, b"sh"] + command, env=without_options(environ), cwd=directory, preexec_fn=begin,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        output = read_all(process.stdout.fileno(), beat)
        return process.wait(), output
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def without_options(environ):
    # type: (Dict[bytes, bytes]) -> Dict[bytes, bytes]
    """Return an environment in which a shell has its own options, and reads no startup file."""
    return dict((name, value) for name, value in environ.items() if name not in OF_SHELLS)


def _run_script(package, prefix, environ, activation, beat):
    # type: (PostLink, bytes, Dict[bytes, bytes], bytes, Callable[[], None]) -> None
    name = compat.utf8(package["name"])
    script = prefix + b"/bin/." + name + b"-post-link.sh"
    if not os.path.isfile(script):
        return
    shell = find_program(b"bash", environ) or b"/bin/sh"
    variables = dict(environ)
    variables.pop(b"COEX_KEEP", None)  # the changes of a script are for every caller of the archive
    variables.update({
        b"PREFIX": prefix,
        b"ROOT_PREFIX": prefix,
        b"PKG_NAME": name,
        b"PKG_VERSION": compat.utf8(package["version"]),
        b"PKG_BUILDNUM": compat.utf8(str(package["build_number"])),
    })
    # As conda's `core/link.py: run_script`: sourced without arguments, in the activated prefix, from its bin/.
    lines = b". " + quote(activation) + b"\nprintf '\\0activated\\0'\n. " + quote(script)
    status, output = run_guarded([shell, b"-c", lines], variables, prefix + b"/bin", beat)
    messages = _take_messages(prefix)
    if ACTIVATED not in output:
        what = "the post-link script of %s did not run: a script in etc/conda/activate.d ends the shell that reads it"
        raise ScriptFailed(what % package["name"], script, "build it without the package of that script")
    output = output.replace(ACTIVATED, b"", 1)
    if status:
        report = compat.readable((messages + output).rstrip())
        report = "its output was:\n" + report if report else "it printed nothing"
        what = "the post-link script of %s ended with status %d" % (package["name"], status)
        raise ScriptFailed(what, script, REMEDY + "; " + report)
    os.write(2, messages)


def _take_messages(prefix):
    # type: (bytes) -> bytes
    """Return and remove `.messages.txt`, the messages of post-link scripts to the user."""
    path = prefix + b"/.messages.txt"
    try:
        text = read_regular(path)
        os.unlink(path)
    except EnvironmentError:
        return b""
    return text or b""


def compile_sources(manifest, root, environ, beat=nothing, prefix=None, write=write_file):
    # type: (Manifest, bytes, Dict[bytes, bytes], Callable[[], None], Optional[bytes], Callable[[bytes, bytes], None]) -> None
    """Compile the noarch sources whose .pyc the builder could not make, with the environment's own Python.

    Names are relative to the prefix, as conda gives them. A source that does not compile is skipped.
    """
    if not manifest.compile:
        return
    prefix = prefix or root + b"/prefix"
    listing = root + b"/compile.txt"
    write(listing, b"".join(compat.utf8(source) + b"\n" for source in manifest.compile["sources"]))
    python = prefix + b"/" + compat.utf8(manifest.compile["python"])
    command = [python, b"-Wi", b"-m", b"compileall", b"-q", b"-l", b"-i", listing]
    clean_environ = dict((name, value) for name, value in environ.items() if not name.startswith(b"PYTHON"))
    run_guarded(command, clean_environ, prefix, beat)
    os.unlink(listing)
