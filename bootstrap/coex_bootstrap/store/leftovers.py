"""Remove the files that killed processes left in a store, without harm to running ones.

Such a directory is named ROOT.work-IDENTITY, ROOT.claim-IDENTITY or ROOT.gone-IDENTITY by the process that made it, or
ID.python-IDENTITY if it is for a carried Python.
"""

import errno
import os

from ..base.errors import StoreUnusable
from ..format.manifest import ID_LENGTH
from .boot import START, USED
from .claim import last_change, touch
from .directory import move
from .identity import gone
from .removal import remove, remove_in_place
from .trust import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Tuple

    from .claim import Claim

KINDS = (b"work", b"claim", b"gone", b"python")
DAY = 24 * 60 * 60  # seconds for which a directory stays that may belong to another host, or be in use there


def sweep(claim):
    # type: (Claim) -> None
    """Remove the leftovers of dead processes in the store of a root that this process has claimed."""
    store, name = os.path.split(claim.root)
    now = claim.now()
    for entry in sorted(os.listdir(store)):
        path = store + b"/" + entry
        if not is_own(path):
            continue
        if entry[ID_LENGTH:] == b".claim" and path != claim.path:
            _end_claim(path, claim.host)
        kind, _, identity = entry[ID_LENGTH + 1 :].partition(b"-")
        if entry[ID_LENGTH : ID_LENGTH + 1] != b"." or kind not in KINDS:
            continue
        dead = gone(identity, claim.host)
        if dead is None and kind == b"work" and entry.startswith(name + b"."):
            dead = True  # its owner no longer has the claim
        age = abs(now - (last_change(path) or now))  # the clock may have been set back
        if (dead or (dead is None and age >= DAY)) and (kind != b"gone" or _is_free(path, age)):
            discard(path, claim)


def _end_claim(path, host):
    # type: (bytes, bytes) -> None
    """Remove the claim on another root if its process is dead; claims of running processes and of other hosts stay."""
    try:
        for owner in os.listdir(path):
            if gone(owner, host):
                os.unlink(path + b"/" + owner)
        os.rmdir(path)
    except EnvironmentError:
        pass


def _is_free(path, age):
    # type: (bytes, float) -> bool
    """Return whether a root that was set aside is unused: it was never ready, or it is old and no process has it open."""
    return not was_ready(path) or (age >= DAY and not in_use(path))


def was_ready(path):
    # type: (bytes) -> bool
    """Return whether something may run from a root: it has its start, or lost it after it was used."""
    return os.path.lexists(path + START) or os.path.lexists(path + USED)


def in_use(path):
    # type: (bytes) -> bool
    """Return whether a process of this host has a file of a directory open, as far as this user can see."""
    start = path + b"/"
    return any(used == path or used.startswith(start) for _, used in used_paths())


def used_paths():
    # type: () -> Iterator[Tuple[int, bytes]]
    """Yield (pid, path) of the program, the working directory, and the open and mapped files of processes (proc(5))."""
    for pid in os.listdir(b"/proc") if os.path.isdir(b"/proc") else ():
        if not pid.isdigit():
            continue
        process = b"/proc/" + pid
        try:
            links = [process + b"/exe", process + b"/cwd"]
            links += [process + b"/fd/" + number for number in os.listdir(process + b"/fd")]
            for link in links:
                yield int(pid), os.readlink(link)
            with open(process + b"/maps", "rb") as stream:
                for line in stream:
                    yield int(pid), b"/" + line.rstrip(b"\n").partition(b"/")[2]
        except EnvironmentError:  # it ended, or is of another user
            continue


def set_aside(path, claim):
    # type: (bytes, Claim) -> bytes
    """Rename a directory to a unique name, and return that path; raises EnvironmentError."""
    aside = claim.new_name(b"gone")
    move(path, aside)
    touch(aside)
    return aside


def clear_away(path, claim):
    # type: (bytes, Claim) -> None
    """Make room for a new root at a path; raises EnvironmentError or StoreUnusable if the old one has to stay.

    A root that was ready may be in use: it is set aside, and removed a day later.
    """
    ready = was_ready(path)
    try:
        aside = set_aside(path, claim)
    except EnvironmentError as error:
        if error.errno == errno.ENOENT:  # another process did it
            return
        if not cannot_be_moved(error):
            raise
        if ready and in_use(path):
            what = "a damaged root is in use there, and in a layer where it cannot be renamed"
            raise StoreUnusable(what, path, "end the programs that run from it")
        remove_in_place(path)
        if os.path.lexists(path) and not was_ready(path):  # another user made it
            raise error
        return
    if not ready:
        remove(aside)


def discard(path, claim):
    # type: (bytes, Claim) -> None
    """Rename a directory and remove it: processes that still write to its path fail."""
    try:
        remove(set_aside(path, claim))
    except EnvironmentError as error:  # it is gone already, not this user's, or in a layer below
        if cannot_be_moved(error):
            remove_in_place(path)


def cannot_be_moved(error):
    # type: (EnvironmentError) -> bool
    """Return whether a directory cannot be renamed because it is in a layer below this one, as in images (overlayfs)."""
    return error.errno == errno.EXDEV
