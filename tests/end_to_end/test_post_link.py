"""Post-link scripts run once, at the first start, where the prefix stays; one that fails leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, Coex, MakeArchive, only_root, ready_roots
from end_to_end.own_channel import put, workshop

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout as TestbedLayout

SAY = '#!/bin/sh\necho "the app runs"\nexec cat\n'


@pytest.fixture(scope="module")
def demo(make_archive: MakeArchive) -> Archive:
    return make_archive("./say.sh", packages=("post-link-demo", "zstd"), say=SAY)


@pytest.fixture(scope="module")
def failing(make_archive: MakeArchive) -> Archive:
    return make_archive("./say.sh", packages=("post-link-demo", "post-link-fail", "zstd"), say=SAY)


def recorded(prefix: Path) -> dict[str, str]:
    text = (prefix / "share/post-link-demo/recorded.txt").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


def test_runs_in_the_final_prefix(demo: Archive, conda: Conda, channel: tuple[str, ...], store: Path) -> None:
    demo.start(store=store, input="")
    prefix = only_root(store) / "prefix"
    found = recorded(prefix)
    conda("create", "-q", "-y", "--offline", *channel, "-p", store / "conda", "post-link-demo")
    condas = recorded(store / "conda")
    for name in ("PKG_NAME", "PKG_VERSION", "PKG_BUILDNUM"):
        assert found[name] == condas[name]
    for name in ("PREFIX", "cwd"):
        assert found[name] == condas[name].replace(str(store / "conda"), str(prefix))
    # conda's base, which a host need not have: the script's own prefix stands in
    assert found["ROOT_PREFIX"] == str(prefix)
    # conda activates the prefix for the script
    assert found["CONDA_PREFIX"] == str(prefix)
    assert found["PATH"].split(":")[0] == f"{prefix}/bin"


SEEN = r"""
exec >"$PREFIX/seen"
echo "arguments $# $*"; echo "options ${-/c/}"; echo "here $PWD"; echo "level $SHLVL"
echo "input $(cat | wc -c)"; echo "shell $BASH"; shopt; set -o
trap; ulimit -a; echo "name $PKG_NAME $PKG_VERSION $PKG_BUILDNUM"; echo "source ${BASH_SOURCE[0]}"
(yes; echo $? >&2) 2>"$PREFIX/pipe" | head -n 1; cat "$PREFIX/pipe"
"""


def test_sees_the_same_as_under_conda(
    coex: Coex, conda: Conda, channel: tuple[str, ...], testbed: TestbedLayout, store: Path, tmp_path: Path
) -> None:
    """Arguments, options, directories, input, limits, signals: as conda's, except for the place."""
    package = workshop(testbed, tmp_path).noarch("seer")
    package.script("bin/.seer-post-link.sh", SEEN)
    extra = put(tmp_path / "channel", [package])
    (tmp_path / "say.sh").write_text(SAY)
    coex(tmp_path, *extra, "-q", "--entrypoint", "./say.sh", "-o", "app.coex", "say.sh", packages=("seer", "zstd"))
    Archive(tmp_path / "app.coex").start(store=store, input="")
    prefix = only_root(store) / "prefix"
    conda("create", "-q", "-y", *channel, *extra, "-p", store / "conda", "seer")
    condas = (store / "conda/seen").read_text().replace(str(store / "conda"), str(prefix))
    ours = (prefix / "seen").read_text()
    levels = [line for text in (ours, condas) for line in text.splitlines() if line.startswith("level ")]
    assert len(levels) == 2
    assert [line for line in ours.splitlines() if not line.startswith("level ")] == [
        line for line in condas.splitlines() if not line.startswith("level ")
    ]


def test_download_is_named_by_the_build(coex: Coex, testbed: TestbedLayout, store: Path, tmp_path: Path) -> None:
    """And the start that fails names the package, and the remedy."""
    package = workshop(testbed, tmp_path).noarch("loader")
    package.script("bin/.loader-post-link.sh", "curl -fsL file:///nonexistent/data -o x 2>/dev/null || exit 1\n")
    extra = put(tmp_path / "channel", [package])
    (tmp_path / "say.sh").write_text(SAY)
    done = coex(tmp_path, *extra, "--entrypoint", "./say.sh", "-o", "app.coex", "say.sh", packages=("loader", "zstd"))
    notes = [line for line in done.stderr.splitlines() if "loader" in line]
    assert len(notes) == 1
    assert notes[0].startswith("coex: note: the post-link script of loader runs curl on the host, at the first start, ")
    failed = Archive(tmp_path / "app.coex").run(store=store, input="")
    assert failed.returncode == 125
    assert "the post-link script of loader ended with status 1; start it again if the network" in failed.stderr
    assert failed.stderr.endswith("; it printed nothing\n")


def test_runs_once_and_speaks_once(demo: Archive, store: Path) -> None:
    starts = [demo.run(store=store, input="typed\n") for _ in range(3)]
    assert [done.stdout for done in starts] == ["the app runs\ntyped\n"] * 3
    assert [done.stderr for done in starts] == ["post-link-demo was set up\n", "", ""]
    prefix = only_root(store) / "prefix"
    assert (prefix / "share/post-link-demo/runs.txt").read_text() == "run\n"
    assert not (prefix / ".messages.txt").exists()


def test_runs_once_for_many_first_starts(demo: Archive, store: Path) -> None:
    env = {"PATH": os.environ["PATH"], "COEX_ROOT": str(store)}
    running = [
        subprocess.Popen([demo.path], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate()[0] for process in running] == ["the app runs\n"] * 4
    assert (only_root(store) / "prefix/share/post-link-demo/runs.txt").read_text() == "run\n"


def test_failure_leaves_nothing(failing: Archive, store: Path) -> None:
    done = failing.run(store=store, input="", env={"POST_LINK_FAIL": "1"})
    assert done.returncode == 125
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for said in ("post-link-fail", "status 3", "on standard output", "on standard error"):
        assert said in done.stderr
    assert ready_roots(store) == []
    assert [path.name for path in store.iterdir() if path.is_dir()] == []


def test_start_after_a_failure(failing: Archive, store: Path) -> None:
    failing.run(store=store, input="", env={"POST_LINK_FAIL": "1"})
    # the output of a script that succeeds is not output of the app
    assert failing.start(store=store, input="") == "the app runs\n"
    assert (only_root(store) / "prefix/share/post-link-demo/runs.txt").read_text() == "run\n"
