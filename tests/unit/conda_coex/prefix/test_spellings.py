"""The other names of a live prefix: of links, of command lines with blanks, and of where it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.conda_api.installed_records import record_of
from conda_coex.prefix.live_file import sha256_of
from conda_coex.prefix.spellings import find_aliases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    made = tmp_path / "my env"
    for name in ("bin", "conda-meta", "lib/pkgconfig"):
        (made / name).mkdir(parents=True)
    (made / "bin/python3").write_text("")
    return made


def test_commands_of_packages_without_sums(prefix: Path) -> None:
    """They name the same Python, which is nowhere; one alone may be the package's own fault."""
    record = record_of({"files": ["bin/a", "bin/b", "bin/c", "bin/d"]})
    for name, place in {"a": "/gone/env", "b": "/gone/env", "c": "/gone/env", "d": "/of/its/builder"}.items():
        (prefix / "bin" / name).write_text(f"#!{place}/bin/python3\n")
    assert find_aliases(prefix, [record]).former == ["/gone/env"]
    (prefix / "bin/c").unlink()
    assert find_aliases(prefix, [record]).former == []


def test_a_text_with_its_sum_proves_a_name(prefix: Path) -> None:
    texts = {"a.pc": "prefix=/gone/env\nlibdir=/gone/env/lib/pkgconfig\n", "b.pc": "prefix=/other/env/lib/pkgconfig\n"}
    rows = []
    for name, text in texts.items():
        (prefix / "lib/pkgconfig" / name).write_text(text)
        sum_of = sha256_of(text.replace("/gone/env", "/placeholder").encode()) if name == "a.pc" else "0" * 64
        rows.append({"_path": f"lib/pkgconfig/{name}", "prefix_placeholder": "/placeholder", "sha256": sum_of})
    assert find_aliases(prefix, [record_of({"paths_data": {"paths": rows}})]).former == ["/gone/env"]


def test_the_placeholder_of_a_package(prefix: Path) -> None:
    """It is in files that conda-pack copied if nobody ran conda-unpack; old records have no sums to prove it."""
    (prefix / "bin/a").write_text("#!/bin/sh\necho /placeholder\n")
    rows = [{"_path": "bin/a", "prefix_placeholder": "/placeholder", "file_mode": "text"}]
    assert find_aliases(prefix, [record_of({"paths_data": {"paths": rows}})]).former == ["/placeholder"]
    (prefix / "bin/a").write_text("#!/bin/sh\necho /env\n")
    assert find_aliases(prefix, [record_of({"paths_data": {"paths": rows}})]).former == []


@pytest.mark.parametrize("word", ["echo", "."])
def test_a_placeholder_that_is_not_a_path(word: str, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name in other files means something else, also if it leads from here to the prefix."""
    monkeypatch.chdir(prefix)
    (prefix / "bin/a").write_text(f"#!/bin/sh\necho {word}\n")
    rows = [{"_path": "bin/a", "prefix_placeholder": word, "file_mode": "text"}]
    found = find_aliases(prefix, [record_of({"paths_data": {"paths": rows}})])
    assert (found.names, found.former) == ([], [])


@pytest.mark.parametrize("line", ["-p {} python", "--prefix={}", "--prefix {} a b", "-y -p {}"])
def test_command_lines_with_blanks(prefix: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "a link").symlink_to(prefix)
    history = prefix / "conda-meta/history"
    history.write_text(f"==> x <==\n# cmd: /x/conda create {line.format(tmp_path / 'a link')}\n")
    found = find_aliases(prefix, [])
    assert (found.names, found.former) == ([str(tmp_path / "a link")], [])
    history.write_text("# cmd: /x/conda create -p /gone/my env python\n")
    assert find_aliases(prefix, []) == type(found)()
