"""Run an archive: the numbered flow of the README, and the only place that knows its order."""

import os
import signal
import sys

from . import compat
from .activate import needed_shell, write_activation
from .archive import Archive
from .errors import STATUS, CoexError
from .format import LIBZSTD
from .host import check_host
from .launch import start, write_start
from .post_link import compile_sources, run_post_link
from .store import choose, find_ready, remove, stores
from .trace import Trace
from .unpack import unpack
from .zstd import open_decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from .store import Root


class Interrupted(KeyboardInterrupt):
    """A signal that ends this process asked for its end; what was half made is removed first."""


def main(path, arguments):
    # type: (bytes, List[bytes]) -> int
    """Start the archive at `path`; returns only where that failed, with the status to end with."""
    caught = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name)
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            caught[number] = signal.signal(number, _interrupt)
    try:
        run(path, arguments, compat.environ_bytes())
    except CoexError as error:
        sys.stderr.write("coex: %s\n" % error)
    except Interrupted as interrupted:
        signal.signal(interrupted.args[0], signal.SIG_DFL)
        os.kill(os.getpid(), interrupted.args[0])
    return STATUS


def _interrupt(number, frame):
    # type: (int, object) -> None
    raise Interrupted(number)


def run(path, arguments, environ):
    # type: (bytes, List[bytes], Dict[bytes, bytes]) -> None
    """Find or make the root of an archive, then become its entry point."""
    trace = Trace(environ)
    archive = Archive(path)
    trace.done("open the archive")
    check_host(archive.manifest)
    trace.done("check the host")
    places = stores(environ)
    root = find_ready(places, archive.manifest)
    if root is None:
        root = choose(places, archive.manifest)
        root.claim()
        if not root.ready():
            prepare(archive, root, environ, trace)
        root.release()
    archive.close()
    trace.total()
    start(root.path, path, arguments, environ)


def prepare(archive, root, environ, trace):
    # type: (Archive, Root, Dict[bytes, bytes], Trace) -> None
    """Unpack into a claimed root and finish it in place; where that fails, nothing of it is left."""
    work = root.work_directory()
    try:
        decoder = open_decoder(write_library(archive, work))
        trace.done("claim the root, load zstd")
        files = len(archive.index.files)
        trace.done("read the index")
        unpack(archive, work, root.path, decoder)
        remove_library(work)
        root.publish(work)
        trace.done("unpack %d files" % files)
        run_post_link(archive.manifest, root.path, environ, write_activation)
        trace.done("post-link scripts")
        compile_sources(archive.manifest, root.path, environ)
        trace.done("compile")
        activation = write_activation(root.path)
        write_start(archive.manifest, root.path, activation, needed_shell(activation, root.path, environ))
        trace.done("write the start")
    except BaseException:
        remove(work)
        remove(root.path)
        raise


def write_library(archive, work):
    # type: (Archive, bytes) -> Optional[bytes]
    """Write the libzstd that the archive carries where it can be loaded from; None where it carries none."""
    if LIBZSTD not in archive.members:
        return None
    path = work + b"/libzstd.so"
    with open(path, "wb") as stream:
        stream.write(archive.members[LIBZSTD])
    return path


def remove_library(work):
    # type: (bytes) -> None
    """Remove the libzstd again: it is mapped, and needed once."""
    if os.path.exists(work + b"/libzstd.so"):
        os.unlink(work + b"/libzstd.so")
