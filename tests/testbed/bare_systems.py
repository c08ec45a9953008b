"""Root directories of systems that have no Python: busybox with the C library of this machine, and a minimal Debian."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.stamps import locked

if TYPE_CHECKING:
    from testbed.layout import Layout

BUSYBOX, DEBIAN = "busybox", "debian"
_C_LIBRARY = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")


def find(layout: Layout, name: str) -> Path | None:
    """Return the root directory of a system, None if it cannot be made on this machine. Only root can make Debian's."""
    root = layout.root / "bare" / name
    with locked(layout.root / "bare" / "lock"):
        if not root.is_dir():
            new = root.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            if not {BUSYBOX: _make_busybox, DEBIAN: _make_debian}[name](new):
                return None
            new.rename(root)
    return root


def _make_busybox(root: Path) -> bool:
    busybox = shutil.which("busybox")
    if busybox is None or subprocess.run(["ldd", busybox], capture_output=True, check=False).returncode == 0:
        return False  # ldd fails for a static program
    (root / "bin").mkdir(parents=True)
    shutil.copy2(busybox, root / "bin" / "busybox")
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    listed = subprocess.check_output(["ldd", shutil.which("env") or "env"], text=True)
    (library,) = re.findall(r"libc\.so\.6 => (\S+)", listed)
    (loader,) = re.findall(r"^\s*(/\S+)", listed, re.MULTILINE)
    beside = [Path(library).with_name(name) for name in _C_LIBRARY]
    for path in [Path(loader), *(path for path in beside if path.exists())]:
        (root / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.relative_to("/"))
    return True


def _make_debian(root: Path) -> bool:
    """Install the smallest Debian by the sources of this machine's apt, which has to be a Debian."""
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        return False
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    suite = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    sources = [path for path in Path("/etc/apt").rglob("*") if path.name == "sources.list" or path.suffix == ".sources"]
    if suite is None or not sources:
        return False
    root.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", suite[1], root, *sources]
    return subprocess.run(command, check=False).returncode == 0
