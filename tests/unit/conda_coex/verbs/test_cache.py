"""The frames that builds keep are removed, or a line says of each file why it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conda_coex.conda_api import settings, versions
from conda_coex.verbs import cache

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
