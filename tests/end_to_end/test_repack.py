"""Repacked archives: equal to created ones, the packages' frames untouched, and nothing written where it cannot be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.archive import Archive as Reader
from end_to_end.archives import Archive, Coex, only_root

from conda_coex.archive import new_file
from conda_coex.root.app import App
from conda_coex.verbs.archive_options import ArchiveOptions
from conda_coex.verbs.repack import RepackRequest, repack

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

PACKAGES = ("hello-noarch", "python", "legacy-pkg", "zstd")
FIRST = ("--entrypoint", "./main.py", "--entrypoint", "py=python", "data", "--env", "A=1")
SECOND = ("--entrypoint", "other.py -v", "data/b.txt", "--env", "B?=2")
FILES = {"main.py": "print('main')", "other.py": "print('other')", "data/a.txt": "a", "data/b.txt": "b" * 10000}


def write(directory: Path) -> Path:
    for name, text in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with two archives of the same packages."""
    work = write(tmp_path_factory.mktemp("made"))
    coex(work, "-q", "-o", "first.coex", *FIRST, packages=PACKAGES)
    coex(work, "-q", "-o", "second.coex", *SECOND, packages=PACKAGES)
    return work


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Path:
    """Return a directory with the app's files and both archives."""
    work = write(tmp_path / "work")
    for name in ("first.coex", "second.coex"):
        shutil.copy2(made / name, work / name)
    return work


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def package_frames(path: Path) -> list[bytes]:
    """Return the frames in which something of the prefix lies, as they are in the file."""
    archive = Reader(os.fsencode(path))
    numbers = sorted({row.frame for row in archive.index.files if row.path.startswith(b"prefix/") and row.size})
    frames = [archive.frame(number) for number in numbers]
    archive.close()
    return frames


