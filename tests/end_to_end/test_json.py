"""The page on JSON documents lists the fields of real documents: all of them, with their types, and no others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.tools import command_line
from documentation.json_page import ALWAYS, PAGE, JsonPage
from end_to_end.archives import only_root

from conda_coex.cli.verb_parser import VERBS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

Documents = list[tuple[str, Any]]  # each with the title of its section

PACKAGES = ("cprog", "hello-noarch", "post-link-demo", "python", "activate-demo")
ERROR, CONDA_ERROR = "Error of an archive", "Error of conda coex"
OF_PLUGINS = ("create --dry-run", "message")  # for a lock file that a plugin of conda reads, and does not list
# As pip and other installers leave them, but not those of the test bed: with all fields of PEP 610 that are read.
ORIGINS = {
    "cloned": {
        "url": "https://example.org/cloned", "subdirectory": "sub",
        "vcs_info": {"vcs": "hg", "commit_id": "0123456789ab"},
    },
    "local": {"url": "file:///wheels/local-1-py3-none-any.whl", "archive_info": {"hashes": {"sha256": "ab" * 32}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with an application, and a store."""
    work = tmp_path_factory.mktemp("json")
    (work / "store").mkdir(mode=0o700)
    (work / "tool.py").write_text("print(1)\n")
    (work / "data").mkdir()
    (work / "data/link").symlink_to("file")
    (work / "data/file").touch()
    return work


class Asker:
    """Collects the documents of commands."""

    def __init__(self, conda: Conda, work: Path) -> None:
        self.run_conda, self.work, self.documents = conda, work, Documents()

    def conda(self, title: str, *words: str | Path, status: int = 0) -> Any:
        """Run `conda coex`."""
        done = self.run_conda(
            "coex", *words, "--json", cwd=self.work, env={"COEX_ROOT": str(self.work / "store")}, check=False
        )
        return self._add(title, done, status)

    def archive(self, title: str, *words: str | Path, path: str = "x.coex", status: int = 0) -> Any:
        """Ask an archive."""
        command = [self.work / path, *words, "--json"]
        store = {"COEX_ROOT": str(self.work / "store"), "HOME": str(self.work)}
        environment = {"PATH": os.environ["PATH"], "COEX_TOOLS": "1", **store}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return self._add(title, done, status)

    def _add(self, title: str, done: subprocess.CompletedProcess[str], status: int) -> Any:
        assert done.returncode == status, f"{done.args}\n{done.stdout}\n{done.stderr}"
        document = json.loads(done.stdout)
        assert document.get("success", False) == (status == 0)
        self.documents.append((title, document))
        return document


@pytest.fixture(scope="module")
def documents(conda: Conda, channel: tuple[str, ...], work: Path) -> Documents:
    """Return documents of all verbs, on archives that have something in each list of objects."""
    asker = Asker(conda, work)
    _build(asker, channel)
    _look(asker)
    _unpack(asker)
    _damage(asker)
    _fail(asker)
    return asker.documents


def _build(asker: Asker, channel: tuple[str, ...]) -> None:
    wanted = [word for name in PACKAGES for word in ("--package", name)]
    points = ("--entrypoint", "cprog", "--entrypoint", "two=python -m tool")
    create = ("create", "-y", "--compression-level", "1", *channel)
    options = (*points, "--env", "MODE=quick", "--carry-python", "-o", "x.coex", "tool.py", "data")
    asker.conda("create, pack", *create, *wanted, *options)
    asker.conda("create --dry-run", *create, *wanted, *options, "--dry-run")
    asker.conda("repack", "repack", "x.coex", "--entrypoint", "cprog", "-o", "other.coex")
    asker.conda("repack", "repack", "x.coex", "--entrypoint", "cprog", "-o", "never.coex", "--dry-run")
    small = ("--package", "cprog", "--package", "zstd")
    asker.conda("create, pack", *create, *small, "--entrypoint", "cprog", "-o", "small.coex")
    asker.conda("image", "image", "small.coex", "-o", "image.tar")
    asker.conda("unpack -p", "unpack", "small.coex", "-p", asker.work / "live")
    for name, origin in ORIGINS.items():
        about = asker.work / f"live/lib/python3.11/site-packages/{name}-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "direct_url.json").write_text(json.dumps(origin))
    asker.conda("create, pack", "pack", "-p", asker.work / "live", "--entrypoint", "cprog", "-o", "packed.coex")


