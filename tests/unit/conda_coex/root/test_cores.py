"""Sources to compile take a core before frames to compress, and no more work is done at a time than there are cores."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from conda_coex.root.cores import Cores


def test_sources_come_first() -> None:
    cores, order = Cores(1), list[str]()

    def work(kind: str) -> None:
        with cores.to_compile() if kind == "compile" else cores.to_compress():
            order.append(kind)

    with ThreadPoolExecutor(3) as pool:
        with cores.to_compress():
            for number, kind in enumerate(["compress", "compress", "compile"], 1):
                pool.submit(work, kind)
                while waiting(cores) < number:
                    threading.Event().wait(0.001)
        pool.shutdown()
    assert order == ["compile", "compress", "compress"]


def waiting(cores: Cores) -> int:
    """Return how many threads wait for a core."""
    return len(cores._changed._waiters)  # type: ignore[attr-defined]


def test_no_more_than_the_cores() -> None:
    cores, running, most = Cores(2), list[int](), list[int]()

    def work(number: int) -> None:
        with cores.to_compile() if number % 3 else cores.to_compress():
            running.append(number)
            most.append(len(running))
            threading.Event().wait(0.001)
            running.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    assert max(most) == 2
    assert running == []


@pytest.mark.parametrize("kind", ["to_compile", "to_compress"])
def test_failed_work_gives_its_core_back(kind: str) -> None:
    cores = Cores(1)
    for _ in itertools.repeat(None, 2):
        with pytest.raises(OSError, match="no room"), getattr(cores, kind)():
            raise OSError("no room")


@pytest.mark.parametrize("kind", ["to_compile", "to_compress"])
def test_end_of_a_build_that_failed(kind: str) -> None:
    """Work that waits for a core does not begin, even after a core is free."""
    cores, done = Cores(1), list[str]()

    def work() -> None:
        with getattr(cores, kind)():
            done.append(kind)

    with ThreadPoolExecutor(1) as pool:
        with cores.to_compile():
            future = pool.submit(work)
            while not waiting(cores):
                threading.Event().wait(0.001)
            cores.end()
            assert isinstance(future.exception(), CancelledError)
        assert isinstance(pool.submit(work).exception(), CancelledError)
    assert done == []
