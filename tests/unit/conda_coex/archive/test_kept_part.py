"""The files of an archive as `repack` takes them over."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.base.errors import ArchiveUnreadable
from coex_bootstrap.format.index import Directory, File, Frame
from coex_bootstrap.format.index_read import load_index
from coex_bootstrap.format.index_write import IndexDraft, dump_index

from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.kept_part import begin, copy, keep, paths_of
from conda_coex.archive.payload import Payload
from conda_coex.root.content import Content
from conda_coex.root.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.index import Index

FILES = [b"prefix/bin/\xff", b"prefix/a", b"app/x/y", b"prefix/lib/x/a"]


@pytest.fixture(name="index")
def make_index() -> Index:
    draft = IndexDraft()
    parents = ("app", "prefix", "app/x", "prefix/bin", "prefix/lib", "prefix/lib/x")
    draft.directories = [Directory(0o755, path.encode()) for path in parents]
    draft.frames = [Frame(0, 10, len(FILES), b"0" * 64)]
    draft.files = [File(0o644, 5 * 10**9 + n, 0, n, 1, b"", path) for n, path in enumerate(FILES)]
    return load_index(dump_index(draft))


class Opened:
    """An archive, of which only the index is looked at."""

    def __init__(self, index: Index) -> None:
        self.index = index


def opened(index: Index) -> Archive:
    archive: Archive = Opened(index)  # type: ignore[assignment]
    return archive


def test_paths(index: Index) -> None:
    assert paths_of(index.files) == [index.files.path(row) for row in range(len(FILES))] == FILES


@pytest.mark.parametrize("app_stays", [True, False])
def test_keep(index: Index, app_stays: bool) -> None:
    layout = Layout()
    rows = keep(opened(index), layout, app_stays=app_stays)
    expected = {path.decode("utf-8", "surrogateescape"): row for row, path in enumerate(FILES)}
    if not app_stays:
        del expected["app/x/y"]
    assert rows == expected
    assert layout.entries == {path: Content(path, 0o644, 5 * 10**9 + row, None, 1) for path, row in rows.items()}
    assert ("app/x" in layout.directories) == app_stays


@pytest.mark.parametrize("function", [begin, lambda old, payload: copy(old, Layout(), {}, payload, ())])
def test_archive_on_a_failing_disk(
    function: Callable[[Archive, Payload], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the archive that is read, and not the one that is written."""

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    draft = IndexDraft()
    draft.frames, draft.package_frames = [Frame(0, 10, 10, b"0" * 64)], [0]
    old = opened(load_index(dump_index(draft)))
    old.path, old.manifest = b"old.coex", SimpleNamespace(prelude=0)  # type: ignore[assignment]
    (tmp_path / "old.coex").write_bytes(b"0123456789")
    for name in ("copy_file_range", "sendfile", "pread"):
        monkeypatch.setattr(os, name, fail)
    with (tmp_path / "old.coex").open("rb") as old.stream, (tmp_path / "new").open("w+b") as stream:
        payload = Payload(stream, FrameCache(None, 1), lambda _size: None)
        copied = function(old, payload)
        for frames, whole in copied if isinstance(copied, list) else ():
            payload.reader.take(frames, whole)
        with pytest.raises(ArchiveUnreadable, match=r"old.coex: the archive cannot be read: Input/output error"):
            payload.reader.altered([Frame(0, 10, 10, b"0" * 64)])
