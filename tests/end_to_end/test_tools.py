"""Questions to a real archive: by itself with COEX_TOOLS, and by `conda coex`, with the same answers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from coex_bootstrap.tools import command_line
from dockerfile_parse import DockerfileParser
from end_to_end.archives import OF_THE_SHELL, only_root, ready_roots

from conda_coex.cli.main import TOOLS
from conda_coex.cli.verb_parser import VERBS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from end_to_end.archives import Archive, MakeArchive
    from testbed.hosts import HostPython
    from testbed.layout import Layout

PACKAGES = ("cprog", "hello-noarch", "post-link-demo", "python")


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Archive:
    return make_archive("cprog", packages=PACKAGES)


def ask(archive: Archive, *words: str | Path, store: Path, status: int = 0) -> str:
    done = archive.run(*map(str, words), store=store, env={"COEX_TOOLS": "1"})
    assert done.returncode == status, done.stderr
    return str(done.stdout)


def test_conda_knows_every_verb() -> None:
    verbs = {name: verb.summary for name, verb in command_line.VERBS.items()}
    assert verbs.pop("cache")  # conda's has the frames of builds too
    assert verbs == {verb: VERBS[verb] for verb in TOOLS}
    assert {*command_line.BUILDERS} == VERBS.keys() - command_line.VERBS.keys()


@pytest.mark.parametrize("verb", ["info", "files", "verify", "lock", "sbom", "dockerfile"])
def test_conda_says_the_same(archive: Archive, conda: Conda, verb: str, tmp_path: Path) -> None:
    words = (verb, "--json")
    theirs = conda("coex", verb, archive.path, "--json", env={"COEX_ROOT": str(tmp_path)}).stdout
    assert json.loads(theirs) == json.loads(ask(archive, *words, store=tmp_path))
    assert conda("coex", verb, archive.path, env={"COEX_ROOT": str(tmp_path)}).stdout == ask(
        archive, verb, store=tmp_path
    )


@pytest.mark.parametrize("words", [(), ("--archive",), ("--root",)], ids=repr)
def test_conda_verifies_as_much(archive: Archive, conda: Conda, words: tuple[str, ...], tmp_path: Path) -> None:
    archive.start(store=tmp_path)
    said = conda("coex", "verify", archive.path, *words, env={"COEX_ROOT": str(tmp_path)}).stdout
    assert said == ask(archive, "verify", *words, store=tmp_path)
    assert (f"{archive.path}: whole" in said) == ("--root" not in words)
    assert (f"{only_root(tmp_path)}: whole" in said) == ("--archive" not in words)


@pytest.mark.parametrize("verb", sorted(TOOLS))
def test_conda_refuses_other_files(conda: Conda, verb: str, tmp_path: Path) -> None:
    path = tmp_path / "x.coex"
    path.write_text("text", encoding="utf-8")
    done = conda("coex", verb, path, *(["-p", tmp_path / "env"] if verb == "unpack" else []), check=False)
    assert done.returncode == 1
    assert f"{path}" in done.stdout + done.stderr
    assert "not a complete coex archive" in done.stdout + done.stderr
    assert not (tmp_path / "env").exists()


def test_every_file_has_its_package(archive: Archive, tmp_path: Path) -> None:
    found = json.loads(ask(archive, "files", "--json", store=tmp_path))["files"]
    owners = {row["path"]: row["package"] for row in found}
    assert owners["prefix/bin/cprog"] == "cprog-1.0-0"
    assert owners["prefix/bin/hello-noarch"] == "hello-noarch-1.0-pyh1_0"
    assert owners["prefix/conda-meta/history"] == "environment"
    of_python = [row for row in found if row["package"].startswith("python-3")]
    assert len(of_python) > 500


def test_verify_names_the_package_of_a_damaged_frame(archive: Archive, tmp_path: Path) -> None:
    data = archive.path.read_bytes()
    broken = type(archive)(tmp_path / "broken.coex")
    broken.path.write_bytes(data[: len(data) // 3] + bytes([data[len(data) // 3] ^ 1]) + data[len(data) // 3 + 1 :])
    broken.path.chmod(0o755)
    (damage,) = json.loads(ask(broken, "verify", "--json", store=tmp_path, status=1))["damages"]
    assert damage["part"] == "payload"
    assert damage["package"].startswith("python-3")


def test_unpacked_environment_is_condas(
    archive: Archive, conda: Conda, channel: tuple[str, ...], tmp_path: Path
) -> None:
    prefix = tmp_path / "env"
    said = conda("coex", "unpack", archive.path, "-p", prefix, env={"CONDA_REGISTER_ENVS": "true"}).stdout
    assert f"{prefix}: an environment" in said
    listed = json.loads(conda("list", "-p", prefix, "--json").stdout)
    assert {row["name"] for row in listed} >= set(PACKAGES)
    assert (prefix / "share/post-link-demo/runs.txt").exists()
    doctor = conda("doctor", "-p", prefix).stdout
    assert doctor.count("✅") >= 2
    assert "❌" not in doctor
    conda("install", "-q", "-y", "--offline", *channel, "-p", prefix, "data-generic")
    assert (prefix / "etc/data-generic/data.conf").read_text() == f"root = {prefix}\nagain={prefix}/x\n"
    activate = f'eval "$({os.fspath(conda_program(conda))} shell.posix activate {prefix})" && cprog'
    done = subprocess.run(["sh", "-c", activate], capture_output=True, text=True, check=True)
    assert "greeting" in done.stdout


def test_variables_become_the_environments(
    make_archive: MakeArchive, conda: Conda, channel: tuple[str, ...], tmp_path: Path
) -> None:
    """`conda activate` of an unpacked environment sets the variables of --env, and conda's own commands work on it."""
    options = ("--env", "GREETING=hé $HOME `x`", "--env", "DATA=${COEX_APP}/data", "--env", "MODE?=fast")
    archive = make_archive("cprog", *options, packages=("cprog",), data="x")
    prefix, app = tmp_path / "an énv", tmp_path / "app"
    conda("coex", "unpack", archive.path, "-p", prefix.name, "--app", "app", cwd=tmp_path)
    expected = {"GREETING": "hé $HOME `x`", "DATA": f"{app}/data", "MODE": "fast"}
    assert json.loads(conda("env", "config", "vars", "list", "-p", prefix, "--json").stdout) == expected
    conda("env", "config", "vars", "set", "-p", prefix, "MORE=1", "MODE=slow")
    conda("install", "-q", "-y", "--offline", *channel, "-p", prefix, "data-generic")
    conda("remove", "-q", "-y", "--offline", "-p", prefix, "data-generic")
    command = f"eval \"$('{conda_program(conda)}' shell.posix activate '{prefix}')\" && env -0"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert {name: seen.get(name) for name in (*expected, "MORE")} == {**expected, "MORE": "1", "MODE": "slow"}
    assert (app / "data.sh").read_text() == "x"


