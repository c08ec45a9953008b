"""Fixtures of the builder's unit tests: these leave conda's settings as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conda.base.context import context

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    """Take back each overridden setting: conda's `context._override` leaves the old value set, for good."""
    before = set(vars(context))
    yield
    for name in vars(context).keys() - before:
        delattr(context, name)
