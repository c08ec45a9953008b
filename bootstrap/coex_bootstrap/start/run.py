"""Run an archive: the numbered flow of the architecture page, and the only place that knows its order.

The archive may be moved or removed while it is unpacked: its modules are in memory from the beginning on. To compile
one takes a start a millisecond, so that functions import the modules that few starts need, or only first ones.
"""

import sys

from ..base import compat
from ..base.errors import STATUS, CoexError, StoreDisturbed, StoreUnusable
from ..base.process import Interrupted, Process
from ..base.trace import Trace
from ..format.archive import Archive
from ..store.boot import in_doubt, keep
from ..store.ladder import find_ready, passed_over, reason, stores
from .host import check_host
from .launch import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    from ..store.unpacked_python import UnpackedPython
    from ..store.store import Root, Store


def main(path, arguments):
    # type: (bytes, List[bytes]) -> int
    """Start the archive at `path`; returns only if that failed, with the exit status."""
    process, python = Process(), None
    if compat.UNPACKED_TO:
        from ..store.unpacked_python import UnpackedPython

        python = UnpackedPython()
    try:
        try:
            run(path, arguments, compat.environ_bytes(), process, python)
        finally:
            if python is not None:
                python.end()
    except CoexError as error:
        sys.stderr.write("coex: %s\n" % error)
    except Interrupted as interrupted:
        process.end(interrupted)
    return STATUS


def ignore(store):
    # type: (Store) -> None
    """Do nothing with a store."""


def run(path, arguments, environ, process, python=None):
    # type: (bytes, List[bytes], Dict[bytes, bytes], Process, Optional[UnpackedPython]) -> None
    """Find or make the root of an archive, then become its entry point; `python` is of the archive, if it runs this."""
    trace = Trace(environ)
    archive = Archive(path)
    trace.done("open the archive")
    if sys.platform == "darwin":
        from .rosetta import continue_in, find_native_python

        native = find_native_python(archive.manifest.platform)
        if native is not None:
            archive.close()
            process.give_back()
            continue_in(native, path, arguments, environ)
    check_host(archive.manifest)
    trace.done("check the host")
    places = stores(environ)
    root = ready_root(places, archive, environ, trace, ignore if python is None else python.keep)
    archive.close()
    if python is not None:
        python.keep(root.store)
        python.end(root.store)
        trace.done("keep the Python of the archive")
    trace.total()
    process.give_back()
    start(root.path, path, arguments, environ)


def ready_root(places, archive, environ, trace, chosen=ignore):
    # type: (List[Store], Archive, Dict[bytes, bytes], Trace, Callable[[Store], None]) -> Root
    """Return a root that is ready, found or made; one of an earlier boot is looked at once.

    `chosen` is called with each store that can have the root, before anything is unpacked there.
    """
    root = find_ready(places, archive.manifest)
    lost = False
    if root is not None and in_doubt(root.path):
        from .survived import is_lost

        lost = is_lost(archive, root.path)
        trace.done("look at a root of an earlier boot")
    if root is not None:
        trace.say("place %s: %s" % (compat.one_line(root.store.path), reason(places, root.store)))
    if root is None or lost:
        root = make_ready(places, archive, environ, trace, chosen)
        if lost:
            keep_if_there(root.path)  # otherwise two hosts that boot in turns would make it again each time
    return root


def keep_if_there(path):
    # type: (bytes) -> None
    """Write a root to the disk; another process may have removed it meanwhile."""
    try:
        keep(path)
    except EnvironmentError:
        pass


def make_ready(places, archive, environ, trace, chosen=ignore):
    # type: (List[Store], Archive, Dict[bytes, bytes], Trace, Callable[[Store], None]) -> Root
    """Return a root that is ready in the first place that can hold it; raises StoreUnusable with the reason for each."""
    refused = []  # type: List[str]

    def begin(store):
        # type: (Store) -> None
        chosen(store)
        say_place(places, store, refused, environ, trace)

    for store in places:
        for last in (False, True):
            try:
                return make_in(store, archive, environ, trace, begin)
            except StoreUnusable as error:
                why = "%s: %s" % (compat.one_line(store.path), error.what)
                if last or not isinstance(error, StoreDisturbed):
                    refused.append(why)
                    break
                trace.say("once more in " + why)
    from ..store.refused import no_place

    raise no_place(places, refused)


def make_in(store, archive, environ, trace, begin):
    # type: (Store, Archive, Dict[bytes, bytes], Trace, Callable[[Store], None]) -> Root
    """Return a root that is ready in a store; raises StoreUnusable. `begin` is called if the store can have it."""
    from .new_root import obtain

    why = store.refusal(archive.manifest)
    if why is not None:
        raise StoreUnusable(why)
    begin(store)
    root = store.root(archive.manifest)
    obtain(archive, root, environ, trace)
    return root


def say_place(places, store, refused, environ, trace):
    # type: (List[Store], Store, List[str], Dict[bytes, bytes], Trace) -> None
    """Say on a terminal that another place than the first choice was taken, and why; with COEX_TRACE in any case."""
    from ..unpack.progress import is_wanted

    path = compat.one_line(store.path)
    trace.say("place %s: %s" % (path, reason(places, store, refused)))
    others = passed_over(places, store, refused)
    if others and is_wanted(environ):
        sys.stderr.write("coex: unpacking in %s; passed over: %s\n" % (path, "; ".join(others)))
        sys.stderr.flush()
