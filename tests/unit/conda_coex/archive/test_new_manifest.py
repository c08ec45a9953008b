"""The needs of a host in a manifest are those that packages state, as conda reads them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from conda.models.match_spec import MatchSpec

from conda_coex.archive.new_manifest import virtual_packages
from conda_coex.root.package import Package

DEPENDS = (
    ("__glibc >=2.17,<3.0.a0", "zlib >=1.2", "__unix"),
    ("__glibc>=2.28", "__cuda 12.*|>=13", "__osx", "__archspec 1 x86_64_v3"),
    ("__glibc >=2.17,<3.0.a0",),
)


def package(depends: object) -> Package:
    record = {"name": "demo", "version": "1", "build": "0", "depends": depends}
    return Package(record, Path("demo"), None, (), (), None, None)


@pytest.mark.parametrize("kind", [tuple, list])
def test_needs_of_the_host(kind: type[tuple[str, ...]] | type[list[str]]) -> None:
    found = virtual_packages(package(kind(depends)) for depends in DEPENDS)
    expected = defaultdict(set)
    for spec in (MatchSpec(text) for depends in DEPENDS for text in depends):
        if spec.name.startswith("__"):
            fields = [spec.get_raw_value("version"), spec.get_raw_value("build")]
            expected[spec.name].add(" ".join(str(field) for field in fields if field is not None))
    assert found == {name: sorted(texts) for name, texts in sorted(expected.items())}


@pytest.mark.parametrize("depends", [None, "__glibc", 5])
def test_a_record_of_another_shape_needs_nothing(depends: object) -> None:
    assert virtual_packages([package(depends)]) == {}
