"""The inputs of `create`: environments by name, path, file and spec, channels, and conda's own options."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from end_to_end.archives import Archive, Coex, only_root

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

SH = ("--entrypoint", "./run.sh")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a directory with an entry point in it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work/run.sh").write_text("#!/bin/sh\necho it runs\n")
    return tmp_path / "work"


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.fixture
def packages_of(conda: Conda) -> Any:
    """Return a function that gives the packages of an archive by name, as in `inspect`."""

    def run(archive: Path) -> dict[str, str]:
        found = json.loads(conda("coex", "inspect", "--json", archive).stdout)
        return {package["name"]: package["url"] for package in found["packages"]}

    return run


@pytest.fixture(scope="module")
def existing(conda: Conda, uncached_channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment called `mine`, made by way of a cache that only its own making had."""
    prefix = tmp_path_factory.mktemp("envs") / "mine"
    cache = {"CONDA_PKGS_DIRS": str(tmp_path_factory.mktemp("cache"))}
    conda("create", "-q", "-y", *uncached_channel, "-p", prefix, "legacy-pkg", "data-generic", "zstd", env=cache)
    return prefix


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return the options that name a channel without packages: no solve can succeed with these."""
    empty = tmp_path_factory.mktemp("empty")
    for subdir in ("noarch", "linux-64", "linux-aarch64"):
        (empty / subdir).mkdir()
        (empty / subdir / "repodata.json").write_text('{"packages": {}, "packages.conda": {}}')
    return ("--override-channels", "-c", empty.as_uri())


@pytest.mark.parametrize("option", ["-n", "-p"])
def test_existing_environment(
    option: str, conda: Conda, existing: Path, nothing: tuple[str, ...], work: Path, packages_of: Any, store: Path
) -> None:
    """The same packages, without a solve, also if the cache no longer has them."""
    options = (option, "mine" if option == "-n" else existing, *SH, "-o", "app.coex")
    env = {"CONDA_ENVS_DIRS": str(existing.parent), "CONDA_PKGS_DIRS": str(work / "cache")}
    conda("coex", "create", "-q", "-y", *nothing, *options, cwd=work, env=env)
    listed = json.loads(conda("list", "-p", existing, "--json").stdout)
    packed = packages_of(work / "app.coex")
    assert packed.keys() == {row["name"] for row in listed} == {"legacy-pkg", "data-generic", "zstd"}
    assert (work / "cache/legacy-pkg-1.0-0").is_dir()
    archive = Archive(work / "app.coex")
    assert archive.start(store=store) == "it runs\n"
    prefix = only_root(store) / "prefix"
    script = subprocess.run([prefix / "bin/legacy-script"], capture_output=True, text=True, check=True)
    assert script.stdout == f"{prefix}\n"


@pytest.fixture(scope="module")
def unpacked(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment from an archive, whose records name no directory of the builder."""
    work = tmp_path_factory.mktemp("unpacked")
    coex(work, "-q", "--package", "legacy-pkg", "--package", "zstd", "--entrypoint", "legacy-script", "-o", "a.coex")
    ask = {**os.environ, "COEX_TOOLS": "1"}
    subprocess.run([work / "a.coex", "unpack", "-p", work / "env"], env=ask, check=True, capture_output=True)
    records = [json.loads(path.read_text()) for path in work.glob("env/conda-meta/*.json")]
    assert {record["url"].rpartition("/")[0].rpartition("/")[0] for record in records} == {LOCAL_CHANNEL}
    return work / "env"


@pytest.mark.parametrize("source", ["cache", "channel"])
def test_unpacked_environment(
    source: str, conda: Conda, coex: Coex, channel: tuple[str, ...], nothing: tuple[str, ...], unpacked: Path,
    work: Path, packages_of: Any, store: Path,
) -> None:  # fmt: skip
    """Its packages are searched by their checksums."""
    where = nothing if source == "cache" else channel
    conda("coex", "create", "-q", "-y", *where, "-p", unpacked, *SH, "-o", "app.coex", cwd=work)
    assert packages_of(work / "app.coex") == packages_of(unpacked.parent / "a.coex")
    assert Archive(work / "app.coex").start(store=store) == "it runs\n"


@pytest.mark.parametrize("sums", [{"sha256": "0" * 64}, {"sha256": None, "md5": None}])
def test_unpacked_environment_without_the_files(
    sums: dict[str, str | None], conda: Conda, channel: tuple[str, ...], unpacked: Path, work: Path
) -> None:
    prefix = work / "its env"
    shutil.copytree(unpacked, prefix, symlinks=True)
    (path,) = prefix.glob("conda-meta/legacy-pkg-*.json")
    record = {**json.loads(path.read_text()), **sums}
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))
    done = conda("coex", "create", "-q", "-y", *channel, "-p", prefix, *SH, "-o", "app.coex", cwd=work, check=False)
    assert done.returncode == 1
    said = " ".join((done.stdout + done.stderr).split())
    assert f"InputError: {prefix}: {record['fn']} came from {record['url']}, which is not there, and neither" in said
    remedy = f"conda coex pack --from-prefix '{prefix}', or name a channel that has the file with -c"
    assert said.endswith(remedy)
    conda("coex", "pack", "-q", "-y", "--from-prefix", prefix, *SH, "-o", "app.coex", cwd=work)


