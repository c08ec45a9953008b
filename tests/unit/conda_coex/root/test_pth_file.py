"""Lines of .pth files, compared with CPython's own `site`, which adds paths and runs code."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conda_coex.root.pth_file import parse

# Reads directories as JSON; prints for each the paths that `site` adds to sys.path, and the words that code there adds
# to sys.argv.
SITE = """
import json, site, sys, traceback
usual, found = list(sys.path), []
for place in json.load(sys.stdin):
    sys.path, sys.argv = list(usual), []
    site.addsitedir(place, set())
    found.append([sys.path[len(usual):], sys.argv])
print(json.dumps(found))
"""
FILES = {
    "comments": "# one\n#two\n  # three\ntwo\n",
    "blank": "\n   \n\t\none\n",
    "no end": "one\ntwo",
    "windows": "one\r\n\r\ntwo\r\nimport sys; sys.argv.append('1')\r\n",
    "mac": "one\rtwo\r",
    "spaces": " one\none  \n\ttwo\n",
    "code": "import sys; sys.argv.append('1')\nimport\tsys; sys.argv.append('2')\nimportant\nimport\n",
    "indented code": " import sys; sys.argv.append('1')\none\n",
    "relative": "one/two\n../a/one\n./one\n.\n",
    "twice": "one\none\n",
    "not ascii": "é\none\n",
    "empty": "",
}
WORDS = ("one", "two", "one/two", "é", "# x", "import sys; sys.argv.append('3')", "important", "", "x y", "#")
ENDS = ("\n", "\r\n", "\r", " \n", "\t\n", "\n\n", "")


def drawn(number: int) -> str:
    draw = random.Random(number)
    return "".join(
        draw.choice(("", "", " ", "\t")) + draw.choice(WORDS) + draw.choice(ENDS[: 6 + (rest == 0)])
        for rest in reversed(range(draw.randrange(6)))
    )


def pythons() -> list[str]:
    """Return the Pythons from 3.10 on, whose `site` reads text with the universal newlines that `parse` knows."""
    roots = Path.home() / ".pyenv/versions"
    return [sys.executable, *map(str, roots.glob("3.1[0-9]*/bin/python"))]


def as_parsed(place: Path, text: str) -> list[list[str]]:
    """Return the work of `site` for a file: the existing directories that it adds, the code that it runs."""
    paths: dict[str, None] = {str(place): None}
    codes: list[str] = []
    for line in parse(text):
        if line.path is not None and Path(full := os.path.normpath(place / line.path)).exists():
            paths[full] = None
        if line.code is not None:
            codes.append(line.code.partition("append('")[2].rstrip("')"))
    return [list(paths), codes]


@pytest.mark.parametrize("python", pythons())
def test_as_site(python: str, tmp_path: Path) -> None:
    texts = {**FILES, **{f"drawn {number}": drawn(number) for number in range(200)}}
    places = []
    for name, text in texts.items():
        place = tmp_path / name.replace(" ", "-") / "a"
        for directory in ("one/two", "two", "é", "x y", "important", "import", "# x", " one"):
            (place / directory).mkdir(parents=True)
        (place / "x.pth").write_bytes(text.encode())
        places.append(place)
    command = [python, "-I", "-S", "-X", "utf8", "-c", SITE]
    done = subprocess.run(
        command, input=json.dumps(list(map(str, places))), stdout=subprocess.PIPE, text=True, check=False
    )
    found = json.loads(done.stdout)
    expected = [as_parsed(place, text) for place, text in zip(places, texts.values(), strict=True)]
    assert dict(zip(texts, found, strict=True)) == dict(zip(texts, expected, strict=True))


def test_byte_order_mark() -> None:
    """Python 3.13 and newer skip it; older ones find no such directory."""
    assert [line.path for line in parse("\ufeffone\ntwo\n")] == ["one", "two"]


@pytest.mark.parametrize("text", [*FILES.values(), "\ufeffone\r\n", "a\0b\none"])
def test_texts_are_the_file(text: str) -> None:
    assert "".join(line.text for line in parse(text)) == text
