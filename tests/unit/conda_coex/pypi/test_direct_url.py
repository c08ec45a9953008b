"""The sources of distributions that pip recorded: no credentials, no place of the builder, a true RECORD."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from conda_coex.pypi.direct_url import without_builder_paths
from conda_coex.pypi.record import blank_hashes
from conda_coex.root.content import Content
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from pathlib import Path

INFO = "prefix/lib/python3.12/site-packages/x-1.dist-info"
RECORD = "x.py,sha256=a,1\nx-1.dist-info/direct_url.json,sha256=b,2\nx-1.dist-info/RECORD,,\n"


def packed(directory: Path, url: str) -> dict[str, str]:
    """Return the two files of a prefix after the change, by name."""
    texts = {"direct_url.json": json.dumps({"url": url, "vcs_info": {}}), "RECORD": RECORD}
    items = []
    for name, text in texts.items():
        file = directory / INFO / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        items.append(Content(f"{INFO}/{name}", 0o644, 0, OnDisk(file), len(text)))
    made = blank_hashes(*without_builder_paths(items, [str(directory / "prefix")], lambda _: None))
    found = {item.path.rpartition("/")[2]: item.read() for item in made if isinstance(item, Content)}
    return {name: data.decode() for name, data in found.items() if data is not None}


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://u:p@host/x.whl", "https://host/x.whl"),
        ("https://host/x.whl?X-Amz-Signature=5", "https://host/x.whl"),
        ("https://token@host/t/tk-1/r.git", "https://host/r.git"),
    ],
)
def test_credentials_go(tmp_path: Path, url: str, public: str) -> None:
    found = packed(tmp_path, url)
    assert json.loads(found["direct_url.json"]) == {"url": public, "vcs_info": {}}
    assert found["RECORD"] == RECORD.replace("json,sha256=b,2", "json,,")


@pytest.mark.parametrize("url", ["https://host/x.whl", "ssh://git@host/r.git", "https://${USER}:${TOKEN}@host/x"])
def test_others_stay(tmp_path: Path, url: str) -> None:
    found = packed(tmp_path, url)
    assert json.loads(found["direct_url.json"])["url"] == url
    assert found["RECORD"] == RECORD


def test_paths_go(tmp_path: Path) -> None:
    rest = RECORD.replace("x-1.dist-info/direct_url.json,sha256=b,2\n", "")
    assert packed(tmp_path, "file:///home/me/x") == {"RECORD": rest}
