"""Repair a root: make missing and damaged files again, in place, by renames."""

import errno
import os
import sys
from contextlib import closing

from ..base.compat import one_line, text, utf8, visible
from ..base.errors import CoexError
from ..format.manifest import APP, PREFIX, Manifest
from ..format.archive import Archive
from ..start.finish import Finish
from ..store.boot import keep
from ..store.claim import Claim
from ..store.directory import Directory, move
from ..store.leftovers import cannot_be_moved, set_aside, was_ready
from ..store.ladder import stores
from ..store.refused import looked_at
from ..unpack.decoder import load_decoder
from ..unpack.expected_contents import ExpectedContents
from . import verify
from .check_root import RootCheck
from .output import Outcome, counted
from .owners import Owners
from .rewrite import rewrite
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, List, Set, Tuple

    from ..format.manifest import PostLink
    from ..store.store import Root

ABOUT = """\
Files that `verify` finds damaged in a root are made again from the archive, and nothing else is touched. They are
written beside their place and renamed, so programs that run from the root go on. Other starts wait meanwhile. Files
that were added stay. If a package that was repaired has a post-link script, the script runs again. The results of such
scripts are not in the archive, and are not checked. Python files that the first start compiled are compiled again if
they are missing or their source was repaired. The archive does not know their content either.

A root that was never complete needs no repair: the next start makes it. An environment that `unpack -p` made is
conda's, which may have changed it since: remove it, and unpack it again.

examples:
  CALL
  COEX_ROOT=/shared/coex CALL
"""
ASIDE = b".repair"  # added to the name of `start`, while no other process may use the root


def configure(parser):
    # type: (ArgumentParser) -> None
    """It has no options of its own."""


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Repair the root of the archive at `path`; raises CoexError if it has none, or if the file itself is damaged."""
    with closing(Archive(path)) as archive:
        root = _find(archive, environ)
        expected = ExpectedContents(archive, root.path + b"/prefix", load_decoder(archive))
        claim = Claim(root.path)
        try:
            claim.wait(lambda: False, lambda: _say(path))
            with closing(Directory(root.path)) as directory:
                steps = Finish(archive.manifest, root.path, environ, directory.write, claim.beat)
                repaired, rewritten = _repair(expected, root, steps, claim)
                compiled = _compile(archive.manifest, root, steps, bool(repaired))
            if repaired or rewritten or compiled:
                keep(root.path)
        except EnvironmentError as error:
            remedy = "start it with a new directory in COEX_ROOT" if cannot_be_moved(error) else None
            if error.errno in (errno.EACCES, errno.EPERM):
                remedy = "its owner can repair it, or start it with a directory of yours in COEX_ROOT"
            raise CoexError("cannot be repaired: %s" % (error.strerror or error), root.path, remedy)
        finally:
            claim.release()
    fields = {
        "archive": text(path), "root": text(root.path), "repaired": [text(inside) for inside in repaired],
        "start_rewritten": rewritten, "compiled": [text(source) for source in compiled],
    }
    lines = ["%s: %s repaired%s%s" % (
        visible(root.path), counted(len(repaired), "path"), ", and its start written again" if rewritten else "",
        ", %s compiled again" % counted(len(compiled), "source") if compiled else "",
    )]
    return Outcome(fields, lines + ["  " + visible(inside) for inside in repaired], 0)


def _say(path):
    # type: (bytes) -> None
    if os.isatty(2):
        sys.stderr.write("coex: another process is unpacking %s, waiting\n" % one_line(path))


def _find(archive, environ):
    # type: (Archive, Dict[bytes, bytes]) -> Root
    """Return the root to repair: one that was ready once."""
    places = stores(environ)
    for store in places:
        root = store.root(archive.manifest)
        try:
            if os.path.isdir(root.path) and was_ready(root.path) and not store.distrust() and not root.distrust_directory():
                return root
        except EnvironmentError:
            continue
    where = "it has no root that was ready in " + looked_at(places)
    raise CoexError(where, archive.path, "start it, or name its store in COEX_ROOT")


def _repair(expected, root, steps, claim):
    # type: (ExpectedContents, Root, Finish, Claim) -> Tuple[List[bytes], bool]
    """Return the paths that were repaired, and whether the start was written again; this process has the claim."""
    places = {PREFIX: root.path + b"/prefix", APP: root.path + b"/app"}
    differences = verify.by_cause(expected, root.path, places, RootCheck(expected, places).differences())[0]
    if not differences and root.ready() and _is_current(steps, root):
        return [], False
    aside = root.start + ASIDE
    for path in (root.start, root.path + b"/activate.sh"):
        if os.path.isdir(path) and not os.path.islink(path):  # no file can be renamed over it
            set_aside(path, claim)
    if os.path.lexists(root.start):
        move(root.start, aside)
    paths = rewrite(expected, places, differences, claim)
    _run_scripts(expected, steps, set(paths))
    if os.path.lexists(aside):
        move(aside, root.start)  # with its old time: later times show changes by post-link scripts
        if root.ready() and _is_current(steps, root):
            return paths, False
    steps.write_start()
    return paths, True


def _is_current(steps, root):
    # type: (Finish, Root) -> bool
    """Return whether the activation of the root is right for its prefix."""
    written = {}  # type: Dict[bytes, bytes]
    path = steps.write_activation(root.path, written.__setitem__)
    try:
        with open(path, "rb") as stream:
            return stream.read() == written[path]
    except EnvironmentError:
        return False


def _run_scripts(expected, steps, paths):
    # type: (ExpectedContents, Finish, Set[bytes]) -> None
    """Run the post-link scripts of repaired packages again."""
    owners = Owners(expected)
    dists = set(owners.of_path(path) for path in paths)
    steps.run_scripts([script for script in steps.manifest.post_link if any(_is_of(dist, script) for dist in dists)])


def _compile(manifest, root, steps, changed):
    # type: (Manifest, Root, Finish, bool) -> List[bytes]
    """Compile the sources that the first start compiled, if the .pyc is missing or the source is in `changed`; return those."""
    before = _uncompiled(manifest, root.path + b"/prefix")
    if not before and not changed:
        return []
    steps.compile()
    return sorted(before - _uncompiled(manifest, root.path + b"/prefix"))


def _uncompiled(manifest, prefix):
    # type: (Manifest, bytes) -> Set[bytes]
    """Return the sources that the first start compiled and that have no .pyc file, as Python 2 or 3 names those."""
    sources, caches = set(), {}  # type: Set[bytes], Dict[bytes, Set[bytes]]
    for source in map(utf8, manifest.compile["sources"] if manifest.compile else ()):
        directory, name = os.path.split(prefix + b"/" + source)
        cache = directory + b"/__pycache__"
        if cache not in caches:
            names = os.listdir(cache) if os.path.isdir(cache) else []
            caches[cache] = set(each.split(b".")[0] for each in names if each.endswith(b".pyc"))
        if name.split(b".")[0] not in caches[cache] and not os.path.isfile(directory + b"/" + name + b"c"):
            sources.add(source)
    return sources


def _is_of(dist, script):
    # type: (str, PostLink) -> bool
    return dist.startswith("%s-%s-" % (script["name"], script["version"]))


VERB = Verb("repair", "Repair the unpacked files of an archive.", ABOUT, configure, execute)
