"""Unpack an archive to stay: as an environment at a path of the user's choice, or into a store for many."""

import os
from binascii import hexlify
from contextlib import closing

from . import run
from .activate import write_activation
from .archive import Archive
from .claim import gone, this_host, this_process
from .compat import native, path_bytes, text
from .contents import load_decoder
from .errors import CoexError, Misuse, StoreUnusable
from .host import check_host
from .leftovers import remove
from .post_link import compile_sources, run_post_link
from .report import Outcome, counted, quoted, shown
from .shell import write_file
from .state import set_variables
from .store import TAG, Store, find_ready, make_store
from .trace import Trace
from .unpack import unpack
from .verb import Verb
from .working_directory import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional

ABOUT = """\
With --prefix, an ordinary conda environment: `conda activate PREFIX`, `conda install -p PREFIX` and the others work
on it, and it needs the archive no more. Post-link scripts run in it. PREFIX must not be there yet, or be empty; it is
made beside its place and renamed, so it is whole or not there. --app puts the files of the application beside it.
The archive's own variables (--env) become variables of the environment, as `conda env config vars set` makes them.

With --store, a root as a start makes it, in a store that may be read-only from then on: whoever has COEX_ROOT=DIR in
the environment starts the archive from there.

examples:
  CALL -p ~/envs/tool
  CALL -p /opt/tool/env --app /opt/tool/app
  CALL --store /shared/coex
"""
MARK = b".coex-"
UNFINISHED = b"/unfinished"  # in the work directory: which directory is an environment only when that is gone


def configure(parser):
    # type: (Any) -> None
    parser.add_argument("-p", "--prefix", metavar="PREFIX", help="where the environment is to be")
    parser.add_argument("--app", metavar="DIR", help="where the files of the application are to be, with --prefix")
    parser.add_argument("--store", metavar="DIR", help="the store that is to have the root of this archive")


def execute(path, options, environ):
    # type: (bytes, Any, Dict[bytes, bytes]) -> Outcome
    """Unpack the archive at `path`; where that fails, nothing of it is left."""
    if bool(options.prefix) == bool(options.store):
        raise Misuse("say where to unpack: -p PREFIX or --store DIR")
    if options.app and not options.prefix:
        raise Misuse("--app goes with -p PREFIX")
    with closing(Archive(path)) as archive:
        check_host(archive.manifest)
        if options.store:
            return _into_store(archive, absolute(path_bytes(options.store)), environ)
        prefix = absolute(path_bytes(options.prefix))
        app = absolute(path_bytes(options.app)) if options.app else None
        for left in _left_behind(prefix):
            _remove_unfinished(left, prefix)
        _check_targets(archive, prefix, app)
        environment = Environment(archive, prefix, app, environ)
        try:
            environment.make()
        except StoreUnusable as error:
            raise CoexError(error.what, prefix)
        except EnvironmentError as error:
            raise CoexError("cannot be made: %s" % (error.strerror or error), prefix)
        count = counted(len(archive.index.files), "file")
    lines = ["%s: an environment of %s; conda activate %s" % (shown(prefix), count, quoted(shown(prefix)))]
    fields = {"archive": text(path), "prefix": text(prefix), "app": text(app) if app else None}  # type: Dict[str, Any]
    fields.update(env=dict(environment.variables), notes=environment.notes)
    return Outcome(fields, lines + ["  note: " + note for note in environment.notes], 0)


def _into_store(archive, path, environ):
    # type: (Archive, bytes, Dict[bytes, bytes]) -> Outcome
    made = not os.path.isdir(path)
    try:
        if made:
            make_store(path)
            os.chmod(path, 0o755)  # for all who are to read it, whatever the umask
        places = [Store(path, explicit=True)]
        root = find_ready(places, archive.manifest) or run.make_ready(places, archive, environ, Trace(environ))
    except BaseException as error:
        if made and os.path.isdir(path) and os.listdir(path) == [TAG]:
            remove(path)
        if isinstance(error, EnvironmentError):
            raise CoexError("cannot be a store: %s" % error.strerror, path)
        raise
    lines = ["%s: ready; COEX_ROOT=%s starts it" % (shown(root.path), shown(path))]
    return Outcome({"archive": text(archive.path), "store": text(path), "root": text(root.path)}, lines, 0)


