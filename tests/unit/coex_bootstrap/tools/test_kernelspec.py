"""The verb that adds an archive to Jupyter, on small archives in the Python of the host."""

import json
import os
import re
import stat
import string

import pytest

from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.demo_archive import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

SCRIPT = b"#!/bin/sh\necho run\n"
BARE = [u"python", u"-m", u"ipykernel_launcher", u"-f", u"{connection_file}"]
OF_CONDA = [PLACEHOLDER.decode("ascii") + u"/bin/python"] + BARE[1:]
OF_R = [PLACEHOLDER.decode("ascii") + u"/lib/R/bin/R", u"--slave", u"-e", u"IRkernel::main()", u"--args", u"{connection_file}"]
OF_JUPYTER = re.compile(r"^[a-z0-9._\-]+$", re.IGNORECASE)  # names that jupyter_client reads, in its kernelspec.py
WHERE = b"prefix/share/jupyter/kernels/"


def spec(words, **more):
    # type: (Any, **Any) -> bytes
    return json.dumps(dict({"argv": words, "display_name": "Python 3", "language": "python"}, **more)).encode("ascii")


def make(path, kernels, **fields):
    # type: (bytes, Dict[bytes, bytes], **Any) -> bytes
    """Write an archive with the commands python and R, and files below the directory of kernels."""
    contents = [(b"prefix/bin/python", SCRIPT), (b"prefix/bin/R", SCRIPT)]
    contents += [(WHERE + name, kernels[name]) for name in sorted(kernels)]
    rows, place = [], 0
    for name, content in contents:
        at = content.find(PLACEHOLDER)
        relocation = b"-" if at < 0 else ("t:0:0=%d" % at).encode("ascii")
        rows.append(file_row(name, 0, place, len(content), relocation, mode=0o755 if b"/bin/" in name else 0o644))
        place += len(content)
    fields.setdefault("entry_points", [{"name": u"python", "command": [["prefix", u"bin/python"]]}])
    write_archive(path, make_index(rows), [b"".join(content for _, content in contents)], **fields)
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def home(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    for name in (b"JUPYTER_DATA_DIR", b"XDG_DATA_HOME", b"VIRTUAL_ENV", b"CONDA_PREFIX"):
        environ.pop(name, None)
    environ[b"HOME"] = place + b"/home"
    return place + b"/home"


def written(directory):
    # type: (bytes) -> Any
    return json.loads(read(directory + b"/kernel.json").decode("ascii"))


@pytest.mark.parametrize(("words", "command"), [(BARE, u"python"), (OF_CONDA, u"python"), (OF_R, u"R")])
def test_starts_the_archive(place, environ, home, words, command):
    # type: (bytes, Dict[bytes, bytes], bytes, List[str], str) -> None
    """The environment is named by no path: `cache clean` may remove the root."""
    kernel = spec(words, metadata={"debugger": True}, env={"PS1": "$"}, interrupt_mode="message")
    archive = make(place + b"/my work.coex", {b"x/kernel.json": kernel, b"x/logo-svg.svg": b"<svg/>", b"x/no/sub": b"x"})
    status, found, error = ask(archive, environ, b"kernelspec", b"--prefix", place + b"/jupyter")
    assert (status, error) == (0, b"")
    directory = place + b"/jupyter/share/jupyter/kernels/my-work"
    assert (found["kernel"], found["directory"]) == ("my-work", directory.decode("ascii"))
    assert sorted(os.listdir(directory)) == [b"kernel.json", b"logo-svg.svg"]
    assert written(directory) == found["spec"] == {
        "argv": [archive.decode("ascii")] + words[1:], "display_name": "my work", "language": "python",
        "env": {"PS1": "$", "COEX_ENTRYPOINT": command}, "metadata": {"debugger": True}, "interrupt_mode": "message",
    }


@pytest.mark.parametrize(
    ("variables", "words", "below"),
    [
        ({}, [], b"home/.local/share/jupyter"), ({}, [b"--user"], b"home/.local/share/jupyter"),
        ({b"XDG_DATA_HOME": b"data"}, [], b"data/jupyter"), ({b"JUPYTER_DATA_DIR": b"own"}, [], b"own"),
        ({b"CONDA_PREFIX": b"env"}, [b"--sys-prefix"], b"env/share/jupyter"),
        ({b"CONDA_PREFIX": b"env", b"VIRTUAL_ENV": b"venv"}, [b"--sys-prefix"], b"venv/share/jupyter"),
    ],
)
@pytest.mark.skipif("sys.platform == 'darwin'", reason="other directories")
def test_directories(place, environ, home, variables, words, below):
    # type: (bytes, Dict[bytes, bytes], bytes, Dict[bytes, bytes], List[bytes], bytes) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    environ.update((name, place + b"/" + value) for name, value in variables.items())
    found = ask(archive, environ, b"kernelspec", b"--name", b"Own.Name", *words)[1]
    assert found["directory"].encode("ascii") == place + b"/" + below + b"/kernels/own.name"


@pytest.mark.parametrize("name", [
    "UPPER", "a.b-c_d", "_", "...", ".hidden", "9", "x" * 255, "a b", " ", "a/b", "/", "../x", "a\\b", "a\tb", u"\xe9", "{a}",
    "a:b", "*", "~", "$HOME",
])
def test_names_are_those_of_jupyter(place, environ, home, name):
    # type: (bytes, Dict[bytes, bytes], bytes, str) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    status, found, _ = ask(archive, environ, b"kernelspec", b"--name", name.encode("utf-8"))
    if OF_JUPYTER.match(name):
        assert (status, found["kernel"]) == (0, name.lower())
        assert os.listdir(home + b"/.local/share/jupyter/kernels") == [name.lower().encode("ascii")]
    else:
        assert (status, "Jupyter does not take " in found["error"]) == (1, True)
        assert not os.path.exists(home)


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "--help", "x" * 256, "a\n"])
def test_names_that_jupyter_reads_and_nobody_can_use(place, environ, home, name):
    # type: (bytes, Dict[bytes, bytes], bytes, str) -> None
    """They are refused; an empty one already as an argument of any verb."""
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    status, found, _ = ask(archive, environ, b"kernelspec", b"--name=" + name.encode("ascii"))
    assert status == (1 if name else 2)
    reasons = ["as the name of a kernel; use letters", "File name too long"] if name else ["--name is empty"]
    assert any(reason in found["error"] for reason in reasons)


