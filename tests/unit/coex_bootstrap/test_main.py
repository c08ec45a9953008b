"""The bootstrap is imported from the tail of an archive as zipimport would import it, and faster."""

import json
import marshal
import os
import subprocess
import sys
import zlib

import pytest
from coex_bootstrap import __main__ as gate
from coex_bootstrap.base.modules import name_of
from coex_bootstrap.format.manifest import BYTECODE

from .building import bootstrap_members, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

ZIPIMPORT = "sys.path.insert(0, archive)"
TAIL = """
gate = {"__name__": "coex"}
with open(main, "rb") as stream:
    exec(compile(stream.read(), main, "exec"), gate)
sys.meta_path.insert(0, gate["open_modules"](archive))
"""
SHOW = """
import json, sys, traceback
archive, main, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
del sys.path[0]
%s
said = {}
for name in names:
    __import__(name)
    module = sys.modules[name]
    said[name] = [module.__name__, module.__file__, module.__package__, getattr(module, "__path__", None)]
try:
    sys.modules["coex_bootstrap.format.tail"].read_tail(None)
except AttributeError:
    said["traceback"] = traceback.format_exc().splitlines()[-4:]
print(json.dumps(said, sort_keys=True))
"""


@pytest.fixture
def archive(place):
    # type: (bytes) -> str
    write_archive(place + b"/demo.coex", make_index([]))
    return place.decode("ascii") + "/demo.coex"


def module_names():
    # type: () -> List[str]
    """Return all modules of the bootstrap that may be imported twice."""
    names = [name[:-3].replace("/", ".") for name in bootstrap_members() if name.endswith(".py") and "/" in name]
    return sorted(name[: -len(".__init__")] if name.endswith(".__init__") else name for name in names)


def imported(way, archive):
    # type: (str, str) -> Dict[str, Any]
    words = [archive, gate.__file__.replace(".pyc", ".py"), json.dumps(module_names())]
    out = subprocess.check_output([sys.executable, "-E", "-S", "-c", SHOW % way] + words, stderr=subprocess.STDOUT)
    return dict(json.loads(out.decode("utf-8")))


def test_modules_are_those_of_zipimport(archive):
    # type: (str) -> None
    expected = imported(ZIPIMPORT, archive)
    assert len(expected) == len(module_names()) + 1
    assert imported(TAIL, archive) == expected
    assert "stream.seek(0, os.SEEK_END)" in "".join(expected["traceback"])


def test_nothing_else_is_imported_from_the_archive(archive):
    # type: (str) -> None
    modules = gate.open_modules(archive)
    for name in ("json", "coex", "coex_bootstrap.unknown", "__main__"):
        assert modules.find_module(name) is None
        assert modules.find_spec(name) is None


def test_modules_are_there_when_the_archive_is_gone(archive, monkeypatch):
    # type: (str, Any) -> None
    """A start imports rare ones late: the file may be moved or removed meanwhile."""
    modules = gate.open_modules(archive)
    os.unlink(archive)
    kept = dict((name, sys.modules.pop(name)) for name in list(sys.modules) if name.startswith("coex_bootstrap"))
    monkeypatch.setattr(sys, "meta_path", [modules] + sys.meta_path)
    try:
        for name in module_names():
            __import__(name)
            assert sys.modules[name].__file__.startswith(archive)
    finally:
        for name in [name for name in sys.modules if name.startswith("coex_bootstrap")]:
            del sys.modules[name]
        sys.modules.update(kept)


def test_module_that_fails_is_not_left(archive, monkeypatch):
    # type: (str, Any) -> None
    modules = gate.open_modules(archive)
    modules.sources["coex_failing"] = "coex_failing.py", b"1 / 0", zlib.crc32(b"1 / 0") & 0xFFFFFFFF
    monkeypatch.setattr(sys, "meta_path", [modules] + sys.meta_path)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            __import__("coex_failing")
        assert "coex_failing" not in sys.modules


def test_whole_bootstrap(archive):
    # type: (str) -> None
    sources = gate.open_modules(archive).sources
    assert sorted(sources) == module_names()
    members = bootstrap_members()
    assert all(members[member] == source for member, source, _ in sources.values())


