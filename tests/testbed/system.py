"""Install programs that only the system's package manager has, on a CI machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS = {
    "bash": "bash",
    "buildah": "buildah",
    "busybox": "busybox-static",
    "cc": "gcc",
    "chromium": "chromium",
    "dash": "dash",
    "ksh": "ksh",
    "lowntfs-3g": "ntfs-3g",
    "mksh": "mksh",
    "mmdebstrap": "mmdebstrap",
    "pypy3": "pypy3",
    "qemu-aarch64-static": "qemu-user-static",
    "skopeo": "skopeo",
    "sshfs": "sshfs openssh-sftp-server",
    "strip": "binutils",
    "umoci": "umoci",
    "yash": "yash",
    "zsh": "zsh",
}
"""Commands the tests use, and Debian's packages that have them."""


def install_missing(commands: Mapping[str, str] = COMMANDS) -> list[str]:
    """Return the commands that are missing, after installing those that may be installed."""
    missing = _missing(commands)
    allowed = os.environ.get("CI") == "true" and os.geteuid() == 0 and shutil.which("apt-get")
    if missing and allowed:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        for command in missing:  # one by one: that one is not to be had must not cost the others
            install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *commands[command].split()]
            subprocess.run(install, env=environment, stdout=subprocess.DEVNULL, check=False)
    return _missing(commands)


def _missing(commands: Mapping[str, str]) -> list[str]:
    return [command for command in commands if shutil.which(command) is None]
