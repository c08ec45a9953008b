"""Count the cores that this process may use."""

import os


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


def allowed_cores(cores, groups=b"/proc/self/cgroup", mounts=b"/sys/fs/cgroup"):
    # type: (int, bytes, bytes) -> int
    """Return how many cores the quotas of this process's cgroups allow, rounded up; `cores` if there are no quotas.

    Every group above counts too. cgroups(7): the quota is `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1.
    """
    for line in _read(groups).splitlines():
        _, controllers, path = (line.split(b":", 2) + [b"", b""])[:3]
        if controllers and b"cpu" not in controllers.split(b","):
            continue
        for base in (mounts, mounts + b"/cpu", mounts + b"/cpu,cpuacct") if controllers else (mounts,):
            parts = [part for part in path.split(b"/") if part not in (b"", b"..")]
            for length in range(len(parts) + 1):
                cores = min(cores, _quota(b"/".join([base] + parts[:length]), cores))
    return cores


def _quota(group, cores):
    # type: (bytes, int) -> int
    """Return the quota of one cgroup in whole cores, `cores` if it has none."""
    words = _read(group + b"/cpu.max").split() or (
        _read(group + b"/cpu.cfs_quota_us").split() + _read(group + b"/cpu.cfs_period_us").split()
    )
    if len(words) != 2 or not words[0].isdigit() or not words[1].isdigit() or not int(words[1]):
        return cores  # `max`, or -1
    return max(1, -(-int(words[0]) // int(words[1])))


def _read(path):
    # type: (bytes) -> bytes
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except EnvironmentError:
        return b""
