"""Write the payload: compress groups of files on all cores, or take their frames from the cache, and make the rows."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores
from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.index import Directory, File, Frame
from coex_bootstrap.format.index import Link as IndexLink
from coex_bootstrap.format.index_write import IndexDraft
from coex_bootstrap.format.relocation import HASHES, NOTHING, SCRIPT
from coex_bootstrap.format.relocation_write import write, write_slots

from ..errors import FramesDamaged
from ..root.cores import Cores
from ..root.source import OnDisk
from .cache_entry import changed_since
from .filling import Filling
from .frame_reader import FrameReader
from .frames import Packed, Piece, Place, check_source, cut, frame_size, pack
from .new_file import write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from typing import TypeAlias

    from coex_bootstrap.format.relocation import Source

    from ..root.content import Content
    from ..root.layout import Group, Layout
    from .cache_entry import Entry
    from .frame_cache import FrameCache
    from .frame_reader import Whole

    Begun: TypeAlias = tuple[str | None, Entry, list[Frame], Whole]  # identity of a group, and its entry

OPEN = 64  # entries of the cache to copy, at a time: each is an open file


class Payload:
    """The payload of an archive while it is written to a file, from `start` on; collects frames, rows, placeholders."""

    def __init__(
        self, stream: IO[bytes], cache: FrameCache, progress: Callable[[int], None], start: int = 0,
        cores: Cores | None = None, reader: FrameReader | None = None,
    ) -> None:  # fmt: skip
        self.stream, self.cache, self.progress, self.start = stream, cache, progress, start
        self.cores = cores or Cores(usable_cores())
        self.reader = reader or FrameReader(stream, start)
        self.size = 0
        self.frames: list[Frame] = []
        self.rows: list[File] = []
        self.package_frames: list[int] = []  # numbers of the frames that hold packages
        self.placeholders: list[str] = []
        self.compressed: dict[str, int] = {}  # bytes of an owner's frames
        self.frame_checks: list[tuple[int, Callable[[], object]]] = []  # by number of a copied frame
        self._sources: dict[Hashable, Source] = {}  # by owner and origin: where relocated files are, for a slot
        self._fillings: list[Filling] = []  # not yet finished
        self._begun: deque[Begun] = deque()  # the first groups, by identity: their frames are copied now
        self._begun_size, self._can_begin = 0, True
        self._copies: deque[Whole] = deque()

    @property
    def end(self) -> int:
        """Return the offset in the file at which the payload ends."""
        return self.start + self.size

    def begin(self, group: Group) -> None:
        """Copy the frames of a package that the cache has, before all groups are known, if those before it began so.

        Nothing is wrong if the archive then lacks the group: its frames and those after it are copied again.
        """
        if not self._can_begin or not any(content.size for content in group.all_files):
            return
        entry = self.cache.open(group.identity, group.slot)
        self._can_begin = entry is not None and changed_since(entry, group.all_files) == []
        if entry is not None and not self._can_begin:
            entry.close()
        if entry is None or not self._can_begin:
            return
        frames = entry.frames_at(self._begun_size)
        self._begun_size += sum(frame.size for frame in frames)
        self._begun.append((group.identity, entry, frames, self._copy(entry, frames)))

    def _copy(self, entry: Entry, frames: list[Frame]) -> Whole:
        """Start to copy an entry, which is closed after that."""
        copying = self.reader.copy(frames, entry.copy)
        copying.add_done_callback(lambda _: entry.close())
        self._copies.append(copying)
        if len(self._copies) > OPEN:
            self._copies.popleft().exception()  # waits
        return copying

    def _take_begun(self, group: Group) -> Begun | None:
        """Return the copying that has begun of the next group, or end all that has begun: another group is the next."""
        if self._begun and self._begun[0][0] == group.identity:
            return self._begun.popleft()
        self._forget_begun()
        return None

    def _forget_begun(self) -> None:
        for _, _, _, copying in self._begun:
            copying.exception()  # waits
        if self._begun:
            os.ftruncate(self.stream.fileno(), self.start + self._begun[0][2][0].offset)
            self._begun.clear()

    def add(self, groups: Iterable[Group]) -> None:
        """Append groups of files: no frame holds files of two, so the frames of a package are its own."""
        workers = usable_cores()
        steps: deque[Callable[[], None]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for group in groups:
                    self._plan_group(group, pool, steps, 2 * workers)
                self._forget_begun()
                while steps:
                    steps.popleft()()
            except BaseException:
                self.cores.end()
                pool.shutdown(wait=True, cancel_futures=True)
                for filling in self._fillings:
                    filling.abandon()
                raise

    def _plan_group(self, group: Group, pool: ThreadPoolExecutor, steps: deque[Callable[[], None]], ahead: int) -> None:
        """Start the work on a group and queue its last step, in order; finish groups that are queued too far ahead."""
        begun = self._take_begun(group)
        entry = begun[1] if begun else group.entry or self.cache.open(group.identity, group.slot)
        changed = changed_since(entry, group.files) if entry is not None else None
        if entry is not None and changed is not None:
            checks = [pool.submit(check_source, content) for content in changed if content.source is not None]
            steps.append(lambda: self._take_entry(group, entry, checks, begun[3] if begun else None))
            while len(steps) > ahead:
                steps.popleft()()
            return
        if entry is not None:
            entry.close()
        filling = Filling(self.cache.writer(group.identity, group.owner, group.slot), group)
        self._fillings.append(filling)
        for pieces in cut(filling.contents, frame_size(self.cache.level)):
            future = pool.submit(self._pack, pieces)
            steps.append(lambda future=future: self._take_frame(filling, future))  # type: ignore[misc]
            while len(steps) > ahead:
                steps.popleft()()
        for twin, _ in filling.twins:
            if isinstance(twin.source, OnDisk):  # which no frame reads
                steps.append(pool.submit(check_source, twin).result)
        steps.append(lambda: self._finish(filling))

    def _pack(self, pieces: Sequence[Piece]) -> Packed:
        with self.cores.to_compress():
            return pack(pieces, self.cache.level)

    def _take_entry(self, group: Group, entry: Entry, checked: list[Future[None]], copying: Whole | None) -> None:
        """Take the frames and places of an entry, whose bytes are copied meanwhile."""
        for future in checked:
            future.result()
        first, frames = len(self.frames), entry.frames_at(self.size)
        self.reader.take(frames, copying or self._copy(entry, frames))
        for frame in frames:
            self.count(group.owner, frame)
        self.frame_checks.append((first, entry.check))
        self._add_rows(group, first, entry.places)

    def _take_frame(self, filling: Filling, future: Future[Packed]) -> None:
        packed = future.result()
        filling.take(packed)
        frame = Frame(self.size, len(packed.data), packed.content, packed.sha256.encode())
        write_at(self.stream.fileno(), packed.data, self.start + frame.offset)
        self.reader.read([frame])
        self.count(filling.group.owner, frame)

    def _finish(self, filling: Filling) -> None:
        filling.finish()
        self._fillings.remove(filling)
        self._add_rows(filling.group, len(self.frames) - len(filling.frames), filling.places)

    def count(self, owner: str, frame: Frame) -> None:
        """Append a frame, whose bytes are in the file, or will be: its offset is the size of the payload."""
        self.frames.append(frame)
        self.size += frame.size
        self.compressed[owner] = self.compressed.get(owner, 0) + frame.size
        self.progress(frame.content)

    def blame(self, number: int) -> None:
        """Raise the error for an altered frame if it was altered in the place that it came from.

        All entries of the cache are checked then, and the altered ones removed.
        """
        own = next((check for first, check in reversed(self.frame_checks) if first <= number), None)
        for _, check in self.frame_checks:
            if check is not own:
                with contextlib.suppress(FramesDamaged, ArchiveDamaged, OSError):
                    check()
        if own is not None:
            own()

    def _add_rows(self, group: Group, first: int, places: dict[str, Place]) -> None:
        """Append the rows of a group's files, in the order of their places."""
        if group.of_package:
            self.package_frames += range(first, len(self.frames))
        nowhere = Place(-first, 0, 0, None, 0)
        places_of = [places[c.name_in_group] if c.size else nowhere for c in group.files]
        found = [(place.frame, place.offset, c.path, place, c) for place, c in zip(places_of, group.files, strict=True)]
        found.sort(key=itemgetter(0, 1, 2))
        paths = os.fsencode("\0".join([each[2] for each in found])).split(b"\0")  # one by one takes longer
        for (frame, offset, _, place, content), path in zip(found, paths, strict=False):
            relocation = NOTHING if content.relocation is None else self._relocation(content, place)
            if relocation != NOTHING:
                self._sources[group.owner, content.name_in_group] = len(self.rows)
            row = content.mode, content.mtime_ns, first + frame, offset, content.size, relocation, path
            self.rows.append(tuple.__new__(File, row))  # File itself takes longer
        for content in group.all_files:
            if content.relocation is None:
                continue
            if content.placeholder and (group.owner, content.name_in_group) not in self._sources:
                place = places[content.name_in_group] if content.size else nowhere
                where = first + place.frame, place.offset, content.size
                self._sources[group.owner, content.name_in_group] = (*where, self._relocation(content, place))

    def _relocation(self, content: Content, place: Place) -> bytes:
        relocation = content.relocation
        if relocation is None or (place.edits is None and relocation.kind not in (HASHES, SCRIPT)):
            return NOTHING
        if relocation.kind == HASHES:
            return bytes(write_slots([(self._sources[owned], offset) for owned, offset in relocation.slots]))
        return bytes(write(relocation._replace(edits=place.edits), self.placeholders))


def make_index(payload: Payload, layout: Layout) -> IndexDraft:
    """Return the index: rows in the order of the payload, directories and links sorted."""
    index = IndexDraft()
    index.placeholders = [placeholder.encode() for placeholder in payload.placeholders]
    index.frames, index.files = payload.frames, payload.rows
    index.package_frames = payload.package_frames
    index.directories = [
        Directory(layout.modes.get(path, 0o755), os.fsencode(path)) for path in sorted(layout.directories)
    ]
    index.links = [
        IndexLink(os.fsencode(link.path), os.fsencode(link.target))
        for link in sorted(layout.links(), key=lambda x: x.path)
    ]
    return index
