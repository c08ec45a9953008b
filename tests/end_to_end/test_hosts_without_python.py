"""Archives that carry a Python, on hosts without one: first starts in a bare system, also when others interfere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bare_system import USER, BareSystem
from testbed import bare_systems

if TYPE_CHECKING:
    from conftest import MakeArchive
    from testbed.layout import Layout

SHOW = '#!/bin/sh\nenv | grep -ci -e python -e _coex; cprog "$@" | grep argument\n'
KEPT = "/home/user/.cache/coex/python-*"


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Path:
    """Return an archive that carries a Python, and prints its arguments and how many variables concern a Python."""
    return make_archive("./show.sh", "--carry-python", packages=("cprog",), show=SHOW).path


@pytest.fixture(params=[bare_systems.BUSYBOX, bare_systems.DEBIAN])
def system(request: pytest.FixtureRequest, archive: Path, testbed: Layout) -> BareSystem:
    """Return a system without a Python; a test is skipped, with the reason, if this machine cannot make it."""
    return make_system(request.param, archive, testbed)


@pytest.fixture
def busybox(archive: Path, testbed: Layout) -> BareSystem:
    """Return the smaller one, for tests that need only one."""
    return make_system(bare_systems.BUSYBOX, archive, testbed)


def make_system(name: str, archive: Path, testbed: Layout) -> BareSystem:
    if os.geteuid() != 0:
        pytest.skip("only root can start another system")
    root = bare_systems.find(testbed, name)
    if root is None:
        pytest.skip(f"this machine cannot make the system {name}")
    return BareSystem(root, archive)


def lines(done: subprocess.CompletedProcess[str], said: str = "") -> list[str]:
    """Return the output of a script that says this, or nothing, on standard error."""
    assert said in done.stderr if said else not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("user", ["USER", "0"])
def test_first_and_later_starts(system: BareSystem, user: str) -> None:
    """The Python is kept: a start that has to unpack again takes it, and needs no tar for that."""
    done = system(f"""
        in_system {user} '/app.coex one; /app.coex "t w o"; rm -r $HOME/.cache/coex/????????????????????????'
        rm -f bin/tar usr/bin/tar
        in_system {user} '/app.coex three; ls -A $HOME/.cache/coex /tmp /var/tmp /dev/shm'
    """)
    found = lines(done)
    assert found[:6:2] == ["1", "1", "1"]  # PYTHONNOUSERSITE
    assert found[1:6:2] == ["argument 1=one", "argument 1=t w o", "argument 1=three"]
    names = [line for line in found[6:] if line and not line.startswith("/")]
    assert sorted(name.strip("0123456789abcdef") for name in names) == ["", "CACHEDIR.TAG", "python-"]


def test_without_tar(archive: Path, testbed: Layout) -> None:
    """The message names the program; the shell of busybox has its own."""
    debian = make_system(bare_systems.DEBIAN, archive, testbed)
    done = debian("rm -f bin/tar usr/bin/tar; in_system USER '/app.coex one'; echo $?")
    assert lines(done, "missing on this host: tar; install them, or install python3") == ["127"]
    assert done.stderr.count("\n") == 1


def test_many_at_once(system: BareSystem) -> None:
    starts = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do /app.coex x & done; wait"
    done = system(f"in_system USER '{starts}'; ls -A home/user/.cache/coex tmp | grep -v -e TAG -e : | wc -w")
    assert sorted(lines(done)) == ["1"] * 16 + ["2"] + ["argument 1=x"] * 16


@pytest.mark.parametrize("store", ["", "mkdir -m 700 -p $HOME/.cache/coex;"], ids=["temporary", "store"])
def test_killed_while_it_is_written(system: BareSystem, store: str) -> None:
    """The next start removes its leftovers."""
    script = f"""
        {store} /app.coex x & pid=$!
        until ls -d /tmp/*.python-*/lib $HOME/.cache/coex/*.python-*/lib 2>/dev/null | grep -q .; do sleep 0.01; done
        kill -9 $pid; wait $pid; sleep 0.2; ls -d /tmp/*.python-* $HOME/.cache/coex/*.python-* 2>/dev/null | wc -l
        /app.coex again; ls -d /tmp/*.python-* $HOME/.cache/coex/*.python-* 2>/dev/null | wc -l; ls -d {KEPT} | wc -l
    """
    done = system(f"in_system USER '{script}' 2>&1 | grep -v -i killed")
    assert lines(done) == ["1", "1", "argument 1=again", "0", "1"]


@pytest.mark.parametrize("what", ["home", "HOME"], ids=["read-only", "no HOME"])
def test_home_that_cannot_have_a_store(system: BareSystem, what: str) -> None:
    """The store is in /tmp then, and so is the Python for later starts."""
    hide = "mount -t tmpfs -o ro none home" if what == "home" else "env='HOME='"
    done = system(f"""
        {hide}
        in_system USER '/app.coex one; rm -r /tmp/coex-USER/????????????????????????'
        rm -f bin/tar usr/bin/tar
        in_system USER '/app.coex two; ls -A /tmp; ls -d /tmp/coex-USER/python-* | wc -l'
    """)
    assert lines(done) == ["1", "argument 1=one", "1", "argument 1=two", "coex-54331", "1"]


def test_store_that_cannot_be_written(busybox: BareSystem) -> None:
    """The message is that of a host with a Python; nothing is left."""
    done = busybox("""
        mkdir store; mount -t tmpfs -o ro,mode=755 none store; env=COEX_ROOT=/store
        in_system USER '/app.coex one; echo $?; ls -A /tmp'
    """)
    assert lines(done, "/store: on a read-only file system") == ["125"]


def test_shared_store(busybox: BareSystem) -> None:
    """Users of a store that another one has filled take its Python, and keep none."""
    done = busybox("""
        mkdir -m 755 store; env=COEX_ROOT=/store
        in_system 0 '/app.coex one; rm -r /store/????????????????????????/start'
        rm bin/tar
        in_system USER '/app.coex two; echo $?; ls -A /tmp'
    """)
    assert lines(done, "not writable, and its root of this archive") == ["1", "argument 1=one", "125"]


def test_places_without_programs(busybox: BareSystem) -> None:
    """No program runs from a place that is mounted noexec: the next one serves, at last the home."""
    hide = "for place in tmp var/tmp dev/shm; do mount -t tmpfs -o noexec,mode=1777 none $place; done\n"
    done = busybox(hide + "in_system USER '/app.coex one; ls -A /tmp /var/tmp /dev/shm $HOME'")
    assert [line for line in lines(done) if line and line[0] != "/"] == ["1", "argument 1=one", ".cache"]
    done = busybox(hide + "mount -t tmpfs -o noexec,mode=1777 none home/user; in_system USER '/app.coex one; echo $?'")
    said = "/tmp: no program can be started from it, /var/tmp: no program can be started from it"
    assert lines(done, said) == ["127"]
    assert done.stderr.endswith("; name a directory of yours in TMPDIR, or install python3\n")


def test_full_place(busybox: BareSystem) -> None:
    """The next one serves."""
    done = busybox("mount -t tmpfs -o size=1m,mode=1777 none tmp; in_system USER '/app.coex one; ls -A /tmp'")
    assert lines(done) == ["1", "argument 1=one"]


def test_full_places(busybox: BareSystem) -> None:
    full = "for place in tmp var/tmp dev/shm home/user; do mount -t tmpfs -o size=1m,mode=1777 none $place; done\n"
    done = busybox(full + "in_system USER '/app.coex one; echo $?; ls -A /tmp'")
    assert lines(done, "/tmp: no space is left, /var/tmp: no space is left") == ["127"]


def test_no_proc(busybox: BareSystem) -> None:
    done = busybox("umount proc; in_system USER '/app.coex one; echo $?; ls -A /tmp'")
    assert lines(done, "this host has no /proc, by which it finds its libraries; install python3") == ["127"]


@pytest.mark.parametrize("share", [3, 20, 60, 99])
def test_truncated(busybox: BareSystem, share: int) -> None:
    """No part of it runs, and nothing is left."""
    size = busybox.archive.stat().st_size * share // 100
    script = "/app.coex one; echo $?; ls -A /tmp $HOME | wc -w"
    done = busybox(f"head -c {size} \"$2\" >app.coex; in_system USER '{script}'")
    (status, left) = lines(done, "")[-2:] if not done.stderr else done.stdout.split()
    assert status in ("2", "127")
    assert left == "2"  # the names of the two directories
    assert done.stderr.count("\n") == 1


HOSTILE = {
    "link to a directory of another": "mkdir tmp/evil; chown OTHER tmp/evil; ln -s evil tmp/mine",
    "directory of another": "mkdir -m 777 tmp/mine; chown OTHER tmp/mine",
    "sticky directory of another": "mkdir -m 777 tmp/mine; chmod +t tmp/mine; chown OTHER tmp/mine",
    "below one that is open to all": "mkdir -p tmp/m/deep; chown USER tmp/m; chmod 777 tmp/m; ln -s m/deep tmp/mine",
    "open to all": "mkdir -m 777 tmp/mine; chown USER tmp/mine; chmod 777 tmp/mine",
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_temporary_directory(busybox: BareSystem, how: str) -> None:
    """It is passed over: nothing is made there."""
    done = busybox(f"""
        {HOSTILE[how]}; env=TMPDIR=/tmp/mine
        before=$(ls -lAdn --full-time tmp/mine/)
        in_system USER 'COEX_TRACE=1 /app.coex one 2>/tmp/said; ls -d {KEPT} | wc -l'
        [ "$before" = "$(ls -lAdn --full-time tmp/mine/)" ] && echo untouched
    """)
    assert lines(done) == ["1", "argument 1=one", "1", "untouched"]


def test_planted_python(busybox: BareSystem) -> None:
    """A Python that another user has put into a store in /tmp is not run."""
    done = busybox("""
        id=$(grep -a -o "_coex_carried='[0-9a-f]*" app.coex | head -n 1); id=${id#*"'"}
        mkdir -p tmp/coex-USER/python-$id/bin; chmod 755 tmp/coex-USER
        printf '#!/bin/sh\\necho planted\\n' >tmp/coex-USER/python-$id/bin/python; : >tmp/coex-USER/python-$id/used
        chmod 755 tmp/coex-USER/python-$id/bin/python; chown -R OTHER tmp/coex-USER
        rm -r home/user; mkdir -m 755 home/user
        in_system USER '/app.coex one'; ls -A tmp/coex-USER
    """)
    found = lines(done)
    assert "planted" not in found
    assert found[:2] == ["1", "argument 1=one"]


def test_verbs(busybox: BareSystem) -> None:
    """A verb runs on it, too, and keeps it only if a start did."""
    done = busybox("""
        env=COEX_TOOLS=1
        in_system USER '/app.coex verify | head -n 1; ls -A /tmp $HOME; COEX_TOOLS= /app.coex one; /app.coex cache list
        sleep 2.1
        /app.coex cache clean --all -y; ls $HOME/.cache/coex'
    """)
    found = lines(done)
    assert found[0].startswith("/app.coex: whole: prelude")
    assert sorted(found[1:4]) == ["", "/home/user:", "/tmp:"]
    text = "\n".join(found[4:])
    assert re.search(r"^Python 3\.[0-9.]+ +\d.* \d+ +/home/user/.cache/coex/python-\w{24}$", text, re.MULTILINE)
    assert "\n2 roots, " in text
    assert "\n1 root removed, " in text  # not the Python that answers
    assert found[-1].startswith("python-")


def test_on_a_host_that_has_one(archive: Path, store: Path, shells: dict[str, list[str]]) -> None:
    """With each shell of this machine, if asked for."""
    for name, words in shells.items():
        place = store / name
        env = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(place), "TMPDIR": "/tmp"}
        env |= {"COEX_PYTHON": "carried", "COEX_TRACE": "1"}
        done = subprocess.run([*words, archive, "x"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (kept,) = place.glob("python-*")
        assert kept.name[-24:] in done.stderr  # the trace names the Python that ran
        assert not list(Path("/tmp").glob(f"{kept.name[-24:]}.python-*"))
        assert len(list(place.iterdir())) == 3


def test_in_a_user_namespace(archive: Path) -> None:
    """The owner of /tmp has no number there, and counts as root; the shell reads who has none."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        file = shutil.copy2(archive, place)
        os.chown(place, USER, USER)
        env = {"PATH": "/usr/bin:/bin", "HOME": place, "COEX_PYTHON": "carried"}
        command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "unshare", "-r", "sh", file, "x"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("argument 1=x\n")
        assert len(list(Path(place).glob(".cache/coex/python-*"))) == 1
