"""Environment files, specs, channels and names of environments from which no environment can be made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, CREATE, GOOD, RUN, Case, assert_refused, with_json, written

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Bench, Outcome

UNREAD = "keys that neither conda nor conda-coex reads: "
NOWHERE = "http://127.0.0.1:1/channel"  # nothing listens on that port


def unreadable(work: Path) -> None:
    written("dependencies: [cprog]\n")(work)
    (work / "environment.yml").chmod(0)


def file_case(name: str, content: str | bytes, says: str) -> Case:
    return Case(
        name, (*GOOD, *RUN, "-f", "environment.yml"), f"environment.yml: the environment file {says}", written(content)
    )


def spec_case(name: str, spec: str, says: str) -> Case:
    return Case(name, (*GOOD, *RUN, "--package", spec), says)


FILES = [
    Case("missing file", (*GOOD, *RUN, "-f", "environment.yml"), "environment.yml: the file does not exist"),
    Case(
        "directory",
        (*GOOD, *RUN, "-f", "environment.yml"),
        "environment.yml: the file is a directory",
        lambda work: (work / "environment.yml").mkdir(),
    ),
    Case(
        "unreadable file",
        (*GOOD, *RUN, "-f", "environment.yml"),
        "environment.yml: the file cannot be read: Permission denied",
        unreadable,
        powerless=True,
    ),
    Case(
        "unknown suffix",
        (*GOOD, *RUN, "-f", "environment.json"),
        "environment.json: the environment file is of an unknown format; name it `.yml` if it has `dependencies:`",
        written("[]", "environment.json"),
    ),
    file_case("pip text", "dependencies: [pip, {pip: requests}]\n", "has a `pip:` that is not a list of texts"),
    file_case("pip list", "dependencies: [pip, {pip: [[1.0]]}]\n", "has ['1.0'] in `pip`, which is not text"),
    file_case("npm section", "dependencies: [{npm: [x]}]\n", "has the mapping 'npm' in `dependencies`, in line 1"),
    file_case("no YAML", "name: x\ndependencies: [cprog\n", "is not YAML in line 3: "),
    file_case("list", "- cprog\n", "is not a mapping; list packages under `dependencies:`"),
    file_case("without anything", "name: x\n", "asks for no package; list some under `dependencies:`"),
    file_case(
        "without dependencies", "name: x\nchannels: []\n", "asks for no package; list some under `dependencies:`"
    ),
]

SPECS = [
    Case(
        "nothing asked for", (*GOOD, *RUN), "no package is requested; use -f FILE, --package SPEC, -n NAME or -p PATH"
    ),
    Case(
        "file without its option",
        (*GOOD, *RUN, "environment.yml"),
        "no package is requested; if environment.yml is the environment: -f environment.yml",
        written("dependencies: [cprog]\n"),
    ),
    spec_case("unknown package", "no-such-package", "not available from current channels: - no-such-package"),
    spec_case("unsatisfiable version", "cprog >=99", "not available from current channels: - cprog"),
    Case(
        "missing dependency",
        (*CREATE, "-c", "{bad}", *RUN, "--package", "unsat"),
        "not available from current channels: - does-not-exist",
    ),
    Case(
        "conflict",
        (*GOOD, *RUN, "--package", "python <3", "--package", "numpy"),
        "not available from current channels: - python",
    ),
    spec_case("invalid spec", "cprog ===", "Invalid spec 'cprog ==='"),
    Case(
        "empty spec", (*GOOD, *RUN, "--package", ""), "--package is empty; see `conda coex create --help`", status=2
    ),
    spec_case("blank spec", " ", "the specification ' ' names no package; name one, as in --package python"),
    spec_case("pattern", "cpr*", "the specification 'cpr*' names no package"),
    Case("missing environment by path", (*GOOD, *RUN, "-p", "{work}/env"), "Not a conda environment: "),
    Case("missing environment by name", (*GOOD, *RUN, "-n", "no-such-env"), "no-such-env"),
    Case("invalid name", (*GOOD, *RUN, "-n", "a b"), "Invalid environment name: 'a b'"),
    Case("directory as environment", (*GOOD, *RUN, "-p", "{work}"), "Not a conda environment: "),
    Case(
        "environment and file",
        (*GOOD, *RUN, "-n", "x", "-f", "environment.yml"),
        "-n and -p take an environment as it is; leave out -f and --package, or -n and -p; -o names the archive",
    ),
    Case("environment and spec", (*CPROG, *RUN, "-p", "{work}"), "-n and -p take an environment as it is"),
    Case(
        "no channel",
        (*CREATE, *RUN, "--package", "cprog"),
        "At least one -c / --channel flag must be supplied",
        status=2,
    ),
    Case(
        "missing channel",
        (*CREATE, *RUN, "-c", "{work}/none", "--package", "cprog"),
        "The channel is not accessible or is invalid",
    ),
    Case(
        "channel that is down",
        (*CREATE, *RUN, "-c", NOWHERE, "--package", "cprog"),
        f"HTTP 000 CONNECTION FAILED for url <{NOWHERE}/",
    ),
    Case(
        "offline",
        (*CREATE, *RUN, "--offline", "-c", NOWHERE, "--package", "never-seen"),
        f"{NOWHERE}: conda's cache has no repodata of it, and --offline keeps conda from fetching it",
    ),
]


UNPRINTED = "invalid name"  # conda itself does not print it with --json


@pytest.mark.parametrize("case", with_json([*FILES, *SPECS], but=[UNPRINTED]), ids=str)
def test_environment_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())


def test_unknown_key_is_only_remarked(bench: Bench, work: Path) -> None:
    """As conda does; and the remark stays out of the JSON document."""
    written("dependencies: [cprog]\nunheard: [of]\n")(work)
    before = (work / "out.coex").read_bytes()
    case = Case(
        "", (*GOOD, *RUN, "-f", "environment.yml", "../app", "--json"), "", lambda work: (work / "../app").mkdir()
    )
    done = bench.run(case, work).done
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["archive"] == "out.coex"
    assert json.loads(done.stdout)["warnings"] == [f"environment.yml: {UNREAD}unheard"]
    assert (work / "out.coex").read_bytes() != before
