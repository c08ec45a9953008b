"""Make notes on lines of a shell script of the app that fit the builder alone: they enter an environment or a place."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import HOST_SHELLS

from .names import OF_THE_HOST

if TYPE_CHECKING:
    from ..root.content import Content

SUFFIXES = {".sh", ".bash", ".zsh", ".ksh"}
SHOWN = 60  # characters of a line
ENTER = re.compile(r"(?:(?:source|\.)[ \t]+(?:\S*/)?|(?:conda|mamba|micromamba)[ \t]+)activate\b.*")
THROUGH = re.compile(r"(?:exec[ \t]+)?((?:conda|mamba|micromamba|pixi|poetry|pipenv|uv)[ \t]+run)[ \t].*")
GO = re.compile(r"(?:cd|pushd)[ \t]+[\"']?(/[^\s;&|\"'$*]+)")
ANYWHERE = '[ -n "$COEX_APP" ] || before it'


def shell_notes(path: str, entry: Content) -> list[str]:
    """Return the notes on the first line of each kind in a script at a path of the root."""
    data = entry.read() or b""
    if not _is_shells(path, data):
        return []
    script = path.removeprefix("app/")
    notes: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "backslashreplace").split("\n"), 1):
        words = line.strip()
        entering, going = ENTER.match(words) or THROUGH.match(words), GO.match(words)
        if entering:
            what = f"the line out, or write {ANYWHERE}" if entering.re is ENTER else f"out the words of {entering[1]}"
            remedy = f"that of the archive is active already; leave {what}"
            shown = entering[0] if len(entering[0]) <= SHOWN else f"{entering[0][:SHOWN]}…"
            notes.setdefault("enter", f"{script} enters an environment in line {number}, {shown}: {remedy}")
        elif going and not (going[1] + "/").startswith(tuple(f"{place}/" for place in OF_THE_HOST)):
            remedy = 'write "$COEX_APP" if the place of the app is meant'
            notes.setdefault("go", f"{script} goes to {going[1]} in line {number}, which a host may not have; {remedy}")
    return list(notes.values())


def _is_shells(path: str, data: bytes) -> bool:
    if not data.startswith(b"#!"):
        return posixpath.splitext(path)[1] in SUFFIXES
    words = data[2:].split(b"\n", 1)[0].decode("utf-8", "backslashreplace").split()
    return any(posixpath.basename(word) in HOST_SHELLS for word in words)
