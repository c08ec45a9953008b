"""`unpack` makes an environment, a root or a part of a store: whole, or nothing; it takes nothing that is there."""

import argparse
import json
import os
import shutil
import subprocess

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.format.index import Link
from coex_bootstrap.start.finish import Finish
from coex_bootstrap.tools import command_line, placed_root, unpack

from unit.coex_bootstrap.building import PLACEHOLDER, dead_process, file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.copies import run_copy
from unit.coex_bootstrap.demo_archive import CONTENT, ask, ask_python, demo_index
from unit.coex_bootstrap.other_users import give_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Sequence, Tuple

WAYS = ("prefix", "app", "store", "root")  # to say where to unpack


@pytest.mark.parametrize("words", [(), (b"--app",)], ids=["alone", "with its app"])
def test_unpack_counts_the_files_of_the_environment(archive, environ, place, words):
    # type: (bytes, Dict[bytes, bytes], bytes, Tuple[bytes, ...]) -> None
    index = make_index([file_row(b"prefix/conda-meta/history", 0, 0, 1), file_row(b"app/main", 0, 0, 1)])
    write_archive(archive, index, [b"x"])
    more = [place + b"/app" for _ in words]
    arguments = [b"unpack", b"-p", place + b"/env"] + list(words) + more
    status, out, error = run_copy(environ, lambda: command_line.main(archive, arguments))
    assert (status, error) == (0, b"")
    lines = out.decode("utf-8").splitlines()
    assert ": an environment of 1 file; conda activate " in lines[0]
    assert [line.partition(";")[0] for line in lines[1:]] == (
        [] if words else ["  note: the files of the application are left out"]
    )
    assert os.path.exists(place + b"/app/main") == bool(words)


