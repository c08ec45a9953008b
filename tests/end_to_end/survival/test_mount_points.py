"""`unpack -p` into directories that are there.

Mount points, and directories below one that this user may not write to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.survivor import Survivor

USER = 54321  # a user id without a name on this machine


@pytest.fixture
def place(reachable: Path, as_root: None) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(dir=reachable))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def run(survivor: Survivor, script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script of root in a namespace of mounts; $0 is the archive, $P the place."""
    environ = {**survivor.environment, "COEX_TOOLS": "1", "P": str(place)}
    command = ["unshare", "-m", "sh", "-ec", script, str(survivor.archive)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("mount", ["mount -t tmpfs none $P/env", "mount --bind $P/other $P/env"])
@pytest.mark.parametrize("app", ["", "mount -t tmpfs none $P/app"])
def test_mount_point(survivor: Survivor, place: Path, mount: str, app: str) -> None:
    for name in ("env", "other", "app"):
        (place / name).mkdir()
    unpack = '"$0" unpack -p $P/env --app $P/app'
    seen = 'ls -A $P/env | grep -c conda-meta; test -x $P/app/whole.sh; find $P -name "*.coex-*" | wc -l'
    done = run(survivor, f'{mount}; {app or ":"}; {unpack}; "$0" verify -p $P/env; {seen}', place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n1\n0\n")


def test_below_a_directory_of_another_user(survivor: Survivor, place: Path) -> None:
    (place / "env").mkdir()
    os.chown(place / "env", USER, USER)
    become = f"setpriv --reuid {USER} --regid {USER} --clear-groups env COEX_PYTHON="
    done = run(survivor, f'{become} "$0" unpack -p $P/env; {become} "$0" verify -p $P/env', place)
    assert (done.returncode, done.stderr) == (0, "")
    assert (place / "env/conda-meta/history").stat().st_uid == USER
    assert [path.name for path in place.iterdir()] == ["env"]
    done = run(survivor, f'{become} "$0" unpack -p $P/other', place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"coex: {place}/other: cannot be made: Permission denied\n"


def test_mount_point_that_is_too_small(survivor: Survivor, place: Path) -> None:
    (place / "env").mkdir()
    done = run(survivor, 'mount -t tmpfs -o size=1m none $P/env; "$0" unpack -p $P/env || ls -A $P/env', place)
    assert done.stdout == ""
    assert "1 MB are free, " in done.stderr
