"""Notes on a packed live prefix: the places in which its binaries let it unpack, and links that lead out of it."""

from __future__ import annotations

import pytest
from coex_bootstrap.format.relocation import in_binary

from conda_coex.errors import InputError
from conda_coex.root.content import Content, Link
from conda_coex.root.source import InMemory
from conda_coex.verbs.pack_notes import LISTED, limits, outside_links, shown


def binaries(**prefixes: str) -> list[Content]:
    """Return binaries of live prefixes, by name."""
    return [
        Content(f"prefix/{name}", 0o644, 0, InMemory(b""), 0, None, in_binary(prefix, ((0, ((0, 9),)),)))
        for name, prefix in prefixes.items()
    ]


def test_long_prefix_limits_nothing() -> None:
    assert list(limits(binaries(a="/" + "x" * 99))) == []


def test_shortest_comes_first() -> None:
    envs = "/home/me/miniconda3/envs"
    (said,) = limits(binaries(a=f"{envs}/some-project", b=f"{envs}/a-project", c="/x" * 70))
    assert said.startswith("the archive unpacks only if its prefix has at most 34 bytes, because of b, a:")


def test_an_archive_that_starts_nowhere_is_refused() -> None:
    with pytest.raises(InputError, match=r"b has room for 32 bytes.*takes 34") as refused:
        list(limits(binaries(a="/home/me/miniconda3/envs/some-project", b="/home/me/miniconda3/envs/project")))
    assert "--exclude" in str(refused.value)


def test_links_that_lead_out() -> None:
    links = [Link("prefix/b", "/etc/hosts"), Link("prefix/lib/a", "../../x"), Link("prefix/lib/c", "../b")]
    assert [said.partition(": ")[2] for said in outside_links(links)] == ["b -> /etc/hosts, lib/a -> ../../x"]
    assert list(outside_links(links[2:])) == []


def test_a_note_lists_the_first() -> None:
    assert shown([str(n) for n in range(LISTED + 2)]) == "0, 1, 2, 3, 4 and 2 more"
