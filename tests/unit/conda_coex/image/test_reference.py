"""Names of images: those of the reference implementation's own tests."""

from __future__ import annotations

import pytest

from conda_coex.errors import InputError
from conda_coex.image.reference import parse_reference, reference_of


@pytest.mark.parametrize(
    ("text", "short", "full"),
    [
        ("tool", "tool:latest", "docker.io/library/tool:latest"),
        ("me/tool:1.2", "me/tool:1.2", "docker.io/me/tool:1.2"),
        ("localhost/tool", "localhost/tool:latest", "localhost/tool:latest"),
        ("localhost:5000/tool", "localhost:5000/tool:latest", "localhost:5000/tool:latest"),
        ("test.com:8080/a/b__c:t", "test.com:8080/a/b__c:t", "test.com:8080/a/b__c:t"),
        ("ghcr.io/x/y-z:A_b", "ghcr.io/x/y-z:A_b", "ghcr.io/x/y-z:A_b"),
        ("tool:8080", "tool:8080", "docker.io/library/tool:8080"),
    ],
)
def test_names(text: str, short: str, full: str) -> None:
    found = parse_reference(text)
    assert (found.short, found.full) == (short, full)


BAD = [
    "", ":x", "Tool", "a//b", "a/", "/a", "a b", "a:", "a:-x", f"a:{'x' * 129}", "a@sha256:0", "a.-b", "x" * 300, "a\n",
    "host:port/a", "a:b:c", "ä",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_no_names(text: str) -> None:
    with pytest.raises(InputError, match="is not the name of an image"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("name", "short"), [("My Tool_2.0", "my-tool-2-0"), ("--", "coex"), ("ä", "coex"), ("x" * 400, "x" * 255)]
)
def test_after_an_archive(name: str, short: str) -> None:
    assert reference_of(name).short == f"{short}:latest"
