"""Count the requests that starts send to a server: of an archive, its root and a plain environment on a share."""

from __future__ import annotations

import shlex
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import archives, environments, peers
from benchmarks.runner import CommandFailedError
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench

TEXT = """\
Requests of the SFTP protocol, which sshfs sends to the server of a share, until `python -c "import numpy"` has ended;
in parentheses those of them that look at names or open files, the rest moves contents. Each node has just mounted the
share, and its caches are empty. A request takes at least one round trip. "Made" is the cost to make an environment on
the share, once, by the archive's own `unpack -p`, or by `tar` and `conda-unpack`."""
SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
CODE = "import numpy"
ENVIRONMENT = "pandas"
TARGET_WARM = 50.0
TAR = ("--no-same-owner", "--touch")  # sshfs cannot set owner and time of a link


@dataclass(frozen=True)
class Requests:
    """How many requests there were, and how many of them moved contents."""

    all: int
    contents: int

    def __sub__(self, other: Requests) -> Requests:
        return Requests(self.all - other.all, self.contents - other.contents)

    def __str__(self) -> str:
        return f"{self.all} ({self.all - self.contents})"


@dataclass(frozen=True)
class Way:
    """A way to have an environment: the command of a start, and the one that makes it on the share or on a node."""

    start: tuple[str, ...]
    on_share: str = ""
    on_node: str = ""
    variables: tuple[tuple[str, str], ...] = ()


class Share:
    """A directory of a server, and the requests that it was sent."""

    def __init__(self, point: Path, counter: Path) -> None:
        self.point, self.counter = point, counter

    def requests(self) -> Requests:
        """Return how many there were since the share was mounted."""
        return Requests(*struct.unpack("<2Q", self.counter.read_bytes()))


def server() -> str | None:
    """Return the path of sftp-server, None if sshfs cannot mount here."""
    found = [path for path in SERVERS if Path(path).exists()]
    return found[0] if found and shutil.which("sshfs") and Path("/dev/fuse").exists() else None


@contextmanager
def mounted(directory: Path, place: Path, program: str) -> Iterator[Share]:
    """Mount a directory by sshfs, through a pipe, as a node that has just started; unmount it afterwards."""
    share = Share(place / "share", place / "requests")
    share.point.mkdir(exist_ok=True)
    share.counter.write_bytes(bytes(16))
    command = [sys.executable, str(Path(__file__).with_name("sftp_counter.py")), program, str(share.counter)]
    options = f"ssh_command={shlex.join(command)}"
    subprocess.run(["sshfs", "-o", options, f"server:{directory}", str(share.point)], check=True)
    try:
        yield share
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(share.point)], check=True)


def measure(bench: Bench) -> Section:
    """Count the requests of each way, on the first node, again on it, and on the next one."""
    program = server()
    if program is None:
        bench.note("sshfs or sftp-server is missing: requests to a server were not counted")
        return Section("Network file systems", TEXT)
    files = bench.place / "served"
    files.mkdir()
    shutil.copy(archives.archive(bench, ENVIRONMENT, "python"), files / "app.coex")
    ways = _ways(bench, files)
    counted = {name: _count(bench, files, program, way) for name, way in ways.items()}
    rows = [[name, *(str(number) if number else "" for number in numbers)] for name, numbers in counted.items()]
    head = ["", "made", "first node", "again on it", "next node", "again on it"]
    ours = [number.all for number in counted["archive on the share, root on the node"][2::2] if number]
    outcomes = [Outcome("requests to the share of a later start", TARGET_WARM, Spread.of(ours), len(ours))]
    table = Table(f"Requests to the server, {ENVIRONMENT}", head, rows)
    return Section("Network file systems", TEXT, outcomes, [table])


def _ways(bench: Bench, files: Path) -> dict[str, Way]:
    """Return the ways to compare, with the files that they need in the directory of the server."""
    share, node = bench.place / "share", bench.place / "node"
    app = str(share / "app.coex")
    ways = {
        "archive on the share, root on the node": Way((app,), variables=(("COEX_ROOT", str(node)),)),
        "archive and root on the share": Way((app,), variables=(("COEX_ROOT", str(share / "roots")),)),
        "plain environment on the share": Way(
            (str(share / "env/bin/python"),),
            on_share=f"COEX_TOOLS=1 {shlex.quote(app)} unpack -p {shlex.quote(str(share / 'env'))}",
        ),
    }
    try:
        environment = environments.make_environment(bench, ENVIRONMENT)
        shutil.copy(peers.conda_pack_file(bench, environment), files / "packed.tar.zst")
    except (CommandFailedError, OSError) as error:
        bench.note(f"conda-pack is missing: {str(error).strip().splitlines()[-1]}")
        return ways
    for name, place in (("the share", share / "unpacked"), ("the node", node)):
        unpack = peers.conda_pack_script(share / "packed.tar.zst", place, *TAR)
        script = f"mkdir {shlex.quote(str(place))} && {unpack}"
        start = (str(place / "bin/python"),)
        way = Way(start, on_share=script) if place != node else Way(start, on_node=script)
        ways[f"file of conda-pack on the share, unpacked on {name}"] = way
    return ways


def _count(bench: Bench, files: Path, program: str, way: Way) -> list[Requests | None]:
    """Return the requests that make an environment on the share, None if none does, and of two starts on two nodes."""
    environment = {**archives.host_environment(bench.place / "unused"), **dict(way.variables)}
    start = ["sh", "-c", "exec " + shlex.join([*way.start, "-c", CODE])]

    def run(share: Share, *words: str) -> Requests:
        before = share.requests()
        subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
        return share.requests() - before

    numbers: list[Requests | None] = [None]
    if way.on_share:
        with mounted(files, bench.place, program) as share:
            numbers = [run(share, "sh", "-c", way.on_share)]
    for _ in range(2):
        shutil.rmtree(bench.place / "node", ignore_errors=True)
        with mounted(files, bench.place, program) as share:
            first = ["sh", "-c", way.on_node + " && " + start[2]] if way.on_node else start
            numbers += [run(share, *first), run(share, *start)]
    shutil.rmtree(bench.place / "node", ignore_errors=True)
    return numbers
