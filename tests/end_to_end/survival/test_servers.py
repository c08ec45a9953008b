"""Homes and stores that a server has: places of this host come first, and odd answers of a server stop no start."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots

if TYPE_CHECKING:
    from testbed.survivor import Survivor

LOCAL = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


class Node:
    """A host with a home and a directory for a job's temporary files; the file systems are of the types given."""

    def __init__(self, survivor: Survivor, place: Path, library: str, **kinds: str) -> None:
        self.survivor, self.home, self.job = survivor, place / "home", place / "job"
        for directory in (self.home, self.job):
            directory.mkdir()
        mounts = place / "mountinfo"
        lines = [f"40 22 0:4 / {place}/{name} rw - {kind} x rw\n" for name, kind in kinds.items()]
        mounts.write_text(LOCAL + "".join(lines))
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "SLURM_TMPDIR": str(self.job),
            "LD_PRELOAD": library, "ODD_MOUNTS": str(mounts),
        }  # fmt: skip
        self.cache = self.home / ".cache/coex"
        self.own = self.job / f"coex-{os.geteuid()}"

    def start(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.survivor.archive), *(words or ("x",))]
        return subprocess.run(command, env={**self.environment, **env}, capture_output=True, text=True, check=False)

    def works(self, **env: str) -> str:
        """Start it, check its result, and return its messages."""
        done = self.start(**env)
        assert (done.returncode, done.stdout) == (0, self.survivor.expected), done.stderr
        return done.stderr


def test_home_on_a_server(survivor: Survivor, tmp_path: Path, library: str) -> None:
    """The root is made near, later starts find it, and nothing is written to the home."""
    node = Node(survivor, tmp_path, library, home="nfs4")
    assert f"place {node.own}: {node.cache}: on a network file system (nfs4)\n" in node.works(COEX_TRACE="1")
    assert len(ready_roots(node.own)) == 1
    assert node.works() == ""
    assert list(node.home.iterdir()) == []
    said = node.start("cache", "path", "--json", COEX_TOOLS="1")
    found = json.loads(said.stdout)
    assert (found["path"], found["why"]) == (str(node.own), f"{node.cache}: on a network file system (nfs4)")
    said = node.start("cache", "path", COEX_TOOLS="1")
    assert (said.stdout, said.stderr) == (
        f"{node.own}\n", f"coex: note: passed over: {node.cache}: on a network file system (nfs4)\n",
    )  # fmt: skip


def test_root_that_is_ready_on_a_server_is_used(survivor: Survivor, tmp_path: Path, library: str) -> None:
    """It was made when no other place served: nothing is unpacked twice."""
    node = Node(survivor, tmp_path, library)
    node.works()
    mounts = Path(node.environment["ODD_MOUNTS"])
    mounts.write_text(mounts.read_text() + f"41 22 0:5 / {node.home} rw - nfs4 x rw\n")
    assert node.works(COEX_TRACE="1") == ""  # no Python is asked
    found = node.start("cache", "path", "--json", COEX_TOOLS="1")
    assert json.loads(found.stdout)["path"] == str(node.own)
    assert (len(ready_roots(node.cache)), node.own.exists()) == (1, False)


def test_memory_comes_before_a_server(survivor: Survivor, tmp_path: Path, library: str) -> None:
    node = Node(survivor, tmp_path, library, home="nfs4", job="lustre")
    whole = Path(node.environment["ODD_MOUNTS"])
    whole.write_text(whole.read_text().replace("ext4", "nfs4"))  # a host without a disk
    memory = Path(f"/dev/shm/coex-{os.geteuid()}")
    before = set(memory.iterdir()) if memory.exists() else set()
    try:
        said = node.works(COEX_TRACE="1")
        assert f"place {memory}: {node.cache}: on a network file system (nfs4); {node.own}: " in said
    finally:
        for made in set(memory.iterdir()) - before:
            shutil.rmtree(made, ignore_errors=True)
        if not before:
            shutil.rmtree(memory)


def test_one_line_on_a_terminal(survivor: Survivor, tmp_path: Path, library: str) -> None:
    for kind, quiet in (("nfs4", ""), ("nfs4", "1"), ("ext4", "")):
        node = Node(survivor, make(tmp_path / (kind + quiet)), library, home=kind)
        said = on_terminal(node, COEX_QUIET=quiet)
        line = f"coex: unpacking in {node.own}; passed over: {node.cache}: on a network file system (nfs4)\r\n"
        assert said.count("passed over") == (1 if kind == "nfs4" and not quiet else 0)
        assert (line in said) == ("passed over" in said), said


def make(path: Path) -> Path:
    path.mkdir()
    return path


def on_terminal(node: Node, **env: str) -> str:
    """Return the output of a first start to the terminal that is its standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [node.survivor.archive, "x"], env={**node.environment, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.communicate()[0].decode() == node.survivor.expected
    return said.decode()


SHELLS = (["dash"], ["bash", "--posix"], ["zsh", "--emulate", "sh"], ["ksh"], ["mksh"])
ERRORS = {name: str(getattr(errno, name)) for name in ("ENOENT", "ESTALE", "EIO", "EACCES")}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_start_that_another_host_has_removed(
    survivor: Survivor, tmp_path: Path, library: str, error: str, shell: list[str]
) -> None:
    """A shell sees it and cannot open it, and the first Python that looks cannot either: the root starts."""
    if not shutil.which(shell[0]):
        pytest.skip("this machine has no " + shell[0])
    node = Node(survivor, tmp_path, library)
    node.works()
    (root,) = ready_roots(node.cache)
    command = [*shell, str(survivor.archive), "x"]
    for times in (1, 2):
        left = tmp_path / "left"
        left.write_text("x" * times)
        odd = {"ODD_OPEN": f"{root.name}/start", "ODD_ERROR": ERRORS[error], "ODD_TIMES": str(left)}
        done = subprocess.run(command, env={**node.environment, **odd}, capture_output=True, text=True, check=False)
        assert left.read_text() == ""
        assert (done.returncode, done.stdout) == (0, survivor.expected), done.stderr
        assert done.stderr == "" or shell[0] == "zsh"  # which says why it could not


def test_no_python_any_more(survivor: Survivor, tmp_path: Path, library: str) -> None:
    """A root that is ready in a temporary directory starts without a home, and without a Python."""
    node = Node(survivor, tmp_path, library, home="nfs4")
    node.works()
    programs = make(tmp_path / "bin")
    for name in ("sh", "bash", "cat", "cksum"):
        if shutil.which(name):
            (programs / name).symlink_to(str(shutil.which(name)))
    for env in ({}, {"HOME": "/"}, {"HOME": str(tmp_path / "none")}):
        bare = {"PATH": str(programs), "SLURM_TMPDIR": str(node.job), "COEX_PYTHON": "/nonexistent", **env}
        done = subprocess.run([survivor.archive, "x"], env=bare, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")