def test_kernel_whose_name_differs_in_case(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Jupyter would take either of the two."""
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    kernels = home + b"/.local/share/jupyter/kernels"
    write(kernels + b"/Mine/kernel.json", spec([u"/other.coex"]))
    status, found, _ = ask(archive, environ, b"kernelspec", b"--name", b"mine")
    assert (status, "which starts /other.coex; choose another one" in found["error"]) == (1, True)
    assert ask(archive, environ, b"kernelspec", b"--name", b"mine", b"--force")[0] == 0
    assert os.listdir(kernels) == [b"Mine"]
    assert written(kernels + b"/Mine")["argv"][0] == archive.decode("ascii")


LEADS = "%s, which leads there, is writable by others (uid %d, gid %d, mode 777; chmod +t or go-w %s)"
IS_OPEN = "writable by others (uid %d, gid %d, mode 777; chmod go-w %s and remove files of others in it)"


@pytest.mark.parametrize(("path", "mode", "words", "said"), [
    (b"", 0o755, [], None), (b"", 0o777, [], LEADS), (b"/kernels/x", 0o777, [], IS_OPEN),
    (b"/kernels", 0o777, [b"--prefix"], LEADS), (b"/kernels", 0o755, [b"--prefix"], None),
])
def test_says_that_others_can_change_it(place, environ, home, path, mode, words, said):
    # type: (bytes, Dict[bytes, bytes], bytes, bytes, int, List[bytes], Any) -> None
    """They can change the kernels of Jupyter there in any case: it is written."""
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    data = place + b"/prefix/share/jupyter" if words else home + b"/.local/share/jupyter"
    os.makedirs(data + b"/kernels/x")
    os.chmod(data + path, mode)
    status, found, _ = ask(archive, environ, b"kernelspec", *(words + [place + b"/prefix"] if words else []))
    assert status == 0
    there = (data + path).decode("ascii")
    ids = (os.geteuid(), os.stat(data).st_gid)
    whole = said and said % ((there,) * (said == LEADS) + ids + (there,))
    start = "other users can change this kernel, and so the program that Jupyter starts: "
    assert found["notes"] == ([start + whole] if whole else [])


def test_nobody_else_may_write_it_under_any_umask(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    umask = os.umask(0)
    try:
        found = ask(archive, environ, b"kernelspec")[1]
    finally:
        os.umask(umask)
    assert found["notes"] == []
    paths = [path for path, _, _ in os.walk(home)]
    paths.append(home + b"/.local/share/jupyter/kernels/x/kernel.json")
    assert [path for path in paths if stat.S_IMODE(os.stat(path).st_mode) & 0o022] == []


def test_replaces_its_own_kernel_alone(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE), b"x/logo-32x32.png": b"png"})
    directory = home + b"/.local/share/jupyter/kernels/x"
    environ[b"JUPYTER_DATA_DIR"] = home + b"/.local/share/jupyter"
    for words in ([], [b"--display-name", u"Mine \xe9".encode("utf-8")]):
        assert ask(archive, environ, b"kernelspec", *words)[0] == 0
    assert written(directory)["display_name"] == u"Mine \xe9"
    other = spec([u"/other.coex"])
    write(home + b"/cached", other)
    for path in (b"/kernel.json", b"/logo-32x32.png"):
        os.unlink(directory + path)
    os.link(home + b"/cached", directory + b"/kernel.json")
    write(directory + b"/kernel.js", b"old")
    status, found, _ = ask(archive, environ, b"kernelspec")
    assert status == 1
    assert "which starts /other.coex; choose another one with --name, or replace it with --force" in found["error"]
    assert sorted(os.listdir(directory)) == [b"kernel.js", b"kernel.json"]
    assert ask(archive, environ, b"kernelspec", b"--force")[0] == 0
    assert sorted(os.listdir(directory)) == [b"kernel.json", b"logo-32x32.png"]
    assert written(directory)["argv"][0] == archive.decode("ascii")
    assert read(home + b"/cached") == other


@pytest.mark.parametrize(
    ("kernels", "words", "said"),
    [
        ({}, [], "its environment has no Jupyter kernel; add ipykernel, r-irkernel or"),
        ({b"x/logo.png": b""}, [], "its environment has no Jupyter kernel; add ipykernel"),
        ({b"a/kernel.json": b"", b"b/kernel.json": b""}, [], "several Jupyter kernels; choose --kernel a or b"),
        ({b"a/kernel.json": b""}, [b"--kernel", b"c"], "its environment has no Jupyter kernel c (a)"),
        ({b"a/kernel.json": b"{"}, [], "its kernel.json cannot be read: "),
        ({b"a/kernel.json": spec([])}, [], "its kernel.json has no command"),
        ({b"a/kernel.json": spec(5)}, [], "its kernel.json has no command"),
        ({b"a/kernel.json": spec([u"python", 5])}, [], "its kernel.json has no command"),
        ({b"a/kernel.json": spec(BARE, env=5)}, [], "the field env of its kernel.json is not an object"),
        ({b"a/kernel.json": spec([u"python", u"a\0b"])}, [], "its kernel.json has no command"),
        ({b"a/kernel.json": spec(BARE, env={"A": 5})}, [], "its kernel.json has a variable that is not a text"),
        ({b"a/kernel.json": spec([u"java"])}, [], "it starts java, which is not a command of the environment"),
        ({b"a/kernel.json": spec([u"/usr/bin/python"])}, [], "it starts /usr/bin/python, which is not a command"),
        (
            {b"a/kernel.json": spec([PLACEHOLDER.decode("ascii") + u"/libexec/x"])}, [],
            "it starts ${COEX_PREFIX}/libexec/x, which is not a command",
        ),
        (
            {b"a/kernel.json": spec([u"python", PLACEHOLDER.decode("ascii") + u"/share/x.py"])}, [],
            "its arguments or variables name files of the environment; unpack the environment with `unpack -p`",
        ),
        ({}, [b"--command", b"python -m x"], "{connection_file} is missing"),
        ({}, [b"--command", b"perl {connection_file}"], "perl is neither an entry point nor a command of the environment"),
        ({}, [b"--command", b"'"], "--command: "),
        ({}, [b"--language", b"R"], "--language goes with --command"),
        ({}, [b"--kernel", b"x", b"--command", b"y"], "leave out one of the two"),
        ({b"a/kernel.json": spec(BARE)}, [b"--name", b".."], "Jupyter does not take .. as the name of a kernel"),
        ({b"a/kernel.json": spec(BARE)}, [b"--name", b"a/b"], "Jupyter does not take a/b as the name of a kernel"),
        ({b"a/kernel.json": spec(BARE)}, [b"--sys-prefix"], "no environment is active; activate that of Jupyter"),
    ],
)
def test_refuses(place, environ, home, kernels, words, said):
    # type: (bytes, Dict[bytes, bytes], bytes, Dict[bytes, bytes], List[bytes], str) -> None
    archive = make(place + b"/x.coex", kernels)
    status, found, _ = ask(archive, environ, b"kernelspec", *words)
    assert status in (1, 2)
    assert said in found["error"]
    assert not os.path.exists(home)


def test_refuses_a_file_that_jupyter_could_not_start(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    os.chmod(archive, 0o644)
    status, found, _ = ask(archive, environ, b"kernelspec")
    assert (status, "it is not executable; chmod +x it" in found["error"]) == (1, True)


def test_command_of_the_user(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    entry = {"name": u"my kernel", "command": [["prefix", u"bin/R"], ["text", u"-q"]], "named": True}
    archive = make(place + b"/x.coex", {}, entry_points=[entry])
    for words, command in ((b"R --args {connection_file}", "R"), (b"'my kernel' --args {connection_file}", "my kernel")):
        status, found, _ = ask(archive, environ, b"kernelspec", b"--command", words, b"--language", b"R")
        assert status == 0
        assert found["spec"] == {
            "argv": [archive.decode("ascii"), "--args", "{connection_file}"], "env": {"COEX_ENTRYPOINT": command},
            "language": "R", "display_name": "x",
        }


def test_command_with_a_dollar(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Jupyter puts variables in the place of those that a value names, by string.Template."""
    entry = {"name": u"$HOME$$", "command": [["prefix", u"bin/R"]], "named": True}
    archive = make(place + b"/x.coex", {}, entry_points=[entry])
    _, found, _ = ask(archive, environ, b"kernelspec", b"--command", b"'$HOME$$' {connection_file}")
    value = string.Template(found["spec"]["env"]["COEX_ENTRYPOINT"]).safe_substitute({"HOME": "/home/me"})
    assert value == "$HOME$$"


def test_directory_that_another_process_makes_meanwhile(place, environ, home, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], bytes, Any) -> None
    mkdir = os.mkdir

    def come_second(path, *words):
        # type: (bytes, *int) -> None
        if path.endswith(b"/jupyter/kernels/x"):
            mkdir(path)
        mkdir(path, *words)

    monkeypatch.setattr(os, "mkdir", come_second)
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    assert ask(archive, environ, b"kernelspec")[0] == 0
    assert written(home + b"/.local/share/jupyter/kernels/x")["argv"][0] == archive.decode("ascii")