def test_output_within_the_app(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems give an unfinished archive a name: it is not in the app."""
    monkeypatch.setattr(new_file, "_open_unnamed", lambda _directory: None)
    monkeypatch.chdir(work)
    output = work / "data/new.coex"
    options = ArchiveOptions(App(["data"], output), (), [], [], None, (), None)
    repack(RepackRequest(str(work / "first.coex"), options, keep_app=True))
    with closing(Reader(os.fsencode(output))) as archive:
        paths = [row.path for row in archive.index.files if row.path.startswith(b"app/data/")]
    assert sorted(paths) == [b"app/data/a.txt", b"app/data/b.txt"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["a.txt", "b.txt", "new.coex"]


def test_equals_the_result_of_create(conda: Conda, work: Path) -> None:
    """In both directions, in place and beside; and repacking with the same parts changes nothing."""
    first, second = sha256(work / "first.coex"), sha256(work / "second.coex")
    conda("coex", "repack", "first.coex", "-o", "new.coex", *SECOND, "--unset", "A", cwd=work)
    assert (sha256(work / "new.coex"), sha256(work / "first.coex")) == (second, first)
    conda("coex", "repack", "second.coex", *FIRST, "--no-env", cwd=work)
    assert sha256(work / "second.coex") == first
    conda("coex", "repack", "second.coex", "--env", "A=1", cwd=work)
    assert sha256(work / "second.coex") == first
    assert sorted(path.name for path in work.iterdir() if path.name[0] == "." or path.suffix == ".coex") == [
        "first.coex", "new.coex", "second.coex",
    ]  # fmt: skip


def test_app_is_replaced_kept_or_left_out(conda: Conda, work: Path, store: Path) -> None:
    frames = package_frames(work / "first.coex")
    (work / "main.py").write_text("import os\nprint('changed', os.listdir(os.environ['COEX_APP'] + '/data'))")
    (work / "data/new.txt").write_text("new")
    conda("coex", "repack", "first.coex", "--keep-app", "main.py", "data/new.txt", cwd=work)
    said = Archive(work / "first.coex").start(store=store)
    assert said.startswith("changed ")
    assert all(name in said for name in ("a.txt", "b.txt", "new.txt"))
    assert (only_root(store) / "app/data/b.txt").read_text() == FILES["data/b.txt"]
    conda("coex", "repack", "first.coex", "--entrypoint", "p=main.py", "--entrypoint", "python", cwd=work)
    found = json.loads(conda("coex", "inspect", "--json", "first.coex", cwd=work).stdout)
    assert len(found["app"]) == 4
    bare = ("--no-app", "--no-env", "--entrypoint", "python", "--json")
    done = json.loads(conda("coex", "repack", "first.coex", *bare, cwd=work).stdout)
    found = json.loads(conda("coex", "inspect", "--json", "first.coex", cwd=work).stdout)
    assert (found["app"], found["env"], found["digest"]) == ([], [], done["digest"])
    assert package_frames(work / "first.coex") == frames
    conda("coex", "verify", "first.coex", cwd=work)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no change is requested"),
        (("data",), "the entry point 'main' needs main.py, which is not in the new app"),
        (("--no-app",), "the entry point 'main' needs main.py, which is not in the new app"),
        (("--no-app", "data"), "--no-app leaves the app out"),
        (("--unset", "B"), "no --env and no --keep-env of the archive names 'B'; they name: A"),
        (("--no-env", "--unset", "A"), "no --env and no --keep-env of the archive names 'A'; they name: none"),
        (("--entrypoint", "nothing"), "is neither a command of the environment nor a file of the app"),
        (("--entrypoint", "./nothing"), "./nothing: no such file for the entry point"),
        (("--entrypoint", "./data"), "./data: is a directory without a __main__.py"),
        (("no-such-file",), "no such file or directory for the app"),
        (("--env", "x"), "is not an assignment"),
        (("--env", "A=b", "-o", "nowhere/x.coex"), "the directory of the output does not exist"),
        (("--env", "A=b", "-o", "main.py"), "is not a coex archive, and would be replaced"),
        (("--env", "A=b", "--compression-level", "99"), "the compression level 99 is not between 1 and 19"),
    ],
)  # fmt: skip
def test_refused(conda: Conda, work: Path, arguments: tuple[str, ...], says: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*")}
    done = conda("coex", "repack", "first.coex", *arguments, cwd=work, check=False)
    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*")} == before


def variables_of(conda: Conda, path: Path) -> dict[str, str]:
    rows = json.loads(conda("coex", "inspect", "--json", path).stdout)["env"]
    return {row["name"]: f"{'?' * row['default']}{row['value']}" for row in rows}


def test_variables_are_added_replaced_and_left_out(conda: Conda, work: Path) -> None:
    """And a dry run shows the result, and writes nothing."""
    archive = work / "first.coex"
    before = sha256(archive)
    done = conda("coex", "repack", archive, "--env", "C=3", "--dry-run", "--json", cwd=work)
    assert (json.loads(done.stdout)["dry_run"], sha256(archive)) == (True, before)
    conda("coex", "repack", archive, "--env", "C=3", "--env", "B?=2", cwd=work)
    assert variables_of(conda, archive) == {"A": "1", "B": "?2", "C": "3"}
    conda("coex", "repack", archive, "--unset", "A", "--unset", "C", "--env", "B=it's", "-q", cwd=work)
    assert variables_of(conda, archive) == {"B": "it's"}


def test_links_of_the_app(conda: Conda, work: Path, store: Path) -> None:
    """Links that lead out are named; no file is put behind any link."""
    (work / "data/out").symlink_to("/etc")
    (work / "data/back").symlink_to("../../prefix/bin")
    done = conda("coex", "repack", "first.coex", "--keep-app", "data", cwd=work)
    assert done.stderr == (
        "coex: note: the app's data/out is a link to /etc and stays one; its target is not in the archive\n"
    )
    done = conda("coex", "repack", "first.coex", "--keep-app", "main.py=data/out/x", cwd=work, check=False)
    assert "data/out/x: cannot be put behind data/out, which is a link in the" in " ".join(done.stderr.split())
    Archive(work / "first.coex").start(store=store)
    assert os.readlink(only_root(store) / "app/data/out") == "/etc"


def test_damaged_archives_are_refused(conda: Conda, work: Path) -> None:
    """A frame that was altered is not copied into an archive that looks whole."""
    data = bytearray((work / "first.coex").read_bytes())
    data[20000] ^= 1
    (work / "altered.coex").write_bytes(data)
    (work / "cut.coex").write_bytes(data[:-100])
    remedies = {"altered.coex": "get a fresh copy", "cut.coex": "get a fresh copy", "main.py": "get a fresh copy"}
    for name, says in {**remedies, "missing": "cannot be read"}.items():
        done = conda("coex", "repack", name, "--env", "A=b", "-o", "new.coex", cwd=work, check=False)
        assert done.returncode == 1
        assert says in done.stderr
        assert not (work / "new.coex").exists()


def test_variables_of_the_environment_stay(coex: Coex, conda: Conda, tmp_path: Path) -> None:
    (tmp_path / "e.yml").write_text(json.dumps({"dependencies": ["zstd"], "variables": {"A": "1"}}))  # JSON is YAML
    coex(tmp_path, "-q", "-f", "e.yml", "--entrypoint", "sh -c 'echo $A'", "-o", "a.coex")
    done = conda("coex", "repack", "a.coex", "--unset", "A", cwd=tmp_path, check=False)
    assert "they name: none; variables of the environment stay" in " ".join(done.stderr.split())
    conda("coex", "repack", "a.coex", "--no-env", "-o", "same.coex", cwd=tmp_path)
    conda("coex", "repack", "a.coex", "--env", "A=2", "-o", "other.coex", cwd=tmp_path)
    said = [Archive(tmp_path / name).start(store=tmp_path / "store") for name in ("same.coex", "other.coex")]
    assert said == ["1\n", "2\n"]
