"""Make the root of an archive in a store: claim it, unpack, publish, finish; or wait for the process that does that."""

import os
import sys

from ..base import compat
from ..base.errors import CoexError, HostUnfit, StoreUnusable
from ..format.manifest import MANIFEST
from ..store.claim import REFUSALS, Claim
from ..store.directory import Directory, make_new
from ..unpack.decoder import load_decoder
from ..unpack.neighbours import FRAME_LIST, Neighbours
from ..unpack.progress import show_progress
from ..unpack.write_root import unpack
from .finish import Finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Set

    from ..base.trace import Trace
    from ..format.archive import Archive
    from ..format.manifest import Manifest
    from ..store.store import Root


def obtain(archive, root, environ, trace):
    # type: (Archive, Root, Dict[bytes, bytes], Trace) -> None
    """Wait until another process has made the root ready, or do it if none does. Raises CoexError."""
    claim = Claim(root.path)

    def say():
        # type: () -> None
        if os.isatty(2):
            sys.stderr.write("coex: another process is unpacking %s, waiting\n" % compat.one_line(archive.path))
            sys.stderr.flush()

    try:
        for left in reversed(range(REFUSALS)):
            if not claim.wait(root.ready, say) or root.ready_at_server():
                return
            try:
                if prepare(archive, root, claim, environ, trace):
                    return
            except (CoexError, EnvironmentError):
                if claim.held() or not left:
                    raise
        raise StoreUnusable("other files took the place of its root there, each time that it was made")
    except EnvironmentError as error:
        from ..store.refused import unusable

        raise unusable(error, root.store.path)
    finally:
        claim.release()


def prepare(archive, root, claim, environ, trace):
    # type: (Archive, Root, Claim, Dict[bytes, bytes], Trace) -> bool
    """Unpack into a claimed root and finish it in place; return whether this process did that.

    If it did not, or failed, it leaves nothing behind.
    """
    root.clear(claim)
    neighbours = Neighbours(archive, root.path, environ)
    why = root.store.lack(archive.manifest, neighbours.saved())
    if why is not None:
        raise StoreUnusable(why)
    work, directory, done = claim.new_name(b"work"), None, False
    try:
        make_new(work, 0o700)
        directory = Directory(work)
        decoder = load_decoder(archive, work)
        trace.done("claim the root, load zstd")
        progress = show_progress(archive, environ)

        def link(path):
            # type: (bytes) -> Set[int]
            linked = set()  # type: Set[int]
            if neighbours.held:
                from ..unpack.link_frames import FrameLinker

                linked = FrameLinker(neighbours, path).link(claim.beat)
            progress.leave_out(linked)
            trace.done("link %d of %d frames" % (len(linked), len(archive.index.frames)))
            return linked

        try:
            unpack(archive, work, root.path, progress.counted(decoder), progress.beating(claim.beat), link=link)
        except HostUnfit as error:  # a package does not take this path
            raise StoreUnusable(error.what)
        finally:
            progress.stop()
        directory.write(MANIFEST.encode("ascii"), archive.members[MANIFEST])  # `cache` reads it
        directory.write(FRAME_LIST, neighbours.list())
        if not root.publish(work, claim):
            return False
        trace.done("unpack %d files" % len(archive.index.files))
        done = finish(archive.manifest, root, directory, claim, environ, trace)
        return done
    finally:
        if not done:
            root.withdraw(work, directory, claim)
        if directory is not None:
            directory.close()


def finish(manifest, root, directory, claim, environ, trace):
    # type: (Manifest, Root, Directory, Claim, Dict[bytes, bytes], Trace) -> bool
    """Finish the published root; return False if another has taken its place meanwhile."""
    steps = Finish(manifest, root.path, environ, directory.write, claim.beat)
    steps.run_scripts()
    trace.done("post-link scripts")
    steps.compile()
    trace.done("compile")
    steps.write_start()
    trace.done("write the start")
    return directory.is_at(root.path)
