"""The types of file systems, against findmnt and a list of mounts."""

import os
import struct
import subprocess
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.store import file_system as module
from coex_bootstrap.store.file_system import file_system, file_systems, is_of_server
from coex_bootstrap.store.statfs import parse_statfs

from unit.coex_bootstrap.building import write
from unit.coex_bootstrap.c_library import compile_library

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


# `struct statfs` as sys/mount.h of macOS has it with inodes of 64 bits, and the two names of the function.
STATFS = r"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>
struct mac_statfs {
    uint32_t f_bsize; int32_t f_iosize; uint64_t f_blocks, f_bfree, f_bavail, f_files, f_ffree; int32_t f_fsid[2];
    uint32_t f_owner, f_type, f_flags, f_fssubtype; char f_fstypename[16], f_mntonname[1024], f_mntfromname[1024];
    uint32_t f_flags_ext, f_reserved[7];
};
_Static_assert(sizeof(struct mac_statfs) == 2168, "as on macOS");
int NAME(const char *path, struct mac_statfs *state) {
    memset(state, 0xff, sizeof *state);
    if (!strcmp(path, "/")) { strcpy(state->f_fstypename, "apfs"); state->f_flags = 1; return 0; }
    if (!strcmp(path, "/Volumes/disk image")) { strcpy(state->f_fstypename, "hfs"); state->f_flags = 4 | 8; return 0; }
    if (!strcmp(path, "/Volumes/share")) { memcpy(state->f_fstypename, "smbfs", 6); state->f_flags = 0; return 0; }
    if (!strcmp(path, "/Volumes/long")) { memcpy(state->f_fstypename, "abcdefghijklmnop", 16); state->f_flags = 0; return 0; }
    return -1;
}
"""


@pytest.mark.parametrize("name", ["statfs", "statfs$INODE64"])
@pytest.mark.parametrize(("path", "kind", "options"), [
    (b"/", b"apfs", [b"ro"]), (b"/Users/me/none", b"apfs", [b"ro"]), (b"/Volumes/disk image/x/y", b"hfs", [b"noexec", b"nosuid"]),
    (b"/Volumes/share", b"smbfs", []), (b"/Volumes/long", b"abcdefghijklmnop", []),
])
def test_macos(place, monkeypatch, name, path, kind, options):
    # type: (bytes, Any, str, bytes, bytes, Any) -> None
    import ctypes

    library = compile_library(place, STATFS.replace("NAME", name))
    monkeypatch.setattr(ctypes, "CDLL", lambda name, real=ctypes.CDLL, **options: real(library, **options))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(module.os.path, "realpath", lambda path: path)
    assert file_system(path) == (kind, options)
    assert is_of_server(kind) == (kind == b"smbfs")


def test_bytes_of_macos():
    # type: () -> None
    """The answer of a Mac with Apple's processor for /, as its fields stand in memory: 24 fields of numbers, three names."""
    head = struct.pack("=Ii5Q2i4I", 4096, 1048576, 61202533, 7, 6, 5, 4, 16777232, 26, 0, 26, 0x4480D001 | 4, 0)
    names = [b"apfs".ljust(16, b"\0"), b"/".ljust(1024, b"\0"), b"/dev/disk3s1s1".ljust(1024, b"\0")]
    state = head + b"".join(names) + struct.pack("=8I", *[0] * 8)
    assert len(state) == 2168
    assert parse_statfs(state) == (b"apfs", [b"ro", b"noexec"])


def test_macos_without_ctypes(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert file_system(b"/") == (b"", [])