def compiled(members, name=""):
    # type: (Dict[str, bytes], str) -> bytes
    """Return the member with the code of modules, as the builder makes it, for this Python or the member `name`."""
    codes = {}
    for member, source in members.items():
        codes[name_of(member)] = compile(source, member, "exec", 0, True)
    head = (name or gate.bytecode_member()).encode("ascii") + b"\n"
    return zlib.compress(head + marshal.dumps(codes))


def flipped(data, place):
    # type: (bytes, int) -> bytes
    """Return data with the bits of one byte altered."""
    return data[:place] + bytes(bytearray([255 - bytearray(data)[place]])) + data[place + 1 :]


def with_bytecode(place, name, packed):
    # type: (bytes, str, bytes) -> str
    write_archive(place + b"/demo.coex", make_index([]), members={name: packed})
    return place.decode("ascii") + "/demo.coex"


def test_bytecode_of_this_python(place):
    # type: (bytes) -> None
    """Modules are those of zipimport, and tracebacks show lines of the source."""
    modules = dict(item for item in bootstrap_members().items() if item[0].endswith(".py") and "/" in item[0])
    name = gate.bytecode_member()
    assert name.startswith(BYTECODE + "/")
    archive = with_bytecode(place, name, compiled(modules))
    expected, found = imported(ZIPIMPORT, archive), imported(TAIL, archive)
    seen = "".join(expected.pop("traceback")).replace(archive + "/", "")
    assert "".join(found.pop("traceback")) == seen
    assert found == expected
    assert sorted(gate.open_modules(archive).codes) == module_names()


def test_bytecode_of_this_python_is_not_compiled_again(place):
    # type: (bytes) -> None
    name = "coex_bootstrap.base.row_type"
    packed = compiled({"coex_bootstrap/base/row_type.py": b"COMPILED = 1"})
    modules = gate.open_modules(with_bytecode(place, gate.bytecode_member(), packed))
    assert modules.get_code(name).co_names == ("COMPILED",) != modules.get_code("coex_bootstrap.base").co_names
    assert "COMPILED" not in modules.get_source(name)


@pytest.mark.parametrize("name", ["cpython-311-1", "pypy39-3495", "", "cpython-311-3495/more"])
def test_bytecode_of_other_pythons(place, name):
    # type: (bytes, str) -> None
    other = "%s/%s" % (BYTECODE, name)
    packed = compiled({"coex_bootstrap/base/row_type.py": b"1 / 0"}, other)
    assert gate.open_modules(with_bytecode(place, other, packed)).codes == {}
    assert gate.open_modules(with_bytecode(place, gate.bytecode_member(), packed)).codes == {}  # a name that was altered


def test_damaged_bytecode():
    # type: () -> None
    """No altered byte reaches marshal, which cannot stand it: the source is compiled then."""
    name = gate.bytecode_member()
    packed = compiled({"coex_bootstrap/base/row_type.py": b"ONE = 1\nTWO = 2\n"})
    whole = gate.load_codes(name, packed)
    assert list(whole) == ["coex_bootstrap.base.row_type"]
    for place in range(len(packed)):
        for altered in (packed[:place], flipped(packed, place)):
            assert gate.load_codes(name, altered) == {}
    for altered in (b"", zlib.compress(b""), zlib.compress(name.encode("ascii") + b"\n")):
        assert gate.load_codes(name, altered) == {}


def test_start_with_damaged_bytecode(place, monkeypatch, capsys):
    # type: (bytes, Any, Any) -> None
    """The source is compiled, and finds that the archive was altered."""
    archive = with_bytecode(place, gate.bytecode_member(), compiled({"coex_bootstrap/base/row_type.py": b""}))
    with open(archive, "rb") as stream:
        data = stream.read()
    at = data.index(gate.bytecode_member().encode("ascii")) + len(gate.bytecode_member()) + 12
    with open(archive, "wb") as stream:
        stream.write(flipped(data, at))
    main = gate.__file__.replace(".pyc", ".py")
    code = "import sys; n = {'__name__': 'coex'}; exec(compile(open(%r).read(), 'main', 'exec'), n); " % main
    words = [sys.executable, "-E", "-S", "-c", code + "sys.exit(n['main'](sys.argv[1], []))", archive]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env={"HOME": place.decode("ascii")})
    err = process.communicate()[1].decode("utf-8")
    assert (process.returncode, "its member %s was altered" % gate.bytecode_member() in err) == (125, True), err


