"""Hostile archives for the verbs that only `conda coex` has.

Inspect, comparisons, repack, and `create -f` of an archive.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest
from conda import CondaError
from conda.base.context import context
from conda.plugins import types

from conda_coex.archive import sizes
from conda_coex.cli import main, print_outcome
from conda_coex.errors import CoexError
from conda_coex.verbs import image, repack
from conda_coex.verbs.archive_options import parse_options
from unit.coex_bootstrap import hostile
from unit.coex_bootstrap.siege import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

with pytest.MonkeyPatch.context() as patch:  # a conda that reads no archives has no such class
    patch.setattr(types, "EnvironmentSpecBase", getattr(types, "EnvironmentSpecBase", object), raising=False)
    from conda_coex.cli import archive_spec

COUNT = 40
HANG, MEMORY = 10, 300 << 20


def inspect(**options: Any) -> None:
    known: dict[str, Any] = {"coex_verb": "inspect", "other": None, "sizes": False, "html": None}
    main.execute(Namespace(**{**known, **options}))


def repacked(path: str, output: str, entry_points: tuple[str, ...] = (), *, no_app: bool = False) -> None:
    options = parse_options(entry_points=entry_points, variables=("NEW=1",), output=output, level=1)
    print_outcome.show(repack.repack(repack.RepackRequest(path, options, no_app=no_app)), as_json=False)


def imaged(path: str, place: Path) -> None:
    request = image.ImageRequest(path, place / "image.tar", None, None, (), "gzip", attach_sbom=True)
    print_outcome.show(image.image(request), as_json=False)


def ways(path: str, place: Path) -> list[Callable[[], None]]:
    """Return the functions that read an archive."""
    whole = str(place / "whole.coex")
    (place / "x").write_text("#!/bin/sh\n", "utf-8")
    return [
        lambda: inspect(archive=path),
        lambda: inspect(archive=path, sizes=True, html=str(place / "page.html")),
        lambda: inspect(archive=path, other=whole),
        lambda: inspect(archive=whole, other=path),
        lambda: repacked(path, str(place / "again.coex")),
        lambda: repacked(path, str(place / "again.coex"), no_app=True, entry_points=("tool",)),
        lambda: imaged(path, place),
        lambda: archive_spec.ArchiveSpec(path)._read() and None,
    ]


def ended(work: Callable[[], None], place: Path) -> str:
    """Return the fault in the end of some work, done in a copy of this process."""
    out, err = place / "out", place / "err"
    pid = os.fork()
    if not pid:
        status = 70
        try:
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(HANG)
            try:
                work()
            except (CondaError, CoexError) as error:
                print(f"coex: {error}", file=sys.stderr)
            status = 0
        except BaseException:  # of any class: its text is the outcome
            os.write(2, traceback.format_exc().encode())
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    said, shown = err.read_text("utf-8"), out.read_text("utf-8")
    lines = [line for line in said.splitlines() if not line.startswith("coex: note: ")]
    if status or "can be read (" in said or "fault of conda-coex" in said or len(lines) > 1:
        return f"{status}: {said[-3000:]}"
    odd = [line for line in (shown + said).split("\n") if not is_plain(line)]
    return f"for the terminal: {odd}" if odd else ""


def test_hostile_archives(tmp_path: Path) -> None:
    path = tmp_path / "here" / "x.coex"
    path.parent.mkdir()
    hostile.make(os.fsencode(tmp_path / "whole.coex"), 0)
    for work in ways(str(tmp_path / "whole.coex"), tmp_path):  # with all that they load
        work()
    wrong, before = [], sorted(tmp_path.parent.iterdir())
    for seed in range(COUNT):
        done = hostile.make(os.fsencode(path), seed)
        for number, work in enumerate(ways(str(path), tmp_path)):
            what = ended(work, tmp_path)
            if what:
                wrong.append(f"seed {seed} {done}, way {number}: {what}")
        assert sorted(tmp_path.parent.iterdir()) == before
        assert list(path.parent.iterdir()) == [path]
    assert wrong == []


def test_an_unexpected_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one line about the archive, and with -v conda's report of a fault of ours."""
    path = str(tmp_path / "x.coex")
    hostile.make(os.fsencode(path), 0)
    monkeypatch.setattr("conda_coex.verbs.inspect.describe", lambda archive: archive.nothing)
    said = r"x\.coex: not a coex archive that can be read \(AttributeError: .*COEX_TRACE"
    with pytest.raises(CondaError, match=said):
        inspect(archive=path)
    monkeypatch.setattr(type(context), "verbosity", 1)
    with pytest.raises(AttributeError):
        inspect(archive=path)
    monkeypatch.setattr(type(context), "verbosity", 0)
    monkeypatch.setattr(archive_spec, "_variables", lambda archive: archive.nothing)
    with pytest.raises(CondaError, match=said):
        archive_spec.ArchiveSpec(path)._read()


def test_frame_that_expands_without_end() -> None:
    import zstandard

    frame = zstandard.ZstdCompressor().compress(b"\0" * (1 << 28))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CoexError, match="another size than the index says"):
        sizes.decode(frame, 1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    assert sizes.decode(zstandard.ZstdCompressor(write_checksum=True).compress(b"x" * 1000), 1000) == b"x" * 1000
