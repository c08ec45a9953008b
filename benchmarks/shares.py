"""Count the requests that starts send to a server: of an archive, its root and a plain environment on a share."""

from __future__ import annotations

import shlex
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import archives
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench

TEXT = """\
Requests of the SFTP protocol, which sshfs sends to the server of a share, until `python -c "import numpy"` has ended.
Each node has just mounted the share, and its caches are empty. A request takes at least one round trip. The
environment of conda-pack, unpacked on the share, is the plain environment."""
SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
CODE = "import numpy"
TARGET_WARM = 50.0


class Share:
    """A directory of a server, and the requests that it was sent."""

    def __init__(self, point: Path, counter: Path) -> None:
        self.point, self.counter = point, counter

    def requests(self) -> int:
        """Return how many there were since the share was mounted."""
        return int(struct.unpack("<Q", self.counter.read_bytes())[0])


def server() -> str | None:
    """Return the path of sftp-server, None if sshfs cannot mount here."""
    found = [path for path in SERVERS if Path(path).exists()]
    return found[0] if found and shutil.which("sshfs") and Path("/dev/fuse").exists() else None


@contextmanager
def mounted(directory: Path, place: Path, program: str) -> Iterator[Share]:
    """Mount a directory by sshfs, through a pipe, as a node that has just started; unmount it afterwards."""
    share = Share(place / "share", place / "requests")
    share.point.mkdir(exist_ok=True)
    share.counter.write_bytes(bytes(8))
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
    name = bench.main_environment
    shutil.copy(archives.archive(bench, name, "python"), files / "app.coex")
    environment = archives.host_environment(bench.place / "unused")
    unpack = [str(files / "app.coex"), "unpack", "-p", str(bench.place / "share" / "env")]
    with mounted(files, bench.place, program):
        subprocess.run(unpack, env={**environment, "COEX_TOOLS": "1"}, check=True, stdout=subprocess.DEVNULL)
    app, env = bench.place / "share/app.coex", bench.place / "share/env/bin/python"
    ways = {
        "archive on the share, root on the node": ([str(app)], {"COEX_ROOT": str(bench.place / "node-{}")}),
        "archive and root on the share": ([str(app)], {"COEX_ROOT": str(bench.place / "share/roots")}),
        "plain environment on the share": ([str(env)], {}),
    }
    counted = {way: _nodes(bench, files, program, *words) for way, words in ways.items()}
    rows = [[way, *map(str, numbers)] for way, numbers in counted.items()]
    head = ["", "first node", "again on it", "next node", "again on it"]
    ours = counted["archive on the share, root on the node"]
    outcomes = [Outcome("requests to the share of a later start", TARGET_WARM, Spread.of([ours[1], ours[3]]), 2)]
    return Section("Network file systems", TEXT, outcomes, [Table(f"Requests to the server, {name}", head, rows)])


def _nodes(bench: Bench, files: Path, program: str, words: list[str], variables: dict[str, str]) -> list[int]:
    """Return the requests of two starts on each of two nodes."""
    numbers = []
    for node in ("a", "b"):
        more = {variable: value.format(node) for variable, value in variables.items()}
        with mounted(files, bench.place, program) as share:
            for _ in range(2):
                before = share.requests()
                environment = {**archives.host_environment(bench.place / "unused"), **more}
                subprocess.run([*words, "-c", CODE], env=environment, check=True)
                numbers.append(share.requests() - before)
    return numbers
