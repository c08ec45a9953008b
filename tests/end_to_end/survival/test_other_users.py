"""Other users of the machine: a place is refused if one of them could change its files, by any directory of its path.

Users are real, and so are their groups, in a namespace of mounts with lists of users and groups of its own.
"""

from __future__ import annotations

import os
import shutil
import string
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.manifest import fill_prelude
from testbed.layout import REPOSITORY
from unit.coex_bootstrap.building import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.survivor import Survivor

USER, OTHER, TEAM = 54331, 54332, 54333  # two users, and a group that both are in
NOBODY = 65534  # whom the kernel shows for those who have no number in a user namespace
NAME = "0" * 24
SHELLS = (["dash"], ["bash"], ["busybox", "sh"], ["zsh", "--emulate", "sh"], ["zsh"], ["ksh"], ["mksh"], ["yash"])
PRELUDE, PYTHON = "prelude", "python"  # the program that decides
UNSHARE = shutil.which("unshare") or "unshare"

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory of root that all may read."""
    directory = Path(tempfile.mkdtemp(prefix="coex-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
    for user in (0, USER, OTHER, NOBODY):
        for above in ("/tmp", "/var/tmp"):
            shutil.rmtree(f"{above}/coex-{user}", ignore_errors=True)


@pytest.fixture
def no_sticky() -> Iterator[Path]:
    """Return a directory of root that is below no sticky one."""
    directory = Path(tempfile.mkdtemp(prefix="coex-", dir="/var/lib"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    if not shutil.which(request.param[0]):
        pytest.skip("this machine has no " + request.param[0])
    return list(request.param)


def become(user: int) -> list[str]:
    return ["setpriv", "--reuid", str(user), "--regid", str(user), "--groups", str(TEAM)] if user else []


def make(path: Path, owner: int = USER, mode: int = 0o755, group: int | None = None) -> Path:
    """Make a directory; the directories above it belong to root alone."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, owner, owner if group is None else group)
    path.chmod(mode)
    return path


def plant(store: Path, name: str, owner: int = OTHER, says: str = "planted") -> None:
    """Make a root whose start tells that it was sourced."""
    root = make(store / name, owner)
    (root / "start").write_text(f"echo {says}; exit 0\n", encoding="utf-8")
    os.chown(root / "start", owner, owner)


