"""The files of an archive as `repack` takes them over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.index import Directory, File, Frame, load_index
from coex_bootstrap.format.index_write import IndexDraft, dump_index

from conda_coex.archive.kept_part import keep, paths_of
from conda_coex.root.content import Content
from conda_coex.root.layout import Layout

if TYPE_CHECKING:
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
