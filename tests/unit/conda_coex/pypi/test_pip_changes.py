"""Which pip installs, and the files that it brings, with the places that name the staging environment."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from conda_coex.conda_api.staging import stand_in
from conda_coex.errors import InputError
from conda_coex.inputs.environment import Environment, PipSection
from conda_coex.pypi.pip import Program
from conda_coex.pypi.pip_changes import find_pip, install
from conda_coex.root.content import Content
from conda_coex.root.link_rules import Python
from conda_coex.root.package import Package, PackagePath

WHEEL = "lib/python3.13/ensurepip/_bundled/pip-24.2-py3-none-any.whl"


def package(name: str, *paths: str) -> Package:
    rows = tuple(PackagePath(path, "hardlink", None, None, None, 1, 0o644, 0, {}) for path in paths)
    return Package({"name": name, "version": "25.1"}, Path(), None, (), rows, None, None)


def test_find_pip() -> None:
    python = package("python", "bin/python", "lib/python3.13/ensurepip/__init__.py", WHEEL)
    assert find_pip([python, package("pip")]) == Program("25.1")
    assert find_pip([package("zlib"), python]) == Program("24.2", WHEEL)


def test_none() -> None:
    with pytest.raises(InputError, match="has no pip; add `pip` to its packages"):
        find_pip([package("python", "bin/python")])
    with pytest.raises(InputError, match="has no Python; add python and pip"):
        find_pip([package("zlib", WHEEL)])


SITE_PACKAGES = "lib/python3.13/site-packages"
NAMED, LARGE, MARKED, PLAIN = "named.txt", "large.so", "marked.txt", "plain.py"


class Writer:
    """Stands in the place of pip, and writes files."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def install(self, _: object) -> list[dict[str, object]]:
        name, directory = str(self.prefix).encode(), self.prefix / SITE_PACKAGES
        wide = str(self.prefix).encode("utf-16-le")
        (directory / NAMED).write_bytes(b"home = " + name + b"/share, and again " + name + b"\n")
        (directory / LARGE).write_bytes(b"\x7fELF" + bytes(3 << 20) + wide + bytes(9))
        (directory / MARKED).write_text(f"{stand_in(self.prefix)}/share\n", encoding="utf-8")
        (directory / PLAIN).write_bytes(b"pass\n")
        return []


def test_files_that_name_the_staging_environment(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    (prefix / SITE_PACKAGES).mkdir(parents=True)
    environment = Environment("linux-64", (), (), (), {}, pip=(PipSection(str(tmp_path), ()),))
    python = Python("3.13", SITE_PACKAGES, package("python"))
    installed = install(prefix, environment, python, Writer(prefix), 1_600_000_000)  # type: ignore[arg-type]
    found = {Path(item.path).name: item for item in installed.items if isinstance(item, Content)}
    new = stand_in(prefix)
    placeholders = {name: item.placeholder for name, item in found.items()}
    assert placeholders == {NAMED: new, LARGE: new, MARKED: None, PLAIN: None}
    assert found[NAMED].read() == f"home = {new}/share, and again {new}\n".encode()
    assert found[LARGE].read() == b"\x7fELF" + bytes(3 << 20) + new.encode("utf-16-le") + bytes(9)
    assert found[MARKED].read() == f"{new}/share\n".encode()
    assert all(hashlib.sha256(item.read() or b"").hexdigest() == item.sha256 for item in found.values())
