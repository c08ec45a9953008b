"""The frames that builds keep are removed, or a line says of each file why it stays."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from conda_coex.conda_api import settings, versions
from conda_coex.errors import InputError
from conda_coex.verbs import cache

if TYPE_CHECKING:
    from pathlib import Path


def test_file_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "frame_directory", lambda: tmp_path)
    monkeypatch.setattr(settings, "is_dry_run", lambda: False)
    monkeypatch.setattr(versions, "show_and_confirm", lambda _lines: None)
    for name in ("a.frames", "b.frames", ".c.frames.1"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.frames").symlink_to("link.frames")
    (tmp_path / "stays.frames").mkdir()
    assert "another version, or damaged" in cache.list_all(with_roots=False).lines[-2]
    outcome = cache.clean()
    assert outcome.status == 1
    assert outcome.lines == [f"not removed: {tmp_path}/stays.frames: Is a directory"]
    assert outcome.fields["removed"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["stays.frames"]
    (tmp_path / "stays.frames").rmdir()
    assert (cache.clean().status, cache.clean().lines) == (0, ["no frames are kept: nothing to remove"])


def test_frames_that_were_not_used_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "frame_directory", lambda: tmp_path)
    monkeypatch.setattr(settings, "is_dry_run", lambda: False)
    monkeypatch.setattr(versions, "show_and_confirm", lambda _lines: None)
    for name, days in (("a.frames", 29), ("b.frames", 31), (".c.frames.1", 31), (".d.frames.1", 0)):
        (tmp_path / name).write_bytes(b"x")
        used = time.time() - days * 86400
        os.utime(tmp_path / name, (used, used))
    words = {"action": "clean", "frames": True, "roots": False, "older_than": 30 * 86400, "all": False}
    chosen = Namespace(**words, larger_than=None, root_name=None, max_size=None)
    outcome = cache.cache(chosen)
    assert (outcome.status, outcome.fields["removed"], outcome.fields["size"]) == (0, 2, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".d.frames.1", "a.frames"]
    assert cache.cache(chosen).lines == ["no frames are kept that were not used for so long: nothing to remove"]
    with pytest.raises(InputError, match="only --older-than chooses frames"):
        cache.cache(Namespace(**{**vars(chosen), "larger_than": 5}))