def _check_targets(archive, prefix, app):
    # type: (Archive, bytes, Optional[bytes]) -> None
    """Refuse what can be seen to be wrong before any work."""
    limit = archive.manifest.prefix_limit
    if limit is not None and len(prefix) > limit:
        raise CoexError("its path has %d bytes, the packages allow %d" % (len(prefix), limit), prefix)
    if b"\n" in prefix or b":" in prefix:
        raise CoexError("its path has a newline or a colon, which PATH cannot hold", prefix)
    for target in [prefix] + ([app] if app else []):
        if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target) or os.listdir(target)):
            raise CoexError("is there already, and not an empty directory", target, "name another place")
        if not os.path.isdir(os.path.dirname(target)):
            raise CoexError("the directory that it is to be in does not exist", target)
    if app and (app + b"/").startswith(prefix + b"/") or app and (prefix + b"/").startswith(app + b"/"):
        raise CoexError("the application and the environment cannot be in each other", app)
    why = Store(os.path.dirname(prefix)).lack(archive.manifest)
    if why:
        raise CoexError(why, prefix)


class Environment(object):
    """An environment that is made at `prefix`, and the app of it at `app`."""

    def __init__(self, archive, prefix, app, environ):
        # type: (Archive, bytes, Optional[bytes], Dict[bytes, bytes]) -> None
        self.archive, self.prefix, self.app, self.environ = archive, prefix, app, environ
        self.placed = []  # type: List[bytes]
        self.works = [_new_name(prefix)]
        self.variables, self.notes = [], []  # type: List[Any], List[str]

    def make(self):
        # type: () -> None
        """Unpack beside the place, rename, and run what has to run in it."""
        work, manifest = self.works[0], self.archive.manifest
        done = False
        try:
            os.mkdir(work, 0o700)
            unpack(self.archive, work, work, load_decoder(self.archive), prefix=self.prefix)
            self.variables, self.notes = set_variables(work + b"/prefix", manifest.env, self.prefix, self.app)
            write_file(work + UNFINISHED, _identity(work + b"/prefix"))
            self._place(work + b"/prefix", self.prefix)
            run_post_link(manifest, work, self.environ, self._activation, prefix=self.prefix)
            compile_sources(manifest, work, self.environ, prefix=self.prefix)
            if self.app:
                self._place_app(work + b"/app", self.app)
            done = True
        finally:
            for path in self.works + ([] if done else self.placed):
                remove(path)

    def _activation(self, work):
        # type: (bytes) -> bytes
        return write_activation(work, write_file, prefix=self.prefix)

    def _place(self, path, target):
        # type: (bytes, bytes) -> None
        os.rename(path, target)  # over nothing, or an empty directory
        self.placed.append(target)

    def _place_app(self, path, target):
        # type: (bytes, bytes) -> None
        """Move the app where it is to be, which may be in another file system."""
        if os.stat(path).st_dev != os.stat(os.path.dirname(target)).st_dev:
            import shutil

            work = _new_name(target)
            self.works.append(work)
            shutil.copytree(native(path), native(work), symlinks=True)
            path = work
        self._place(path, target)


def _new_name(target):
    # type: (bytes) -> bytes
    """Return a path beside a target that no other process uses, and by which a dead one's is known."""
    directory, name = os.path.split(target)
    return directory + b"/." + name + MARK + this_process() + b"-" + hexlify(os.urandom(8))


def _identity(path):
    # type: (bytes) -> bytes
    state = os.stat(path)
    return ("%d %d" % (state.st_dev, state.st_ino)).encode("ascii")


def _remove_unfinished(left, prefix):
    # type: (bytes, bytes) -> None
    """Remove what a process that was killed left, with the environment where its scripts had not all run."""
    try:
        with open(left + UNFINISHED, "rb") as stream:
            if stream.read() == _identity(prefix):
                remove(prefix)
    except EnvironmentError:
        pass
    remove(left)


def _left_behind(target):
    # type: (bytes) -> Iterator[bytes]
    """Yield what processes that were killed left beside a target."""
    directory, name = os.path.split(target)
    start = b"." + name + MARK
    for entry in sorted(os.listdir(directory)) if os.access(directory, os.R_OK) else ():
        if entry.startswith(start) and gone(entry[len(start) :], this_host()):
            yield directory + b"/" + entry


VERB = Verb("unpack", "Unpack to stay: an ordinary environment, or a root in a shared store.", ABOUT, configure, execute)