def test_unpack_an_environment(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.mkdir(place + b"/made")
    os.mkdir(place + b"/made/.env.coex-other")  # nobody's that is known to be dead
    target = place + b"/made/env"
    status, _, error = ask_python(archive, environ, b"unpack", b"-p", target, b"--app", place + b"/made/app")
    assert (status, error) == (0, b"")
    assert read(target + b"/bin/demo").endswith(target + b"/share\n")
    assert sorted(os.listdir(place + b"/made")) == [b".env.coex-other", b"app", b"env"]
    status, found, _ = ask(archive, environ, b"verify", b"-p", target)
    assert (status, found["root"]["differences"]) == (0, [])
    os.unlink(target + b"/share/plain")
    status, found, _ = ask(archive, environ, b"verify", b"-p", target)
    assert [row["what"] for row in found["root"]["differences"]] == ["missing"]


def baked(name, value, default=False):
    # type: (str, str, bool) -> Dict[str, Any]
    return {"name": name, "value": value, "default": default}


def state_of(prefix):
    # type: (bytes) -> Dict[str, Any]
    return dict(json.loads(read(prefix + b"/conda-meta/state").decode("utf-8"))["env_vars"])


def variables_archive(archive, *variables):
    # type: (bytes, *Dict[str, Any]) -> None
    """Write an archive of an environment with variables of a package, some of its own, and those that are baked in."""
    of_package, own = b'{"PKG": "p", "BOTH": "p"}', b'{"version": 1, "env_vars": {"OWN": "e", "BOTH": "e"}}'
    index = make_index([
        file_row(b"prefix/etc/conda/env_vars.d/p.json", 0, 0, len(of_package)),
        file_row(b"prefix/conda-meta/state", 0, len(of_package), len(own)),
    ])
    write_archive(archive, index, [of_package + own], env=list(variables))


def test_unpack_hands_variables_to_conda(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    variables_archive(
        archive, baked("NEW", u"\xe9 \n$(x)"), baked("OWN", "mine"), baked("pkg", "no", True), baked("MODE", "fast", True),
        baked("WHERE", "${COEX_PREFIX}:${COEX_APP}"), baked("lower", ""), baked("QUOTE", "it's"),
    )
    target = place + b"/env"
    status, found, _ = ask(archive, environ, b"unpack", b"-p", target, b"--app", place + b"/app")
    where = (target + b":" + place + b"/app").decode("ascii")
    expected = {"NEW": u"\xe9 \n$(x)", "OWN": "mine", "MODE": "fast", "WHERE": where, "lower": ""}
    assert (status, found["env"]) == (0, expected)
    assert state_of(target) == dict(expected, BOTH="e")
    assert b'"version": 1' in read(target + b"/conda-meta/state")
    assert [note.split(":")[0] for note in found["notes"]] == ["--env lower", "--env QUOTE"]
    assert os.stat(target + b"/conda-meta/state").st_mode & 0o777 == 0o644
    assert sorted(os.listdir(target + b"/conda-meta")) == [b"state"]
    assert ask(archive, environ, b"verify", b"-p", target)[0] == 0


def test_a_variable_that_names_the_app_needs_one(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    variables_archive(archive, baked("WHERE", "${COEX_APP}/x"), baked("AT", "${COEX_PREFIX}/x"))
    _, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert found["env"] == {"AT": (place + b"/env/x").decode("ascii")}
    assert ["--app" in note for note in found["notes"]] == [True]


def test_verify_sees_other_changes_of_variables(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    variables_archive(archive, baked("NEW", "1"))
    target = place + b"/env"
    ask(archive, environ, b"unpack", b"-p", target)
    path = target + b"/conda-meta/state"
    for data, status in ((b'"NEW": "2"', 0), (b'"NEW": "1", "MORE": "x"', 1), (b"no JSON", 1)):
        write(path, read(path).replace(b'"NEW": "1"', data))
        assert ask(archive, environ, b"verify", b"-p", target)[0] == status
        write(path, read(path).replace(data, b'"NEW": "1"'))


@pytest.mark.parametrize(
    "state",
    [b"[]", b"{", b'{"env_vars": "x"}', b'{"env_vars": [1]}', b"[" * 100000],
    ids=["list", "cut", "text", "numbers", "depth"],
)
def test_unpack_of_a_state_that_cannot_be(archive, environ, place, state):
    # type: (bytes, Dict[bytes, bytes], bytes, bytes) -> None
    index = make_index([file_row(b"prefix/conda-meta/state", 0, 0, len(state))])
    write_archive(archive, index, [state], env=[baked("A", "1")])
    before = sorted(os.listdir(place))
    status, found, error = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert (status, found["success"], error, sorted(os.listdir(place))) == (1, False, b"", before)


def test_unpack_writes_through_no_link(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.mkdir(place + b"/outside")
    index = demo_index()
    index.links.append(Link(b"prefix/conda-meta", place + b"/outside"))
    index.files = [row for row in index.files if b"conda-meta" not in row.path]
    index = make_index(index.files, links=index.links)
    index.directories = [row for row in index.directories if b"conda-meta" not in row.path]
    write_archive(archive, index, [CONTENT], env=[baked("A", "1")])
    assert ask(archive, environ, b"unpack", b"-p", place + b"/env")[0] == 1
    assert (os.listdir(place + b"/outside"), os.path.lexists(place + b"/env")) == ([], False)


def test_unpack_into_an_empty_directory(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """It stays the directory that it is: it may be a mount point, with the files of a new file system."""
    os.makedirs(place + b"/empty/lost+found")
    os.chmod(place + b"/empty", 0o751)
    os.mkdir(place + b"/app")
    before = [os.stat(place + name).st_ino for name in (b"/empty", b"/app")]
    assert ask(archive, environ, b"unpack", b"-p", place + b"/empty", b"--app", place + b"/app")[0] == 0
    assert read(place + b"/empty/share/plain") == b"plain\n"
    assert [os.stat(place + name).st_ino for name in (b"/empty", b"/app")] == before
    assert os.stat(place + b"/empty").st_mode & 0o7777 == 0o751
    assert [name for name in os.listdir(place + b"/empty") + os.listdir(place + b"/app") if b".coex" in name] == []
    assert ask(archive, environ, b"verify", b"-p", place + b"/empty")[0] == 0


def unpack_and_die(archive, environ, **places):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Unpack in another process, where something that was patched ends it with status 9."""
    child = os.fork()
    if not child:
        words = dict((name, compat.native(places[name]) if name in places else None) for name in WAYS)
        try:
            unpack.execute(archive, argparse.Namespace(**words), environ)
        finally:
            os._exit(1)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("there", [(), (b"/env",), (b"/app",), (b"/env", b"/app")], ids=repr)
@pytest.mark.parametrize("function", ["unpack", "mark_unfinished", "run_scripts", "compile"])
def test_unpack_that_was_killed_starts_again(archive, environ, place, monkeypatch, there, function):
    # type: (bytes, Dict[bytes, bytes], bytes, Any, Sequence[bytes], str) -> None
    for name in there:
        os.makedirs(place + name + b"/lost+found")
    with monkeypatch.context() as patched:
        where = next(place for place in (Finish, unpack, placed_root) if hasattr(place, function))
        patched.setattr(where, function, lambda *words, **named: os._exit(9))
        unpack_and_die(archive, environ, prefix=place + b"/env", app=place + b"/app")
    words = (b"unpack", b"-p", place + b"/env", b"--app", place + b"/app")
    status, found, _ = ask(archive, environ, *words)
    assert status == 0, found
    assert ask(archive, environ, b"verify", b"-p", place + b"/env")[0] == 0
    assert sorted(os.listdir(place)) == [b"app", b"demo.coex", b"env"]
    names = os.listdir(place) + os.listdir(place + b"/env") + os.listdir(place + b"/app")
    assert [name for name in names if b".coex-" in name] == []
    assert all(os.path.isdir(place + name + b"/lost+found") for name in there)
    assert ask(archive, environ, *words)[0] == 1


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("function", ["unpack", "mark_unfinished", "run_scripts", "compile", "write_placed"])
def test_root_that_was_killed_starts_again(archive, environ, place, monkeypatch, there, function):
    # type: (bytes, Dict[bytes, bytes], bytes, Any, bool, str) -> None
    if there:
        os.mkdir(place + b"/root")
    with monkeypatch.context() as patched:
        where = Finish if hasattr(Finish, function) else placed_root
        patched.setattr(where, function, lambda *words, **named: os._exit(9))
        unpack_and_die(archive, environ, root=place + b"/root")
    status, found, _ = ask(archive, environ, b"unpack", b"--root", place + b"/root")
    assert status == 0, found
    assert sorted(os.listdir(place)) == [b"demo.coex", b"root"]
    assert [name for name in os.listdir(place + b"/root") if b".coex-" in name] == []
    assert ask(archive, environ, b"unpack", b"--root", place + b"/root")[0] == 1


def test_root_that_others_could_replace(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Others start its programs; an environment is made there as conda makes one."""
    for mode, status in ((0o777, 1), (0o1777, 0)):
        os.mkdir(place + b"/open")
        os.chmod(place + b"/open", mode)
        found_status, found, _ = ask(archive, environ, b"unpack", b"--root", place + b"/open/root")
        assert (found_status, os.path.lexists(place + b"/open/root")) == (status, not status)
        if status:
            assert found["error"].startswith("%s/open/root: not made there: %s/open, which" % ((compat.text(place),) * 2))
        assert ask(archive, environ, b"unpack", b"-p", place + b"/open/env")[0] == 0
        shutil.rmtree(compat.native(place + b"/open"))


def test_root_starts_without_the_archive(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Each of its programs, as the archive and links to it would: under their name, and with all arguments."""
    script = b"#!/bin/sh\nprintf '%s|' \"$COEX_FILE\" \"$CONDA_PREFIX\" \"$0\" \"$A\" \"$@\"\n"
    index = make_index([file_row(b"app/" + name, 0, 0, len(script), mode=0o755) for name in (b"first", b"other")])
    points = [{"name": name, "command": [["app", name]]} for name in ("first", "other")]
    write_archive(archive, index, [script], entry_points=points, env=[baked("A", "it's ${COEX_APP}")])
    root = place + b"/it's a root"
    umask = os.umask(0o077)
    try:
        status, found, _ = ask(archive, environ, b"unpack", b"--root", root)
    finally:
        os.umask(umask)
    assert (status, found["programs"]) == (0, [compat.text(root) + "/bin/first", compat.text(root) + "/bin/other"])
    os.unlink(archive)
    for name in (b"first", b"other"):
        program = root + b"/bin/" + name
        out = subprocess.check_output([program, b"a b", b""], env=environ)
        wanted = [program, root + b"/prefix", root + b"/app/" + name, b"it's " + root + b"/app", b"a b", b""]
        assert out == b"".join(word + b"|" for word in wanted)
    environ[b"COEX_ENTRYPOINT"] = b"other"
    assert b"|" + root + b"/app/other|" in subprocess.check_output([root + b"/bin/first"], env=environ)
    assert os.stat(root).st_mode & os.stat(root + b"/bin").st_mode & 0o777 == 0o755
    os.unlink(root + b"/start")
    process = subprocess.Popen([root + b"/bin/first"], env=environ, stderr=subprocess.PIPE)
    assert b"unpacked files were removed" in process.communicate()[1]
    assert process.returncode == 125


@pytest.mark.parametrize("how", ["owner", "mode", "link"])
@pytest.mark.parametrize("inside", [True, False])
def test_leftovers_of_another_user_remove_nothing(archive, environ, place, how, inside):
    # type: (bytes, Dict[bytes, bytes], bytes, str, bool) -> None
    """The words that name a dead process can be known to anyone who may write beside the directory."""
    state = os.stat(write(place + b"/env/mine", b"mine") and place + b"/env")
    identity = ("%d %d" % (state.st_dev, state.st_ino)).encode("ascii")
    left = (b"/env/.coex-" if inside else b"/.env.coex-") + dead_process() + b"-00"
    write(place + left + b"/unfinished", b"\n".join([identity + b" made", identity + b" filled"]))
    give_away(place + left, how)
    assert ask(archive, environ, b"unpack", b"-p", place + b"/env")[0] == 1
    assert read(place + b"/env/mine") == b"mine"
    assert os.path.exists(place + left + b"/unfinished")


def test_unpack_that_was_killed_while_it_placed_the_app(archive, environ, place, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], bytes, Any) -> None
    index = demo_index()
    index = make_index(list(index.files) + [file_row(b"app/main", 0, 0, 1)])
    write_archive(archive, index, [CONTENT])
    os.mkdir(place + b"/app")
    real = os.rename

    def rename(old, new):
        # type: (bytes, bytes) -> None
        real(old, new)
        if new.startswith(place + b"/app/"):
            os._exit(9)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename)
        unpack_and_die(archive, environ, prefix=place + b"/env", app=place + b"/app")
    assert os.path.isdir(place + b"/env/conda-meta")
    assert ask(archive, environ, b"unpack", b"-p", place + b"/env", b"--app", place + b"/app")[0] == 0
    assert ask(archive, environ, b"verify", b"-p", place + b"/env")[0] == 0


def test_unpack_that_fails_leaves_the_directory_that_was_there(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.makedirs(place + b"/env/lost+found")
    os.chmod(place + b"/env", 0o751)
    script = b"exit 3\n"
    index = demo_index()
    index.files.append(file_row(b"prefix/bin/.demo-post-link.sh", 1, 0, len(script), mode=0o755))
    post_link = [{"name": "demo", "version": "1", "build_number": 0}]
    write_archive(archive, make_index(index.files), [CONTENT, script], post_link=post_link)
    assert ask(archive, environ, b"unpack", b"-p", place + b"/env")[0] == 1
    assert os.listdir(place + b"/env") == [b"lost+found"]
    assert os.stat(place + b"/env").st_mode & 0o7777 == 0o751


@pytest.mark.parametrize("words", [
    [], [b"-p", b"a", b"--store", b"b"], [b"-p", b"a", b"--root", b"b"], [b"--root", b"full"], [b"--root", b"no/where"],
    [b"--store", b"b", b"--app", b"c"], [b"-p", b"full"], [b"-p", b"file"],
    [b"-p", b"link"], [b"-p", b"no/where"], [b"-p", b"a:b"], [b"-p", b"a", b"--app", b"a/b"], [b"--store", b"file"],
    [b"-p", b"a", b"--app", b"full"],
], ids=repr)
def test_unpack_to_where_it_cannot(archive, environ, place, words):
    # type: (bytes, Dict[bytes, bytes], bytes, List[bytes]) -> None
    write(place + b"/full/kept", b"")
    write(place + b"/file", b"")
    os.symlink(b"full", place + b"/link")
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", *[w if w[:1] == b"-" else place + b"/" + w for w in words])
    is_wrong_usage = not words or (len(words) > 2 and {b"--store", b"--root"}.intersection(words))
    assert (status, found["success"]) == (2 if is_wrong_usage else 1, False)
    assert "\n" not in found["error"]
    assert sorted(os.listdir(place)) == before


def test_unpack_below_a_directory_that_is_missing(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    found = ask(archive, environ, b"unpack", b"-p", place + b"/no/where")[1]
    remedy = found["error"].rpartition("; make it: ")[2]
    subprocess.check_call(["sh", "-c", remedy])
    assert ask(archive, environ, b"unpack", b"-p", place + b"/no/where")[0] == 0


def test_unpack_to_a_path_that_a_package_does_not_take(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """The remedy is another PREFIX, and no variable."""
    wide = PLACEHOLDER.decode("ascii").encode("utf-16-le")
    index = make_index(list(demo_index().files) + [file_row(b"prefix/wide", 1, 0, len(wide), b"t:0:1=0")])
    write_archive(archive, index, [CONTENT, wide])
    status, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/\xff")
    assert status == 1
    assert found["error"].endswith(": a package needs a place whose path is UTF-8; name another place")


def test_unpack_whose_script_fails(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    script = b"exit 4\n"
    index = make_index([file_row(b"prefix/bin/.p-post-link.sh", 0, 0, len(script), mode=0o755)])
    write_archive(archive, index, [script], post_link=[{"name": "p", "version": "1", "build_number": 0}])
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert (status, sorted(os.listdir(place))) == (1, before)
    assert "post-link script of p ended with status 4" in found["error"]


def test_unpack_of_a_damaged_archive(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    write(archive, read(archive).replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe"))
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert (status, sorted(os.listdir(place))) == (1, before)
    assert "a frame " in found["error"]


def test_no_store_where_others_can_replace_it(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.mkdir(place + b"/open")
    os.chmod(place + b"/open", 0o777)
    status, found, _ = ask(archive, environ, b"unpack", b"--store", place + b"/open/a/store")
    assert status == 1
    assert "/open, which leads there, is writable by others" in found["error"]
    assert os.listdir(place + b"/open") == []


def test_unpack_into_a_store(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    umask = os.umask(0o077)
    try:
        status, found, _ = ask(archive, environ, b"unpack", b"--store", place + b"/shared")
    finally:
        os.umask(umask)
    assert status == 0
    assert os.stat(place + b"/shared").st_mode & 0o777 == 0o755
    environ[b"COEX_ROOT"] = place + b"/shared"
    out = subprocess.check_output([b"sh", archive], env=environ)
    assert out.decode("ascii") == found["root"] + "/prefix/share\n"
