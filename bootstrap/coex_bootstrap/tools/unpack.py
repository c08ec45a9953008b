"""Unpack an archive to stay: as an environment at a path of the user's choice, or into a store for many."""

import errno
import os
from contextlib import closing

from ..base.compat import native, path_bytes, text, visible
from ..base.errors import CoexError, HostUnfit, Misuse, StoreUnusable
from ..base.trace import Trace
from ..base.working_directory import absolute
from ..format.archive import Archive
from ..start import run
from ..start.finish import Finish
from ..start.host import check_host, host_platform, is_foreign
from ..start.placed import placed_links
from ..store.boot import keep, sync
from ..store.destination import Destination, mark_unfinished, remove_unfinished
from ..store.leftovers import cannot_be_moved
from ..store.removal import remove
from ..store.store import TAG, Store, make_store
from ..store.trust import distrust
from .conda_state import set_variables
from .output import Outcome, counted, quoted
from .placed_root import PlacedRoot, unpack_shown
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, Iterator, List, Optional, Union

    from ..format.manifest import Manifest
    from .conda_state import Pairs

ABOUT = """\
With --prefix, an ordinary conda environment: `conda activate PREFIX`, `conda install -p PREFIX` and the others work on
it, and it no longer needs the archive. Post-link scripts run in it. PREFIX is a new path or an empty directory. A new
one is made beside its place and renamed, so it is whole or not there. An empty directory, which may be a mount point,
is filled. If the command is killed, run it again: it starts from the beginning. --app puts the files of the application
elsewhere, at another such place. An archive for another platform is unpacked too: its environment can be looked at and
copied, and does not run here. The archive's own variables (--env) become variables of the environment, as `conda env
config vars set` makes them.

With --store, a root as a start makes it, in a store that may be read-only from then on. Users with COEX_ROOT=DIR in the
environment start the archive from there.

With --root, a root that stays in one place and no longer needs the archive, as in a container image. DIR/bin has a
program for each entry point, DIR/prefix the environment, DIR/app the application. DIR is a new path or an empty
directory, as PREFIX.

examples:
  CALL -p ~/envs/tool
  CALL -p /opt/tool/env --app /opt/tool/app
  CALL --store /shared/coex
  CALL --root /opt/tool
"""


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the verb's options."""
    parser.add_argument("-p", "--prefix", metavar="PREFIX", help="where the environment is to be")
    parser.add_argument("--app", metavar="DIR", help="where the files of the application are to be, with --prefix")
    parser.add_argument("--store", metavar="DIR", help="the store that is to have the root of this archive")
    parser.add_argument("--root", metavar="DIR", help="where a root is to be that starts without the archive")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Unpack the archive at `path`; if that fails, nothing is left."""
    if len([place for place in (options.prefix, options.store, options.root) if place]) != 1:
        raise Misuse("say where to unpack: -p PREFIX, --store DIR or --root DIR")
    if options.app and not options.prefix:
        raise Misuse("--app goes with -p PREFIX")
    with closing(Archive(path)) as archive:
        if options.store or options.root or not is_foreign(archive.manifest):
            check_host(archive.manifest)
        if options.store:
            return _into_store(archive, absolute(path_bytes(options.store)), environ)
        if options.root:
            return _as_root(archive, absolute(path_bytes(options.root)), environ)
        prefix = absolute(path_bytes(options.prefix))
        app = absolute(path_bytes(options.app)) if options.app else None
        environment = NewEnvironment(archive, prefix, app, environ)
        _make(environment, prefix, app)
        files = archive.index.files
        of_prefix = sum(files.path(row).startswith(b"prefix/") for row in range(len(files)))
        how = "" if is_foreign(archive.manifest) else "; conda activate " + quoted(visible(prefix))
    lines = ["%s: an environment of %s%s" % (visible(prefix), counted(of_prefix, "file"), how)]
    if app is None and of_prefix < len(files):
        environment.notes.append("the files of the application are left out; --app DIR unpacks them, too")
    fields = {
        "archive": text(path), "prefix": text(prefix), "app": text(app) if app else None,
        "env": dict(environment.variables), "notes": environment.notes,
    }
    return Outcome(fields, lines + ["  note: " + note for note in environment.notes], 0)


def _make(made, target, app=None):
    # type: (Union[NewEnvironment, PlacedRoot], bytes, Optional[bytes]) -> None
    """Make an environment or a root; raises CoexError."""
    try:
        remove_unfinished([target] + ([app] if app else []))
        _check_targets(made.archive, target, made.prefix, app)
        made.make()
    except HostUnfit as error:  # a package does not take that path
        raise CoexError(error.what, target, "name another place")
    except StoreUnusable as error:
        raise CoexError(error.what, target)
    except EnvironmentError as error:
        remedy = "make empty directories there first, which are filled" if cannot_be_moved(error) else None
        raise CoexError("cannot be made: %s" % (error.strerror or error), target, remedy)


def _as_root(archive, path, environ):
    # type: (Archive, bytes, Dict[bytes, bytes]) -> Outcome
    try:
        why = distrust(path, named=True)
    except EnvironmentError as error:
        raise CoexError("cannot be made: %s" % error.strerror, path)
    if why is not None:  # they could replace the programs that others start from it
        raise CoexError("not made there: %s" % why, path)
    _make(PlacedRoot(archive, path, environ), path)
    programs = [path + b"/" + link for link, _ in placed_links(archive.manifest)]
    lines = ["%s: ready; %s starts it" % (visible(path), quoted(visible(programs[0])))]
    fields = {"archive": text(archive.path), "root": text(path), "programs": [text(program) for program in programs]}
    return Outcome(fields, lines, 0)


def _into_store(archive, path, environ):
    # type: (Archive, bytes, Dict[bytes, bytes]) -> Outcome
    made = False
    try:
        made = not os.path.isdir(path) and distrust(path, named=True) is None
        if made:
            make_store(path)
            os.chmod(path, 0o755)  # readable by others, under any umask
        places = [Store(path, explicit=True)]
        root = run.ready_root(places, archive, environ, Trace(environ))
        keep(root.path)
    except BaseException as error:
        if made and os.path.isdir(path) and os.listdir(path) == [TAG]:
            remove(path)
        if isinstance(error, EnvironmentError):
            raise CoexError("cannot be a store: %s" % error.strerror, path)
        raise
    lines = ["%s: ready; COEX_ROOT=%s starts it" % (visible(root.path), quoted(visible(path)))]
    return Outcome({"archive": text(archive.path), "store": text(path), "root": text(root.path)}, lines, 0)


def _check_targets(archive, target, prefix, app):
    # type: (Archive, bytes, bytes, Optional[bytes]) -> None
    """Refuse a wrong destination before any work."""
    limit = archive.manifest.prefix_limit
    if limit is not None and len(prefix) > limit:
        raise CoexError("its path has %d bytes, the packages allow %d" % (len(prefix), limit), prefix)
    if b"\n" in prefix or b":" in prefix:
        raise CoexError("its path has a newline or a colon, which PATH cannot hold", prefix)
    for place in [target] + ([app] if app else []):
        if not Destination(place).is_free():
            raise CoexError("is there already, and not an empty directory", place, "name another place")
        above = os.path.dirname(place)
        if not os.path.isdir(above):
            raise CoexError("the directory above it does not exist", place, "make it: mkdir -p %s" % quoted(visible(above)))
    if app and (app + b"/").startswith(prefix + b"/") or app and (prefix + b"/").startswith(app + b"/"):
        raise CoexError("the application and the environment cannot be in each other", app)
    why = Store(Destination(target).space()).lack(archive.manifest)
    if why:
        raise CoexError(why, prefix)


class NewEnvironment(object):
    """An environment that is made at `prefix`, and the app of it at `app`."""

    def __init__(self, archive, prefix, app, environ):
        # type: (Archive, bytes, Optional[bytes], Dict[bytes, bytes]) -> None
        self.archive, self.prefix, self.app, self.environ = archive, prefix, app, environ
        self.variables, self.notes = [], []  # type: Pairs, List[str]

    def make(self):
        # type: () -> None
        """Unpack, rename to the destination, and run the post-link scripts there."""
        at, app_at = Destination(self.prefix), Destination(self.app) if self.app else None
        work, manifest, done = at.new_work(), self.archive.manifest, False
        destinations = [at] + ([app_at] if app_at else [])
        try:
            os.mkdir(work, 0o700)
            unpack_shown(self.archive, work, work, self.environ, self.prefix)
            self.variables, self.notes = set_variables(work + b"/prefix", manifest.env, self.prefix, self.app)
            identity = at.identity(work + b"/prefix")
            mark_unfinished(work, [identity])
            at.place(work + b"/prefix")
            steps = Finish(manifest, work, self.environ, prefix=self.prefix)
            if is_foreign(manifest):
                self.notes += notes_on_platform(manifest)
            else:
                steps.run_scripts()
                steps.compile()
            if app_at:
                source = self._near(work + b"/app", app_at)
                mark_unfinished(work, [identity, app_at.identity(source)])
                app_at.place(source)
            for destination in destinations:
                sync(destination.path)
            done = True
        finally:
            for destination in destinations:
                if not done:
                    destination.withdraw()
            for destination in reversed(destinations):  # the mark of an unfinished environment is removed last
                destination.remove_works()

    def _near(self, path, destination):
        # type: (bytes, Destination) -> bytes
        """Return the path of a directory after a move from which one rename can bring it to its destination."""
        near = destination.new_work()
        try:
            os.rename(path, near)
        except EnvironmentError as error:
            if error.errno != errno.EXDEV:  # of another file system, or mount
                raise
            import shutil

            shutil.copytree(native(path), native(near), symlinks=True)
        return near


def notes_on_platform(manifest):
    # type: (Manifest) -> Iterator[str]
    """Yield notes on steps that a host of another platform cannot do for an environment."""
    yield "the environment is for %s, and does not run on this host, which is %s" % (manifest.platform, host_platform())
    if manifest.post_link:
        names = ", ".join(sorted(set(each["name"] for each in manifest.post_link)))
        yield "the post-link scripts of these packages were not run: " + names
    if manifest.compile:
        yield counted(len(manifest.compile["sources"]), "Python file") + " could not be compiled here"


VERB = Verb("unpack", "Unpack to stay: an ordinary environment, or a root in a shared store.", ABOUT, configure, execute)
