"""The files of an app: found once, under the names that they were given by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conda_coex.errors import AppError
from conda_coex.root.app import App
from conda_coex.root.content import Content, Link

OUTPUT = Path("out.coex")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("main.py", "data/a", "data/deep/b", "data/__pycache__/x.pyc", "out.coex"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "data/link").symlink_to("deep")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_walked_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build looks for the files before it solves, and takes them as they are when they are laid out."""
    walked = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top, **more: walked.append(str(top)) or walk(top, **more))
    app = App(["data", "main.py"], OUTPUT)
    before = app.collect(0)
    assert app.has("./data/deep/b")
    (here / "data/a").write_text("longer than before")
    (here / "data/new").touch()
    files, directories = app.collect(5)
    assert walked == ["data"]
    assert (directories, [item.path for item in files]) == (before[1], [item.path for item in before[0]])
    assert directories == ["app/data", "app/data/deep"]
    sizes = [item.size if isinstance(item, Content) else item for item in files]
    assert sizes == [18, len("data/deep/b"), Link("app/data/link", "deep"), len("main.py")]
    assert {item.mtime_ns for item in files if isinstance(item, Content)} == {5 * 10**9}


def test_own_files_are_added(here: Path) -> None:
    app = App(["data=."], OUTPUT)
    files, directories = app.collect(0, ["main.py"])
    assert [item.path for item in files] == ["app/a", "app/deep/b", "app/link", "app/main.py"]
    assert directories == ["app", "app/deep"]
    assert [app.has(name) for name in ("data/a", str(here / "data/a"), "main.py", "a")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_output_is_left_out(here: Path) -> None:
    files, _ = App(["."], here / "out.coex").collect(0)
    assert [item.path for item in files] == ["app/data/a", "app/data/deep/b", "app/data/link", "app/main.py"]
    with pytest.raises(AppError, match=r"out\.coex: is the output and cannot be in the app"):
        App(["out.coex"], OUTPUT).collect(0)


def test_refused(here: Path) -> None:
    with pytest.raises(AppError, match=r"data/a: would have the same place in the app as main\.py"):
        App(["main.py=x", "data/a=x"], OUTPUT).collect(0)
    with pytest.raises(AppError, match=r"main\.py: another source has a directory in its place, app/data"):
        App(["data", "main.py=data"], OUTPUT).collect(0)
    app = App(["data"], OUTPUT)
    app.collect(0)
    (here / "data/a").unlink()
    with pytest.raises(AppError, match="data/a: cannot be read for the app: No such file or directory"):
        app.collect(0)
