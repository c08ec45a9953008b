"""Gather the frames of one group while they are compressed, and keep them in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .frames import Packed, Place, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..root.content import Content
    from ..root.layout import Group
    from .frame_cache import EntryWriter


class Filling:
    """The frames of one group while they are made; a content that occurs twice in it is stored once."""

    def __init__(self, writer: EntryWriter | None, group: Group) -> None:
        self.writer, self.group = writer, group
        self.frames: list[tuple[int, int, str]] = []
        self.places: dict[str, Place] = {}
        self.twins: list[tuple[Content, str]] = []  # and origin of the same content before it
        self.contents = list(self._once(ordered(group.all_files)))

    def _once(self, contents: Iterable[Content]) -> Iterable[Content]:
        origins: dict[tuple[object, ...], str] = {}
        for content in contents:
            if not content.size:
                continue
            if content.sha256 is not None:
                key = (content.sha256, content.size, content.relocation)
                if key in origins:
                    self.twins.append((content, origins[key]))
                    continue
                origins[key] = content.name_in_group
            yield content

    def take(self, packed: Packed) -> None:
        """Note the places of the files of the next frame, and keep the frame."""
        number, offset = len(self.frames), 0
        self.frames.append((len(packed.data), packed.content, packed.sha256))
        for piece in packed.pieces:
            if not piece.start:
                content, edits = piece.content, packed.edits[piece.content.name_in_group]
                self.places[content.name_in_group] = Place(number, offset, content.size, edits, content.mtime_ns)
            offset += piece.length
        if self.writer is not None:
            self.writer.write(packed)

    def finish(self) -> None:
        """Place the twins, and commit the frames to the cache."""
        for twin, first in self.twins:
            self.places[twin.name_in_group] = self.places[first]._replace(mtime_ns=twin.mtime_ns)
        if self.writer is not None:
            self.writer.commit(self.frames, self.places, self.group.all_files)

    def abandon(self) -> None:
        """Leave nothing in the cache."""
        if self.writer is not None:
            self.writer.abandon()