def conda_program(conda: Conda) -> str:
    return str(json.loads(conda("info", "--json").stdout)["root_prefix"]) + "/bin/conda"


CALLERS = {
    "bare": {},
    "in an environment": {"CONDA_PREFIX": "/other", "CONDA_SHLVL": "1", "CONDA_DEFAULT_ENV": "x", "DEFAULT": "mine"},
    "with settings": {"PYTHONPATH": "/x", "NEW": "old", "DEMO_ORDER": "mine", "COEX_ENTRYPOINT": "show"},
}


@pytest.fixture(scope="module")
def shown(make_archive: MakeArchive) -> Archive:
    """Return an archive whose entry point prints its environment, in which activation does all that it can do."""
    variables = ("--env", "NEW=a\nb'c \"$x `y` \\ é", "--env", "DEFAULT?=d", "--env", "WHERE=${COEX_APP}/x")
    packages = ("activate-demo", "activate-bash")
    return make_archive("./show.sh", *variables, packages=packages, show="#!/bin/sh\nexec env -0\n")


@pytest.mark.parametrize("caller", CALLERS)
def test_env_is_the_environment_of_a_start(
    shown: Archive, caller: str, shells: dict[str, list[str]], host_pythons: list[HostPython], tmp_path: Path
) -> None:
    """Evaluated by each shell, printed under the oldest and the newest Python."""
    started = variables(shown.start(store=tmp_path, env=CALLERS[caller]))
    for python in (host_pythons[0], host_pythons[-1]):
        code = f'eval "$(COEX_TOOLS=1 {python.executable} {shown.path} env)" && exec env -0'
        for shell in shells.values():
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COEX_ROOT": str(tmp_path)}
            command = [*shell, "-c", code]
            done = subprocess.run(command, env={**environment, **CALLERS[caller]}, capture_output=True, check=True)
            assert variables(done.stdout.decode()) == started, (shell, python)
            assert done.stderr == b""


def variables(printed: str) -> dict[str, str]:
    """Return an environment as `env -0` prints it, without variables that shells set for themselves."""
    found = dict(line.split("=", 1) for line in printed.split("\0") if line)
    return {name: value for name, value in found.items() if name not in OF_THE_SHELL}


def test_lock_makes_it_again(archive: Archive, conda: Conda, testbed: Layout, tmp_path: Path) -> None:
    """With the URL of a channel in the place that the lock itself names: a directory of the builder's is not in it."""
    lock = tmp_path / "explicit.txt"
    printed = ask(archive, "lock", store=tmp_path)
    assert f"# put the URL of a channel that has them in the place of {LOCAL_CHANNEL}\n" in printed
    assert testbed.channel.as_uri() not in printed
    lock.write_text(printed.replace(LOCAL_CHANNEL, testbed.channel.as_uri()), encoding="utf-8")
    conda("create", "-q", "-y", "--offline", "-p", tmp_path / "again", "--file", lock)
    again = conda("list", "-p", tmp_path / "again", "--explicit", "--md5").stdout.splitlines()
    wanted = [line for line in lock.read_text().splitlines() if line.startswith("file://")]
    assert sorted(line for line in again if "://" in line) == sorted(wanted)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a file system")
