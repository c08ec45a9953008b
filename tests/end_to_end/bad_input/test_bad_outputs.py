"""Places where no archive can be written, or where something stands that is none."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, OUTPUT, RUN, Case, assert_refused, with_json, words

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Bench, Outcome

NO_ARCHIVE = "is not a coex archive, and would be replaced; remove it, or name another file with -o"
A_PIPE = "the output is a pipe or a device; name a file with -o"
A_DIRECTORY = "the output is a directory; name a file with -o"


def read_only(work: Path) -> None:
    (work / "d").mkdir(mode=0o555)


def link_to_notes(work: Path) -> None:
    (work / "notes").write_text("mine\n", encoding="utf-8")
    (work / "link").symlink_to("notes")


def output(name: str) -> tuple[str, ...]:
    return (*CPROG, *RUN, "-o", name)


CASES = [
    Case("missing directory", output("d/x.coex"), "d: the directory of the output does not exist"),
    Case("file as directory", output(f"{OUTPUT}/x.coex"), f"{OUTPUT}: the directory of the output does not exist"),
    Case(
        "read-only directory",
        output("d/x.coex"),
        "d: cannot write in the directory of the output: permission denied",
        read_only,
        powerless=True,
    ),
    Case("directory", output("d"), f"d: {A_DIRECTORY}", lambda work: (work / "d").mkdir()),
    Case("new directory", output("d/"), f"d/: {A_DIRECTORY}"),
    Case("other file", output("notes"), f"notes: {NO_ARCHIVE}", lambda work: (work / "notes").write_text("mine\n")),
    Case("link to another file", output("link"), f"/notes: {NO_ARCHIVE}", link_to_notes),
    Case("link to itself", output("link"), f"/link: {NO_ARCHIVE}", lambda work: (work / "link").symlink_to("link")),
    Case(
        "unreadable file",
        output("x"),
        f"x: {NO_ARCHIVE}",
        lambda work: (work / "x").touch(mode=0),
        powerless=True,
    ),
    Case("pipe", output("pipe"), f"pipe: {A_PIPE}", lambda work: os.mkfifo(work / "pipe")),
    Case("long name", output("x" * 250), f"{'x' * 250}: cannot be written: File name too long"),
]


@pytest.mark.parametrize("case", [*CASES, *with_json(CASES[:6])[6:]], ids=str)
def test_output_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())


def test_link_is_written_through(bench: Bench, work: Path) -> None:
    (work / "link").symlink_to("d/target.coex")
    (work / "d").mkdir()
    done = bench.run(Case("", output("link"), ""), work).done
    assert done.returncode == 0, done.stderr
    assert (work / "link").is_symlink()
    assert bench.inspect(work / "d/target.coex")["name"] == "cprog"


def run_in_shell(bench: Bench, work: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which $COEX is the command that makes `full/out.coex`."""
    command = bench.command(output(f"full/{OUTPUT}"), work)
    environment = bench.environment(COEX=shlex.join(command))
    return subprocess.run(
        ["sh", "-c", script], cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_file_size_limit(bench: Bench, work: Path) -> None:
    (work / "full").mkdir()
    old = (work / OUTPUT).read_bytes()
    (work / OUTPUT).rename(work / "full" / OUTPUT)
    done = run_in_shell(bench, work, 'ulimit -f 200; eval "exec $COEX"')
    assert done.returncode == 1, done.stderr
    assert f"full/{OUTPUT}: cannot be written: File too large" in words(done.stderr)
    assert [path.name for path in (work / "full").iterdir()] == [OUTPUT]
    assert (work / "full" / OUTPUT).read_bytes() == old


MOUNT = ["unshare", "--mount", *(() if os.getuid() == 0 else ("--map-root-user",)), "sh", "-c"]
TMPFS = "mount -t tmpfs -o size=64k none full"


def test_full_disk(bench: Bench, work: Path) -> None:
    """On a small file system of its own, which is gone when the shell ends."""
    (work / "full").mkdir()
    probe = subprocess.run([*MOUNT, TMPFS], cwd=work, capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no file system can be mounted here: {probe.stderr.strip()}")
    # an archive for all that create looks at, and small enough
    steps = [
        TMPFS,
        f"head -c 1000 {OUTPUT} >full/{OUTPUT}",
        "$COEX; status=$?",
        f"echo left; ls -A full; wc -c <full/{OUTPUT}",
        "exit $status",
    ]
    script = "; ".join(steps)
    done = run_in_shell(bench, work, shlex.join([*MOUNT, script]))
    assert done.returncode == 1, done.stderr
    assert f"full/{OUTPUT}: cannot be written: No space left on device" in words(done.stderr)
    assert words(done.stdout).endswith(f" left {OUTPUT} 1000")
