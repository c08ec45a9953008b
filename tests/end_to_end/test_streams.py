"""Results go to any standard output: a pipe that nobody reads any more, a full disk, nothing at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import Archive, MakeArchive
    from testbed.layout import Layout

PACKAGES = ("--package", "cprog", "--package", "zstd")
CREATE = ("create", "-y", "--fast", *PACKAGES, "--entrypoint", "cprog", "-o", "new.coex")
WORDS = [
    pytest.param(CREATE, id="create"),
    pytest.param((*CREATE, "--json"), id="create, as JSON"),
    pytest.param((*CREATE, "-d"), id="create, dry run"),
    pytest.param((*CREATE, "-d", "--json"), id="create, dry run as JSON"),
    pytest.param(("inspect", "app.coex"), id="inspect"),
    pytest.param(("inspect", "app.coex", "--json"), id="inspect, as JSON"),
    pytest.param(("files", "app.coex"), id="files"),
    pytest.param(("repack", "app.coex", "--env", "A=b", "-o", "new.coex"), id="repack"),
    pytest.param(("cache", "list"), id="cache"),
    pytest.param(("cache", "list", "--json"), id="cache, as JSON"),
]
ERRORS = [
    pytest.param(("inspect", "missing.coex", "--json"), 1, id="an error as JSON"),
    pytest.param(("create", "--no-such-option", "--json"), 2, id="a wrong command line, as JSON"),
]


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Archive:
    return make_archive("cprog", packages=("cprog", "zstd"))


class Runs:
    """Runs `conda coex` beside an archive, with a standard output of all kinds."""

    def __init__(self, testbed: Layout, channel: tuple[str, ...], directory: Path) -> None:
        self.testbed, self.channel, self.directory = testbed, channel, directory
        names = ("CONDA", "PYTHON", "_CE_", "XDG_")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        self.environ.update(HOME=str(directory), CONDA_OVERRIDE_CUDA="", CONDA_REPORT_ERRORS="false")

    def __call__(self, words: tuple[str, ...], shell: str) -> subprocess.CompletedProcess[str]:
        """Run it by a line of a shell, in which `"$@"` is the command."""
        channel = self.channel if words[0] == "create" else ()
        command = ["bash", "-c", shell, "bash", self.testbed.conda, "coex", *words, *channel]
        done = subprocess.run(
            command, cwd=self.directory, env=self.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "Exception ignored" not in done.stderr, done.stderr
        return done


@pytest.fixture
def run(testbed: Layout, channel: tuple[str, ...], archive: Archive, tmp_path: Path) -> Runs:
    os.link(archive.path, tmp_path / "app.coex")
    return Runs(testbed, channel, tmp_path)


CLOSED = '"$@" | true; exit "${PIPESTATUS[0]}"'


@pytest.mark.parametrize("words", WORDS)
def test_nobody_reads(run: Runs, words: tuple[str, ...]) -> None:
    done = run(words, CLOSED)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("words", WORDS)
def test_full(run: Runs, words: tuple[str, ...]) -> None:
    done = run(words, '"$@" >/dev/full')
    assert done.returncode == 1
    assert "--json" in words or "No space left on device" in done.stderr


@pytest.mark.parametrize("words", WORDS)
def test_closed(run: Runs, words: tuple[str, ...]) -> None:
    done = run(words, '"$@" >&-')
    assert done.returncode == 0, done.stderr
    assert (run.directory / "new.coex").exists() is ("new.coex" in words and "-d" not in words)


@pytest.mark.parametrize(("words", "status"), ERRORS)
def test_errors(run: Runs, words: tuple[str, ...], status: int) -> None:
    assert run(words, CLOSED).returncode == 128 + signal.SIGPIPE
    assert run(words, '"$@" >/dev/full').returncode == status
    assert run(words, '"$@" >&-').returncode == status
    text = run(words[:-1], CLOSED)  # which says it to those who still listen
    assert text.returncode == status
    assert text.stderr


def test_quiet_is_the_result_alone(run: Runs) -> None:
    done = run((*CREATE, "-q"), '"$@"')
    assert "Package Plan" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("new.coex: ")
    assert "Package Plan" in run((*CREATE, "-q", "-d"), '"$@"').stdout
    assert "Package Plan" in run(CREATE, '"$@"').stdout
    done = run(("repack", "app.coex", "--env", "A=b", "-o", "new.coex", "-q"), '"$@"')
    assert (done.stdout.startswith("new.coex: "), done.stderr) == (True, "")


def test_how_to_start_it_is_for_a_terminal(run: Runs) -> None:
    assert "start it with" not in run(CREATE, '"$@" 2>&1').stdout
    on_terminal = 'printf "%q " "$@" >command; TERM=dumb script -qec "$(cat command)" /dev/null </dev/null'
    assert "start it with ./new.coex" in run(CREATE, on_terminal).stdout
    assert "start it with" not in run((*CREATE, "-q"), on_terminal).stdout


def test_dry_run_of_repack_says_so(run: Runs) -> None:
    done = run(("repack", "app.coex", "--env", "A=b", "-o", "new.coex", "-d"), '"$@"')
    assert "nothing was written" in done.stderr
    assert not (run.directory / "new.coex").exists()


@pytest.mark.parametrize("verb", ["info", "files", "verify", "lock", "sbom", "dockerfile"])
def test_options_that_all_commands_of_conda_have(run: Runs, verb: str) -> None:
    plain = run((verb, "app.coex"), '"$@"')
    for option in ("-q", "-v"):
        done = run((verb, "app.coex", option), '"$@"')
        assert (done.returncode, done.stdout) == (0, plain.stdout)


def test_empty_caches(run: Runs) -> None:
    run.environ.update(CONDA_PKGS_DIRS=str(run.directory / "pkgs"), COEX_ROOT=str(run.directory / "roots"))
    assert run(("cache", "list"), '"$@"').stdout == "no frames are kept\n\nno roots: no archive is unpacked\n"
    assert run(("cache", "clean", "-d"), '"$@"').stdout == "no frames are kept: nothing to remove\n"
    assert run(("cache", "clean", "--roots", "-d"), '"$@"').stdout == "would remove no root\n"
    run(CREATE, '"$@"')
    assert run(("cache", "clean", "-d"), '"$@"').stdout.startswith("would remove ")
    assert json.loads(run(("cache", "clean", "-d", "--json"), '"$@"').stdout)["dry_run"] is True
    assert run(("cache", "clean", "-y", "-q"), '"$@"').stdout.startswith("removed ")


def test_options_of_a_project(run: Runs) -> None:
    project = run.directory / "project"
    (project / "data").mkdir(parents=True)
    (project / "data/rows").write_text("1 2 3\n", encoding="utf-8")
    (project / "say.sh").write_text('#!/bin/sh\ncat "${0%/*}/data/rows"; echo "$MODE"\n', encoding="utf-8")
    (project / "coex.toml").write_text(
        'package = ["cprog", "zstd"]\nentrypoint = { say = "./say.sh", prog = "cprog" }\napp = "data/"\nfast = true\n'
        f'output = "say.coex"\noverride-channels = true\nchannel = "{run.channel[-1]}"\nenv = {{ MODE = "file" }}\n',
        encoding="utf-8",
    )
    run.channel = ()
    done = run(("create", "-y", "--json"), 'cd project && "$@"')
    assert json.loads(done.stdout)["archive"] == "say.coex"
    assert "coex: note: options of coex.toml: package, entrypoint, app," in done.stderr
    environ = {**run.environ, "COEX_ROOT": str(run.directory / "roots")}
    started = subprocess.run([project / "say.coex"], env=environ, capture_output=True, text=True, check=True)
    assert started.stdout == "1 2 3\nfile\n"
    (project / "data/rows").write_text("4 5 6\n", encoding="utf-8")
    words = ("repack", "project/say.coex", "--config", "project/coex.toml", "-o", "again.coex")
    run(words, '"$@"')
    started = subprocess.run([run.directory / "again.coex"], env=environ, capture_output=True, text=True, check=True)
    assert started.stdout == "4 5 6\nfile\n"
