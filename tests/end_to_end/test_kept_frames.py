"""Frames of files that conda has not installed: kept for the next build, by content, and never for other content."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from end_to_end.wheel_files import make_project, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

NAMES = ("edited", "lib", "local")
SOURCE = "edited/edited_of_pip.py"
WHEEL = "wheels/lib_of_pip-1.0-py3-none-any.whl"
ENV = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
CREATE = ("coex", "create", "-q", "-y", "--offline", "--fast", "--entrypoint", "python", "-f", "environment.yml")


def write_wheel(work: Path, answer: int) -> None:
    """Write a wheel, always of the same version, with a module, data and a text without a suffix."""
    module = f"def answer():\n    return {answer}\n"
    make_wheel(work / "wheels", "lib_of_pip", "1.0", {"lib_of_pip/__init__.py": module, "lib_of_pip/data": "1" * 999})


class Builder:
    """Makes archives of one environment file, with a package cache that nothing else uses."""

    def __init__(self, work: Path, conda: Conda, channel: tuple[str, ...]) -> None:
        self.work, self.conda, self.channel = work, conda, channel
        self.frames = work / "pkgs/.coex-frames"
        self.env = {**ENV, "CONDA_PKGS_DIRS": str(work / "pkgs")}

    def build(self, name: str = "app.coex", **env: str) -> bytes:
        """Return the bytes of an archive."""
        self.conda(*CREATE, *self.channel, "-o", name, cwd=self.work, env={**self.env, **env})
        return (self.work / name).read_bytes()

    def build_without(self, **env: str) -> bytes:
        """Return the bytes of an archive that is made without kept frames, and put these back."""
        aside = self.frames.with_name("aside")
        self.frames.rename(aside)
        made = self.build("without.coex", **env)
        shutil.rmtree(self.frames)
        aside.rename(self.frames)
        return made

    def kept(self) -> dict[str, tuple[str, int]]:
        """Return (owner, time) of each entry; one that is made again has another time."""
        listed = json.loads(self.conda("coex", "cache", "list", "--frames", "--json", env=self.env).stdout)
        times = {path.name: path.stat().st_mtime_ns for path in self.frames.iterdir()}
        return {row["file"]: (row["owner"], times[row["file"]]) for row in listed["entries"]}


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory, conda: Conda, channel: tuple[str, ...]) -> Builder:
    work = tmp_path_factory.mktemp("kept")
    write_wheel(work, 1)
    make_project(work / "local", "local_of_pip")
    make_project(work / "edited", "edited_of_pip")
    lines = [f"./{WHEEL}", "./local", "-e ./edited"]
    needed = ["python", "pip", "setuptools", "zstd", {"pip": lines}]
    (work / "environment.yml").write_text(json.dumps({"dependencies": needed}))
    return Builder(work, conda, channel)


@pytest.fixture(scope="module")
def whole(builder: Builder) -> bytes:
    """Return the archive that the first build makes, from no kept frames."""
    return builder.build()


@pytest.mark.usefixtures("whole")
def test_two_entries_of_each_distribution(builder: Builder) -> None:
    """One has its sources and .pyc files. Nobody else may read them: they may be private."""
    owners = [owner for owner, _ in builder.kept().values() if "of_pip" in owner]
    assert sorted(owners) == sorted(f"{name}_of_pip-1.0 (pip){kind}" for name in NAMES for kind in ("", " compiled"))
    assert {path.stat().st_mode & 0o777 for path in builder.frames.iterdir()} == {0o600}


def test_second_build_makes_nothing(builder: Builder, whole: bytes) -> None:
    before = builder.kept()
    assert builder.build() == whole
    assert builder.kept() == before


def test_other_content_under_the_same_version(builder: Builder, whole: bytes) -> None:
    """The archive is that of a build without kept frames, and those of the old content stay for it."""
    before, sources = builder.kept(), [builder.work / path for path in ("local/local_of_pip.py", SOURCE)]
    write_wheel(builder.work, 2)
    for source in sources:
        source.write_text(source.read_text() + "MORE = 2\n")
    new = builder.build()
    assert new != whole
    assert new == builder.build_without()
    after = builder.kept()
    assert {name: after[name] for name in before} == before
    made = {owner for name, (owner, _) in after.items() if name not in before}
    assert made == {f"{name}_of_pip-1.0 (pip){kind}" for name in NAMES for kind in ("", " compiled")}
    write_wheel(builder.work, 1)
    for source in sources:
        source.write_text(source.read_text().replace("MORE = 2\n", ""))
    assert builder.build() == whole
    assert builder.kept() == after


def test_another_date(builder: Builder, whole: bytes) -> None:
    """A .pyc has the time of its source in it; other files of a distribution are the same."""
    before, date = builder.kept(), {"SOURCE_DATE_EPOCH": "1234567890"}
    new = builder.build(**date)
    assert new != whole
    assert new == builder.build_without(**date)
    made = {owner for name, (owner, _) in builder.kept().items() if name not in before}
    assert {owner for owner in made if "(pip)" in owner} == {f"{name}_of_pip-1.0 (pip) compiled" for name in NAMES}


def test_altered_frames(builder: Builder, whole: bytes) -> None:
    """They are made again, all of them."""
    altered = {name for name, (owner, _) in builder.kept().items() if "(pip)" in owner}
    for name in altered:
        with (builder.frames / name).open("r+b") as stream:
            first = stream.read(9)
            stream.seek(0)
            stream.write(bytes(byte ^ 1 for byte in first))
    before = builder.kept()
    assert builder.build() == whole
    after = builder.kept()
    remade = {name for name in altered if name in after and before[name] != after[name]}
    assert len(remade) == 2 * len(NAMES)


def test_nowhere_to_keep_them(builder: Builder, whole: bytes) -> None:
    shutil.rmtree(builder.frames)
    builder.frames.write_text("")  # no directory can be made there
    assert builder.build() == whole
    builder.frames.unlink()


def test_two_builds_at_once(builder: Builder, whole: bytes) -> None:
    """Both make the same frames, of which one of each stays."""
    shutil.rmtree(builder.frames, ignore_errors=True)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(builder.build, ("one.coex", "two.coex"))] == [whole, whole]
    owners = [owner for owner, _ in builder.kept().values()]
    assert len(owners) == len(set(owners)) > 2 * len(NAMES)


def test_live_environment(builder: Builder, tmp_path: Path) -> None:
    """Its pip packages have the frames of the first build; of its other files, only the last ones are kept."""
    prefix, pack = tmp_path / "env", ("coex", "pack", "-q", "-y", "--fast", "--entrypoint", "python", "-o", "live.coex")
    conda, env = builder.conda, builder.env
    conda("create", "-q", "-y", "--offline", *builder.channel, "-p", prefix, "python", "pip", "zstd", env=env)
    install = [prefix / "bin/python", "-m", "pip", "install", "-q", "--no-index", builder.work / WHEEL]
    subprocess.run(install, check=True, capture_output=True)
    made = []
    for text in ("first", "first", "second"):
        (prefix / "share").mkdir(exist_ok=True)
        if not made or text == "second":
            (prefix / "share/notes.txt").write_text(text)
        conda(*pack, "-p", prefix, cwd=tmp_path, env=env)
        made.append(((tmp_path / "live.coex").read_bytes(), builder.kept()))
    (first, before), (again, kept), (other, after) = made
    assert (first == again, before == kept) == (True, True)
    assert first != other
    changed = [owner for name, (owner, _) in after.items() if name not in before]
    assert changed == ["not of conda"]
    assert [owner for owner, _ in after.values()].count("not of conda") == 1
    shutil.rmtree(builder.frames)
    conda(*pack, "-p", prefix, cwd=tmp_path, env=env)
    assert (tmp_path / "live.coex").read_bytes() == other
