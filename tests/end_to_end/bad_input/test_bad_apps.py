"""Entry points that nothing can run, and app files that cannot be packed."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, CREATE, OUTPUT, RUN, Case, assert_refused, with_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Bench, Outcome


def files(**contents: str) -> Callable[[Path], None]:
    """Return a function that writes files; their names have `_` for a dot."""

    def prepare(work: Path) -> None:
        for name, content in contents.items():
            (work / name.replace("_", ".")).write_text(content, encoding="utf-8")

    return prepare


def bind(work: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        directory = os.open(work, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{directory}/odd")  # a socket's path is short
        os.close(directory)


def lock_directory(work: Path) -> None:
    (work / "locked").mkdir()
    (work / "locked").chmod(0)


def lock_file(work: Path) -> None:
    (work / "data").mkdir()
    (work / "data/locked").touch(mode=0)


def same_place(work: Path) -> None:
    for name in ("a", "b"):
        (work / name).mkdir()
        (work / name / "notes").write_text(name, encoding="utf-8")


def file_and_directory(work: Path) -> None:
    (work / "a/x").mkdir(parents=True)
    (work / "b").mkdir()
    (work / "b/x").touch()


def package_shop(work: Path) -> None:
    (work / "shop").mkdir()
    (work / "shop/web.py").touch()


NEITHER = (
    "is neither a command of the environment nor a file of the app; "
    "add its package to the environment, or name the file"
)

ENTRY_POINTS = [
    Case("no entry point", CPROG, "no entry point; name the command to run, such as --entrypoint python", status=2),
    Case("empty", (*CPROG, "--entrypoint", ""), "--entrypoint is empty; see `conda coex create --help`", status=2),
    Case("blank", (*CPROG, "--entrypoint", " '' "), "the entry point is empty; name a command, as in"),
    Case(
        "unbalanced quotes",
        (*CPROG, "--entrypoint", "cprog 'a"),
        'the entry point "cprog \'a" cannot be split into words: No closing quotation',
    ),
    Case("no name", (*CPROG, "--entrypoint", "=cprog"), "the entry point '=cprog' has no name before its ="),
    Case("no command", (*CPROG, "--entrypoint", "x="), "the entry point is empty"),
    Case("one name twice", (*CPROG, *RUN, *RUN), "two entry points are called 'cprog'; name one, as in NAME=COMMAND"),
    Case("no such module", (*CPROG, "--entrypoint", "a.b:c"), "the entry point 'a.b:c' names a module that is neither"),
    Case(
        "function without a Python",
        (*CPROG, "--entrypoint", "tool:main", "tool.py"),
        "the environment has no Python to run 'tool:main'; add python",
        files(tool_py=""),
    ),
    Case("no assignment", (*CPROG, *RUN, "--env", "A B=c"), "--env 'A B=c' is not an assignment; write NAME=VALUE"),
    Case("kept variable", (*CPROG, *RUN, "--env", "PATH=c"), "--env cannot set PATH"),
    Case("pattern without a match", (*CPROG, *RUN, "x*/**"), "x*/**: matches no file or directory for the app"),
    Case("target outside", (*CPROG, *RUN, "a.txt=../b"), "a.txt: has a target outside the app, ../b", files(a_txt="")),
    Case(
        "unknown command",
        (*CPROG, "--entrypoint", "no-such-program -x"),
        f"the entry point 'no-such-program' {NEITHER}",
    ),
    Case(
        "script that is nowhere",
        (*CPROG, "--entrypoint", "app.py"),
        "file of the app; name a file that is here, or that is among the paths of the app",
    ),
    Case(
        "module without a function",
        (*CPROG, "--entrypoint", "shop.web", "shop"),
        "write 'python -m shop.web' to run the module, or shop.web:NAME to call a function of it",
        package_shop,
    ),
    Case(
        "mistyped command",
        (*CPROG, "--entrypoint", "cprgo -x"),
        "neither a command of the environment nor a file of the app; did you mean cprog?",
    ),
    Case(
        "missing file",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "./tol.py"),
        "./tol.py: no such file for the entry point; did you mean ./tool.py?",
        files(tool_py=""),
    ),
    Case(
        "pipe",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "./pipe"),
        "./pipe: is not a regular file, as an entry point has to be",
        lambda work: os.mkfifo(work / "pipe"),
    ),
    Case(
        "link that leads nowhere",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "./link"),
        "./link: is a symbolic link that leads nowhere",
        lambda work: (work / "link").symlink_to("nowhere"),
    ),
    Case(
        "directory",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "./shop"),
        "./shop: is a directory without a __main__.py, which nothing runs; name a file of it",
        package_shop,
    ),
    Case(
        "script that is a pipe",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "python pipe"),
        "pipe: is not a regular file, as an entry point has to be",
        lambda work: os.mkfifo(work / "pipe"),
    ),
    Case(
        "missing script",
        (*CREATE, "-c", "{work}/no-channel", "--package", "cprog", "--entrypoint", "x=python -u tol.py"),
        "tol.py: no such file here or in the app, for the entry point; did you mean tool.py?",
        files(tool_py=""),
    ),
    Case(
        "word that is a file here",
        (*CPROG, "--entrypoint", "cprog --config=conf.yml"),
        "conf.yml: the entry point names it, and it is not in the app; name it among the paths of the app, or write "
        "${PWD}/conf.yml if the caller's is meant",
        files(conf_yml="a"),
    ),
    Case(
        "line of a shell",
        (*CPROG, "--entrypoint", "cprog a && cprog b"),
        "the entry point is a line of a shell, with &&",
    ),
    Case("directory of the caller", (*CPROG, "--entrypoint", "cd app"), "of the app; it runs where the caller is"),
    Case(
        "line of Windows",
        (*CPROG, "--entrypoint", "./tool"),
        "tool: the entry point has a #! line that ends with CR, as on Windows; change its line ends: sed",
        files(tool="#!/bin/sh\r\necho\r\n"),
    ),
    Case(
        "interpreter of the builder",
        (*CPROG, "--entrypoint", "./tool"),
        "begins with #!/opt/x/bin/cprog, which another host does not have; write #!/usr/bin/env cprog",
        files(tool="#!/opt/x/bin/cprog\n"),
    ),
    Case("library of the environment", (*CPROG, "--entrypoint", "libcgreet"), f"the entry point 'libcgreet' {NEITHER}"),
    Case(
        "directory",
        (*CPROG, "--entrypoint", "tool", "tool"),
        f"the entry point 'tool' {NEITHER}",
        lambda work: (work / "tool").mkdir(),
    ),
    Case(
        "no program",
        (*CPROG, "--entrypoint", "notes.txt"),
        "notes.txt: the entry point is not a program: it has no #! line and no suffix of a known language; begin",
        files(notes_txt="buy milk\n"),
    ),
    Case(
        "empty file",
        (*CPROG, "--entrypoint", "./tool"),
        "tool: the entry point is empty; write it first",
        files(tool=""),
    ),
    Case(
        "missing interpreter",
        (*CPROG, "--entrypoint", "tool.py"),
        "tool.py: the environment has no python to run it; add a package that has it, or begin the file with a #! line",
        files(tool_py="print(1)\n"),
    ),
]

SOURCES = [
    Case("missing source", (*CPROG, *RUN, "data"), "data: no such file or directory for the app"),
    Case("empty name", (*CPROG, *RUN, ""), "PATH[=TARGET] is empty; see `conda coex create --help`", status=2),
    Case(
        "empty name in a file", (*CPROG, *RUN), "an app file has an empty name",
        lambda work: (work / "coex.toml").write_text('app = [""]\n'),
    ),
    Case(
        "dangling link",
        (*CPROG, *RUN, "odd"),
        "odd: a symbolic link that leads nowhere",
        lambda work: (work / "odd").symlink_to("x"),
    ),
    Case(
        "link to itself",
        (*CPROG, *RUN, "odd"),
        "odd: a symbolic link that leads nowhere",
        lambda work: (work / "odd").symlink_to("odd"),
    ),
    Case(
        "pipe",
        (*CPROG, *RUN, "odd"),
        "odd: cannot be in the app: neither a file nor a directory",
        lambda work: os.mkfifo(work / "odd"),
    ),
    Case(
        "socket in a directory", (*CPROG, *RUN, "."), "odd: cannot be in the app: neither a file nor a directory", bind
    ),
    Case("device", (*CPROG, *RUN, "/dev/full"), "/dev/full: cannot be in the app: neither a file nor a directory"),
    Case(
        "unreadable directory",
        (*CPROG, *RUN, "locked"),
        "locked: cannot be read for the app: Permission denied",
        lock_directory,
        powerless=True,
    ),
    Case(
        "unreadable file",
        (*CPROG, *RUN, "data"),
        "data/locked: cannot be read for the app: permission denied",
        lock_file,
        powerless=True,
    ),
    Case(
        "output as source",
        (*CPROG, *RUN, OUTPUT),
        f"{OUTPUT}: is the output and cannot be in the app; name another file with -o",
    ),
    Case(
        "two files of one name",
        (*CPROG, *RUN, "{work}/a/notes", "{work}/b/notes"),
        "/b/notes: would have the same place in the app as ",
        same_place,
    ),
    Case(
        "file and directory of one name",
        (*CPROG, *RUN, "{work}/a/x", "{work}/b/x"),
        "/b/x: another source has a directory in its place, app/x; rename one",
        file_and_directory,
    ),
]


@pytest.mark.parametrize(
    "case",
    [*with_json(ENTRY_POINTS[3:5]), *ENTRY_POINTS[:3], *ENTRY_POINTS[5:], *with_json(SOURCES[:1]), *SOURCES[1:]],
    ids=str,
)
def test_app_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())


def test_repetition_is_allowed(bench: Bench, work: Path) -> None:
    """The same file under one name, given several times and by several paths; an older output is left out."""
    names = ("notes", "./notes", "data/../notes", "{work}/notes", "data", "data/deep", ".")
    done = bench.run(Case("", (*CPROG, *RUN, *names), "", _fill), work).done
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in bench.inspect(work / OUTPUT)["app"]] == ["data/deep/file", "notes"]


def _fill(work: Path) -> None:
    (work / "data/deep").mkdir(parents=True)
    (work / "data/deep/file").touch()
    (work / "notes").touch()