def _look(asker: Asker) -> None:
    for name in ("x.coex", "packed.coex"):
        asker.archive("info", "info", path=name)
    asker.conda("inspect ARCHIVE", "inspect", "x.coex", "--sizes")
    asker.conda("inspect ARCHIVE", "inspect", "small.coex")
    asker.conda("inspect ARCHIVE OTHER", "inspect", "x.coex", "packed.coex")
    for verb in ("files", "verify", "lock", "sbom", "dockerfile"):
        asker.archive(verb, verb)
    kernel = ("--prefix", asker.work / "jupyter", "--command", "cprog {connection_file}")
    asker.archive("kernelspec", "kernelspec", *kernel)
    asker.conda("conda coex cache path", "cache", "path")
    asker.conda("cache path", "cache", "path", "--roots")
    asker.archive("cache path", "cache", "path")


def _unpack(asker: Asker) -> None:
    store, work = asker.work / "store", asker.work
    asker.archive("unpack -p", "unpack", "-p", work / "env", "--app", work / "app")
    asker.archive("unpack --root", "unpack", "--root", work / "root")
    asker.archive("unpack --store", "unpack", "--store", work / "shared")
    asker.archive("env", "env")
    asker.archive("verify", "verify")
    (only_root(store) / "prefix/lib/python3.11/this.py").unlink()
    assert asker.archive("verify", "verify", "--root", status=1)["root"]["differences"]
    assert asker.archive("repair", "repair")["repaired"]
    asker.conda("conda coex cache list", "cache", "list")
    asker.archive("cache list", "cache", "list")
    with subprocess.Popen(["sleep", "600"], cwd=only_root(store) / "prefix") as user:
        try:
            assert asker.archive("cache clean", "cache", "clean", "--all", "-y")["kept"]
        finally:
            user.kill()
    asker.archive("cache clean", "cache", "clean", "--all", "--dry-run")
    for sign in ("start", "used"):
        if (only_root(store) / sign).exists():
            os.utime(only_root(store) / sign, (0, 0))  # a root that was started just now stays
    assert asker.conda("cache clean", "cache", "clean", "--roots", "--all", "-y")["removed"]
    asker.conda("conda coex cache clean", "cache", "clean", "--dry-run")
    # Other tests use the frames; none is so old.
    asker.conda("conda coex cache clean", "cache", "clean", "--frames", "--older-than", "9999d", "-y")


def _damage(asker: Asker) -> None:
    shutil.copy(asker.work / "x.coex", asker.work / "damaged.coex")
    with (asker.work / "damaged.coex").open("r+b") as stream:
        stream.seek(12_000_000)
        stream.write(b"damaged")
    assert asker.archive("verify", "verify", path="damaged.coex", status=1)["damages"][0]["package"]


def _fail(asker: Asker) -> None:
    asker.archive(ERROR, "cache", "clean", "--older-than", "never", status=2)
    asker.archive(ERROR, "verify", "-p", asker.work / "nowhere", status=1)
    asker.conda(CONDA_ERROR, "verify", "nowhere.coex", status=1)
    asker.conda(CONDA_ERROR, "image", status=2)


def test_the_page_lists_the_fields(documents: Documents) -> None:
    page = JsonPage(PAGE.read_text(encoding="utf-8"))
    differences = {
        line for title, document in documents for line in page.differences(title, document, every=title != CONDA_ERROR)
    }
    assert differences == set()
    assert page.unseen == {OF_PLUGINS}, "no document has these fields"
    assert page.rows.keys() - page.objects() - {ALWAYS} == {title for title, _ in documents}


def test_the_page_has_all_verbs() -> None:
    titles = " ".join(JsonPage(PAGE.read_text(encoding="utf-8")).rows)
    assert {*VERBS, *command_line.VERBS} - {*titles.replace(",", "").split()} == set()