# Commands of root before a start, if $HOME and everything in it belong to USER, and the program that decides.
DEFAULT = {
    "start that is a pipe": ("rm $ROOT/start; mkfifo -m 644 $ROOT/start; chown $USER $ROOT/start", PYTHON),
    "all mine": (":", PRELUDE),
    "cache that is a link": ("put_link $CACHE $USER", PRELUDE),
    "above: sticky": ("chmod 1777 $UP", PRELUDE),
    "start of another": ("chown $OTHER $ROOT/start", PYTHON),
    "root of another": ("chown $OTHER $ROOT", PYTHON),
    "store of another": ("chown $OTHER $STORE", PYTHON),
    "cache of another": ("chown $OTHER $CACHE", PYTHON),
    "home of another": ("chown $OTHER $HOME", PYTHON),
    "cache of root": ("chown 0 $CACHE", PYTHON),
    "start that is a link": ("put_link $ROOT/start $USER", PYTHON),
    "root that is a link": ("put_link $ROOT $USER", PYTHON),
    "store that is a link": ("put_link $STORE $USER", PYTHON),
    "above: all may write": ("chmod 777 $UP", PYTHON),
    "above: my group may write": ("chgrp $TEAM $UP; chmod 775 $UP", PYTHON),
    "further up: all may write": ("chmod 777 $TOP", PYTHON),
}
OF_ROOT = {
    "home of root": ("chown -R 0 $HOME", PRELUDE),
    "home of a user": (":", PYTHON),
    "home of a user, all below of root": ("chown -R 0 $CACHE", PYTHON),
    "home below that of a user": ("chown -R 0 $HOME; chown $USER $UP", PYTHON),
    "home below a sticky directory of a user": ("chown -R 0 $HOME; chown $USER $UP; chmod 1755 $UP", PYTHON),
    "a link on the way": ("chown -R 0 $HOME; put_link $UP 0", PYTHON),
}
SPELLINGS = {
    "HOME=$HOME/": PRELUDE,
    "XDG_CACHE_HOME=$CACHE": PRELUDE,
    "XDG_CACHE_HOME=$CACHE//": PRELUDE,
    "HOME=$HOME/.cache/..": PYTHON,
    "COEX_ROOT=$STORE": PRELUDE,
    "COEX_ROOT=$STORE//": PRELUDE,
    "COEX_ROOT=$STORE/.": PYTHON,
    "COEX_ROOT=$CACHE/../.cache/coex": PYTHON,
}
NAMED = {
    "mine": (":", PRELUDE),
    "of another": ("chown -R $OTHER $STORE", PRELUDE),
    "of root": ("chown -R 0 $STORE", PRELUDE),
    "of another, by a link": ("chown -R $OTHER $STORE; put_link $STORE $OTHER", PRELUDE),
    "above: sticky": ("chmod 1777 $CACHE; chown 0 $CACHE", PRELUDE),
    "further up: of another": ("chown $OTHER $HOME", PRELUDE),
    "start of another": ("chown $OTHER $ROOT/start", PYTHON),
    "root of another": ("chown $OTHER $ROOT", PYTHON),
    "root that is a link": ("put_link $ROOT $USER", PYTHON),
    "of root, for all to write": ("chown -R 0 $STORE; chmod 777 $STORE", PYTHON),
    "of root, sticky": ("chown 0 $STORE; chmod 1777 $STORE", PYTHON),
    "of another, for my group to write": ("chown -R $OTHER:$TEAM $STORE; chmod 775 $STORE", PYTHON),
    "of another, sticky for a group": ("chown -R $OTHER:0 $STORE; chmod 1775 $STORE", PYTHON),
    "of another, above: all may write": ("chown -R $OTHER $STORE; chown 0 $CACHE; chmod 777 $CACHE", PYTHON),
    "above: my group may write": ("chown 0:$TEAM $CACHE; chmod 775 $CACHE", PYTHON),
}
# A private store in a directory of root, as SLURM_TMPDIR or TMPDIR names it.
TEMPORARY = {
    "all mine": (":", PRELUDE),
    "sticky": ("chmod 1777 $CACHE", PRELUDE),
    "in a directory of mine": ("chown $USER $CACHE", PRELUDE),
    "in a directory that is a link": ("put_link $CACHE 0", PRELUDE),
    "store of another": ("chown $OTHER $OWN", PYTHON),
    "store of another, for me to write": ("chown $OTHER:$TEAM $OWN; chmod 775 $OWN", PYTHON),
    "store that is a link": ("put_link $OWN $USER", PYTHON),
    "root of another": ("chown $OTHER $OWN/*", PYTHON),
    "start of another": ("chown $OTHER $OWN/*/start", PYTHON),
    "start that is a link": ("put_link $OWN/*/start $USER", PYTHON),
    "all may write": ("chmod 777 $CACHE", PYTHON),
    "my group may write": ("chgrp $TEAM $CACHE; chmod 775 $CACHE", PYTHON),
    "further up: all may write": ("chmod 777 $UP", PYTHON),
}
PUT_LINK = 'put_link() { mv "$1" "$1.aside"; ln -s "$1.aside" "$1"; chown -h "$2" "$1"; }'


class Case:
    """A home with a store in it, all of USER, whose root has a start that tells that it was sourced."""

    def __init__(self, place: Path, change: str = ":") -> None:
        self.top = make(place / "top", 0)
        up = make(self.top / "home", 0)
        self.home, self.cache = make(up / "me"), make(up / "me/.cache")
        self.store = make(self.cache / "coex")
        plant(self.store, NAME, USER, "started")
        self.names = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "USER": str(USER), "OTHER": str(OTHER), "TEAM": str(TEAM),
            "TOP": str(self.top), "UP": str(up), "HOME": str(self.home), "CACHE": str(self.cache),
            "STORE": str(self.store), "ROOT": str(self.store / NAME),
        }  # fmt: skip
        subprocess.run(["sh", "-ec", f"{PUT_LINK}\n{change}"], env=self.names, check=True)

    def expand(self, word: str) -> dict[str, str]:
        """Return a variable for a start, given as NAME=VALUE."""
        name, value = string.Template(word).substitute(self.names).split("=")
        return {name: value}


