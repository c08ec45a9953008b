"""A root of which a cleaner of temporary files, or a disk, took something: verify finds every altered byte."""

from __future__ import annotations

import json
import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import only_root, ready_roots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.survivor import Survivor


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = random.Random(path.name).randrange(len(data))
    data[place] ^= 1 << place % 8
    path.write_bytes(data)


HARMS: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": flip,
}


def verify(survivor: Survivor) -> set[str]:
    """Return the paths of the root that verify finds different; its status says whether there are any."""
    done = subprocess.run(
        [survivor.archive, "verify", "--root", "--json"], env={**survivor.environment, "COEX_TOOLS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    paths = {difference["path"] for difference in found["root"]["differences"]}
    assert (done.returncode == 0) is found["success"] is (not paths)
    return paths


@pytest.mark.parametrize("harm", HARMS)
def test_harmed_files_are_found_and_repaired(survivor: Survivor, harm: str) -> None:
    survivor.start()
    root = only_root(survivor.store)
    assert verify(survivor) == set()
    files = [path for top in ("prefix", "app") for path in (root / top).rglob("*") if path.is_file()]
    files = [path for path in files if not path.is_symlink() and path.stat().st_size]
    own = {"post-link-count/done.txt"}  # files of the post-link script are not of the archive
    files = [path for path in files if not str(path).endswith(tuple(own))]
    harmed = random.Random(harm).sample(sorted(files), 6)
    for path in harmed:
        HARMS[harm](path)
    assert verify(survivor) == {str(path.relative_to(root)) for path in harmed}
    tools = {**survivor.environment, "COEX_TOOLS": "1"}
    done = subprocess.run([survivor.archive, "repair"], env=tools, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verify(survivor) == set()
    survivor.start()
    assert survivor.counts.wrong == []


def repair(process: subprocess.Popen[bytes]) -> None:
    """Wait for a repair, which must succeed."""
    said, _ = process.communicate()
    assert process.returncode == 0, said


def repairing(survivor: Survivor) -> subprocess.Popen[bytes]:
    """Start a repair."""
    tools = {**survivor.environment, "COEX_TOOLS": "1"}
    return subprocess.Popen([survivor.archive, "repair"], env=tools, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def harm(survivor: Survivor, generator: random.Random) -> None:
    """Take the ends of some files of the ready root that its entry point reads."""
    app = only_root(survivor.store) / "app"
    for path in generator.sample(sorted(path for path in app.rglob("*") if path.is_file() and path.stat().st_size), 3):
        HARMS["cut"](path)


def test_repair_that_is_killed(survivor: Survivor) -> None:
    """At any moment of the kill: the next start, which may make the root again, runs from a whole one."""
    generator = random.Random(0)
    survivor.start()
    began = time.monotonic()
    repair(repairing(survivor))
    duration = time.monotonic() - began
    for _ in range(16):
        harm(survivor, generator)
        process = repairing(survivor)
        time.sleep(generator.uniform(0, 1.2 * duration))
        process.kill()
        process.communicate()
        if not ready_roots(survivor.store):
            survivor.start()  # it was killed while the start was set aside: now it is made again
        repair(repairing(survivor))
        survivor.start()
        assert verify(survivor) == set()
    assert survivor.counts.wrong == []
    assert survivor.counts.hangs == 0


def test_starts_beside_a_repair(survivor: Survivor) -> None:
    """They wait, or run from the whole root: none from a half-repaired one."""
    generator = random.Random(1)
    survivor.start()
    for _ in range(4):
        harm(survivor, generator)
        repair(repairing(survivor))
        process = repairing(survivor)  # of nothing: but it sets the start aside, as any other
        survivor.crowd(4)
        repair(process)
    assert survivor.counts.wrong == []
    assert survivor.counts.hangs == 0


def test_verify_finds_a_flipped_bit_anywhere(survivor: Survivor) -> None:
    """One after the other, and none that was put right."""
    survivor.start()
    root = only_root(survivor.store)
    generator = random.Random(0)
    app = sorted(path for path in (root / "app").rglob("*") if path.is_file())
    for path in generator.sample(app, 4):
        before = path.read_bytes()
        flip(path)
        assert verify(survivor) == {str(path.relative_to(root))}
        path.write_bytes(before)
        assert verify(survivor) == set()


@pytest.mark.parametrize("name", ["start", "activate.sh", "app/whole.sh"])
def test_directory_in_the_place_of_a_file(survivor: Survivor, name: str) -> None:
    survivor.start()
    path = only_root(survivor.store) / name
    path.unlink()
    path.mkdir()
    survivor.judge_tool("repair")
    survivor.start()
    assert path.is_file()
    assert verify(survivor) == set()
    assert survivor.counts.wrong == []
