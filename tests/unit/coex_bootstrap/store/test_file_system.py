"""The types of file systems, against findmnt and a list of mounts."""

import os
import subprocess
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.store import file_system as module
from coex_bootstrap.store.file_system import file_system, file_systems, is_of_server

from unit.coex_bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIST = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:40 / /home rw,relatime shared:9 - autofs auto.home rw,fd=5
31 30 0:41 / /home/me rw shared:10 master:2 - nfs4 server:/export/me rw,vers=4.2
32 22 0:42 / /mnt/two\\040words rw - fuse.sshfs user@host:/ rw
33 22 0:43 / /home/me/near rw - tmpfs none rw
34 22 0:44 / /stacked rw - nfs4 server:/x rw
35 34 8:2 / /stacked rw - xfs /dev/sdb1 rw
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a list of mounts is Linux's")
@pytest.mark.parametrize(("path", "kind"), [
    (b"/", b"ext4"), (b"/homes", b"ext4"), (b"/home", b"autofs"), (b"/home/me", b"nfs4"), (b"/home/me/.cache/coex", b"nfs4"),
    (b"/home/me/near/x", b"tmpfs"), (b"/mnt/two words/x", b"fuse.sshfs"), (b"/stacked", b"xfs"),
])
def test_type_of_a_path(place, monkeypatch, path, kind):
    # type: (bytes, Any, bytes, bytes) -> None
    monkeypatch.setattr(module, "MOUNTS", write(place + b"/mountinfo", LIST))
    monkeypatch.setattr(module.os.path, "realpath", lambda path: path)
    assert file_system(path)[0] == kind


def test_options_and_order(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(module, "MOUNTS", write(place + b"/mountinfo", LIST))
    found = file_systems([b"/", b"/nonexistent/x"])
    if sys.platform.startswith("linux"):
        assert found == [(b"ext4", [b"rw", b"errors=remount-ro"])] * 2


def test_no_list(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(module, "MOUNTS", place + b"/none")
    if sys.platform.startswith("linux"):
        assert file_system(b"/") == (b"", [])


@pytest.mark.parametrize("path", ["/", "/tmp", "/dev/shm", "/proc/self", "."])
def test_same_as_the_system_says(path):
    # type: (str) -> None
    try:
        with open(os.devnull, "r+b") as nothing:
            said = subprocess.check_output(["findmnt", "-n", "-o", "FSTYPE", "-T", path], stderr=nothing)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine has no findmnt, or no such path")
    assert file_system(compat.path_bytes(path))[0] == said.split()[-1]


@pytest.mark.parametrize(("kinds", "expected"), [
    (b"nfs nfs4 lustre gpfs beegfs ceph cifs smb3 smbfs afs 9p orangefs autofs fuse fuse.sshfs fuse.glusterfs wekafs", True),
    (b"ext4 xfs btrfs zfs tmpfs overlay apfs hfs ramfs squashfs fuseblk fuse.fuse-overlayfs", False),
])
def test_file_systems_of_servers(kinds, expected):
    # type: (bytes, bool) -> None
    for kind in kinds.split() + ([] if expected else [b""]):
        assert is_of_server(kind) == expected, kind