def test_kernel_is_the_command_and_no_entry_point_of_that_name(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    entry = {"name": u"python", "command": [["app", u"python.py"]]}
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)}, entry_points=[entry])
    assert ask(archive, environ, b"kernelspec")[1]["spec"]["env"] == {"COEX_ENTRYPOINT": "'python'"}


def test_files_of_others_stay(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """A directory of a kernel's name may be anything, and a link, such as that of `--symlink`, may lead anywhere."""
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    kernels = place + b"/data/kernels"
    environ[b"JUPYTER_DATA_DIR"] = place + b"/data"
    for directory in (kernels + b"/x/work", place + b"/elsewhere", kernels + b"/x/logo-dir"):
        os.makedirs(directory)
        write(directory + b"/notes", b"mine")
    write(kernels + b"/x/paper.tex", b"mine")
    assert ask(archive, environ, b"kernelspec")[0] == 0
    assert sorted(os.listdir(kernels + b"/x")) == [b"kernel.json", b"logo-dir", b"paper.tex", b"work"]
    assert read(kernels + b"/x/work/notes") == read(kernels + b"/x/logo-dir/notes") == b"mine"
    os.symlink(place + b"/elsewhere", kernels + b"/y")
    status, found, _ = ask(archive, environ, b"kernelspec", b"--name", b"y")
    assert (status, "there is a link of this name; choose another one with --name" in found["error"]) == (1, True)
    assert ask(archive, environ, b"kernelspec", b"--name", b"y", b"--force")[0] == 0
    assert os.listdir(kernels + b"/y") == [b"kernel.json"]
    assert os.listdir(place + b"/elsewhere") == [b"notes"]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipe_and_device_count_as_kernels_of_others(place, environ, home, kind):
    # type: (bytes, Dict[bytes, bytes], bytes, str) -> None
    """A pipe would wait for a writer, and a device may never end."""
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    environ[b"JUPYTER_DATA_DIR"] = place + b"/data"
    os.makedirs(place + b"/data/kernels/x")
    spot = place + b"/data/kernels/x/kernel.json"
    if kind == "pipe":
        os.mkfifo(spot)
    else:
        os.symlink(b"/dev/zero", spot)
    status, found, _ = ask(archive, environ, b"kernelspec")
    assert (status, "there is a kernel of this name; choose another one" in found["error"]) == (1, True)
    assert ask(archive, environ, b"kernelspec", b"--force")[0] == 0
    assert written(place + b"/data/kernels/x")["argv"][0] == archive.decode("ascii")


def test_path_in_which_jupyter_would_put_a_value(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    archive = make(place + b"/a{prefix}.coex", {b"x/kernel.json": spec(BARE)})
    status, found, _ = ask(archive, environ, b"kernelspec")
    assert (status, "Jupyter would put a value in the place of the braces in its path" in found["error"]) == (1, True)


@pytest.mark.parametrize(("name", "words"), [
    (b"\xff.coex", []), (b"x.coex", [b"--display-name", b"\xff"]),
    (b"x.coex", [b"--command", b"R \xff {connection_file}"]),
    (b"x.coex", [b"--command", b"R {connection_file}", b"--language", b"\xff"]),
])
def test_names_that_are_not_utf_8(place, environ, home, name, words):
    # type: (bytes, Dict[bytes, bytes], bytes, bytes, List[bytes]) -> None
    """A kernel.json is in UTF-8; a Python 2 would write another name, which nobody has."""
    archive = make(place + b"/" + name, {b"x/kernel.json": spec(BARE)})
    status, found, error = ask(archive, environ, b"kernelspec", *words)
    assert (status, error) == (1, b"")
    assert " is not UTF-8, in which Jupyter reads a kernel.json" in found["error"]
    assert not os.path.exists(home)


def test_place_that_cannot_be_written(place, environ, home):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    archive = make(place + b"/x.coex", {b"x/kernel.json": spec(BARE)})
    write(place + b"/file", b"")
    status, found, _ = ask(archive, environ, b"kernelspec", b"--prefix", place + b"/file")
    assert (status, "the kernel cannot be written: Not a directory" in found["error"]) == (1, True)
