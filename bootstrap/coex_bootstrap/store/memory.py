"""A place whose files take the memory of this host, for a host whose other places are on a server."""

import os

from ..base import cgroups
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

    from ..format.manifest import Manifest

SPARE = 2  # times the size of a root that have to be free


class MemoryStore(Store):
    """A candidate directory whose files take the memory of this host."""

    def lack(self, manifest, linked=(0, 0)):
        # type: (Manifest, Tuple[int, int]) -> Optional[str]
        """Return why there is not enough memory for a root and as much again; None if there is. Raises EnvironmentError."""
        needed = (manifest.unpacked["bytes"] - linked[1]) * SPARE
        volume = os.statvfs(self.path)
        free = min(volume.f_bavail * volume.f_frsize, free_memory())
        if free < needed:
            return "%d MB of memory are free for this process, %d MB are needed" % (free >> 20, needed >> 20)
        return super(MemoryStore, self).lack(manifest, linked)


def free_memory(host=b"/proc/meminfo", groups=cgroups.GROUPS, mounts=cgroups.MOUNTS):
    # type: (bytes, bytes, bytes) -> int
    """Return how many bytes of memory this process may still take, by the host and by the limits of its cgroups."""
    free = 0
    for line in cgroups.read(host).splitlines():
        if line.startswith(b"MemAvailable:"):
            free = int(line.split()[1]) << 10
    for group in cgroups.directories(b"memory", (b"memory",), groups, mounts):
        for limit, used in ((b"/memory.max", b"/memory.current"), (b"/memory.limit_in_bytes", b"/memory.usage_in_bytes")):
            words = cgroups.read(group + limit).split() + cgroups.read(group + used).split()
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
                free = min(free, max(0, int(words[0]) - int(words[1])))
    return free
