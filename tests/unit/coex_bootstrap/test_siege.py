"""Hostile archives by the hundred: every verb and the start, in the Python of the host; each kind that was found by name."""

import json
import os
import subprocess
import sys
import zlib
from contextlib import closing

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError, ScriptFailed, StoreUnusable
from coex_bootstrap.base.untrusted import DEEPEST, parse_json
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.relocation import parse
from coex_bootstrap.format.tail import LIMIT
from coex_bootstrap.start.variable_files import parse_variables
from coex_bootstrap.tools import dockerfile
from coex_bootstrap.tools import command_line
from coex_bootstrap.unpack.relocate import apply

from unit.coex_bootstrap import hostile
from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, sign, write_archive
from unit.coex_bootstrap.demo_archive import CONTENT, PYTHON, ask, ask_python, asking, demo_index, write_demo
from unit.coex_bootstrap.siege import LATER, VERBS, Siege, is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

COUNT = 15 if "PyPy" in sys.version else 60  # under each of ten Pythons, and everywhere another set
PACKAGE = {"name": "demo", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 3,
"url": "https://h/d-1-0.conda"}


@pytest.fixture
def archive(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    return write_demo(place, environ)


def test_hostile_archives(place):
    # type: (bytes) -> None
    siege = Siege(compat.native(place))
    first = zlib.crc32(sys.version.encode("ascii")) & 0xFFFFFF
    siege.look(0)
    assert siege.wrong == []
    assert (siege.counts["start 0"], siege.counts["repair 0"]) == (3, 1)  # nothing is altered in that
    for seed in range(first, first + COUNT):
        siege.look(seed)
    assert siege.wrong == []
    for ended in ("start 0", "start 125", "info 0", "info 1", "verify 0", "verify 1", "unpack 0", "unpack 1"):
        assert siege.counts[ended]


def test_every_verb_is_asked():
    # type: () -> None
    assert set(words[0] for words in VERBS + LATER) == set(command_line.VERBS)


def test_siege_sees_faults(place, monkeypatch):
    # type: (bytes, Any) -> None
    """Errors that are not in words, lines for the terminal, files elsewhere, and no end are found, each in its archive."""

    def writes(path, options, environ):
        # type: (bytes, Any, Any) -> Any
        open(compat.native(place) + "/outside/x", "w").close()
        os.write(1, b"\x1b[2J\n")
        raise KeyError("x")

    monkeypatch.setitem(command_line.VERBS, "sbom", command_line.VERBS["sbom"]._replace(execute=writes))
    monkeypatch.setitem(command_line.VERBS, "lock", command_line.VERBS["lock"]._replace(execute=lambda *words: [0] * (1 << 27)))
    siege = Siege(compat.native(place))
    siege.look(0)
    found = "\n".join(siege.wrong)
    for what in ("sbom: it is not in words", "sbom: '\\x1b[2J'", "lock: it is not in words", "outside of its root"):
        assert what in found.replace("u'", "'"), what


VISIBLE = [
    (b"a\nb", u"a\\x0ab"), (b"\x1b[2J", u"\\x1b[2J"), (u"\u202ex\u2069", u"\\u202ex\\u2069"), (u"\u2028", u"\\u2028"),
    (u"\ud800", u"\\ud800"), (u"\x9b\x7f", u"\\x9b\\x7f"), (u"\xe9\u4e2d \\", u"\xe9\u4e2d \\"), (u"\U0001f600", u"\U0001f600"),
]


@pytest.mark.parametrize("number", range(len(VISIBLE)))
def test_visible(number):
    # type: (int) -> None
    found, shown = VISIBLE[number]
    assert compat.visible(found) == shown
    assert compat.visible(shown) == shown
    assert is_plain(shown)


def test_bytes_that_are_not_text():
    # type: () -> None
    assert compat.visible(b"a\xffb") == (u"a\ufffdb" if compat.PY2 else u"a\\xffb")


def test_errors_with_any_text():
    # type: () -> None
    """On 2.7 a path is bytes, and texts of a manifest are unicode."""
    error = StoreUnusable(u"needs \xe9\n\x1b", b"/\xc3\xa9", u"write \u202e")
    said = str(error) if not compat.PY2 else str(error).decode("utf-8")  # type: ignore[attr-defined,unused-ignore]
    assert said == u"/\xe9: needs \xe9\\x0a\\x1b; write \\u202e"
    failed = ScriptFailed(u"\xe9", b"/x", "its output was:\none\x1b[31m\n\ttwo")
    assert str(failed).split("\n")[1:] == ["one\\x1b[31m", "        two"]


@pytest.mark.parametrize("depth", [1, DEEPEST, DEEPEST + 1, 5000, 100000])
def test_depth(depth):
    # type: (int) -> None
    for start, end in ((b"[", b"]"), (b'{"a":', b"}")):
        data = start * (depth - 1) + b"[]" + end * (depth - 1)
        if depth <= DEEPEST:
            assert parse_json(data) in ([], json.loads(data.decode("ascii")))
        else:
            with pytest.raises(ValueError, match="too deep"):
                parse_json(data)


@pytest.mark.parametrize(
    "data",
    [b"[" + b"0," * (1 << 21) + b"0]", b'"' + b"x" * (1 << 25) + b'"', b"9" * 5000, b"\xff", b""],
    ids=["many values", "a long text", "a long number", "no UTF-8", "nothing"],
)
def test_documents_that_are_too_large(data):
    # type: (bytes) -> None
    with pytest.raises(ValueError):
        parse_json(data)


def test_members_that_expand_without_end_together(archive):
    # type: (bytes) -> None
    """Each alone would be no more than an index may be."""
    from zipfile import ZIP_DEFLATED, ZipFile

    data = read(archive)
    with open(archive, "wb") as stream:
        stream.write(data[: data.index(b"PK\3\4")])
        with ZipFile(stream, "w", ZIP_DEFLATED) as tail:
            for name in ("a", "b", "c"):
                tail.writestr(name, b"\0" * (LIMIT // 2 - 1))
    with pytest.raises(ArchiveDamaged, match="its last bytes are not a zip|its member c is too large"):
        Archive(archive)


@pytest.mark.parametrize("url", [[u"x"], {}, 5, u"a\nb"])
def test_url_that_is_none(archive, environ, url):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    write_archive(archive, demo_index(), [CONTENT], packages=[dict(PACKAGE, url=url)])
    for verb in (b"lock", b"info", b"sbom"):
        status, found, _ = ask(archive, environ, verb)
        assert (status, "an impossible package" in found["error"]) == (1, True)


def test_names_of_other_alphabets(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Packages, files, entry points: in text and in JSON, in the C locale, on every Python."""
    name, record = u"\xe9t\xe9", b'{"files": ["share/\\u00e9"]}'
    script = b"#!/bin/sh\necho run\n"
    index = make_index([
        file_row(b"prefix/bin/\xc3\xa9", 0, 0, len(script), mode=0o755), file_row(b"prefix/share/\xc3\xa9", 0, 0, 1),
        file_row(b"prefix/conda-meta/\xc3\xa9t\xc3\xa9-1-0.json", 0, len(script), len(record)),
    ])
    command = {"name": u"\xe9", "command": [["prefix", u"bin/\xe9"]]}
    more = dict(packages=[dict(PACKAGE, name=name)], entry_points=[command], requires={u"__\xe9": [u"\xe9"]})
    write_archive(archive, index, [script + record], **more)
    for words in ([b"info"], [b"files"], [b"lock"], [b"verify"], [b"dockerfile"], [b"cache", b"list"]):
        out = subprocess.check_output([PYTHON, archive] + words, env=asking(environ)).decode("utf-8")
        assert words[0] not in (b"info", b"files") or name in out
    found = ask_python(archive, environ, b"files", b"--package", u"\xe9*".encode("utf-8"))[1]
    assert u"prefix/share/\xe9" in [row["path"] for row in found["files"] if row["package"] == name + u"-1-0"]
    assert subprocess.check_output([PYTHON, archive], env=environ) == b"run\n"
    write_archive(archive, index, [script + record], **dict(more, requires={"__cuda": [u">=\xe9"]}))
    process = subprocess.Popen([PYTHON, archive], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = process.communicate()[1]
    assert (process.returncode, said.count(b"\n"), b"this host has none" in said) == (125, 1, True)


SPOKEN = [u"\x1b[2J", u"\u202e", u"\u2028x", u"\xe9"]


@pytest.mark.parametrize("odd", SPOKEN, ids=repr)
def test_nothing_speaks_to_the_terminal(archive, environ, odd):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    """Characters that are refused in names may be in words, values, targets and documents; each line stays one line."""
    shown_odd = u"" if u"\x1b" in odd else odd
    index = demo_index()
    index.links.append(hostile.Link(b"prefix/l" + odd.encode("utf-8"), odd.encode("utf-8")))
    sbom = json.dumps({"name": odd}, ensure_ascii=False, separators=(",\t", ":")).replace(u"\\u001b", u"\\u001b")
    command = [["prefix", u"bin/demo"], ["text", odd]]
    points = [{"name": u"demo" + shown_odd, "command": command}, {"name": u"b", "command": command}]
    fields = dict(
        entry_points=points, builder=u"b" + shown_odd, libzstd=u"l" + shown_odd, env=[{"name": u"ODD",
        "value": odd + u"\n'x", "default": False}],
        packages=[dict(PACKAGE, channel=u"c" + shown_odd, name=u"n" + shown_odd)], name=u"n" + shown_odd,
        pip=[{"name": u"p" + shown_odd, "version": u"1" + shown_odd, "url": u"https://h/p" + shown_odd}],
    )
    write_archive(archive, index, [CONTENT], {"sbom.json": sbom.encode("utf-8")}, **fields)
    for verb in ("info", "files", "lock", "sbom", "dockerfile", "env", "verify"):
        out = subprocess.check_output([PYTHON, archive, verb], env=asking(environ))
        assert [line for line in out.decode("utf-8").split(u"\n") if not is_plain(line)] == [], verb
        if verb == "sbom":
            assert json.loads(out.decode("ascii")) == {"name": odd}
        if verb == "env":
            said = subprocess.check_output([b"sh", b"-c", out + b'\nprintf %s "$ODD"'], env=environ)
            assert said.decode("utf-8") == odd + u"\n'x"
        if verb == "dockerfile":
            assert len(out.splitlines()) == 11


def test_many_constraints(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """Refused above the number of any environment; the allowed number is quick."""
    for count, status in ((1000, 1), (200, 0)):
        write_archive(archive, demo_index(), [CONTENT], requires={"__cuda": [u">=%d.%d" % (n, n) for n in range(count)]})
        found = ask(archive, environ, b"dockerfile")
        assert found[0] == status
    assert "CONDA_OVERRIDE_CUDA=99 " not in found[1]["dockerfile"]
    tried = []
    monkey = dockerfile.matches
    dockerfile.matches = lambda version, c: tried.append(version)
    try:
        with closing(Archive(archive)) as opened:
            assert dockerfile._override(opened.manifest).startswith("CONDA_OVERRIDE_CUDA=0.0 ")
    finally:
        dockerfile.matches = monkey
    assert len(tried) < 30


def test_strings_that_overlap_without_end():
    # type: () -> None
    """Each would be read, and copied, as often as it is named."""
    data = (PLACEHOLDER + b"\0") * 100
    whole = ("b:0:0=0.%d" % (len(data) - 1)).encode("ascii")
    apply(parse(whole, [PLACEHOLDER]), data, b"/p")
    with pytest.raises(ArchiveDamaged):
        apply(parse(b"b:0:0=" + b"+".join([whole[6:]] * 50), [PLACEHOLDER]), data, b"/p")


def test_large_files_in_one_place_are_walked_through_once():
    # type: () -> None
    from coex_bootstrap.format.index_check import check_large

    walked = []

    class Counted(list):
        def __getitem__(self, number):
            # type: (int) -> Any
            walked.append(number)
            return list.__getitem__(self, number)

    class Files(object):
        frames, offsets, sizes, relocations = [0] * 500, [0] * 500, [600] * 500, {}  # type: Any, Any, Any, Any

    check_large(Counted([1] * 600), Files(), set(range(500)))
    assert len(walked) == 600


@pytest.mark.parametrize("value", [u'"\\ud800"', u"9" * 5000, u"[" * 100000], ids=["surrogate", "number", "depth"])
def test_variables_that_no_shell_can_have(value):
    # type: (Any) -> None
    if compat.PY2 and u"ud800" in value:
        pytest.skip("2.7 makes bytes of it")
    with pytest.raises(CoexError, match="cannot be read as variables"):
        parse_variables((u'{"A": %s}' % value).encode("ascii"), b"state")


def test_placeholder_that_is_not_text(archive):
    # type: (bytes) -> None
    for placeholder in (b"\xff", b""):
        index = make_index([file_row(b"prefix/x")], placeholders=[placeholder])
        write_archive(archive, index, [b"x"])
        with pytest.raises(ArchiveDamaged, match="an impossible placeholder"):
            with closing(Archive(archive)) as opened:
                assert opened.index


def test_error_of_the_start_that_nobody_thought_of(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """It is one line, and COEX_TRACE shows where it was."""
    from unit.coex_bootstrap.building import bootstrap_members, make_manifest

    name = "coex_bootstrap/start/host.py"
    code = bootstrap_members()[name].replace(b"    here = host_platform()\n", b"    here = {}['x\\ny']\n")
    with closing(Archive(archive)) as opened:
        payload, index = opened.stream, opened.members["index"]
        payload.seek(opened.manifest.prelude)
        data, manifest = payload.read(opened.manifest.payload), make_manifest(**opened.manifest.fields)
    sign(archive, manifest, data, index, {name: code})
    for trace in (b"", b"1"):
        process = subprocess.Popen([PYTHON, archive], env=with_trace(environ, trace), stderr=subprocess.PIPE)
        said = process.communicate()[1].decode("ascii")
        assert process.returncode == 125
        assert "demo.coex: not a coex archive that can be read (KeyError: 'x\\ny')" in said
        assert ("Traceback" in said, said.count("\n") == 1) == (bool(trace), not trace)


def with_trace(environ, trace):
    # type: (Dict[bytes, bytes], bytes) -> Dict[bytes, bytes]
    found = dict(environ)
    found[b"COEX_TRACE"] = trace
    return found
