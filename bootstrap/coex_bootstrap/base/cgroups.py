"""Find the cgroups of this process: their files limit its memory and its processors (cgroups(7))."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

GROUPS, MOUNTS = b"/proc/self/cgroup", b"/sys/fs/cgroup"


def directories(controller, names, groups=GROUPS, mounts=MOUNTS):
    # type: (bytes, Sequence[bytes], bytes, bytes) -> Iterator[bytes]
    """Yield the directories of this process's cgroups of a controller and of all groups above them.

    `names` are those under which version 1 has it mounted; version 2 has all controllers in one tree.
    """
    for line in read(groups).splitlines():
        _, controllers, path = (line.split(b":", 2) + [b"", b""])[:3]
        if controllers and controller not in controllers.split(b","):
            continue
        for base in [mounts] + [mounts + b"/" + name for name in names] if controllers else [mounts]:
            parts = [part for part in path.split(b"/") if part not in (b"", b"..")]
            for length in range(len(parts) + 1):
                yield b"/".join([base] + parts[:length])


def read(path):
    # type: (bytes) -> bytes
    """Return the content of a file; empty if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except EnvironmentError:
        return b""
