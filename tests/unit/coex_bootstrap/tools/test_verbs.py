"""Verbs that print something, and the words that every verb refuses. In the Python of the host, on small archives."""

import json
import os
import subprocess
import tempfile
from contextlib import closing

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.tools import cache, command_line, output
from coex_bootstrap.unpack import decoder

from unit.coex_bootstrap.building import write_archive
from unit.coex_bootstrap.copies import run_copy
from unit.coex_bootstrap.demo_archive import CONTENT, PYTHON, ask, asking, demo_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


def test_env(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    _, found, _ = ask(archive, environ, b"env")
    prefix = found["root"] + "/prefix"
    assert found["set"]["CONDA_PREFIX"] == prefix
    assert found["set"]["PATH"] == prefix + "/bin:" + environ[b"PATH"].decode("ascii")
    environ[b"PYTHONPATH"] = b"/x y"
    out = subprocess.check_output([PYTHON, archive, b"env"], env=asking(environ))
    shown = subprocess.check_output([b"sh", b"-c", out + b'\necho "$COEX_PREFIX|${PYTHONPATH-gone}"'], env=environ)
    assert shown.decode("ascii") == prefix + "|gone\n"


def test_dockerfile(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, demo_index(), [CONTENT], platform="linux-aarch64")
    status, found, _ = ask(archive, environ, b"dockerfile", b"--base", b"some:image")
    lines = found["dockerfile"].splitlines()
    assert (status, lines[1]) == (0, "FROM --platform=linux/arm64 python:3-slim AS unpack")
    assert "FROM --platform=linux/arm64 some:image" in lines
    assert found["dockerfile"].startswith("# An image of demo")
    write_archive(archive, demo_index(), [CONTENT], platform="osx-arm64")
    status, found, _ = ask(archive, environ, b"dockerfile")
    assert (status, "containers cannot run an archive for osx-arm64" in found["error"]) == (1, True)


@pytest.mark.parametrize("name, pattern", [
    (b"a$HOME`x`.coex", u"a?HOME?x?.coex"), (b"[x]*.coex", u"?x??.coex"), (b"a\nRUN x", u"a?RUN x"), (b"q\"'\\", u"q???"),
    (u"\xe9 -.coex".encode("utf-8"), u"\xe9 -.coex"),
])
def test_dockerfile_of_any_name(archive, environ, place, name, pattern):
    # type: (bytes, Dict[bytes, bytes], bytes, bytes, Any) -> None
    os.rename(archive, place + b"/" + name)
    environ[b"LC_ALL"] = b"C.UTF-8"  # PyPy opens no file of another name than ASCII in the C locale
    status, found, _ = ask(place + b"/" + name, environ, b"dockerfile")
    copied = [line for line in found["dockerfile"].splitlines() if line.startswith("COPY [")]
    assert (status, [json.loads(line[5:]) for line in copied]) == (0, [[pattern, "/opt/app.coex"]])


@pytest.mark.parametrize("constraints, version", [
    ([""], "99"), ([">=12.1,<13"], "12.1"), ([">11.8"], "99"), (["12.*", ">=12.4"], "12.4"), (["<9"], "0"),
])
def test_dockerfile_needs_no_graphics_card(archive, environ, constraints, version):
    # type: (bytes, Dict[bytes, bytes], List[str], str) -> None
    write_archive(archive, demo_index(), [CONTENT], requires={"__cuda": constraints})
    _, found, _ = ask(archive, environ, b"dockerfile")
    assert " && CONDA_OVERRIDE_CUDA=%s COEX_TOOLS=1 python3" % version in found["dockerfile"]


@pytest.mark.parametrize("verb", sorted(command_line.VERBS))
@pytest.mark.parametrize("words, what", [
    ([b"--no-such"], "unrecognized arguments: --no-such"), ([b"more", b"x y"], "unrecognized arguments: more"),
], ids=repr)
def test_verbs_refuse_unknown_options(archive, environ, verb, words, what):
    # type: (bytes, Dict[bytes, bytes], str, List[bytes], str) -> None
    """In one line, with the help of that verb named, and before anything is done."""
    needed = {"unpack": [b"-p", b"env"], "cache": [b"list"]}.get(verb, [])  # type: List[bytes]
    before = sorted(os.listdir(os.path.dirname(archive)))
    status, out, error = run_copy(environ, lambda: command_line.main(archive, [verb.encode("ascii")] + needed + words))
    assert (status, out, error.count(b"\n")) == (2, b"", 1)
    assert what in error.decode("utf-8")
    assert ("see COEX_TOOLS=1 %s %s -h" % (archive.decode("ascii"), verb)) in error.decode("utf-8")
    assert sorted(os.listdir(os.path.dirname(archive))) == before


def test_no_verb(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    status, found, error = ask(archive, environ)
    assert (status, error, found["error"].startswith("say which verb: info, files")) == (2, b"", True)


def test_json_before_the_verb(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    said = [subprocess.check_output([PYTHON, archive] + words, env=asking(environ)) for words in (
        [b"--json", b"files", b"--package", b"app"], [b"files", b"--package", b"app", b"--json"],
    )]
    assert said[0] == said[1]
    assert set(row["package"] for row in json.loads(said[0].decode("utf-8"))["files"]) <= set(["app"])


@pytest.mark.parametrize("pattern, says", [
    (b"dmo", "it has no package dmo (did you mean demo?)"), (b"x*", "it has no package 'x*'"),
], ids=repr)
def test_files_of_no_package(archive, environ, pattern, says):
    # type: (bytes, Dict[bytes, bytes], bytes, str) -> None
    status, found, error = ask(archive, environ, b"files", b"--package", pattern)
    assert (status, error, found["error"]) == (1, b"", "%s: %s" % (archive.decode("ascii"), says))
    assert ask(archive, environ, b"files", b"--package", b"demo-1-*")[0] == 0
    assert ask(archive, environ, b"files", b"--package", b"environment")[0] == 0


@pytest.mark.parametrize("verb", command_line.BUILDERS)
def test_verbs_of_conda(archive, environ, verb):
    # type: (bytes, Dict[bytes, bytes], str) -> None
    status, found, _ = ask(archive, environ, verb.encode("ascii"), b"-o", b"x")
    what = "%s is a verb of conda, and not of an archive; run conda coex %s" % (verb, verb)
    assert (status, found["error"]) == (2, what)


@pytest.mark.parametrize("words, says", [
    ([b"verfy"], "there is no verb verfy (did you mean verify?): info, files, verify"),
    ([b"nothing"], "there is no verb nothing: info"),
    ([b"info", b"--jsn"], "unrecognized arguments: --jsn (did you mean --json?)"),
    ([b"ver"], "there is no verb ver (did you mean verify?)"),
    ([b"unpack", b"--prefx=x"], "unrecognized arguments: --prefx=x (did you mean --prefix?)"),
    ([b"--version"], "unrecognized arguments: --version"),
], ids=repr)
def test_mistyped_words(archive, environ, words, says):
    # type: (bytes, Dict[bytes, bytes], List[bytes], str) -> None
    status, found, error = ask(archive, environ, *words)
    assert (status, error, found["error"].startswith(says)) == (2, b"", True), found
    assert found["error"].endswith(" -h")
    assert " None " not in found["error"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_standard_output(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    with open("/dev/full", "wb") as full:
        command = [PYTHON, archive, b"info"]
        process = subprocess.Popen(command, env=asking(environ), stdout=full, stderr=subprocess.PIPE)
        error = process.communicate()[1]
    assert process.returncode == 1
    assert error.startswith(b"coex: standard output: cannot be written: "), error
    assert len(error.splitlines()) == 1


def test_tables_without_rows():
    # type: () -> None
    assert list(output.table(("a", "b"), [])) == []
    assert cache.list_lines([]) == ["no roots: no archive is unpacked"]
    assert cache.would_remove([], []).lines == ["would remove no root"]


@pytest.mark.parametrize("mode", [0o700, 0o777, 0o1777])
def test_no_library_is_loaded_from_where_others_can_change_it(archive, place, monkeypatch, mode):
    # type: (bytes, bytes, Any, int) -> None
    loaded = []
    monkeypatch.setattr(decoder, "open_decoder", lambda path=None: loaded.append(os.path.dirname(os.path.dirname(path))))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: compat.native(place))
    os.chmod(place, mode)
    with closing(Archive(archive)) as opened:
        opened.members["libzstd"] = b"library"
        decoder.load_decoder(opened)
    assert loaded == [b"/tmp" if mode == 0o777 else place]
