"""Count the cores that this process may use."""

import os

from .cgroups import GROUPS, MOUNTS, directories, read


def usable_cores():
    # type: () -> int
    """Return how many cores this process may use: its affinity, limited by the quotas of its cgroups; at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        try:
            cores = int(os.sysconf("SC_NPROCESSORS_ONLN"))
        except (ValueError, OSError):
            cores = 1
    return max(1, min(cores, allowed_cores(cores)))


def allowed_cores(cores, groups=GROUPS, mounts=MOUNTS):
    # type: (int, bytes, bytes) -> int
    """Return how many cores the quotas of this process's cgroups allow, rounded up; `cores` if there are no quotas.

    Every group above counts too. cgroups(7): the quota is `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1.
    """
    for group in directories(b"cpu", (b"cpu", b"cpu,cpuacct"), groups, mounts):
        cores = min(cores, _quota(group, cores))
    return cores


def _quota(group, cores):
    # type: (bytes, int) -> int
    """Return the quota of one cgroup in whole cores, `cores` if it has none."""
    words = read(group + b"/cpu.max").split() or (
        read(group + b"/cpu.cfs_quota_us").split() + read(group + b"/cpu.cfs_period_us").split()
    )
    if len(words) != 2 or not words[0].isdigit() or not words[1].isdigit() or not int(words[1]):
        return cores  # `max`, or -1
    return max(1, -(-int(words[0]) // int(words[1])))
