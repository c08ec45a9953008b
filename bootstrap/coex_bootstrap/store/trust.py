"""Decide from the owners and modes on the way to a path whether other users may change it.

A default place must belong to this user alone, as ~/.ssh does for OpenSSH. If the caller has named the place, its owner
is trusted. The owners of the directories further up are trusted too, and the groups that may write to these. But nobody
else may write to the place itself, or replace it in its directory.
"""

import errno
import os
import stat

from ..base import compat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Container, Iterator, List, Optional

LINKS = 40  # on the way to one path, as in Linux
IDS = 4294967295  # user ids that a complete user namespace maps
ACCESS_LIST = "system.posix_acl_access"
ROOT = 0


class Step(object):
    """One directory or link on the way to a place; `left` is how many names of the path come after it."""

    def __init__(self, path, state, left):
        # type: (bytes, os.stat_result, int) -> None
        self.path, self.left = path, left
        self.owner, self.group, self.mode = state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)
        self.is_link = stat.S_ISLNK(state.st_mode)
        self.is_last = not left and not self.is_link

    def owned(self):
        # type: () -> str
        """Return the reason for a refusal if it belongs to another user."""
        return self._words("owned by another user (uid %d)" % self.owner)

    def writable(self):
        # type: () -> str
        """Return the reason for a refusal if others may write to it, with the remedy."""
        path = compat.one_line(self.path)
        remedy = "chmod go-w %s and remove files of others in it" if self.is_last else "chmod +t or go-w %s"
        words = (self.owner, self.group, self.mode, remedy % path)
        return self._words("writable by others (uid %d, gid %d, mode %o; %s)" % words)

    def _words(self, reason):
        # type: (str) -> str
        return reason if self.is_last else "%s, which leads there, is %s" % (compat.one_line(self.path), reason)

    def protects(self):
        # type: () -> bool
        """Return whether it is sticky: nobody can rename the files of others in it."""
        return not self.is_last and bool(self.mode & stat.S_ISVTX)

    def open_to_all(self):
        # type: () -> bool
        """Return whether every user may write to it."""
        return bool(self.mode & stat.S_IWOTH)

    def open_to_others(self):
        # type: () -> bool
        """Return whether anybody but its owner may write to it."""
        return self.open_to_all() or bool(self.mode & stat.S_IWGRP) and not self._is_private()

    def _is_private(self):
        # type: () -> bool
        """Return whether its group is the private group of its owner: the same name, and no other members.

        If root gave a directory to this user's private group, it counts as this user's.
        """
        try:
            import grp
            import pwd

            group = grp.getgrgid(self.group)
            user = pwd.getpwuid(self.owner if self.owner != ROOT else os.geteuid())
        except (ImportError, KeyError):
            return False
        alone = (user.pw_name, user.pw_gid) == (group.gr_name, group.gr_gid) and set(group.gr_mem) <= set([user.pw_name])
        return alone and not has_access_list(self.path)


def distrust(path, named=False, of_site=False):
    # type: (bytes, bool, bool) -> Optional[str]
    """Return why others could change a path or anything below it; None if they could not.

    Directories that do not exist yet are left out; the others are checked from / on. `named`: the caller has named the
    place. `of_site`: the file of the site has, and the place may be root's. Raises EnvironmentError.
    """
    steps = list(way(path))
    return _distrust_named(steps) if named else _distrust_default(steps, of_site)


def leads_safely(path):
    # type: (bytes) -> bool
    """Return whether this user can safely make a directory in a directory, which may be sticky."""
    return distrust(os.path.join(path, b"none")) is None and os.path.isdir(path)


def distrust_made(path, is_right, owners):
    # type: (bytes, Callable[[int], bool], Container[int]) -> Optional[str]
    """Return why a file in a safe place is refused (another owner than `owners`, or another kind); None if it is right.

    `is_right` checks its mode. Raises EnvironmentError.
    """
    state = os.lstat(path)
    if not is_right(state.st_mode):
        return "not of the kind that a start makes"
    if state.st_uid not in owners:
        return "owned by another user (uid %d)" % state.st_uid
    if state.st_mode & 0o022:
        return "writable by others (mode %o)" % stat.S_IMODE(state.st_mode)
    return None


def is_own(path):
    # type: (bytes) -> bool
    """Return whether a path is a directory of this user that nobody else may write to."""
    try:
        return is_of_user_alone(os.lstat(path))
    except EnvironmentError:
        return False


def is_of_user_alone(state):
    # type: (os.stat_result) -> bool
    """Return whether a state is of a directory of this user that nobody else may write to."""
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022


def _distrust_default(steps, may_be_of_root=False):
    # type: (List[Step], bool) -> Optional[str]
    user = os.geteuid()
    loose = False  # below a sticky directory, where anybody may make the next entry
    for step in steps:
        is_wrong_end = step.is_last and not (may_be_of_root and step.owner == ROOT)
        if step.owner != user and (is_wrong_end or step.owner != ROOT and (loose or not is_unmapped(step.owner))):
            return step.owned()
        if loose and step.owner == user and is_unmapped(user):
            return step.owned()
        if step.is_link:
            continue
        loose = step.open_to_others()
        if loose and not step.protects():
            return step.writable()
    return None


def _distrust_named(steps):
    # type: (List[Step]) -> Optional[str]
    trusted = (os.geteuid(), ROOT, steps[-1].owner)
    loose = False
    for step in steps:
        if step.is_link:
            if loose and step.owner not in trusted:
                return step.owned()
            continue
        loose = step.open_to_others()
        if (loose if step.left <= 1 else step.open_to_all()) and not step.protects():
            return step.writable()
    return None


def way(path):
    # type: (bytes) -> Iterator[Step]
    """Yield / and every directory and link on the way to an absolute path, as far as it is there; links are followed."""
    left = _names(path)
    here, state, links = b"/", os.lstat(b"/"), 0
    while True:
        yield Step(here, state, len(left))
        if not left:
            return
        name = left.pop()
        there = os.path.dirname(here) if name == b".." else os.path.join(here, name)
        try:
            next_state = os.lstat(there)
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                raise
            return
        if not stat.S_ISLNK(next_state.st_mode):
            here, state = there, next_state
            continue
        yield Step(there, next_state, len(left))
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(there)
        left += _names(target)
        if target.startswith(b"/"):
            here, state = b"/", os.lstat(b"/")


def _names(path):
    # type: (bytes) -> List[bytes]
    """Return the names in a path, the first one last."""
    return [name for name in reversed(path.split(b"/")) if name not in (b"", b".")]


def is_unmapped(owner):
    # type: (int) -> bool
    """Return whether an owner may be a user without a number in this user namespace.

    The host's root is one in most containers. Such users look alike, and like this user if it has no number. On the way
    to a place they count as root, but not if anybody could have made the entry.
    """
    try:
        with open("/proc/sys/kernel/overflowuid") as stream:
            if owner != int(stream.read()):
                return False
        with open("/proc/self/uid_map") as stream:
            return sum(int(line.split()[2]) for line in stream) < IDS
    except (EnvironmentError, ValueError, IndexError):
        return False


def has_access_list(path):
    # type: (bytes) -> bool
    """Return whether a directory has an access list: its mode does not show the users in that list. 2.7 cannot see it."""
    try:
        return bool(os.getxattr(path, ACCESS_LIST))  # type: ignore[attr-defined,unused-ignore]
    except (EnvironmentError, AttributeError):
        return False
