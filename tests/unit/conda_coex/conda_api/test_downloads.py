"""Errors of downloads name the packages that conda did not get."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from conda import CondaError, CondaMultiError

from conda_coex.conda_api import downloads
from conda_coex.conda_api.package_cache import RECORD
from conda_coex.errors import FetchFailed

if TYPE_CHECKING:
    from pathlib import Path


class Fetcher:
    """conda's object after a run in which it got some packages."""

    def __init__(self, directory: Path, got: int, others: int) -> None:
        self.paired_actions = {}
        for number in range(got + others):
            target = directory / f"p{number}-1-0"
            (target / RECORD).parent.mkdir(parents=True)
            if number < got:
                (target / RECORD).touch()
            spec = {"url": f"https://user:secret@example.com/p{number}-1-0.conda"}
            extraction = SimpleNamespace(record_or_spec=spec, target_full_path=str(target))
            self.paired_actions[number] = (None, extraction)
        self.paired_actions[-1] = (None, None)


@pytest.mark.parametrize(("others", "more"), [(1, ""), (5, " and 2 more")])
def test_error_of_the_system(tmp_path: Path, others: int, more: str) -> None:
    """It may name no file, as one of a disk that fails."""
    errors = CondaMultiError([OSError(errno.EIO, "Input/output error")] * 2)
    with pytest.raises(FetchFailed) as caught:
        downloads._raise_as_one(errors, Fetcher(tmp_path, 2, others))
    urls = ", ".join(f"https://example.com/p{number}-1-0.conda" for number in range(2, 2 + min(others, 3)))
    assert str(caught.value) == f"[Errno 5] Input/output error; conda did not get {urls}{more}"


def test_errors_of_conda(tmp_path: Path) -> None:
    """Equal ones are one; different ones are raised as they are."""
    fetcher = Fetcher(tmp_path, 0, 1)
    with pytest.raises(CondaError, match=r"^gone$"):
        downloads._raise_as_one(CondaMultiError([CondaError("gone"), CondaError("gone")]), fetcher)
    with pytest.raises(CondaMultiError):
        downloads._raise_as_one(CondaMultiError([CondaError("gone"), CondaError("late")]), fetcher)