def test_dockerfile(archive: Archive, tmp_path: Path) -> None:
    """Its steps, read by a parser of such files, done by this machine in a /opt of their own."""
    parser = DockerfileParser(str(tmp_path))
    parser.content = ask(archive, "dockerfile", "--base", "some/base@sha256:0", store=tmp_path)
    assert parser.parent_images == ["python:3-slim", "some/base@sha256:0"]
    steps = [(step["instruction"], step["value"]) for step in parser.structure]
    assert [name for name, _ in steps] == ["COMMENT", "FROM", "COPY", "RUN", "FROM", "COPY", "COPY", "ENTRYPOINT"]
    source, target = json.loads(steps[2][1])
    copies = [value.removeprefix("--from=unpack ").split() for name, value in steps[5:7]]
    (start,) = json.loads(steps[-1][1])
    # the second stage: the two directories that are copied, no archive, no file of the caller, and no Python
    script = f"""set -e
mount -t tmpfs none /opt
cp {source} {target}
{steps[3][1]}
mkdir {tmp_path}/second
mount -t tmpfs none {tmp_path}/second
{"".join(f"mkdir -p {tmp_path}/second{to}; cp -a {this}/. {tmp_path}/second{to}{chr(10)}" for this, to in copies)}
mount --bind {tmp_path}/second/opt /opt
mount -o remount,ro,bind /opt
ls /opt
exec env -i PATH=/nowhere {start}
"""
    command = ["unshare", "-m", "sh", "-c", script]
    done = subprocess.run(command, cwd=archive.path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\ncoex\n" in done.stdout
    assert "prefix=/opt/coex/prefix" in done.stdout
    assert "greeting" in done.stdout


def test_cache_of_conda_has_frames_and_roots(archive: Archive, conda: Conda, tmp_path: Path) -> None:
    env = {"COEX_ROOT": str(tmp_path)}
    archive.start(store=tmp_path)
    found = json.loads(conda("coex", "cache", "list", "--json", env=env).stdout)
    assert [row["name"] for row in found["roots"]] == ["cprog"]
    assert {row["owner"] for row in found["entries"]} >= {"cprog-1.0-0"}
    shown = conda("coex", "cache", "list", env=env).stdout
    assert "frames of" in shown
    assert "root of" in shown
    assert conda("coex", "cache", "path", "--roots", env=env).stdout == f"{tmp_path}\n"
    conda("coex", "cache", "clean", "--dry-run", "--all", env=env)
    conda("coex", "cache", "clean", "-y", "--name", "a b", env=env)  # not a name of an environment
    assert only_root(tmp_path)
    time.sleep(2.1)  # a root that was started a moment ago counts as in use
    conda("coex", "cache", "clean", "-y", "--all", env=env)
    assert ready_roots(tmp_path) == []
    assert json.loads(conda("coex", "cache", "list", "--json", env=env).stdout)["entries"] == found["entries"]


def test_cache_of_conda_lists_frames_that_it_cannot_use(conda: Conda, tmp_path: Path) -> None:
    """A version with another format left them; they are removed with the others."""
    frames = tmp_path / ".coex-frames"
    frames.mkdir()
    (frames / f"{0:040}.frames").write_text("of another format", encoding="utf-8")
    env = {"CONDA_PKGS_DIRS": str(tmp_path)}
    lines = conda("coex", "cache", "list", "--frames", env=env).stdout.splitlines()
    assert lines[2].split("  ")[0] == "another version, or damaged"
    assert lines[2].split()[4:] == ["17", "B", time.strftime("%Y-%m-%d")]  # and not a level
    assert lines[3].startswith("1 entry, 17 B, ")
    conda("coex", "cache", "clean", "-y", env=env)
    assert list(frames.iterdir()) == []


@pytest.mark.parametrize("words", [("clean", "--frames", "--all"), ("list", "--all"), ("clean", "--older-than", "x")])
def test_cache_of_conda_refuses(conda: Conda, words: tuple[str, ...], tmp_path: Path) -> None:
    done = conda("coex", "cache", *words, "-y", env={"COEX_ROOT": str(tmp_path)}, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_sbom(archive: Archive, testbed: Layout, tmp_path: Path) -> None:
    said = ask(archive, "sbom", store=tmp_path)
    code = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""
    done = subprocess.run([testbed.python, "-c", code], input=said, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    found = {row["name"]: row for row in json.loads(said)["components"]}
    assert found.keys() >= set(PACKAGES)
    assert found["cprog"]["purl"].startswith("pkg:conda/cprog@1.0?build=0&channel=")
    assert {row["alg"] for row in found["cprog"]["hashes"]} == {"MD5", "SHA-256"}
