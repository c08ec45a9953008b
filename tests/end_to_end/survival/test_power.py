"""Power fails after a first start: images of a file system as they are then, which the next boot mounts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from testbed.survivor import ENTRY, PACKAGES, WHOLE, write_app

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import Coex

MODES = ("data=ordered", "data=writeback")
# Starts in a file system on a loop device, and takes the content of the device: a journal of names, without contents.
CRASH = """
image=$1/image mounted=$1/mounted mode=$2 then=$3
mount -o "loop,$mode" "$image" "$mounted" || exit 99
mkdir -m 700 "$mounted/store"
COEX_ROOT=$mounted/store "$0" x || exit 98
eval "$then"
cp --sparse=always "$image" "$image.crash" && umount "$mounted" || exit 97
"""
# The next boot, at the same place.
BOOT = """
image=$1/image.crash mounted=$1/mounted mode=$2 then=$3
mount -o "loop,$mode" "$image" "$mounted" || exit 99
echo 00000000-0000-0000-0000-000000000000 >"$1/boot_id"
mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id || exit 99
export COEX_ROOT=$mounted/store
find "$COEX_ROOT" -path '*/app/*' -type f ! -name whole.sh -size 0 | wc -l
eval "$then"
"""
# A start by the shell alone leaves no trace.
TWICE = '"$0" x && COEX_TRACE=1 "$0" x && COEX_TOOLS=1 "$0" verify >/dev/null && echo verified'


@pytest.fixture(scope="module")
def archives(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an archive with scripts that run at the first start, and one without."""
    found = {}
    for name, packages in (("scripts", PACKAGES), ("plain", ("activate-demo", "zstd", "cprog"))):
        directory = tmp_path_factory.mktemp(name)
        names = write_app(directory)
        (directory / ENTRY).write_text(WHOLE if name == "scripts" else WHOLE.replace("made=$(cat", "made=$(echo"))
        coex(directory, "-q", "--entrypoint", f"./{ENTRY}", "-o", "app.coex", *names, packages=packages)
        found[name] = directory / "app.coex"
    return found


def run(script: str, archive: Path, place: Path, mode: str, then: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a mount namespace of its own."""
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nothing"}
    command = ["unshare", "-m", "sh", "-c", script, archive, place, mode, then]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 99:
        pytest.skip(f"no image can be mounted here: {done.stderr}")
    assert done.returncode == 0, done
    return done


def make_image(path: Path) -> None:
    """Make a file that contains an empty file system."""
    path.unlink(missing_ok=True)
    with path.open("wb") as stream:
        stream.truncate(200 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}, check=True)


@pytest.fixture
def place(tmp_path: Path, as_root: None) -> Path:
    (tmp_path / "mounted").mkdir()
    make_image(tmp_path / "image")
    return tmp_path


# A start changes its store last. If that is written, all earlier names are, and no contents (fsync(2) of a directory).
NAMES = 'sync "$mounted/store"'
# The files that a start reads, the scripts, the program and its modules: written before all others, as by chance.
STARTS = f'cd "$mounted/store"/*; sync start activate.sh prefix/etc/conda/*/* app/whole.sh; cd /; {NAMES}'
TRIES = 5  # a system writes contents at once when all of its programs have written much


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("then", [NAMES, STARTS], ids=["nothing", "start"])
@pytest.mark.parametrize("name", ["scripts", "plain"])
def test_next_boot(archives: dict[str, Path], place: Path, name: str, then: str, mode: str) -> None:
    """The names are there and the contents are not: the root is made again, and is then like any other."""
    for _ in range(TRIES):
        make_image(place / "image")
        expected = run(CRASH, archives[name], place, mode, then).stdout
        done = run(BOOT, archives[name], place, mode, TWICE)
        empty, rest = done.stdout.split("\n", 1)
        if int(empty) > 0:
            break
    assert int(empty) > 0, "nothing was lost: this tests nothing"
    assert rest == expected * 2 + "verified\n", done.stderr
    assert done.stderr == ""


def test_all_was_written(archives: dict[str, Path], place: Path) -> None:
    """It is checked once, and stays; if the result cannot be written, it is checked again."""
    expected = run(CRASH, archives["plain"], place, "data=ordered", 'sync -f "$mounted"').stdout
    full = 'chattr +i "$COEX_ROOT"/*/kept && COEX_TRACE=1 "$0" x; chattr -i "$COEX_ROOT"/*/kept; '
    done = run(BOOT, archives["plain"], place, "data=ordered", full + 'COEX_TRACE=1 "$0" x && ' + TWICE)
    assert done.stdout == "0\n" + expected * 4 + "verified\n", done.stderr
    assert done.stderr.count("look at a root of an earlier boot") == 2
    assert "unpack" not in done.stderr


@pytest.mark.parametrize("later", ['touch -d "20 minutes" "$COEX_ROOT"/*/used', 'mount -o remount,ro "$mounted"'])
def test_nobody_looks(archives: dict[str, Path], place: Path, later: str) -> None:
    """A root that was used a while after it was made is on the disk; a read-only root cannot be made again."""
    expected = run(CRASH, archives["plain"], place, "data=ordered", 'sync -f "$mounted"').stdout
    done = run(BOOT, archives["plain"], place, "data=ordered", f'{later}; COEX_TRACE=1 "$0" x')
    assert (done.stdout, done.stderr) == ("0\n" + expected, "")


def test_unpack_to_stay(archives: dict[str, Path], place: Path) -> None:
    """When `unpack --store` reports success, the root is on the disk; so is an environment."""
    again = 'rm -r "$mounted/store"; export COEX_TOOLS=1; '
    again += '"$0" unpack -p "$mounted/env"; "$0" unpack --store "$mounted/store"'
    expected = run(CRASH, archives["scripts"], place, "data=ordered", f"{{ {again}; }} >&2").stdout
    look = 'COEX_TOOLS=1 "$0" verify -p "$mounted/env" >/dev/null && COEX_TRACE=1 "$0" x && '
    done = run(BOOT, archives["scripts"], place, "data=ordered", look + TWICE)
    assert (done.stdout, done.stderr) == ("0\n" + expected * 3 + "verified\n", "")


def test_repaired(archives: dict[str, Path], place: Path) -> None:
    damage = 'sync -f "$mounted"; rm "$mounted"/store/*/app/data/few*; '
    damage += 'COEX_TOOLS=1 COEX_ROOT=$mounted/store "$0" repair >&2'
    expected = run(CRASH, archives["plain"], place, "data=ordered", damage).stdout
    done = run(BOOT, archives["plain"], place, "data=ordered", 'COEX_TRACE=1 "$0" x && ' + TWICE)
    assert (done.stdout, done.stderr) == ("0\n" + expected * 3 + "verified\n", "")
