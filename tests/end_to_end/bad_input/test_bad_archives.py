"""`inspect` of files that are not archives, and command lines with nothing to do."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, OUTPUT, RUN, Case, assert_refused, with_json

from conda_coex.cli.main import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Outcome

NOT_COMPLETE = "not a complete coex archive"
COPY = "get a fresh copy of the file"


def changed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Return a function that makes `x` of the good archive."""
    return lambda work: (work / "x").write_bytes(change((work / OUTPUT).read_bytes()))


def flip_last(data: bytes, near: bytes) -> bytes:
    """Change one bit of the last byte before `near`."""
    place = data.rindex(near) - 1
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def application(work: Path) -> None:
    with (work / "x").open("wb") as stream:
        stream.write(b"#!/usr/bin/env python\n")
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("__main__.py", "print('hello')\n")


def directory(work: Path) -> None:
    (work / "x").mkdir()


def pipe(work: Path) -> None:
    os.mkfifo(work / "x")


INSPECT = ("inspect", "x")
ARCHIVES = [
    Case("missing", INSPECT, "x: the archive cannot be read: No such file or directory"),
    Case("directory", INSPECT, "x: the archive cannot be read: Is a directory", directory),
    Case(
        "unreadable",
        INSPECT,
        "x: the archive cannot be read: Permission denied",
        lambda work: (work / "x").touch(mode=0),
        powerless=True,
    ),
    Case("pipe", INSPECT, "x: the archive cannot be read: it is not a file", pipe),
    Case("text", INSPECT, f"x: {NOT_COMPLETE}", lambda work: (work / "x").write_text("#!/bin/sh\necho hello\n")),
    Case("empty", INSPECT, f"x: {NOT_COMPLETE}", lambda work: (work / "x").touch()),
    Case("zip application", INSPECT, f"x: {NOT_COMPLETE}", application),
    Case("conda package", ("inspect", "{channel}/noarch/data-generic-1.0-0.conda"), f".conda: {NOT_COMPLETE}"),
    Case("truncated", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: data[: len(data) // 2])),
    Case("truncated early", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: data[:100])),
    Case("without its last byte", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: data[:-1])),
    Case("longer payload", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: data[:9000] + b"x" + data[9000:])),
    Case("other first lines", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: data.replace(b"exec", b"EXEC", 1))),
    Case("other tail", INSPECT, f"x: {NOT_COMPLETE}", changed(lambda data: flip_last(data, b"PK\1\2"))),
]

NEEDED = {"unpack": ("-p", "{work}/env")}
VERBS = [
    case
    for verb in TOOLS
    for words in [(verb, "x", *NEEDED.get(verb, ()))]
    for case in (
        Case(f"{verb} of a pipe", words, "x: the archive cannot be read: it is not a file", pipe),
        Case(f"{verb} of a directory", words, "x: the archive cannot be read: Is a directory", directory),
        Case(f"{verb} and more", (*words, "more"), "unrecognized arguments: more", status=2),
    )
]

OPTIONS = [
    Case("unknown verb", ("creaet",), "conda coex has no verb 'creaet' (did you mean create?)", status=2),
    Case("unknown option of no verb", ("--no-such-option",), "unrecognized arguments: --no-such-option", status=2),
    Case("nothing to inspect", ("inspect",), "the following arguments are required: ARCHIVE", status=2),
    Case("unknown option", (*CPROG, *RUN, "--no-such-option"), "unrecognized arguments: --no-such-option", status=2),
    Case(
        "mistyped option", (*CPROG, "--entry-point", "cprog"),
        "unrecognized arguments: --entry-point (did you mean --entrypoint?); see `conda coex create --help`", status=2,
    ),
    Case(
        "no number", (*CPROG, *RUN, "--compression-level", "x"), "--compression-level: invalid int value: 'x'", status=2
    ),
    Case("name and path", (*CPROG, *RUN, "-n", "x", "-p", "y"), "not allowed with argument -n/--name", status=2),
    Case("unknown platform", (*CPROG, *RUN, "--platform", "foo-64"), "invalid choice: 'foo-64'", status=2),
]
LEVELS = [
    Case("level 99", (*CPROG, *RUN, "--compression-level", "99"), "the compression level 99 is not between 1 and 19"),
    Case("level 0", (*CPROG, *RUN, "--compression-level", "0"), "the compression level 0 is not between 1 and 19"),
]


@pytest.mark.parametrize("case", [*ARCHIVES, *with_json(ARCHIVES[:5])[5:], *VERBS], ids=str)
def test_archive_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    outcome = outcomes[case].result()
    assert_refused(case, outcome)
    assert (COPY in outcome.done.stdout + outcome.done.stderr) is (NOT_COMPLETE in case.says)


@pytest.mark.parametrize("case", [*with_json(OPTIONS), *with_json(LEVELS)], ids=str)
def test_options_are_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    outcome = outcomes[case].result()
    assert_refused(case, outcome)
    assert "usage:" not in outcome.done.stderr
    assert len(outcome.done.stderr.strip().splitlines()) == (not case.in_json)
