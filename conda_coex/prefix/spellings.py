"""Find other names of a live prefix in its files: links that lead to it, and paths where it was before."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..root.source import OnDisk, Patched, read_part, sha256_of
from .package_plans import unrelocated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..conda_api.installed_records import InstalledRecord
    from ..root.package import PathRow

START = 4 << 10  # bytes at the start of a file that are searched
FILES = 200  # number of files of packages that are searched
MANY = 3  # commands with the same path: that is not chance
SPACES = 9  # in a path of a command line
TOKEN = re.compile(r"(?<![\w.~+%-])/[^\s\"'`<>|;:,=()\[\]{}$*?\\\0]+")
INSIDE = re.compile(r"/(?=(?:bin|lib|libexec|include|share|etc|ssl|conda-meta)(?:/|\Z))")


@dataclass
class Aliases:
    """Other paths of a prefix, and commands of it that belong to another environment."""

    names: list[str] = field(default_factory=list)  # paths that lead to it
    former: list[str] = field(default_factory=list)  # paths that do not exist any more
    foreign: dict[str, str] = field(default_factory=dict)  # command, prefix of the other environment


def find_aliases(prefix: Path, records: Sequence[InstalledRecord]) -> Aliases:
    """Return the other names of a prefix in files where conda, pip and users write its path.

    A path that does not exist is a former name if conda itself wrote it: the environment was moved.
    """
    aliases = Aliases()
    known = {os.path.abspath(prefix), os.path.realpath(prefix)}  # noqa: PTH100  # links are kept
    written = [(name, False) for name in _of_history(prefix)]
    for path, row in islice(_of_conda(records), FILES):
        start, placeholder = _start(prefix / path), row.get("prefix_placeholder") or ""
        # conda-pack copied it, and nobody ran conda-unpack; a word that is not a path may be in other files by chance
        if placeholder.startswith("/") and placeholder.encode() in start:
            written.append((placeholder, True))
        written_there = _heads(prefix, os.fsdecode(start))
        written += [(name, _is_proved(name, prefix / path, start, row)) for name in written_there]
    commands = _commands(prefix)
    written += [(name, True) for name in _of_many(prefix, commands, records)]
    for line in commands.values():
        written += [(name, False) for name in _heads(prefix, line)]
    for name, is_condas in dict.fromkeys(written):
        if name in known or not name.isprintable():
            continue
        if _is_same(name, prefix):
            known.add(name)
            aliases.names.append(name)
        elif is_condas and not os.path.lexists(name):
            known.add(name)
            aliases.former.append(name)
    for path, line in commands.items():
        heads = [name for name in _heads(prefix, line) if name not in known and _is_environment(name)]
        aliases.foreign.update((path, name) for name in heads[:1])
    return aliases


def _of_history(prefix: Path) -> Iterator[str]:
    """Yield paths in the command lines of conda's history that may be the prefix."""
    try:
        text = (prefix / "conda-meta/history").read_text("utf-8", "replace")
    except OSError:
        return
    for words in re.findall(r"^# cmd: .*?(?: -p |--prefix[= ])(/.*)$", text, re.MULTILINE):
        parts = words.split(" ")  # conda does not quote them, and a path may have spaces
        yield from (os.path.normpath(" ".join(parts[:end])) for end in range(1, min(len(parts), SPACES) + 1))


def _of_conda(records: Iterable[InstalledRecord]) -> Iterator[tuple[str, PathRow]]:
    """Yield the paths of texts into which conda wrote the prefix, with their rows."""
    for record in records:
        for path, row in record.rows:
            is_text = row.get("prefix_placeholder") and row.get("file_mode") != "binary"
            if is_text or row.get("path_type") == "unix_python_entry_point":
                yield path, row


def _of_many(prefix: Path, commands: dict[str, str], records: Iterable[InstalledRecord]) -> list[str]:
    """Return prefixes whose Python many commands of packages name: old records have no checksums to prove it."""
    managed = {path for record in records for path, _ in record.rows}
    counts: Counter[str] = Counter()
    for path, line in commands.items():
        match = re.match(r"#!(/\S+)/(bin/python[\d.]*)(\s|\Z)", line)
        if match and path in managed and os.path.lexists(prefix / match[2]):
            counts[match[1]] += 1
    return [name for name, count in counts.items() if count >= MANY]


def _is_proved(name: str, path: Path, start: bytes, row: PathRow) -> bool:
    """Return whether conda wrote a path: with the placeholder in its place, the file has the package's checksum."""
    placeholder = row.get("prefix_placeholder")
    if not placeholder:
        return start.startswith(f"#!{name}/bin/python".encode())
    with contextlib.suppress(OSError), OnDisk(path).opened() as data:
        original = Patched(OnDisk(path), tuple(unrelocated(data, name.encode(), str(placeholder).encode(), "text")))
        return sha256_of(original.over(data)) == row.get("sha256")
    return False


def _start(path: Path) -> bytes:
    try:
        return read_part(path, 0, START) if path.is_file() else b""
    except OSError:
        return b""


def _commands(prefix: Path) -> dict[str, str]:
    """Return the first two lines of each script among the commands, by path."""
    commands = {}
    try:
        entries = sorted(os.scandir(prefix / "bin"), key=lambda entry: entry.name)
    except OSError:
        return {}
    for entry in entries:
        if entry.is_file() and not entry.is_symlink() and os.access(entry.path, os.R_OK):
            with Path(entry.path).open("rb") as stream:
                text = os.fsdecode(stream.read(START))
            if text.startswith("#!"):
                commands[f"bin/{entry.name}"] = "\n".join(text.split("\n")[:2])
    return commands


def _heads(prefix: Path, text: str) -> Iterator[str]:
    """Yield paths in a text that may be names of the prefix: itself, or followed by a path that the prefix has."""
    for token in dict.fromkeys(TOKEN.findall(text)):
        path = token.rstrip("/.")
        if _is_same(path, prefix):
            yield path
        for cut in INSIDE.finditer(path):
            head, rest = path[: cut.start()], path[cut.end() :]
            if head.strip("/") and os.path.lexists(prefix / rest) and rest not in ("bin", "lib", "share", "etc"):
                yield head


def _is_same(name: str, prefix: Path) -> bool:
    try:
        return os.path.samefile(name, prefix)  # noqa: PTH121
    except (OSError, ValueError):
        return False


def _is_environment(name: str) -> bool:
    return any(os.access(f"{name}/{mark}", os.F_OK) for mark in ("conda-meta", "pyvenv.cfg"))
