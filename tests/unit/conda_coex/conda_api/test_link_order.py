"""The order in which packages are linked, also if conda's graph fails."""

from __future__ import annotations

from conda.models.channel import Channel
from conda.models.records import PackageRecord

from conda_coex.conda_api.versions import link_order


def record(name: str, *depends: str) -> PackageRecord:
    return PackageRecord(
        name=name, version="1.0", build="0", build_number=0, channel=Channel("main"), subdir="noarch",
        fn=f"{name}-1.0-0.conda", depends=depends,
    )  # fmt: skip


def names(*records: PackageRecord) -> list[str]:
    return [each.name for each in link_order(records)]


def test_dependencies_first() -> None:
    assert names(record("a", "b"), record("c"), record("b", "c")) == ["c", "b", "a"]


def test_menuinst_without_python() -> None:
    """`conda create --file` takes such a list."""
    assert names(record("menuinst"), record("a", "b"), record("b")) == ["b", "a", "menuinst"]
    assert names(record("menuinst", "python"), record("python")) == ["python", "menuinst"]
