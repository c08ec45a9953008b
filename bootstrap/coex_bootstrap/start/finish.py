"""Finish an unpacked root in its final place: post-link scripts, compiled Python, activation, start, in this order."""

import sys

from ..base.pipes import nothing
from ..store.directory import write_file
from .activate import needed_shell, write_activation
from .launch import write_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Sequence

    from ..format.manifest import Manifest, PostLink


class Finish(object):
    """The steps for the unpacked root at `path`: `run_scripts`, `compile`, `write_start`.

    An environment at another place, `prefix`, gets no start, and its variables are conda's. `write` writes a file
    under another name and renames it, `beat` is called every few seconds.
    """

    def __init__(self, manifest, path, environ, write=write_file, beat=nothing, prefix=None):
        # type: (Manifest, bytes, Dict[bytes, bytes], Callable[[bytes, bytes], None], Callable[[], None], Optional[bytes]) -> None
        self.manifest, self.path, self.environ = manifest, path, environ
        self.write, self.beat, self.prefix = write, beat, prefix

    def run_scripts(self, scripts=None):
        # type: (Optional[Sequence[PostLink]]) -> None
        """Run all post-link scripts, or some; raises ScriptFailed with the output of the one that failed."""
        manifest = self.manifest if scripts is None else self.manifest.replace(post_link=scripts)
        if not manifest.post_link:
            return
        from .post_link import run_post_link

        run_post_link(manifest, self.path, self.environ, self.write_activation, self.beat, self.prefix)

    def compile(self):
        # type: () -> None
        """Compile the Python sources that the builder could not compile."""
        if not self.manifest.compile:
            return
        from .post_link import compile_sources

        compile_sources(self.manifest, self.path, self.environ, self.beat, self.prefix, self.write)

    def write_activation(self, path, write=None):
        # type: (bytes, Optional[Callable[[bytes, bytes], None]]) -> bytes
        """Write `activate.sh` of the root at `path` as its prefix is now, and return the file's path."""
        if self.prefix is not None:
            return write_activation(path, write or self.write, prefix=self.prefix)
        return write_activation(path, write or self.write, self.manifest.env, keep=self.manifest.kept_variables)

    def write_start(self):
        # type: () -> None
        """Write activation and `start`: the root is ready from then on."""
        path = self.write_activation(self.path)
        shell = needed_shell(self.manifest.portable, self.path + b"/prefix", self.environ)
        if shell == b"":
            sys.stderr.write("coex: note: this host has no bash, which activation scripts are for; sh runs them\n")
        write_start(self.manifest, self.path, path, shell, self.write)
