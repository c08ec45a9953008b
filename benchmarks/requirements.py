"""Install the system's programs that benchmarks run, if this machine lets us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

COMMANDS = {
    "busybox": "busybox-static",
    "cc": "gcc",
    "mksquashfs": "squashfs-tools",
    "squashfuse": "squashfuse",
    "sshfs": "sshfs",
    "tar": "tar",
    "taskset": "util-linux",
    "unzip": "unzip",
    "zstd": "zstd",
}
"""Commands, and Debian's packages that have them."""
OPTIONAL = ("busybox", "mksquashfs", "squashfuse", "sshfs", "unzip")


def require() -> None:
    """Install missing programs; stop if a program stays missing that all measures need."""
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        for command in missing:
            install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", COMMANDS[command]]
            subprocess.run(install, env=environment, stdout=subprocess.DEVNULL, check=False)
    absent = [command for command in COMMANDS if shutil.which(command) is None and command not in OPTIONAL]
    if absent:
        sys.exit(f"bench: missing on this machine: {', '.join(absent)}")
