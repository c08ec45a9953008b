"""Root directories of other systems, for this machine and for arm64: busybox with a C library, and Debian."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.stamps import locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.layout import Layout

# The first two and the last have no Python.
BUSYBOX, DEBIAN, ARM64_DEBIAN, ARM64_BUSYBOX = "busybox", "debian", "arm64-debian", "arm64-busybox"
QEMU = "qemu-aarch64-static"
_C_LIBRARY = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
_ARM64_LOADER = "lib/ld-linux-aarch64.so.1"
_ARM64_PACKAGES = ("busybox-static", "coreutils", "dash", "grep", "gzip", "python3", "xz-utils", "zstd")


def find(layout: Layout, name: str) -> Path | None:
    """Return the root directory of a system, None if it cannot be made on this machine. Only root can make Debian's."""
    root = layout.root / "bare" / name
    makers: dict[str, Callable[[Path], bool]] = {
        BUSYBOX: _make_busybox,
        DEBIAN: _make_debian,
        ARM64_DEBIAN: _make_arm64_debian,
        ARM64_BUSYBOX: partial(_make_arm64_busybox, debian=layout.root / "bare" / ARM64_DEBIAN),
    }
    if name == ARM64_BUSYBOX and find(layout, ARM64_DEBIAN) is None:
        return None
    with locked(layout.root / "bare" / "lock"):
        if not root.is_dir():
            new = root.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            if not makers[name](new):
                return None
            new.rename(root)
    return root


def _make_busybox(root: Path) -> bool:
    busybox = shutil.which("busybox")
    if busybox is None or subprocess.run(["ldd", busybox], capture_output=True, check=False).returncode == 0:
        return False  # ldd fails for a static program
    _add_applets(root, Path(busybox), busybox)
    listed = subprocess.check_output(["ldd", shutil.which("env") or "env"], text=True)
    (library,) = re.findall(r"libc\.so\.6 => (\S+)", listed)
    (loader,) = re.findall(r"^\s*(/\S+)", listed, re.MULTILINE)
    beside = [Path(library).with_name(name) for name in _C_LIBRARY]
    for path in [Path(loader), *(path for path in beside if path.exists())]:
        _add_file(root, path, path.relative_to("/"))
    return True


def _make_arm64_busybox(root: Path, debian: Path) -> bool:
    """Take the programs of another root, whose C library is that of Debian's arm64."""
    _add_applets(root, debian / "bin/busybox", QEMU, debian / "bin/busybox")
    for name in (_ARM64_LOADER, *(f"lib/aarch64-linux-gnu/{name}" for name in _C_LIBRARY)):
        _add_file(root, debian / name, Path(name))
    return True


def _add_applets(root: Path, busybox: Path, *command: str | Path) -> None:
    """Copy busybox, and make a link for every applet that the command lists."""
    _add_file(root, busybox, Path("bin/busybox"))
    for applet in subprocess.check_output([*command, "--list"], text=True).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")


def _add_file(root: Path, source: Path, name: Path) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, root / name)


def _make_debian(root: Path) -> bool:
    """Install the smallest Debian."""
    return _bootstrap(root, "--variant=minbase")


def _make_arm64_debian(root: Path) -> bool:
    """Unpack programs, Python and their libraries for arm64; no script of a package runs, so it needs no emulator."""
    if shutil.which(QEMU) is None:
        return False
    options = ("--variant=extract", "--architectures=arm64", f"--include={','.join(_ARM64_PACKAGES)}")
    if not _bootstrap(root, *options, "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"):
        return False
    shutil.rmtree(root / "usr/share")
    return True


def _bootstrap(root: Path, *options: str) -> bool:
    """Make a root by the sources of this machine's apt, which has to be a Debian."""
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        return False
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    suite = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    sources = [path for path in Path("/etc/apt").rglob("*") if path.name == "sources.list" or path.suffix == ".sources"]
    if suite is None or not sources:
        return False
    root.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", *options, suite[1], root, *sources]
    return subprocess.run(command, check=False).returncode == 0
