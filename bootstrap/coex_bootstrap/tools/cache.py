"""List and clean the roots that archives were unpacked to on this host."""

import argparse
import errno
import os
import re
import sys
import time
from fnmatch import fnmatchcase

from ..base.compat import one_line, path_bytes, text, visible
from ..base.errors import Misuse
from ..store.carried_python import sweep
from ..store.ladder import IN_MEMORY, passed_over, reason, stores, temporary_directories
from .output import Outcome, counted, human, table
from .roots import Freed, find_roots, may_be_used_elsewhere, remove_leftovers, remove_root, total_size
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, Iterator, List, Optional, Tuple, TypedDict

    from ..store.store import Store
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
removed. On a network file system, or if processes cannot be seen, a root that was started within a day stays as well.

examples:
  CALL list
  CALL clean --older-than 30d
  CALL clean --max-size 10GB -y
  CALL clean --name 'report*' --dry-run
  CALL clean --all
"""
AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def age(words):
    # type: (str) -> int
    """Return the seconds of an age such as 12h or 30d."""
    match = re.match(r"(\d+)([smhdw])\Z", words)
    if not match:
        raise argparse.ArgumentTypeError("%r is not an age: write 12h, 30d, 8w" % words)
    return int(match.group(1)) * AGES[match.group(2)]


def size(words):
    # type: (str) -> int
    """Return the bytes of a size such as 500MB."""
    match = re.match(r"(\d+(?:\.\d+)?) ?([kmgt]?)b?\Z", words.lower())
    if not match:
        raise argparse.ArgumentTypeError("%r is not a size: write 500MB, 10GB" % words)
    return int(float(match.group(1)) * SIZES[match.group(2)])


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `cache` to a parser."""
    parser.add_argument("action", choices=("list", "clean", "path"), help="show the roots, remove some, or print their directory")
    add_conditions(parser)
    parser.add_argument("-n", "--dry-run", action="store_true", help="show the roots that would be removed, and remove none")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def add_conditions(parser):
    # type: (ArgumentParser) -> None
    """Add the options that choose roots to a parser."""
    parser.add_argument("--all", action="store_true", help="clean: all roots that are not in use")
    parser.add_argument("--older-than", type=age, metavar="AGE", help="clean: those not started for so long: 12h, 30d, 8w")
    parser.add_argument("--larger-than", type=size, metavar="SIZE", help="clean: those that take more: 500MB, 10GB")
    parser.add_argument(
        "--name", dest="root_name", metavar="GLOB",  # `name` is conda's, for an environment
        help="clean: those of archives whose first entry point has such a name",
    )
    parser.add_argument(
        "--max-size", type=size, metavar="SIZE", help="clean: those started longest ago, until all others fit"
    )


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
    chosen = choose(roots, options, time.time())
    if chosen and not options.dry_run and not options.yes:
        _ask(chosen)
    if options.dry_run:
        return would_remove(chosen)
    for directory in list(temporary_directories(environ)) + [IN_MEMORY, environ.get(b"HOME", b"/")]:
        sweep(directory)  # the prelude unpacks a carried Python there if it cannot do that in a store
    return clean(roots, chosen)


def places_fields(places):
    # type: (List[Store]) -> Dict[str, object]
    """Return the fields of `cache path`: the first place to unpack, why it is that, and all places in their order."""
    return {
        "path": text(places[0].path), "why": reason(places, places[0]), "places": [text(store.path) for store in places],
    }


def would_remove(chosen):
    # type: (List[Unpacked]) -> Outcome
    """Return the outcome of a dry run."""
    lines = ["would remove %s" % _words(root) for root in chosen]
    if not chosen:
        lines = ["would remove no root"]
    return Outcome({"dry_run": True, "removed": [fields(root) for root in chosen], "kept": []}, lines, 0)


def has_condition(options):
    # type: (Namespace) -> bool
    """Return whether an option chooses roots."""
    conditions = (options.older_than, options.larger_than, options.root_name, options.max_size)
    return bool(options.all or any(condition is not None for condition in conditions))


def choose(roots, options, now):
    # type: (List[Unpacked], Namespace, float) -> List[Unpacked]
    """Return the roots that fit all conditions and that no process uses."""
    if not has_condition(options):
        return []
    chosen = [
        root for root in roots
        if (options.older_than is None or now - root.used >= options.older_than)
        and (options.larger_than is None or root.size > options.larger_than)
        and (options.root_name is None or fnmatchcase(root.name, text(path_bytes(options.root_name))))
        and not root.pids and not may_be_used_elsewhere(root, now)
    ]
    if options.max_size is None:
        return chosen
    total, freed, oldest = total_size(roots), Freed(), []
    for root in sorted(chosen, key=lambda root: root.used):
        if total - freed.size <= options.max_size:
            break
        oldest.append(root)
        freed.add(root)
    return oldest


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


def clean(roots, chosen):
    # type: (List[Unpacked], List[Unpacked]) -> Outcome
    """Remove the chosen roots, and leftovers in all stores; return the removed roots, and those that could not be removed."""
    removed, kept = [], []  # type: List[Unpacked], List[Tuple[Unpacked, str]]
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
    document = {
        "removed": [fields(root) for root in removed], "kept": [dict(fields(root), why=why) for root, why in kept], "size": total,
    }
    return Outcome(document, lines, 0)


def freed_by(roots):
    # type: (List[Unpacked]) -> int
    """Return the bytes that the removal of all these roots frees."""
    freed = Freed()
    for root in roots:
        freed.add(root)
    return freed.size


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