ALTERED = ("__main__", "coex_bootstrap/base/modules", "coex_bootstrap/base/compat", "coex_bootstrap/start/run")


@pytest.mark.parametrize("member", [name + ".py" for name in ALTERED])
def test_altered_code_does_not_run(place, archive, member, tmp_path):
    # type: (bytes, str, str, Any) -> None
    """Its checksum is compared first: an altered line could do anything before the archive is read."""
    with open(archive, "rb") as stream:
        data = stream.read()
    source = bootstrap_members()[member]
    at = data.index(source) + source.index(b"\nimport ") + 1
    effect = b"import os; os.mkdir('%s')\n" % str(tmp_path / "ran").encode("ascii")
    with open(archive, "wb") as stream:
        stream.write(data[:at] + effect + data[at + len(effect) :])
    environ = {"HOME": str(tmp_path), "COEX_PYTHON": sys.executable}
    process = subprocess.Popen(["/bin/sh", archive], stderr=subprocess.PIPE, env=environ)
    err = process.communicate()[1].decode("utf-8")
    assert (process.returncode, err) == (125, "coex: %s: not a complete coex archive; get a fresh copy of the file\n" % archive)
    assert not (tmp_path / "ran").exists()


def test_from_a_pipe(place, archive):
    # type: (bytes, str) -> None
    """As `curl URL | sh` does: no fresh copy of the shell would help."""
    environ = {"HOME": place.decode("ascii"), "COEX_PYTHON": sys.executable}
    with open(archive, "rb") as stream:
        process = subprocess.Popen(["/bin/sh"], stdin=stream, stderr=subprocess.PIPE, env=environ)
        err = process.communicate()[1].decode("utf-8")
    assert process.returncode == 125
    assert err.endswith(": not the archive; start the archive by its path, not through a pipe\n")


def test_no_memory(archive, monkeypatch, capsys):
    # type: (str, Any, Any) -> None
    """There is not enough for a look at the file either."""

    def fail(*_):
        # type: (object) -> None
        raise MemoryError()

    for name in ("open_modules", "find_lack", "read_failure", "is_whole"):
        monkeypatch.setattr(gate, name, fail)
    assert gate.main(archive, []) == 125
    assert capsys.readouterr().err == "coex: %s: there is not enough memory\n" % archive


@pytest.mark.parametrize("size", [0, 10, 22, 500])
def test_file_without_a_tail(place, archive, size, capsys):
    # type: (bytes, str, int, Any) -> None
    """A prelude that was cut off its tail is not complete, and imports nothing."""
    path = write(place + b"/cut.coex", read(os.fsencode(archive) if hasattr(os, "fsencode") else archive)[:size])
    before = list(sys.meta_path)
    assert gate.main(path.decode("ascii"), []) == 125
    assert sys.meta_path == before
    assert "cut.coex: not a complete coex archive; get a fresh copy of the file" in capsys.readouterr().err


def test_part_of_the_standard_library(archive):
    # type: (str) -> None
    """As in Debian's python3.15-minimal: most verbs do not need the rest, and an error names the module."""
    code = "import sys; sys.modules['shlex'] = None; sys.argv = sys.argv[1:]; exec(open(%r).read())"
    code %= gate.__file__.replace(".pyc", ".py")
    outcomes = []
    for words in (["info"], ["kernelspec", "--command", "python"]):
        command = [sys.executable, "-c", code, archive] + words
        environ = dict(os.environ, COEX_TOOLS="1", PYTHONPATH="")
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        outcomes.append((process.communicate()[1].decode("ascii"), process.returncode))
    assert outcomes[0] == ("", 0)
    said, status = outcomes[1]
    assert "has not all of its standard library: " in said
    assert "shlex" in said
    assert (said.count("\n"), status) == (1, 125)
