"""Whether a module has the function that an entry point names: known from its source, or left to a run with a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from conda_coex.entry.function import check_function, directory_of, find_module, find_runnable
from conda_coex.errors import EntryPointNotFound
from conda_coex.root.content import Content, relocation_of
from conda_coex.root.layout import Layout
from conda_coex.root.source import InMemory, OnDisk, Source


def layout_of(*files: tuple[str, bytes | Path | None]) -> Layout:
    layout = Layout()
    python = Content("prefix/bin/python", 0o755, 0, InMemory(b""), 0)
    layout.place("all", [python, *(Content(path, 0o644, 0, source_of(data), 1) for path, data in files)])
    return layout


def source_of(data: bytes | Path | None) -> Source | None:
    if data is None:
        return None
    return OnDisk(data) if isinstance(data, Path) else InMemory(data)


def notes(source: bytes | None, word: str = "mod:main", path: str = "app/mod.py") -> list[str]:
    layout = layout_of((path, source))
    check_function(word, layout)
    return layout.notes


@pytest.mark.parametrize(
    "source",
    [
        b"def main(): pass",
        b"async def main(): pass",
        b"class main: pass",
        b"main = lambda: 1",
        b"main: object = print",
        b"first, (second, *main) = 1, (2, 3)",
        b"from .core import main",
        b"from core import run as main",
        b"import main.sub",
        b"import sys\nif sys.version_info > (3,):\n    def main(): pass\nelse:\n    main = None",
        b"try:\n    from a import main\nexcept ImportError:\n    pass",
        b"try:\n    pass\nexcept ImportError:\n    def main(): pass\nelse:\n    pass\nfinally:\n    pass",
        b"with open('x') as main: pass",
        b"for main in (1, 2): pass",
        b"while True:\n    def main(): pass",
        b"if (main := print): pass",
        b"match 1:\n    case 1:\n        def main(): pass",
        b"\xef\xbb\xbf# coding: utf-8\ndef main(): pass",
        b"# coding: latin-1\nx = '\xe9'\ndef main(): pass",
    ],
)
def test_there(source: bytes) -> None:
    assert notes(source) == []
    assert notes(source, "mod:main.run") == []  # attributes of the function are not checked


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"def other():\n    def main(): pass",
        b"class Tool:\n    def main(self): pass",
        b"# main\n'''main'''\nprint(main)",
        b"import x as mains",
        b"if True:\n    def other(): main = 1\n    class C: main = 2\n    f = lambda: (main := 3)",
        b"def mains(): pass",
    ],
)
def test_not_there(source: bytes) -> None:
    with pytest.raises(EntryPointNotFound, match=r"'mod:main' names no function of its module: mod\.py has no main"):
        notes(source)


@pytest.mark.parametrize(
    "source",
    [
        b"from .core import *",
        b"def __getattr__(name): return print",
        b"globals()['main'] = print",
        b"exec('def main(): pass')",
        b"import sys\nsetattr(sys.modules[__name__], 'main', print)",
        b"def start():\n    global main\n    main = print\nstart()",
        b"print 'Python 2'\ndef main(): pass",
        b"\0",
        None,
    ],
)
def test_only_a_run_can_tell(source: bytes | None) -> None:
    assert notes(source) == ["the entry point mod:main: only a run can tell whether its module has main"]


def test_modules_that_pth_files_lead_to() -> None:
    """Beside it, or at a path of the environment; sources that `pack` brings are found without."""
    inside, source = "prefix/lib/python3.11/site-packages/", b"def main(): pass"
    brought = layout_of(("prefix/share/coex/editable/tool/src/pkg/mod.py", source))
    check_function("pkg.mod:main", brought)
    pth = b"# x\nimport os\n\nold egg/lib \n/elsewhere\n"
    near = layout_of((f"{inside}a.pth", pth), (f"{inside}old egg/lib/mod.py", source))
    check_function("mod:main", near)
    with pytest.raises(EntryPointNotFound):
        check_function("mod:main", layout_of((f"{inside}old egg/lib/mod.py", source)))
    layout = layout_of(("prefix/opt/src/mod.py", source))
    lines = b"/build/place/opt/src\n"
    moved = relocation_of("/build/place", "text")
    layout.place("x", [Content(f"{inside}b.pth", 0o644, 0, InMemory(lines), len(lines), relocation=moved)])
    check_function("mod:main", layout)
    assert [*brought.notes, *near.notes, *layout.notes] == []


def test_modules(tmp_path: Path) -> None:
    """Packages, extension modules, source files on disk; the app's module comes before the environment's."""
    (tmp_path / "x.py").write_text("def main(): pass")
    inside = "prefix/lib/python3.11/site-packages/"
    places = ("app/pkg/mod.py", "app/pkg/mod/__init__.py", f"{inside}pkg/mod.py", "prefix/lib/python3.11/pkg/mod.py")
    for path in places:
        layout = layout_of((path, tmp_path / "x.py"))
        check_function("pkg.mod:main", layout)
        assert layout.notes == []
    extension = layout_of((f"{inside}mod.cpython-311-x86_64-linux-gnu.so", tmp_path / "x.py"))
    check_function("mod:main", extension)
    assert len(extension.notes) == 1
    layout = layout_of(("app/mod.py", b""), ("app/mod/__init__.py", b"X = '\\d'\ndef main(): pass"))
    check_function("mod:main", layout)
    with pytest.raises(EntryPointNotFound):
        check_function("mod:main", layout_of(("app/mod.py", b""), (f"{inside}mod.py", b"def main(): pass")))
    with pytest.raises(EntryPointNotFound, match="names a module that is neither"):
        check_function("mod:main", layout_of(("app/sub/mods.py", b"def main(): pass")))


def test_modules_of_one_directory_of_the_app() -> None:
    """Where no Python looks: `src` before others; of two others none can be said to be meant."""
    source = b"def main(): pass"
    places = {"app/lib/python/pkg/mod.py": "app/lib/python", "app/src/pkg/mod.py": "app/src", "app/pkg/mod.py": "app"}
    layout = layout_of()
    for path, directory in places.items():
        layout.place("more", [Content(path, 0o644, 0, InMemory(source), len(source))])
        found = find_module("pkg.mod:main", layout)
        assert (found, directory_of("pkg.mod:main", found)) == (path, directory)
    found = find_module("mod:main", layout_of(("app/sub/mod.py", source), ("prefix/lib/python3.11/mod.py", source)))
    assert directory_of("mod:main", found) is None
    with pytest.raises(EntryPointNotFound, match=r"the module mod is in several directories of the app \(a, b\)"):
        find_module("mod:main", layout_of(("app/a/mod.py", source), ("app/b/mod.py", source)))


def test_modules_that_python_runs() -> None:
    names = ("a.py", "b/__init__.py", "c/__init__.py", "c/__main__.py", "d/__main__.py", "b/sub.py", "c.py")
    packages = layout_of(*((f"app/{name}", b"") for name in names))
    assert find_runnable("a", packages) == "app/a.py"
    assert find_runnable("b.sub", packages) == "app/b/sub.py"
    assert find_runnable("c", packages) == "app/c/__main__.py"
    assert find_runnable("d", packages) == "app/d/__main__.py"
    with pytest.raises(EntryPointNotFound, match=r"module b, which has no __main__.py beside b/__init__.py; write one"):
        find_runnable("b", packages)
    with pytest.raises(EntryPointNotFound, match=r"module e, which is neither in the environment nor in the app"):
        find_runnable("e", packages)


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("report", "add report.py to the app: name it at the end of the command"),
        ("shop.web", "add shop to the app: name it at the end of the command"),
        ("nowhere", "add its package to the environment, or its file or directory to the app"),
    ],
)
def test_a_module_that_is_here_can_be_added(
    module: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.py").touch()
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EntryPointNotFound, match=f"; {remedy}$"):
        find_module(f"{module}:main", layout_of())
    with pytest.raises(EntryPointNotFound, match=f"; {remedy}$"):
        find_runnable(module, layout_of())
