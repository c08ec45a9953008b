"""How many cores a process may use: bound to some, limited by cgroups of either version."""

import os

import pytest
from coex_bootstrap.base import cpu_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def system(tmp_path, groups, files):
    # type: (Any, str, Dict[str, str]) -> int
    """Return the allowed number of 16 cores with this /proc/self/cgroup and these mounted cgroups."""
    listing = tmp_path / "cgroup"
    listing.write_text(type(u"")(groups))
    for name, content in files.items():
        path = tmp_path / "mounted" / name
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        path.write_text(type(u"")(content))
    return cpu_count.allowed_cores(16, str(listing).encode(), str(tmp_path / "mounted").encode())


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, 16),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("0::/../..\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/a\n", {"cpu.max": "nonsense\n"}, 16),
        ("0::/a\n", {"cpu.max": "5 0\n"}, 16),
        ("", {"cpu.max": "200000 100000\n"}, 16),
        ("nonsense\n", {}, 16),
        ("4:cpu,cpuacct:/x\n3:memory:/y\n", {"cpu/x/cpu.cfs_quota_us": "400000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 4),
        ("4:cpu,cpuacct:/x\n", {"cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 1),
        ("4:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 16),
        ("3:memory:/x\n", {"x/cpu.max": "100000 100000\n"}, 16),
    ],
)
def test_quotas_of_cgroups(tmp_path, groups, files, expected):
    # type: (Any, str, Dict[str, str], int) -> None
    assert system(tmp_path, groups, files) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this Python cannot bind a process to cores")
def test_cores_that_this_process_is_bound_to():
    # type: () -> None
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cpu_count.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_at_least_one_and_no_more_than_there_are():
    # type: () -> None
    assert 1 <= cpu_count.usable_cores() <= os.sysconf("SC_NPROCESSORS_ONLN")
