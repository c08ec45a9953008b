"""A root in a lower layer of an overlay, as in images: its directories cannot be renamed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots

if TYPE_CHECKING:
    from testbed.survivor import Survivor

DAMAGES = {
    "activation emptied": ": >$ROOT/activate.sh",
    "start removed": "rm $ROOT/start",
    "entry point removed": "rm $ROOT/app/whole.sh",
}


@pytest.fixture
def layered(survivor: Survivor, as_root: None) -> Survivor:
    """Return a survivor whose ready root is below an overlay, which each command mounts for itself."""
    for name in ("upper", "work"):
        (survivor.store.parent / name).mkdir()
    if run(survivor, "true").returncode == 99:
        pytest.skip("this file system cannot be below an overlay")
    survivor.start()
    root = ready_roots(survivor.store)[0]
    (root / "app/data/few-01").unlink()  # a directory in the way of a file
    (root / "app/data/few-01").mkdir()
    (root / "app/data/few-01/kept").touch()
    survivor.store.rename(survivor.store.parent / "lower")
    survivor.store.mkdir(mode=0o700)
    return survivor


def run(survivor: Survivor, script: str, namespaces: str = "-m") -> subprocess.CompletedProcess[str]:
    """Run a shell script in a place where the store is an overlay: $ROOT is the root, $0 the archive."""
    place = survivor.store.parent
    lower = place / "lower" if (place / "lower").exists() else survivor.store
    mount = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
    script = f'mount -t overlay -o {mount} none {survivor.store} || exit 99\nROOT=$(echo {survivor.store}/*)\n{script}'
    command = ["unshare", namespaces, "sh", "-c", script, str(survivor.archive)]
    return subprocess.run(command, env=survivor.environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_root_is_made_again(layered: Survivor, damage: str) -> None:
    done = run(layered, f'{DAMAGES[damage]} && "$0" x && "$0" x && ls {layered.store}')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(layered.expected * 2)
    assert done.stdout.count("\n") == 3


@pytest.mark.parametrize("damage", [":", *DAMAGES.values()])
def test_repair(layered: Survivor, damage: str) -> None:
    done = run(layered, f'{damage} && COEX_TOOLS=1 "$0" repair >&2 && COEX_TOOLS=1 "$0" verify >&2 && "$0" x')
    assert (done.returncode, done.stdout) == (0, layered.expected), done.stderr
    assert "app/data/few-01" in done.stderr


@pytest.mark.parametrize("damage", [":", *DAMAGES.values()])
def test_clean(layered: Survivor, damage: str) -> None:
    clean = 'COEX_TOOLS=1 "$0" cache clean --all -y'
    done = run(layered, f'{damage}; touch -d "1 hour ago" $ROOT/start $ROOT/used; {clean} && ls {layered.store}')
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 root removed, " in done.stdout
    assert done.stdout.endswith("B\n")


def test_root_in_use_stays(layered: Survivor) -> None:
    clean = 'COEX_TOOLS=1 "$0" cache clean --all -y'
    done = run(layered, f'exec 9<$ROOT/app/data/big; touch -d "1 hour ago" $ROOT/used; {clean}; exec 9<&-; "$0" x')
    assert done.returncode == 0
    assert "0 roots removed" in done.stdout
    done = run(layered, ': >$ROOT/activate.sh; exec 9<$ROOT/app/data/big; "$0" x')
    assert done.returncode == 125
    assert "a damaged root is in use there, and in a layer where it cannot be renamed" in done.stderr


LAYERED = "no directory in it can be renamed, as in a lower layer of an overlay; use a new directory"


def test_overlay_of_a_user_namespace(layered: Survivor) -> None:
    """Without `userxattr` no directory beside those of a lower layer can be renamed.

    The message names a place that works.
    """

    def run_there(script: str) -> subprocess.CompletedProcess[str]:
        return run(layered, script, "-Urm")

    if run_there("true").returncode:
        pytest.skip("no overlay can be mounted in a user namespace")
    done = run_there(': >$ROOT/activate.sh; "$0" x')
    said = f"coex: no place to unpack: {layered.store}: {LAYERED}; name another directory in COEX_ROOT\n"
    assert (done.returncode, done.stderr) == (125, said)
    done = run_there(': >$ROOT/activate.sh; COEX_ROOT=$COEX_ROOT/new; "$0" x && "$0" x && rm -r "$COEX_ROOT"')
    assert (done.returncode, done.stdout, done.stderr) == (0, layered.expected * 2, "")
    done = run_there(': >$ROOT/activate.sh; COEX_TOOLS=1 "$0" repair')
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "; start it with a new directory in COEX_ROOT" in done.stderr
    done = run_there('COEX_TOOLS=1 "$0" unpack -p $COEX_ROOT/env')
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "; make empty directories there first, which are filled" in done.stderr
    done = run_there('mkdir $COEX_ROOT/env && COEX_TOOLS=1 "$0" unpack -p $COEX_ROOT/env')
    assert done.returncode == 0, done.stderr
