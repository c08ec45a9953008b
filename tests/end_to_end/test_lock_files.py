"""Lock files: the very packages that they pin, checked, without a solve, on conda of any version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from end_to_end.archives import Archive, only_root
from end_to_end.lock_texts import NAMES, as_yaml, conda_lock, explicit, pixi_lock

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

KEPT = ("name", "version", "build", "channel", "subdir", "url", "md5", "sha256", "depends", "fn", "size")
SH = ("--entrypoint", "./run.sh", "-o", "app.coex")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/run.sh").write_text('#!/bin/sh\ncat "$COEX_PREFIX/share/clobber/both.txt"; exec cprog\n')
    return tmp_path / "work"


def write(work: Path, name: str, rows: dict[str, dict[str, Any]]) -> None:
    local = "{path}"
    texts = {
        "md5.txt": explicit(rows),
        "sha256.txt": explicit(rows, "#{sha256}"),
        "named.txt": explicit(rows, "#sha256:{sha256}"),
        "local.txt": explicit(rows, "", local),
        "conda-lock.yml": as_yaml(json.loads(conda_lock(rows))),
        "pixi.lock": pixi_lock(rows),
    }
    (work / name).write_text(texts[name])


KINDS = ("md5.txt", "sha256.txt", "named.txt", "local.txt", "conda-lock.yml", "pixi.lock")


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment of variables with which no channel is configured and none may be asked."""
    return {"CONDA_CHANNELS": "http://127.0.0.1:1/none", "CONDA_OFFLINE": "true"}


@pytest.fixture(scope="module")
def created(
    conda: Conda, rows: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Return the records that conda itself makes of such a list, by name."""
    work = tmp_path_factory.mktemp("oracle")
    write(work, "md5.txt", rows)
    conda("create", "-q", "-y", "-p", work / "env", "--file", work / "md5.txt")
    return records(work / "env")


def records(prefix: Path) -> dict[str, dict[str, Any]]:
    found = (json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json"))
    return {record["name"]: record for record in found}


@pytest.mark.parametrize("kind", KINDS)
def test_pinned_packages(
    kind: str,
    conda: Conda,
    rows: dict[str, dict[str, Any]],
    created: dict[str, dict[str, Any]],
    nothing: dict[str, str],
    testbed: Layout,
    work: Path,
    store: Path,
) -> None:
    """For each kind, the records are those that conda makes of an explicit list, except a local channel's name."""
    write(work, kind, rows)
    conda("coex", "create", "-q", "-y", "--fast", "-f", kind, *SH, cwd=work, env=nothing)
    assert Archive(work / "app.coex").start(store=store).startswith("from b, which is longer\n")
    made = records(only_root(store) / "prefix")
    assert made.keys() == set(NAMES)
    for name, record in made.items():
        condas = json.loads(json.dumps(created[name]).replace(testbed.channel.as_uri(), LOCAL_CHANNEL))
        assert {key: record[key] for key in KEPT} == {key: condas[key] for key in KEPT}
        assert record["files"] == created[name]["files"]
    packed = json.loads(conda("coex", "inspect", "--json", work / "app.coex").stdout)["packages"]
    order = [package["name"] for package in packed]
    assert order.index("clobber-a") < order.index("clobber-b")
    assert order.index("libcgreet") < order.index("cprog")


def test_cache_without_and_with_the_packages(
    conda: Conda, rows: dict[str, dict[str, Any]], nothing: dict[str, str], work: Path
) -> None:
    """The same bytes, whether conda had the packages from a channel before, or fetches them by URL."""
    write(work, "sha256.txt", rows)
    built = []
    for directory in ("", str(work / "pkgs")):
        env = {**nothing, **({"CONDA_PKGS_DIRS": directory} if directory else {})}
        conda("coex", "create", "-q", "-y", "--fast", "-f", "sha256.txt", *SH, cwd=work, env=env)
        built.append((work / "app.coex").read_bytes())
    assert built[0] == built[1]


def dry_run(conda: Conda, work: Path, *options: str) -> set[str]:
    done = conda("coex", "create", "--dry-run", "--json", *options, *SH, cwd=work)
    assert not (work / "app.coex").exists()
    found = json.loads(done.stdout)
    assert found["dry_run"] is True
    return {row["name"] for row in found["actions"]["LINK"]}


def test_choices(conda: Conda, rows: dict[str, dict[str, Any]], work: Path) -> None:
    """Categories of conda-lock.yml, environments of pixi.lock; a dry run fetches and writes nothing."""
    of_dev = {"category": "dev", "optional": True}
    lock = json.loads(conda_lock(rows, clobber_a=of_dev, clobber_b={"category": "docs"}))
    (work / "conda-lock.yml").write_text(as_yaml(lock))
    (work / "pixi.lock").write_text(pixi_lock(rows))
    main = set(NAMES) - {"clobber-a", "clobber-b"}
    assert dry_run(conda, work, "-f", "conda-lock.yml") == main
    assert dry_run(conda, work, "-f", "conda-lock.yml", "--lock-category", "dev") == main | {"clobber-a"}
    assert dry_run(conda, work, "-f", "pixi.lock", "--lock-environment", "small") == set(NAMES[:2])


def test_altered_package(conda: Conda, rows: dict[str, dict[str, Any]], work: Path) -> None:
    """A file that is not the one pinned is refused by name, before conda's cache has it."""
    for name in ("sha256.txt", "conda-lock.yml", "pixi.lock"):
        write(work, name, rows)
        wrong = rows["cprog"]["sha256"][::-1]
        (work / name).write_text((work / name).read_text().replace(rows["cprog"]["sha256"], wrong))
        done = conda("coex", "create", "-q", "-y", "-f", name, *SH, cwd=work, check=False)
        assert done.returncode == 1
        said = " ".join(done.stderr.split())
        assert "LockMismatch" in said
        assert f"{name}: the lock file pins cprog-1.0-0.conda with the sha256 {wrong}, and its sha256 is" in said
        assert not (work / "app.coex").exists()
