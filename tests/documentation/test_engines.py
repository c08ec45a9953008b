"""The pages about cluster engines are run with the engines themselves: ``./dev cluster`` does that."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import pytest
from documentation.conftest import make_user
from documentation.page import as_on_the_page, check_page
from testbed import cluster
from testbed.engines import ENGINES, Engine, missing, prepare
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout


@pytest.mark.parametrize(
    "name", [pytest.param(each.name, marks=[] if each.quick else pytest.mark.cluster) for each in ENGINES.values()]
)
def test_page_of_engine(name: str, testbed: Layout, tmp_path: Path) -> None:
    engine = ENGINES[name]
    lacking = missing(engine)
    if lacking:
        pytest.skip(f"{name} needs {', '.join(lacking)}")
    places = prepare(testbed, engine)
    channels = (testbed.channel.as_uri(), places.channel.as_uri())
    user = make_user(testbed, tmp_path, *channels, programs=[places.programs])
    rename = partial(as_on_the_page, user=user, testbed=testbed)
    with engine.service() if engine.service else nullcontext({}) as variables:
        check_page(REPOSITORY / f"docs/how-to/{name}.md", {**user, **variables}, rename)


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)  # nothing is installed then
    engine = Engine("none", commands={"sh": "dash", "no-such-program": "its-package"})
    assert missing(engine) == ["no-such-program (Debian's its-package)"]


def test_unknown_engines_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cluster.main(["spark", "hadoop"]) == 2
    assert "dask" in capsys.readouterr().err
