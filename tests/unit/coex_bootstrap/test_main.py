"""The bootstrap is imported from the tail of an archive as zipimport would import it, and faster."""

import json
import os
import subprocess
import sys

import pytest
from coex_bootstrap import __main__ as gate

from .building import bootstrap_members, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

ZIPIMPORT = "sys.path.insert(0, archive)"
TAIL = """
gate = {"__name__": "coex"}
with open(main, "rb") as stream:
    exec(compile(stream.read(), main, "exec"), gate)
sys.meta_path.insert(0, gate["Modules"](archive))
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
    modules = gate.Modules(archive)
    for name in ("json", "coex", "coex_bootstrap.unknown", "__main__"):
        assert modules.find_module(name) is None
        assert modules.find_spec(name) is None


def test_modules_are_there_when_the_archive_is_gone(archive, monkeypatch):
    # type: (str, Any) -> None
    """A start imports rare ones late: the file may be moved or removed meanwhile."""
    modules = gate.Modules(archive)
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
    modules = gate.Modules(archive)
    modules.sources["coex_failing"] = "coex_failing.py", b"1 / 0"
    monkeypatch.setattr(sys, "meta_path", [modules] + sys.meta_path)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            __import__("coex_failing")
        assert "coex_failing" not in sys.modules


def test_whole_bootstrap(archive):
    # type: (str) -> None
    sources = gate.read_sources(archive)
    assert sorted(sources) == module_names()
    members = bootstrap_members()
    assert all(members[member] == source for member, source in sources.values())


@pytest.mark.parametrize("size", [0, 10, 22, 500])
def test_file_without_a_tail(place, archive, size, capsys):
    # type: (bytes, str, int, Any) -> None
    """A prelude that was cut off its tail is not complete, and imports nothing."""
    path = write(place + b"/cut.coex", read(os.fsencode(archive) if hasattr(os, "fsencode") else archive)[:size])
    before = list(sys.meta_path)
    assert gate.main(path.decode("ascii"), []) == 125
    assert sys.meta_path == before
    assert "cut.coex: not a complete coex archive; get a fresh copy of the file" in capsys.readouterr().err