def write_prelude(place: Path) -> Path:
    """Write only a prelude: if it does not start the root, it calls a Python, which finds no archive."""
    text = (REPOSITORY / "bootstrap/coex_bootstrap/prelude.sh").read_bytes()
    file = place / "prelude.coex"
    file.write_bytes(fill_prelude(text, NAME.encode(), "linux-64"))
    return file


def who_decides(shell: list[str], file: Path, user: int, env: dict[str, str]) -> str:
    environment = {"PATH": "/usr/bin:/bin", **env}
    done = subprocess.run(
        [*become(user), *shell, str(file)], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    if (done.returncode, done.stdout, done.stderr) == (0, "started\n", ""):
        return PRELUDE
    assert (done.returncode, done.stdout) == (125, ""), done
    assert "not a complete coex archive" in done.stderr
    return PYTHON


@pytest.mark.parametrize("what", DEFAULT)
def test_prelude_of_a_default_place(shell: list[str], place: Path, what: str) -> None:
    change, expected = DEFAULT[what]
    case = Case(place, change)
    assert who_decides(shell, write_prelude(place), USER, case.expand("HOME=$HOME")) == expected


@pytest.mark.parametrize("what", OF_ROOT)
def test_prelude_of_root(shell: list[str], place: Path, what: str) -> None:
    change, expected = OF_ROOT[what]
    case = Case(place, change)
    assert who_decides(shell, write_prelude(place), 0, case.expand("HOME=$HOME")) == expected
    named = PRELUDE if what == "home of root" else PYTHON
    if what in ("home of root", "home of a user"):
        assert who_decides(shell, write_prelude(place), 0, case.expand("COEX_ROOT=$STORE")) == named


@pytest.mark.parametrize("word", SPELLINGS)
def test_prelude_of_a_place_that_is_spelled_otherwise(shell: list[str], place: Path, word: str) -> None:
    case = Case(place)
    assert who_decides(shell, write_prelude(place), USER, case.expand(word)) == SPELLINGS[word]
    case = Case(place / "other", "chown 0 $CACHE; chmod 777 $CACHE")  # where the store could be replaced
    assert who_decides(shell, write_prelude(place), USER, case.expand(word)) == PYTHON


@pytest.mark.parametrize("what", NAMED)
def test_prelude_of_a_place_that_is_named(shell: list[str], place: Path, what: str) -> None:
    change, expected = NAMED[what]
    case = Case(place, change)
    assert who_decides(shell, write_prelude(place), USER, case.expand("COEX_ROOT=$STORE")) == expected


@pytest.mark.parametrize("name", ["SLURM_TMPDIR", "TMPDIR"])
@pytest.mark.parametrize("what", TEMPORARY)
def test_prelude_of_a_temporary_directory(shell: list[str], place: Path, what: str, name: str) -> None:
    change, expected = TEMPORARY[what]
    prepare = f"OWN=$CACHE/coex-$USER; mv $STORE $OWN; chown 0 $HOME $CACHE; {change}"
    case = Case(place, prepare)
    found = case.expand(f"{name}=$CACHE")
    assert who_decides(shell, write_prelude(place), USER, found) == expected
    assert who_decides(shell, write_prelude(place), USER, {**found, **case.expand("HOME=$HOME")}) == expected
    assert who_decides(shell, write_prelude(place), 0, found) == PYTHON  # it is not root's


@pytest.mark.parametrize("above", ["/tmp", "/var/tmp", "/dev/shm"])
@pytest.mark.parametrize("user", [0, USER])
def test_prelude_without_a_home(shell: list[str], place: Path, above: str, user: int) -> None:
    """A start with an empty environment finds the root of the first one; a directory of another user is passed over."""
    own = Path(above) / f"coex-{user}"
    was_there = own.exists()
    make(own, user, 0o700)
    try:
        plant(own, NAME, user, "started")
        file = write_prelude(place)
        for env in ({}, {"HOME": "/"}, {"HOME": "/nonexistent", "EUID": "1", "UID": "1"}):
            assert who_decides(shell, file, user, env) == PRELUDE
        os.chown(own / NAME, OTHER, OTHER)
        assert who_decides(shell, file, user, {}) == PYTHON
    finally:
        shutil.rmtree(own / NAME if was_there else own)


# Lines of a site, and the program that decides. JOB is not set.
SITES = {
    "store = $STORE": PRELUDE,
    "# a comment\n\n  store=$STORE/": PRELUDE,
    "store = $JOB/coex\nstore = ${CACHE}/c$WORD": PRELUDE,
    "order = cache store\nstore = $STORE\n": PRELUDE,
    "order = temporary\nstore = $STORE": PYTHON,
    "order = memory cache": PYTHON,
    "store = /nonexistent\norder = store": PYTHON,
    "stores = $STORE\nstore = $STORE": PYTHON,
    "store = $STORE$(true)": PYTHON,
    "store = $STORE\nstore = $": PYTHON,
    "store = $STORE/.": PYTHON,
    "store = $STORE\nstore = coex": PYTHON,
    "store = $STORE\nstore =": PYTHON,
    "store = $STORE\nstore = /a:b": PYTHON,
    "store = $STORE\nstore = $TWO": PYTHON,
    "store = $STORE\norder = store home": PYTHON,
    "store = $STORE\norder = store store": PYTHON,
    "store = $STORE\norder = store\norder = store": PYTHON,
    "store = $STORE\norder =": PYTHON,
    "": PYTHON,
}


@pytest.mark.parametrize("text", SITES)
def test_prelude_of_a_site(shell: list[str], place: Path, text: str) -> None:
    case = Case(place)
    site = place / "coex.conf"
    site.write_text(text, encoding="utf-8")
    os.chown(site, USER, USER)
    env = {"COEX_CONFIG": str(site), "STORE": str(case.store), "CACHE": str(case.cache), "WORD": "oex", "TWO": "/a\n/b"}
    expected = PYTHON if shell == ["zsh"] else SITES[text]  # which does not split words, unless it is called sh
    assert who_decides(shell, write_prelude(place), USER, env) == expected
    os.chown(site, OTHER, OTHER)
    assert who_decides(shell, write_prelude(place), USER, env) == PYTHON
    chosen = {**env, "COEX_ROOT": str(case.store)}
    assert who_decides(shell, write_prelude(place), USER, chosen) == PRELUDE


# Changes that root makes before a start with a store that the file of the site names, and the program that decides.
OF_SITES = {
    "of root": ("chown -R 0 $HOME", PRELUDE),
    "of root, further up sticky": ("chown -R 0 $HOME; chmod 1777 $UP", PYTHON),
    "of another": ("chown -R $OTHER $HOME", PYTHON),
    "of another, in a sticky directory": ("chown -R $OTHER $HOME; chmod 1777 $UP", PYTHON),
    "of root, in a directory of another": ("chown -R 0 $HOME; chown $OTHER $HOME", PYTHON),
    "of root, for a group of others to write": ("chown -R 0 $HOME; chgrp $OTHER $STORE; chmod 775 $STORE", PYTHON),
    "of root, start of another": ("chown -R 0 $HOME; chown $OTHER $ROOT/start", PYTHON),
    "of root, for my group to write": ("chown -R 0 $HOME; chgrp $TEAM $STORE; chmod 775 $STORE", PYTHON),
    "root that is a link": ("chown -R 0 $HOME; put_link $ROOT 0", PYTHON),
    "start of another, in a store of mine": ("chown $OTHER $ROOT/start", PYTHON),
    "start of mine, in a store of root": ("chown -R 0 $HOME; chown $USER $ROOT/start", PYTHON),
}


@pytest.mark.parametrize("what", OF_SITES)
def test_prelude_of_a_store_of_a_site(shell: list[str], place: Path, no_sticky: Path, what: str) -> None:
    change, expected = OF_SITES[what]
    case = Case(no_sticky, change)
    site = place / "coex.conf"
    site.write_text(f"store = {case.store}\n", encoding="utf-8")
    os.chown(site, USER, USER)
    expected = PYTHON if shell == ["zsh"] else expected
    assert who_decides(shell, write_prelude(place), USER, {"COEX_CONFIG": str(site)}) == expected


def test_prelude_with_the_file_of_the_site(shell: list[str], place: Path) -> None:
    """It is in /etc, for everybody."""
    case = Case(place)
    make(place / "etc", 0)
    (place / "etc/coex.conf").write_text(f"store = {case.store}\n", encoding="utf-8")
    mount = f"mount -t overlay -o lowerdir={place}/etc:/etc none /etc || exit 99; exec \"$@\""
    inside = [UNSHARE, "-m", "sh", "-c", mount, "sh", *become(USER), *shell]
    expected = PYTHON if shell == ["zsh"] else PRELUDE
    assert who_decides(inside, write_prelude(place), 0, {}) == expected


def test_prelude_of_a_user_without_a_number(shell: list[str], place: Path) -> None:
    """In a user namespace that maps nobody, all but this user look like this user: one may have made a home in /tmp."""
    case = Case(place, "chown -R $OTHER $HOME")
    inside = [*become(USER), UNSHARE, "-U"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user make a namespace")
    assert who_decides([UNSHARE, "-U", *shell], write_prelude(place), USER, case.expand("HOME=$HOME")) == PYTHON


FLIP = """
import os, sys
home, genuine = sys.argv[1:]
os.rename(home + "/.cache/coex", home + "/.cache/mine")
while True:
    for target in (genuine, home + "/.cache/mine"):
        os.symlink(target, home + "/.cache/new")
        os.rename(home + "/.cache/new", home + "/.cache/coex")
"""


def test_prelude_while_a_user_flips_the_store_of_root(shell: list[str], place: Path) -> None:
    """A link leads to a root of root's while it is looked at, and to the user's own when it is read."""
    case = Case(place)
    plant(case.store, NAME, USER, "root runs what a user wrote")
    genuine = make(place / "genuine", 0)
    plant(genuine, NAME, 0, "started")
    file = write_prelude(place)
    flipper = subprocess.Popen([*become(USER), sys.executable, "-c", FLIP, str(case.home), str(genuine)])
    try:
        wait_until((case.cache / "coex").is_symlink, "the link")
        for _ in range(60):
            assert who_decides(shell, file, 0, case.expand("HOME=$HOME")) == PYTHON
    finally:
        flipper.kill()
        flipper.wait()


def start(
    survivor: Survivor, *prefix: str, user: int = USER, mounts: str = ":", **env: str | Path
) -> subprocess.CompletedProcess[str]:
    """Start the archive as a user, through a `prefix`, after root has run the command `mounts`."""
    environment = {"PATH": "/usr/bin:/bin", **{name: str(value) for name, value in env.items()}}
    script = f"{mounts} || exit 99\nexec \"$@\""
    command = [UNSHARE, "-m", "sh", "-c", script, "sh", *become(user), *prefix, str(survivor.archive), "x"]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False)


def works(survivor: Survivor, *prefix: str, **options: object) -> None:
    """Start twice: cold and warm."""
    for _ in range(2):
        done = start(survivor, *prefix, **options)  # type: ignore[arg-type]
        assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")


def refused(survivor: Survivor, *prefix: str, **options: object) -> str:
    done = start(survivor, *prefix, **options)  # type: ignore[arg-type]
    assert (done.returncode, done.stdout) == (125, ""), done
    assert done.stderr.startswith("coex: no place to unpack: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def roots(store: Path | str) -> list[Path]:
    return [path.parent for path in Path(store).glob("*/start")]


@pytest.fixture
def home(place: Path) -> Path:
    return make(place / "home" / "me")


def name_of_root(survivor: Survivor, place: Path) -> str:
    works(survivor, user=0, COEX_ROOT=place / "known")
    return roots(place / "known")[0].name


def test_root_with_the_home_of_a_user(survivor: Survivor, place: Path, home: Path) -> None:
    """It starts from a place of its own, and leaves nothing in that home; the user's starts go on."""
    works(survivor, HOME=home)
    (root,) = roots(home / ".cache/coex")
    (root / "start").write_text("echo the user wrote this; exit 0\n", encoding="utf-8")
    works(survivor, user=0, HOME=home)
    assert len(roots("/tmp/coex-0")) == 1
    for path in (root, root.parent):
        os.chown(path, 0, 0)  # all of it is root's now, except the home
    os.chown(root / "start", 0, 0)
    works(survivor, user=0, HOME=home)
    empty = make(place / "home" / "empty")
    works(survivor, user=0, HOME=empty)
    assert list(empty.iterdir()) == []


def test_planted_start(survivor: Survivor, place: Path, home: Path) -> None:
    store = make(place / "x/store", 0, 0o1777)
    plant(store, name_of_root(survivor, place))
    said = refused(survivor, COEX_ROOT=store)
    mend = f"chmod go-w {store} and remove files of others in it"
    assert f"{store}: writable by others (uid 0, gid 0, mode 1777; {mend}); name another" in said
    store.chmod(0o755)
    works(survivor, user=0, COEX_ROOT=store)  # root does not start a planted root, and puts it aside
    works(survivor, COEX_ROOT=store)


def test_planted_start_in_a_store_of_mine(survivor: Survivor, place: Path, home: Path) -> None:
    store = make(place / "x/store", USER, 0o755)
    plant(store, name_of_root(survivor, place))
    works(survivor, COEX_ROOT=store)
    assert [path.stat().st_uid for path in roots(store) if ".gone-" not in path.name] == [USER]


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_directories_above(survivor: Survivor, place: Path, home: Path, mode: int) -> None:
    above = make(place / "x", 0, mode, TEAM)
    store = make(above / "store")
    words = f"writable by others (uid 0, gid {TEAM}, mode {mode:o}; chmod +t or go-w {above})"
    said = refused(survivor, COEX_ROOT=store)
    assert f"{store}: {above}, which leads there, is {words}; name another directory in COEX_ROOT" in said
    works(survivor, XDG_CACHE_HOME=store)  # the next place serves
    assert list(store.iterdir()) == []
    assert len(roots(f"/tmp/coex-{USER}")) == 1
    shutil.rmtree(f"/tmp/coex-{USER}")
    above.chmod(mode | 0o1000)
    works(survivor, COEX_ROOT=store)
    works(survivor, XDG_CACHE_HOME=store)
    assert len(roots(store / "coex")) == 1


def test_a_group_further_up(survivor: Survivor, place: Path, home: Path) -> None:
    """A user who names an own directory inside a group's trusts the group; a default place is for one user alone."""
    make(place / "x", 0, 0o775, TEAM)
    mine = make(place / "x/mine")
    works(survivor, COEX_ROOT=mine / "store")
    works(survivor, XDG_CACHE_HOME=mine)
    assert not (mine / "coex").exists()


@pytest.mark.parametrize(("members", "private"), [("", True), ("me", True), ("me,you", False)])
def test_private_group(survivor: Survivor, place: Path, home: Path, members: str, private: bool) -> None:
    users, groups = place / "passwd", place / "group"
    users.write_text(f"root:x:0:0::/root:/bin/sh\nme:x:{USER}:{USER}::{home}:/bin/sh\n", encoding="utf-8")
    groups.write_text(f"root:x:0:\nme:x:{USER}:{members}\n", encoding="utf-8")
    mounts = f"mount --bind {users} /etc/passwd && mount --bind {groups} /etc/group"
    for path in (home, home / ".cache", home / "store"):
        make(path, mode=0o775)
    works(survivor, mounts=mounts, HOME=home)
    assert len(roots(home / ".cache/coex")) == private
    if private:
        works(survivor, mounts=mounts, COEX_ROOT=home / "store")
    else:
        assert f"{home / 'store'}: {home}, which leads" in refused(survivor, mounts=mounts, COEX_ROOT=home / "store")


def test_links_on_the_way(survivor: Survivor, place: Path, home: Path) -> None:
    make(place / "disk", 0)
    elsewhere = make(place / "disk/cache")
    (home / ".cache").symlink_to(elsewhere)
    works(survivor, HOME=home)
    assert len(roots(elsewhere / "coex")) == 1
    make(place / "disk", 0, 0o777)  # others can replace the target of the link there
    shutil.rmtree(elsewhere / "coex")
    works(survivor, HOME=home)
    assert list(elsewhere.iterdir()) == []
    make(place / "sticky", 0, 0o1777)
    (place / "sticky/link").symlink_to(make(place / "x/store"))
    works(survivor, COEX_ROOT=place / "sticky/link")
    os.chown(place / "sticky/link", OTHER, OTHER, follow_symlinks=False)
    shutil.rmtree(place / "x/store")
    make(place / "x/store")
    assert f"owned by another user (uid {OTHER})" in refused(survivor, COEX_ROOT=place / "sticky/link")


def test_store_of_another_user(survivor: Survivor, place: Path, home: Path) -> None:
    """A user who names it trusts its owner: it serves after the owner has started the archive; until then, one line."""
    store = make(place / "x/store", OTHER)
    said = refused(survivor, COEX_ROOT=store)
    name = name_of_root(survivor, place)
    lacks = f"its root of this archive, {name}, is not there: its owner (uid {OTHER}) can start the archive once"
    assert f"{store}: not writable, and {lacks}; name another directory in COEX_ROOT\n" in said
    works(survivor, user=OTHER, COEX_ROOT=store)
    works(survivor, COEX_ROOT=store, COEX_TRACE="1")  # no Python is asked, which would print its stages
    works(survivor, user=0, COEX_ROOT=store)


@pytest.mark.parametrize(("maker", "mender"), [(0, USER), (USER, 0)])
def test_half_made_root_of_another_user(survivor: Survivor, place: Path, home: Path, maker: int, mender: int) -> None:
    """The owner of a store, and root, make a root again that the other one left half-made there."""
    store = make(place / "x/store", USER)
    works(survivor, user=maker, COEX_ROOT=store)
    (root,) = roots(store)
    (root / "start").unlink()
    (root / "used").unlink()
    if maker:
        assert "is not there" in refused(survivor, user=OTHER, COEX_ROOT=store)
    works(survivor, user=mender, COEX_ROOT=store)
    assert root.stat().st_uid == mender
    works(survivor, user=maker, COEX_ROOT=store)
    works(survivor, user=OTHER, COEX_ROOT=store)


def test_in_a_user_namespace(survivor: Survivor, place: Path, home: Path) -> None:
    """The directories above a home belong to nobody there, as in a container of an ordinary user."""
    probe = subprocess.run([*become(USER), UNSHARE, "-U", "-r", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets no user make a namespace")
    mounts = f"mount --bind {place} /mnt"  # not below a sticky directory, where nobody may be anybody
    for options in ("-r", "--"):  # as root there, and as nobody
        works(survivor, UNSHARE, "-U", options, mounts=mounts, HOME="/mnt/home/me")
        assert len(roots(home / ".cache/coex")) == 1
    plant(make(Path(f"/tmp/coex-{NOBODY}"), OTHER), name_of_root(survivor, place))  # also seen as nobody
    said = refused(survivor, UNSHARE, "-U", "--")
    assert said.count(f"owned by another user (uid {NOBODY})") == 2


def test_tools_say_why_a_store_does_not_count(survivor: Survivor, place: Path, home: Path) -> None:
    store = make(place / "x/store", 0, 0o755)
    works(survivor, user=0, COEX_ROOT=store)
    store.chmod(0o777)
    for words in ("verify --root", "repair"):
        command = f'COEX_TOOLS=1 COEX_ROOT={store} "$0" {words}'
        done = subprocess.run(["sh", "-c", command, survivor.archive], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"in {store} (writable by others (uid 0, gid 0, mode 777; chmod go-w {store} and " in done.stderr
