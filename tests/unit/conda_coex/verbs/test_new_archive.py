"""The date of a build is that of the user, or of the newest package; odd dates of packages do no harm."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from conda_coex.errors import InputError
from conda_coex.root.package import Package
from conda_coex.verbs.new_archive import build_date

DAY = int(dt.datetime(2024, 5, 6, tzinfo=dt.timezone.utc).timestamp())


def packages(*stamps: object) -> list[Package]:
    records = [{"name": "demo", "timestamp": stamp} for stamp in stamps]
    return [Package(record, Path("/nowhere"), None, (), (), None, None) for record in records]


REFUSED = ("-5", "1.5", " 12", "1e9", "\u00b2", "\u0663", "253402300800", "9" * 30, "9" * 50_000, "now")


@pytest.mark.parametrize("chosen", REFUSED)
def test_date_that_is_refused(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", chosen)
    with pytest.raises(InputError, match=r"SOURCE_DATE_EPOCH is '.*', and not a number of seconds") as raised:
        build_date(packages(DAY))
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("chosen", ["0", "00012", "1600000000", "253402300799"])
def test_chosen_date(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", chosen)
    assert build_date(packages(DAY)) == int(chosen)


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_date_of_the_newest_package(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds, in milliseconds as in conda, and smaller."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    others = (None, 0, "", DAY - 1, -DAY, float("nan"), float("inf"), "soon", [], str(DAY - 2))
    assert build_date(packages(*others, DAY * factor)) == DAY
