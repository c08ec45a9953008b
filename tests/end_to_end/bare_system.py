"""Run scripts in another system than this machine's, in which an archive lies."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from end_to_end.emulation import emulating

if TYPE_CHECKING:
    from pathlib import Path

USER, OTHER = 54331, 54332

# Mounts a copy of the system, which vanishes with the test. $1: the system, $2: the archive, $3: an empty directory.
SETUP = """\
set -e
mount -t tmpfs none "$3"
cd "$3"
mkdir upper work root
mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" none root
cd root
mkdir -p proc dev tmp var/tmp home root mnt
mount -t proc proc proc
mount -t tmpfs none dev
for device in null urandom zero; do : >dev/$device; mount --bind /dev/$device dev/$device; done
mkdir -m 1777 dev/shm
chmod 1777 tmp var/tmp
mkdir home/user home/other
chown USER:USER home/user
chown OTHER:OTHER home/other
cp "$2" app.coex
chmod 755 . app.coex
# in_system USER SCRIPT: runs a script of the system's shell
in_system() {
  home=/home/user
  case $1 in 0) home=/root ;; OTHER) home=/home/other ;; esac
  chroot --userspec="$1:$1" --groups= . /bin/env -i PATH=/bin:/usr/bin HOME=$home $env /bin/sh -c "$2"
}
env=
set +e
"""


@dataclass(frozen=True)
class BareSystem:
    """The root directory of a system, and an archive; `emulated` if its programs are for another machine."""

    root: Path
    archive: Path
    emulated: bool = False

    def __call__(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of this machine in the root directory of a new copy of the system; `in_system` goes there."""
        text = (SETUP + script).replace("USER", str(USER)).replace("OTHER", str(OTHER))
        namespace = emulating() if self.emulated else contextlib.nullcontext(["unshare", "-m"])
        with namespace as words, tempfile.TemporaryDirectory() as empty:
            command = [*words, "sh", "-c", text, "sh", str(self.root), str(self.archive), empty]
            return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
