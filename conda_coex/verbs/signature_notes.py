"""Make notes on binaries that a Mac has to sign itself, because a build cannot renew their signatures."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import BINARY
from coex_bootstrap.unpack.mach_o import Unrenewable, signed_pages

from ..archive.placeholders import find_edits
from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..root.layout import Layout
    from ..root.source import Searched

PLATFORM = "osx-arm64"  # macOS starts unsigned binaries for Intel processors
NAMED = 5  # files in one note
MEANING = (
    "They get an ad-hoc signature: that of a certificate is lost. If codesign fails, so does the start, and an "
    "environment that is unpacked on another system does not run before they are signed"
)


def files_for_codesign(layout: Layout, platform: str) -> Iterator[str]:
    """Yield notes on the relocated binaries whose signature only the system's codesign can make."""
    if platform != PLATFORM:
        return
    needed: list[str] = []
    broken: list[str] = []
    for path, item in sorted(layout.entries.items()):
        error = _unrenewable(item) if isinstance(item, Content) else None
        if error is not None:
            (needed if error.needed else broken).append(f"{path.removeprefix('prefix/')} ({error})")
    if needed:
        yield f"the first start on a Mac signs {_files(needed)} with /usr/bin/codesign. {MEANING}"
    if broken:
        yield (
            f"macOS probably does not load {_files(broken)}, with conda either, because of a signature that cannot be "
            "read. The first start on a Mac tries /usr/bin/codesign, and leaves a file as it is if that fails"
        )


def _files(named: list[str]) -> str:
    more = f", and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"{'this file' if len(named) == 1 else 'these files'} ({', '.join(named[:NAMED])}{more})"


def _unrenewable(item: Content) -> Unrenewable | None:
    """Return why the signature of a relocated file cannot be renewed; None if it can, or need not be."""
    if item.relocation is None or item.relocation.kind != BINARY or item.source is None:
        return None
    with contextlib.suppress(OSError), item.source.searched() as data:  # the payload reads it too, and reports that
        try:
            signed_pages(lambda first, last: data[first:last], len(data))
        except Unrenewable as error:
            return error if _is_changed(item, data) else None
    return None


def _is_changed(item: Content, data: Searched) -> bool:
    """Return whether a relocation changes a file: packages record a placeholder for others, too."""
    edits = item.edits
    return bool(find_edits(data, item.placeholder or "", "binary") if edits is None else edits)
