"""Have the kernel start programs for aarch64 under qemu, in a user namespace of its own that ends with the test."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.bare_systems import QEMU

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTER = Path("/proc/sys/fs/binfmt_misc/register")
ALL_USERS = "0 0 4294967295"
# The rule of qemu-binfmt-conf.sh. F: the kernel opens the emulator now, so it runs in roots that do not have it. P: the
# program gets the name that it was called by, which busybox needs.
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
RULE = ":coex-test-aarch64:M::{magic}:{mask}:{emulator}:FP"
# A process may mount a new /proc only if the processes that it shows are in a namespace of its own.
NEW = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
SETUP = """\
mount -t binfmt_misc binfmt_misc {directory} && printf %s '{rule}' >{register} || exit 125
exec "$@"
"""


def setup() -> str:
    """Return a script that registers the emulator, and runs its arguments."""
    rule = RULE.format(magic=MAGIC, mask=MASK, emulator=shutil.which(QEMU))
    return SETUP.format(directory=REGISTER.parent, rule=rule, register=REGISTER)


@contextlib.contextmanager
def emulating() -> Iterator[list[str]]:
    """Yield the words before a command in whose mount namespace programs for aarch64 run.

    The rules of the machine are left alone. Only a kernel from 6.7 on has some for each user namespace: on another one
    the command exits with 125. Raises OSError if a user namespace is refused.
    """
    with subprocess.Popen(["unshare", "--user", "sleep", "600"], stderr=subprocess.PIPE, text=True) as holder:
        try:
            spaces = Path(f"/proc/{holder.pid}")
            while (spaces / "ns/user").readlink() == Path("/proc/self/ns/user").readlink():
                if holder.poll() is not None:
                    raise OSError(holder.communicate()[1].strip())
                time.sleep(0.01)
            for kind in ("uid_map", "gid_map"):
                (spaces / kind).write_text(ALL_USERS)
            yield ["nsenter", "--user", f"--target={holder.pid}", *NEW, "sh", "-c", setup(), "sh"]
        finally:
            holder.kill()
