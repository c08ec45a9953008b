"""List and clean the roots that archives were unpacked to on this host."""

import errno
import os
import sys
import time

from ..base.compat import one_line, text, visible
from ..base.errors import Misuse
from ..store.ladder import IN_MEMORY, passed_over, reason, stores, temporary_directories
from ..store.unpacked_python import sweep
from .clean_conditions import add_conditions, choose, has_condition
from .output import Outcome, counted, human, table
from .root_sizes import freed_by, total_size
from .roots import find_roots, remove_leftovers, remove_root
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, Iterator, List, Optional, TypedDict

    from ..store.store import Store
    from .clean_conditions import Kept
    from .roots import Unpacked

    # Sizes are in bytes, `last_use` is in seconds since 1970.
    Row = TypedDict("Row", {
        "path": str, "name": str, "size": int, "shared": int, "last_use": int, "ready": bool, "pids": List[int], "files": int,
        "server": Optional[str],
    })

ABOUT = """\
All archives of a user unpack below one directory, COEX_ROOT or the user's caches. `list` shows their roots, also those
of other archives than this one: size on the disk, how much of it other roots share, last start, and the processes that
run from it. For roots on a network file system it adds their number of files. `path` prints the directory. `clean`
removes the roots that fit all of the given conditions, and the leftovers of killed processes. Without a condition it
removes only these leftovers. Files that roots share are freed with the last of these roots. A root in use is never
removed. On a network file system, or if processes cannot be seen, a root that was started within a day stays as well. A
line says why a root stays.

examples:
  CALL list
  CALL clean --older-than 30d
  CALL clean --max-size 10GB -y
  CALL clean --name 'report*' --dry-run
  CALL clean --all
"""

ACTIONS = ("list", "clean", "path")


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `cache` to a parser."""
    about = "show the roots, remove some, or print their directory"
    parser.add_argument("action", choices=ACTIONS, metavar="{%s}" % ",".join(ACTIONS), help=about)
    add_conditions(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the roots that would be removed, and remove none")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def execute(path, options, environ):
    # type: (Optional[bytes], Namespace, Dict[bytes, bytes]) -> Outcome
    """Show or remove the roots of this user; `path`, of the archive, is not used. Raises Misuse."""
    places = stores(environ)
    if options.action != "clean" and has_condition(options):
        raise Misuse("conditions go with clean")
    if options.action == "path":
        for words in passed_over(places, places[0]):
            sys.stderr.write("coex: note: passed over: %s\n" % words)
        return Outcome(places_fields(places), [visible(places[0].path)], 0)
    roots = find_roots(places)
    if options.action == "list":
        return Outcome({"roots": [fields(root) for root in roots]}, list_lines(roots), 0)
    chosen, in_use = choose(roots, options, time.time())
    if chosen and not options.dry_run and not options.yes:
        _ask(chosen)
    if options.dry_run:
        return would_remove(chosen, in_use)
    for directory in list(temporary_directories(environ)) + [IN_MEMORY, environ.get(b"HOME", b"/")]:
        sweep(directory)  # the prelude unpacks a carried Python there if it cannot do that in a store
    return clean(roots, chosen, in_use)


def places_fields(places):
    # type: (List[Store]) -> Dict[str, object]
    """Return the fields of `cache path`: the first place to unpack, why it is that, and all places in their order."""
    return {
        "path": text(places[0].path), "why": reason(places, places[0]), "places": [text(store.path) for store in places],
    }


def would_remove(chosen, in_use):
    # type: (List[Unpacked], List[Kept]) -> Outcome
    """Return the outcome of a dry run; roots `in_use` would stay."""
    lines = ["would remove %s" % _words(root) for root in chosen]
    if not chosen:
        lines = ["would remove no root"]
    lines += ["would not remove %s: %s" % (_words(root), why) for root, why in in_use]
    document = {"dry_run": True, "removed": [fields(root) for root in chosen], "kept": _kept_fields(in_use)}
    return Outcome(document, lines, 0)


def _ask(chosen):
    # type: (List[Unpacked]) -> None
    if not (os.isatty(0) and os.isatty(2)):
        raise Misuse("nobody can be asked whether to remove %s" % counted(len(chosen), "root"), remedy="add -y")
    for root in chosen:
        sys.stderr.write(one_line(_words(root)) + "\n")
    sys.stderr.write("Remove %s, %s? [y/N] " % (counted(len(chosen), "root"), human(freed_by(chosen))))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Misuse("nothing was removed")


def clean(roots, chosen, in_use):
    # type: (List[Unpacked], List[Unpacked], List[Kept]) -> Outcome
    """Remove the chosen roots, and leftovers in all stores; return the removed roots, and those that stay, also `in_use`."""
    removed, kept = [], list(in_use)  # type: List[Unpacked], List[Kept]
    for root in chosen:
        why = _remove(root)
        if why is None:
            removed.append(root)
        else:
            kept.append((root, why))
    for store in set(root.store.path for root in roots):
        try:
            remove_leftovers(store)
        except EnvironmentError:  # a read-only store
            continue
    total = freed_by(removed)
    lines = ["removed %s" % _words(root) for root in removed]
    lines += ["not removed: %s: %s" % (_words(root), why) for root, why in kept]
    lines.append("%s removed, %s" % (counted(len(removed), "root"), human(total)))
    document = {"removed": [fields(root) for root in removed], "kept": _kept_fields(kept), "size": total}
    return Outcome(document, lines, 0)


def _kept_fields(kept):
    # type: (List[Kept]) -> List[Dict[str, object]]
    return [dict(fields(root), why=why) for root, why in kept]


def _remove(root):
    # type: (Unpacked) -> Optional[str]
    """Remove a root, or return why not."""
    try:
        return remove_root(root)
    except EnvironmentError as error:
        who = "; the owner of its directory can do that" if error.errno in (errno.EACCES, errno.EPERM) else ""
        return "it cannot be removed: %s%s" % (error.strerror or error, who)


def fields(root):
    # type: (Unpacked) -> Row
    """Return a root for a JSON document."""
    return {
        "path": text(root.path), "name": root.name, "size": root.size, "shared": root.shared, "last_use": int(root.used),
        "ready": root.ready, "pids": root.pids, "files": root.files, "server": text(root.server) or None,
    }


def list_lines(roots):
    # type: (List[Unpacked]) -> List[str]
    """Return the lines of `cache list`."""
    cells = []
    for root in roots:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(root.used)) if root.used else "never"
        pids = ", ".join(map(str, root.pids[:3])) + (", ..." if len(root.pids) > 3 else "")
        shared = human(root.shared) if root.shared else ""
        cells.append((visible(root.name), human(root.size), shared, used, pids, visible(root.path)))
    if not roots:
        return ["no roots: no archive is unpacked"]
    lines = list(table(("root of", "on disk", "shared", "last start", "in use by", "path"), cells))
    return lines + ["%s, %s" % (counted(len(roots), "root"), human(total_size(roots)))] + list(server_lines(roots))


def server_lines(roots):
    # type: (List[Unpacked]) -> Iterator[str]
    """Yield a line for each type of network file system that has roots, with the room and the files that they take there."""
    for kind in sorted(set(root.server for root in roots if root.server)):
        there = [root for root in roots if root.server == kind]
        words = (visible(kind), counted(len(there), "root"), human(total_size(there)), sum(root.files for root in there))
        yield "on a network file system (%s): %s, %s, %d files" % words


def _words(root):
    # type: (Unpacked) -> str
    return "%s of %s, %s" % (visible(root.path), root.name, human(root.size))


VERB = Verb("cache", "List and remove unpacked archives on this host.", ABOUT, configure, execute)