def test_packages_of_other_installers_are_named(
    conda: Conda, channel: tuple[str, ...], coex: Coex, work: Path, tmp_path: Path
) -> None:
    """The note names the verb that takes them."""
    prefix = tmp_path / "env"
    conda("create", "-q", "-y", "--offline", *channel, "-p", prefix, "hello-noarch")
    for name in ("one", "two"):
        metadata = next(prefix.glob("lib/python*/site-packages")) / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    said = coex(work, "-p", prefix, "-q", *SH).stderr
    left_out = "not installed by conda, and left out: one 1.0, two 1.0"
    assert said == f"coex: note: {left_out}; `conda coex pack` takes all files\n"


def test_files_and_specs_are_joined(conda: Conda, testbed: Layout, work: Path, packages_of: Any, store: Path) -> None:
    """Several files with channels and variables, and specs; the later file's variables win."""
    env_print = "#!/bin/sh\necho $FIRST $BOTH\n"
    (work / "run.sh").write_text(env_print)
    channels = f"channels: ['{testbed.channel.as_uri()}', nodefaults]\n"
    (work / "one.yml").write_text(channels + "dependencies: [data-generic]\nvariables: {first: '1', both: one}\n")
    (work / "two.yml").write_text("dependencies: ['clobber-a >=1']\nvariables: {BOTH: two}\n")
    files = ("-f", "one.yml", "-f", "two.yml", "--package", "clobber-b=1.0", "--package", "zstd")
    done = conda("coex", "create", "-y", "--json", *files, *SH, "-o", "app.coex", cwd=work)
    said = json.loads(done.stdout)
    assert (said["success"], said["archive"], said["packages"], said["warnings"]) == (True, "app.coex", 4, [])
    assert said["size"] == (work / "app.coex").stat().st_size
    urls = packages_of(work / "app.coex")
    assert urls.keys() == {"data-generic", "clobber-a", "clobber-b", "zstd"}
    assert all(url.startswith(f"{LOCAL_CHANNEL}/") for url in urls.values())
    assert Archive(work / "app.coex").start(store=store) == "1 two\n"
    history = (only_root(store) / "prefix/conda-meta/history").read_text()
    for spec in ("'data-generic'", "\"clobber-a[version='>=1']\"", "'clobber-b=1.0'", "'zstd'"):
        assert spec in history.splitlines()[-1]


@pytest.mark.parametrize("options", [(), ("--json",), ("-p", "existing"), ("-p", "existing", "--json")], ids=" ".join)
def test_dry_run_writes_nothing(options: tuple[str, ...], coex: Coex, work: Path, existing: Path) -> None:
    before = names(work)
    packages = () if "-p" in options else ("data-generic", "zstd")
    words = [str(existing) if word == "existing" else word for word in options]
    done = coex(work, "--dry-run", *SH, *words, packages=packages)
    assert names(work) == before
    assert "data-generic" in done.stdout
    if "--json" in options:
        assert json.loads(done.stdout)["dry_run"] is True


def test_reports_its_work_unless_quiet(coex: Coex, work: Path, existing: Path) -> None:
    """A build from packages in a cache, which is not the test bed's: another test fetches these packages."""
    env = {"CONDA_PKGS_DIRS": str(work.parent / "cache")}
    coex(work, "-p", existing, "-q", *SH, env=env)
    loud = coex(work, "-p", existing, *SH, env=env)
    line = loud.stdout.splitlines()[-1]
    assert line.startswith("run.coex: ")
    assert line.endswith("unpacked")
    quiet = coex(work, "-p", existing, "-q", *SH, env=env)
    assert (quiet.stdout, quiet.stderr, loud.stderr) == (f"{line}\n", "", "")
    assert names(work) == {"run.sh", "run.coex"}


def test_as_a_module(testbed: Layout, channel: tuple[str, ...], work: Path, store: Path) -> None:
    options = ("-q", "-y", *channel, "--package", "zstd", *SH, "-o", "app.coex")
    subprocess.run([testbed.python, "-m", "conda_coex", "create", *options], cwd=work, check=True, capture_output=True)
    assert Archive(work / "app.coex").start(store=store) == "it runs\n"


def test_inspect(coex: Coex, conda: Conda, testbed: Layout, work: Path) -> None:
    (work / "data").mkdir()
    (work / "data/some.txt").write_text("12345")
    coex(work, "-q", "--entrypoint", "./run.sh -v 'two words'", "data", packages=("cprog", "post-link-demo", "zstd"))
    found = json.loads(conda("coex", "inspect", "--json", work / "run.coex").stdout)
    assert found["entry_points"] == [
        {"name": "run", "named": False, "command": [["app", "run.sh"], ["text", "-v"], ["text", "two words"]]}
    ]
    assert {package["name"] for package in found["packages"]} == {"cprog", "libcgreet", "post-link-demo", "zstd"}
    assert found["requires"] == {"__glibc": [">=2.17"]}
    assert found["prefix_limit"] == 255
    assert [package["name"] for package in found["post_link"]] == ["post-link-demo"]
    assert {"path": "data/some.txt", "size": 5, "executable": False} in found["app"]
    assert {"path": "run.sh", "size": 23, "executable": True} in found["app"]
    assert found["size"] == (work / "run.coex").stat().st_size

    table = conda("coex", "inspect", work / "run.coex").stdout
    shown = ("app/run.sh -v 'two words'", found["digest"], "__glibc >=2.17", "data/some.txt", "255", "4 packages")
    assert [text for text in shown if text not in table] == []
    assert LOCAL_CHANNEL in table
    assert testbed.channel.as_uri() not in table
