"""The differences of two archives, from their descriptions: every subject, and the lines for a person."""

from __future__ import annotations

import copy
from typing import Any

from conda_coex.inspect.compare import LISTED, compare, render

SAME: dict[str, dict[str, list[str]]] = {}
OLD: dict[str, Any] = {
    "digest": "a", "size": 1000, "unpacked": {"content": 5000}, "platform": "linux-64", "builder": "conda-coex 1",
    "packages": [
        {"name": "kept", "version": "1", "build": "0", "compressed": 10},
        {"name": "newer", "version": "1", "build": "0", "compressed": 20},
        {"name": "gone", "version": "1", "build": "0", "compressed": 30},
    ],
    "pip": [{"name": "a", "version": "1", "sha256": "ab" * 32}, {"name": "b", "version": "1"}],
    "app": [{"path": "x", "sha256": "1"}, {"path": "link", "target": "x"}],
    "entry_points": [{"name": "x", "command": [["app", "x"]]}],
    "env": [{"name": "V", "value": "1", "default": False}],
    "requires": {"__glibc": [">=2.17"]},
    "compile": {"python": "bin/python", "sources": ["lib/m.py"]},
}  # fmt: skip


def shown(new: dict[str, Any], files: dict[str, dict[str, list[str]]]) -> list[str]:
    return list(render(compare(OLD, new, files)))


def test_same() -> None:
    assert shown(OLD, SAME)[0] == "the archives have the same content"
    assert shown({**OLD, "digest": "b", "size": 900}, SAME) == [
        "the archives hold the same, compressed in another way", "size: 1.0 kB -> 900 B (-100 B)",
        "unpacked: 5.0 kB -> 5.0 kB (+0 B)",
    ]  # fmt: skip


def test_every_subject() -> None:
    new = copy.deepcopy(OLD)
    new.update(digest="b", platform="osx-64", compile=None, requires={"__glibc": [">=2.28"], "__cuda": [""]})
    new["packages"][1]["version"] = "2"
    new["packages"][2]["name"] = "came"
    new["pip"] = [{"name": "a", "version": "1", "sha256": "cd" * 32}, {"name": "c", "version": "2", "commit": "e" * 40}]
    new["app"] = [{"path": "x", "sha256": "2"}, {"path": "link", "target": "y"}, {"path": "new", "sha256": "3"}]
    new["entry_points"].append({"name": "y", "command": [["prefix", "bin/y"], ["text", "a b"]]})
    new["env"][0]["default"] = True
    files = {
        "kept": {"added": [], "removed": [], "changed": ["prefix/lib/k.so"]},
        "newer": {"added": [], "removed": [], "changed": ["prefix/lib/n.so"]},
        "gone": {"added": [], "removed": ["prefix/g"], "changed": []},
        "environment": {"added": [f"prefix/{n}" for n in range(LISTED + 2)], "removed": ["p/a.pyc"], "changed": []},
    }
    lines = shown(new, files)
    for line in (
        "packages: 1 added, 1 removed, 2 changed", "  + came  1 0  (+30 B)", "  - gone  1 0  (-30 B)",
        "  ~ kept  1 0, other content  (+0 B)", "      ~ prefix/lib/k.so", "  ~ newer  1 0 -> 2 0  (+0 B)",
        "pip packages: 1 added, 1 removed, 1 changed", "  ~ a  1 abababababab -> 1 cdcdcdcdcdcd",
        "  + c  2 eeeeeeeeeeee", "  - b  1", "app files: 1 added, 2 changed", "  ~ link", "  ~ x", "  + new",
        "  + y  prefix/bin/y 'a b'", "  ~ V=1 -> ?=1", "  - lib/m.py", "  ~ __glibc  >=2.17 -> >=2.28", "  + __cuda",
        "  ~ platform  linux-64 -> osx-64", "files of no package", "      + 2 more files",
        "      - 1 compiled Python file",
    ):  # fmt: skip
        assert line in lines, line
    assert "      ~ prefix/lib/n.so" not in lines  # another version has other files anyway
    assert "gone" not in compare(OLD, new, files).files
