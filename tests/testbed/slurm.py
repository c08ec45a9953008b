"""Run Slurm on this machine, beside any that its system has: the controller, one node, and munge."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {"munged": "munge", "sbatch": "slurm-client", "slurmctld": "slurmctld", "slurmd": "slurmd"}
"""Programs, and Debian's packages that have them."""
SECONDS = 60  # until the node is ready
CONFIGURATION = """\
ClusterName=testbed
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={directory}/munge.socket
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
PlugStackConfig=/dev/null
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
TaskProlog={directory}/begin
Epilog={directory}/end
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""
# Slurm itself makes no directory for a job: sites do that by scripts such as these two.
BEGIN = """\
#!/bin/sh
mkdir -p {directory}/jobs/$SLURM_JOB_ID
echo "export SLURM_TMPDIR={directory}/jobs/$SLURM_JOB_ID"
"""
END = """\
#!/bin/sh
rm -rf {directory}/jobs/$SLURM_JOB_ID
"""


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Run Slurm, and yield the variables by which its commands find it."""
    with ExitStack() as stack:
        # Not below TMPDIR: the path of a socket has at most 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        _configure(directory)
        environment = {**os.environ, "SLURM_CONF": str(directory / "slurm.conf")}
        for command in (_munge(directory), ["slurmctld", "-D"], ["slurmd", "-D"]):
            stack.enter_context(_service(directory, command, environment))
        _wait(directory, environment)
        stack.callback(_end_jobs, environment)
        yield {"SLURM_CONF": environment["SLURM_CONF"]}


def _configure(directory: Path) -> None:
    for name in ("state", "spool", "jobs"):
        (directory / name).mkdir()
    controller_port, node_port = _free_ports()
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    fields = {"directory": directory, "host": host, "user": user, "node_port": node_port}
    text = CONFIGURATION.format(**fields, controller_port=controller_port)
    (directory / "slurm.conf").write_text(text, encoding="utf-8")
    for name, script in (("begin", BEGIN), ("end", END)):
        (directory / name).write_text(script.format(directory=directory), encoding="utf-8")
        (directory / name).chmod(0o755)


def _munge(directory: Path) -> list[str]:
    """Return the command of a munge with a key, a socket and files of its own."""
    key = directory / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    options = {"key-file": key, "socket": directory / "munge.socket", "pid-file": directory / "munge.pid"}
    options |= {"log-file": directory / "munge.log", "seed-file": directory / "munge.seed"}
    words = ["munged", "--foreground", "--force"]  # by force, because others may write to /tmp
    return [*words, *(f"--{name}={path}" for name, path in options.items())]


@contextmanager
def _service(directory: Path, command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with (directory / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(directory: Path, environment: dict[str, str]) -> None:
    """Wait until the node takes jobs; raises TimeoutError with the logs."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        asked = subprocess.run(
            ["sinfo", "-h", "-o", "%t"], env=environment, check=False, capture_output=True, text=True
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = [f"{log}:\n{log.read_text(errors='replace')}" for log in sorted(directory.glob("*.log"))]
    raise TimeoutError("\n".join(logs))


def _end_jobs(environment: dict[str, str]) -> None:
    """End the jobs of a page that failed: they do not end with the node's service."""
    subprocess.run(["scancel", "--user", getpass.getuser()], env=environment, check=False)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and subprocess.check_output(["squeue", "-h"], env=environment):
        time.sleep(0.2)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
