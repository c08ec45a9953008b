"""Fixtures for bad input: a bench to run commands on, and their outcomes, made on all cores at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, OUTPUT, RUN, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Case, Outcome
    from testbed.layout import Layout


@pytest.fixture(scope="session")
def bench(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return the bench; making its archive shows that without the fault of a case all goes well."""
    scratch = tmp_path_factory.mktemp("bench")
    (scratch / "pkgs").mkdir()
    (scratch / "good").mkdir()
    bench = Bench(testbed, scratch, scratch / "good" / OUTPUT)
    command = bench.command((*CPROG, *RUN), scratch)
    subprocess.run(command, cwd=bench.archive.parent, env=bench.environment(), check=True, stdout=subprocess.DEVNULL)
    return bench


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Case, Future[Outcome]]]:
    """Return the outcomes of all chosen cases of the module, which may be to come."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "outcomes" in item.fixturenames
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {case: pool.submit(bench.run, case, tmp_path_factory.mktemp("case")) for case in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def work(bench: Bench, tmp_path: Path) -> Path:
    """Return a directory with a good archive in it."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy2(bench.archive, work / OUTPUT)
    return work
