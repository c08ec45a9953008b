"""The pages about cluster engines are run with the engines themselves: ``./dev cluster`` does that."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import pytest
from documentation.conftest import make_user
from documentation.test_pages import DOCS, as_on_the_page, check_page
from testbed.engines import ENGINES, missing, prepare

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
        check_page(DOCS / f"how-to/{name}.md", {**user, **variables}, rename)
