"""The answers of an archive with COEX_TOOLS: its own verbs, in the Python of the host."""

import errno
import os
import subprocess
from argparse import Namespace

import pytest
from coex_bootstrap.format.manifest import SEAL_SIZE
from coex_bootstrap.store.claim import Claim
from coex_bootstrap.tools import command_line
from coex_bootstrap.tools import sbom as tool_sbom
from coex_bootstrap.tools import verify

from unit.coex_bootstrap.building import file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.copies import run_copy
from unit.coex_bootstrap.demo_archive import CONTENT, RECORD, SCRIPT, ask, ask_python, asking, demo_index, start, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


def test_info(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    status, found, _ = ask_python(archive, environ, b"info")
    assert (status, found["success"], found["name"], found["size"]) == (0, True, "demo", os.stat(archive).st_size)


@pytest.mark.parametrize("pattern", [b"demo-*", b"demo", b"d?mo", b"demo-1-0"])
def test_files(archive, environ, pattern):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    status, found, error = ask_python(archive, environ, b"files", b"--package", pattern)
    assert (status, error) == (0, b"")
    assert [(row["path"], row["mode"], row["size"], row["package"]) for row in found["files"]] == [
        ("prefix/bin/demo", "0755", len(SCRIPT), "demo-1-0"),
        ("prefix/conda-meta/demo-1-0.json", "0644", len(RECORD), "demo-1-0"),
        ("prefix/share/plain", "0644", 6, "demo-1-0"),
    ]


def test_files_of_a_package_that_is_not_there(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    status, found, _ = ask_python(archive, environ, b"files", b"--package", b"dem")
    assert (status, found["success"]) == (1, False)
    assert found["error"].endswith("demo.coex: it has no package dem (did you mean demo?)")


def test_tools_do_not_start_a_ready_root(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    start(archive, environ)
    out = subprocess.check_output([b"sh", archive, b"info"], env=asking(environ))
    assert b"digest" in out
    out = subprocess.check_output([b"sh", archive], env=environ)
    assert out.endswith(b"/share\n")


def test_verify_a_whole_root(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    root = start(archive, environ)
    write(root + b"/prefix/share/more", b"")
    status, found, _ = ask_python(archive, environ, b"verify")
    assert (status, found["damages"], found["root"]["differences"]) == (0, [], [])
    assert found["root"]["extra"] == ["prefix/share/more"]


def _remove(path):
    # type: (bytes) -> None
    os.unlink(path)


def _alter(path):
    # type: (bytes) -> None
    data = read(path)
    with open(path, "wb") as stream:
        stream.write(data[:-2] + b"X\n")


def _open_up(path):
    # type: (bytes) -> None
    os.chmod(path, 0o777)


def _replace(path):
    # type: (bytes) -> None
    os.unlink(path)
    os.symlink(b"/etc/passwd", path)


DAMAGES = {"missing": _remove, "altered": _alter, "another mode": _open_up, "something else stands there": _replace}


@pytest.mark.parametrize("name", [b"bin/demo", b"share/plain", b"conda-meta/demo-1-0.json"])
@pytest.mark.parametrize("what", sorted(DAMAGES))
def test_verify_a_damaged_root(archive, environ, what, name):
    # type: (bytes, Dict[bytes, bytes], str, bytes) -> None
    root = start(archive, environ)
    DAMAGES[what](root + b"/prefix/" + name)
    if what != "missing" or name != b"bin/demo":  # else the root is not ready any more
        status, found, _ = ask(archive, environ, b"verify", b"--root")
        expected = {"what": what, "path": "prefix/" + name.decode("ascii"), "package": "demo-1-0"}
        assert (status, found["root"]["differences"]) == (1, [expected])


def test_verify_finds_every_altered_byte(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    data = read(archive)
    options = Namespace(archive_alone=True, root=False, prefix=None)
    assert verify.execute(archive, options, environ).status == 0
    places = list(range(0, len(data), 251)) + list(range(len(data) - 60, len(data)))
    frame = data.index(b"\x28\xb5\x2f\xfd")
    for place in places + list(range(frame, frame + len(CONTENT) + SEAL_SIZE + 60, 3)):
        write(archive, data[:place] + bytes(bytearray([ord(data[place : place + 1]) ^ 1])) + data[place + 1 :])
        found = verify.execute(archive, options, environ)
        assert (found.status, len(found.fields["damages"])) == (1, 1), place
        if frame <= place < frame + 9 + 3 + len(CONTENT):
            assert (found.fields["damages"][0]["part"], found.fields["damages"][0]["frame"]) == ("payload", 0)


def test_verify_names_the_package(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    index = make_index([
        file_row(b"prefix/share/plain", 0, 0, 6), file_row(b"prefix/conda-meta/demo-1-0.json", 1, 0, len(RECORD)),
    ])
    write_archive(archive, index, [b"plain\n", RECORD])
    write(archive, read(archive).replace(b"plain\n", b"plaix\n", 1))
    status, found, _ = ask(archive, environ, b"verify")
    assert status == 1
    assert [(d["part"], d["frame"], d["package"]) for d in found["damages"]] == [("payload", 0, "demo-1-0")]
    assert found["error"] == archive.decode("ascii") + ": damaged"


@pytest.mark.parametrize("words", [
    [], [b"nonsense"], [b"verify", b"--nonsense"], [b"info", b"more"], [b"verify", b"--archive", b"--root"],
    [b"verify", b"--root", b"-p", b"x"], [b"verify", b"--archive", b"-p", b"x"],
    [b"verify", b"-p", b""], [b"unpack", b"-p", b"x", b"--app="], [b"dockerfile", b"--base", b""],
], ids=repr)
def test_wrong_command_lines(archive, environ, words):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    status, found, error = ask(archive, environ, *words)
    assert (status, found["success"], error) == (2, False, b"")
    assert "\n" not in found["error"]


@pytest.mark.parametrize("verb", sorted(command_line.VERBS))
def test_help(verb, capsys):
    # type: (str, Any) -> None
    with pytest.raises(SystemExit) as ended:
        command_line.make_parser("CALLED").parse_args([verb, "-h"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "CALLED " + verb in said
    assert "examples:" in said
    assert "exit status:" in said


@pytest.mark.parametrize("name", [b"share/plain", b"conda-meta/demo-1-0.json", b"share", b"bin/demo"])
@pytest.mark.parametrize("what", sorted(DAMAGES) + ["directory"])
def test_repair(archive, environ, what, name):
    # type: (bytes, Dict[bytes, bytes], str, bytes) -> None
    root = start(archive, environ)
    path = root + b"/prefix/" + name
    before = tree(root)
    if os.path.isdir(path) and what != "another mode":
        os.rename(path, root + b"/prefix/elsewhere")
        if what != "missing":
            os.symlink(b"elsewhere", path)
        before[b"/prefix/elsewhere"] = before[b"/prefix/share"]
        before[b"/prefix/elsewhere/plain"] = before[b"/prefix/share/plain"]
    elif what == "directory":
        _remove(path)
        write(path + b"/inside", b"")
    else:
        DAMAGES[what](path)
    running = os.open(archive, os.O_RDONLY)
    status, found, error = ask(archive, environ, b"repair")
    os.close(running)
    assert (status, error) == (0, b"")
    assert u"prefix/" + name.decode("ascii") in found["repaired"]
    assert tree(root) == before
    assert ask(archive, environ, b"verify", b"--root")[0] == 0
    assert subprocess.check_output([b"sh", archive], env=environ).endswith(b"/share\n")
    assert ask(archive, environ, b"repair")[1]["repaired"] == []


@pytest.mark.parametrize("name", [b"start", b"activate.sh"])
@pytest.mark.parametrize("empty", [True, False])
def test_repair_the_start(archive, environ, name, empty):
    # type: (bytes, Dict[bytes, bytes], bytes, bool) -> None
    root = start(archive, environ)
    before = tree(root)
    os.unlink(root + b"/" + name)
    if empty:
        write(root + b"/" + name, b"")
    status, found, _ = ask_python(archive, environ, b"repair")
    assert (status, found["repaired"], found["start_rewritten"]) == (0, [], True)
    assert tree(root) == before


def test_repair_of_a_root_that_only_its_owner_may_change(archive, environ, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    """As in a store that others share."""
    root = start(archive, environ)
    os.unlink(root + b"/prefix/share/plain")

    def refuse(self, ready, notice):
        # type: (Claim, Any, Any) -> bool
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Claim, "wait", refuse)
    status, found, error = ask(archive, environ, b"repair")
    assert (status, error) == (1, b"")
    what = "cannot be repaired: Permission denied; its owner can repair it, or start it with a directory of yours in COEX_ROOT"
    assert found["error"].endswith(": " + what)


def test_repair_without_a_root(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    status, found, _ = ask(archive, environ, b"repair")
    assert (status, "it has no root that was ready in " in found["error"]) == (1, True)


def test_changes_by_post_link_scripts_are_not_damage(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    script = b'echo changed >"$PREFIX/share/plain"\n'
    index = demo_index()
    index.files.append(file_row(b"prefix/bin/.demo-post-link.sh", 1, 0, len(script), mode=0o755))
    index = make_index(index.files)
    write_archive(archive, index, [CONTENT, script], post_link=[{"name": "demo", "version": "1", "build_number": 0}])
    root = start(archive, environ)
    status, found, _ = ask(archive, environ, b"verify")
    assert (status, found["root"]["by_scripts"]) == (0, ["prefix/share/plain"])
    assert ask(archive, environ, b"repair")[1]["repaired"] == []
    _alter(root + b"/prefix/bin/demo")
    assert ask(archive, environ, b"repair")[1]["repaired"] == ["prefix/bin/demo"]
    assert read(root + b"/prefix/share/plain") == b"changed\n"


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("harm", ["script", "prefix", "activate.sh"])
def test_repair_under_any_umask(archive, environ, harm, umask):
    # type: (bytes, Dict[bytes, bytes], str, int) -> None
    """All may read the files that choose the program, and only their owner may write them."""
    index, script = demo_index(), b"true\n"
    index.files.append(file_row(b"prefix/bin/.demo-post-link.sh", 1, 0, len(script), mode=0o755))
    index = make_index(index.files)
    write_archive(archive, index, [CONTENT, script], post_link=[{"name": "demo", "version": "1", "build_number": 0}])
    root = start(archive, environ)
    before = tree(root)
    if harm == "prefix":
        os.rename(root + b"/prefix", root + b".aside")
    elif harm == "script":
        _alter(root + b"/prefix/bin/.demo-post-link.sh")
    else:
        os.unlink(root + b"/activate.sh")
    old = os.umask(umask)
    try:
        status, _, error = ask(archive, environ, b"repair")
    finally:
        os.umask(old)
    assert (status, error) == (0, b"")
    assert tree(root) == before


def test_nobody_else_may_write_for_any_modes_in_the_index(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """An archive comes from anyone: a start, `unpack`, `verify` and `repair` see the same modes, and `info` names setuid."""
    index = demo_index()
    index.files = [row._replace(mode=mode) for row, mode in zip(index.files, (0o4777, 0o666, 0o664))]
    index.directories = [
        directory._replace(mode=0o1777 if directory.path == b"prefix/share" else 0o777) for directory in index.directories
    ]
    package = {"name": "demo", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 3}
    write_archive(archive, index, [CONTENT], packages=[package])
    root, target = start(archive, environ), environ[b"COEX_ROOT"] + b"/../env"
    assert ask(archive, environ, b"unpack", b"-p", target)[0] == 0
    for prefix in (root + b"/prefix", target):
        found = tree(prefix)
        assert [path for path, (mode, _) in found.items() if mode & 0o022] == []
        modes = [found[path][0] & 0o7777 for path in (b"/bin/demo", b"/share/plain", b"/share")]
        assert modes == [0o4755, 0o644, 0o1755]
        assert os.stat(prefix).st_mode & 0o022 == 0
    assert ask(archive, environ, b"verify")[0] == 0
    os.unlink(root + b"/prefix/bin/demo")
    os.chmod(root + b"/prefix/share", 0o777)
    assert ask(archive, environ, b"repair")[1]["repaired"] == ["prefix/bin/demo", "prefix/share"]
    assert [path for path, (mode, _) in tree(root + b"/prefix").items() if mode & 0o022] == []
    assert os.stat(root + b"/prefix/bin/demo").st_mode & 0o7777 == 0o4755
    assert ask(archive, environ, b"info")[1]["setuid"] == ["prefix/bin/demo"]


def test_json_without_a_bottom(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """A record like that says of no file whose it is; every verb answers, and in one line."""
    deep = b"[" * 100000
    for record in (deep, b'{"files": ' + deep, b'{"files": ["bin/\\ud800"]}'):
        index = demo_index()
        index.files[2] = index.files[2]._replace(size=len(record))
        package = {"name": "demo", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 3}
        content = SCRIPT + b"plain\n" + record
        write_archive(archive, index, [content], {tool_sbom.SBOM: deep}, packages=[package])
        for words, status in (([b"files"], 0), ([b"verify"], 0), ([b"info"], 0), ([b"sbom"], 1)):
            found, document, error = ask(archive, environ, *words)
            assert (found, error, document["success"]) == (status, b"", not status), words
            assert "\n" not in document.get("error", "")


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("a\nb"), ValueError(u"\xe9"), ValueError("long" * 1000)], ids=repr)
def test_an_unexpected_error_is_one_line(archive, environ, monkeypatch, error):
    # type: (bytes, Dict[bytes, bytes], Any, Exception) -> None
    def execute(*words):
        # type: (*Any) -> None
        raise error

    monkeypatch.setitem(command_line.VERBS, "info", command_line.VERBS["info"]._replace(execute=execute))
    status, _, output = run_copy(environ, lambda: command_line.main(archive, [b"info"]))
    said = output.decode("utf-8")
    assert status == 1
    assert "demo.coex: not a coex archive that can be read (%s" % type(error).__name__ in said
    assert said.count("\n") == 1
    assert len(said) < 1000
