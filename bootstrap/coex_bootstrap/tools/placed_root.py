"""Make a root that stays at a place of the user's choice, and starts without its archive."""

import os

from ..base.pipes import nothing
from ..start.activate import needed_shell
from ..start.finish import Finish
from ..start.placed import write_placed
from ..store.boot import sync
from ..store.destination import Destination, mark_unfinished
from ..unpack.decoder import load_decoder
from ..unpack.progress import show_progress
from ..unpack.write_root import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional

    from ..format.archive import Archive


class PlacedRoot(object):
    """A root that is made at `path`."""

    def __init__(self, archive, path, environ):
        # type: (Archive, bytes, Dict[bytes, bytes]) -> None
        self.archive, self.path, self.environ = archive, path, environ
        self.prefix = path + b"/prefix"

    def make(self):
        # type: () -> None
        """Unpack, rename to the destination, finish it there; if that fails, nothing is left."""
        at, manifest, done = Destination(self.path), self.archive.manifest, False
        work = at.new_work()
        try:
            os.mkdir(work, 0o700)
            made = work + b"/root"
            os.mkdir(made)
            os.chmod(made, 0o755)
            unpack_shown(self.archive, made, self.path, self.environ)
            mark_unfinished(work, [at.identity(made)])
            at.place(made)
            steps = Finish(manifest, self.path, self.environ)
            steps.run_scripts()
            steps.compile()
            write_placed(manifest, self.path, needed_shell(manifest.portable, self.prefix, self.environ))
            sync(self.path)
            done = True
        finally:
            if not done:
                at.withdraw()
            at.remove_works()


def unpack_shown(archive, work, root, environ, prefix=None):
    # type: (Archive, bytes, bytes, Dict[bytes, bytes], Optional[bytes]) -> None
    """Unpack into a work directory with the progress on a terminal, for the places that `unpack` takes."""
    decoder, progress = load_decoder(archive), show_progress(archive, environ)
    try:
        unpack(archive, work, root, progress.counted(decoder), progress.beating(nothing), prefix=prefix)
    finally:
        progress.stop()
