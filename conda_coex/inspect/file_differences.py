"""Find which files differ between two archives, by owner; frames that both have need not be decoded."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import HASHES, NOTHING, kind_of, parse
from coex_bootstrap.tools.owners import APP, META, Owners, dist_of
from coex_bootstrap.unpack.expected import sha256_of
from coex_bootstrap.unpack.expected_contents import ExpectedContents

from ..archive.sizes import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.index import File

Differences = dict[str, dict[str, list[str]]]
KINDS = ("added", "removed", "changed")
ANYWHERE = b"/"  # the place at which relocated files are compared
UNMOVED = (NOTHING, HASHES)  # relocations that leave a content as it is


class Side:
    """One of the two archives: its files and links by path."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.rows: dict[bytes, File] = {row.path: row for row in archive.index.files}
        self.links: dict[bytes, bytes] = {link.path: link.target for link in archive.index.links}
        self.numbers = {path: number for number, path in enumerate(self.rows)}
        self.expected = ExpectedContents(archive, ANYWHERE, decode)
        self.owners = Owners(self.expected)
        self.names = {dist_of(p): p["name"] for p in archive.manifest.packages}

    def owner(self, path: bytes) -> str:
        """Return the package that a path belongs to, or the group if it is not of a package."""
        dist = self.owners.of_path(path)
        return str(self.names.get(dist, dist))

    def place(self, row: File) -> tuple[object, ...]:
        """Return a value that is equal for two rows if their contents are the same, at any compression."""
        frames = self.archive.index.frames
        number, left, sums = row.frame, row.size + row.offset, []
        while row.size and left > 0:
            sums.append(frames[number].sha256)
            left, number = left - frames[number].content, number + 1
        kind = kind_of(row.relocation)  # the placeholders of each archive have their own numbers
        relocation = None if kind in UNMOVED else parse(row.relocation, self.archive.index.placeholders)
        return row.size, row.offset if row.size else 0, tuple(sums), kind, relocation

    def hashes(self, paths: Iterable[bytes]) -> dict[bytes, str]:
        """Return the sha256 of files as they are at one prefix, without hashes in them; small ones by frame."""
        expected, files = self.expected, self.archive.index.files
        rows = {self.numbers[path] for path in paths}
        sums = {row: sha256_of(expected.pieces(row)).decode() for row in rows & expected.large}
        sums |= {row: hashlib.sha256(content).hexdigest() for row, content in expected.contents(rows - expected.large)}
        return {files.path(row): sha256 for row, sha256 in sums.items()}


def differ(old: Archive, new: Archive) -> Differences:
    """Return {owner: {added|removed|changed: paths}} of all but the app; packages go by name.

    If a package is in only one archive, so are all its files. The record that conda has of a package is left out:
    it says which spec requested the package. Raises ArchiveDamaged.
    """
    first, second = Side(old), Side(new)
    both = first.rows.keys() & second.rows.keys()
    open_ = [path for path in both if first.place(first.rows[path]) != second.place(second.rows[path])]
    before, after = first.hashes(open_), second.hashes(open_)
    differences: Differences = {}
    for path in sorted((first.rows.keys() | first.links.keys()) | (second.rows.keys() | second.links.keys())):
        kind = _kind(first, second, path, before.get(path) == after.get(path))
        owner = (first if kind == "removed" else second).owner(path)
        if kind is None or owner == APP or (path.startswith(META) and path.endswith(b".json")):
            continue
        differences.setdefault(owner, {name: [] for name in KINDS})[kind].append(os.fsdecode(path))
    return differences


def _kind(first: Side, second: Side, path: bytes, same_content: bool) -> str | None:
    old, new = first.rows.get(path), second.rows.get(path)
    if old is not None and new is not None:
        return None if same_content and old.mode & 0o111 == new.mode & 0o111 else "changed"
    if old is None and new is None and first.links.get(path) == second.links.get(path):
        return None
    there = [path in side.rows or path in side.links for side in (first, second)]
    return "changed" if all(there) else "added" if there[1] else "removed"
