"""Make the notes on a packed live prefix: differences, paths that stay, places where the archive cannot unpack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coex_bootstrap.tools.output import human

from ..errors import InputError
from ..prefix.compiled import ROOMY, SHORTEST
from ..root.content import Content
from ..root.link_target import leaving_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..prefix.compiled import UnreplacedPaths
    from ..prefix.filters import Selection
    from ..prefix.package_plans import Drift
    from ..prefix.spellings import Aliases
    from ..prefix.unmanaged import Unmanaged
    from ..root.content import Link

LISTED = 5  # paths that a note names


def notes(
    unmanaged: Unmanaged, drifts: Sequence[Drift], missing: Sequence[str], restored: Sequence[str], selection: Selection
) -> Iterator[str]:
    """Yield notes on files that differ between the prefix and the archive, or between a package and the archive."""
    modified = [path for drift in drifts for path in drift.modified]
    yield from (f"{path} is a {what} and is left out" for path, what in unmanaged.left_out)
    if modified:
        yield f"modified since conda installed them, and kept as they are now: {shown(modified)}"
    if unmanaged.cached:
        yield f"links to files outside of the environment, which become these files: {shown(unmanaged.cached)}"
    if unmanaged.privileged:
        yield f"files that lose their set-user-ID bits and capabilities: {shown(unmanaged.privileged)}"
    if restored:
        yield f"missing from packages, and taken from conda's package cache: {shown(restored)}"
    if missing:
        yield f"missing from packages, and so from the archive: {shown(missing)}"
    if unmanaged.fixed:
        yield f"files that name the environment's path in a form that cannot be changed: {shown(list(unmanaged.fixed))}"
    for kind, (files, size) in selection.saved.items():
        yield f"left out: {kind}, {files} files, {human(size)}"


def of_names(others: Aliases) -> Iterator[str]:
    """Yield notes on former paths of the environment, and on commands that run programs of another one."""
    if others.former:
        yield f"former paths of the environment that its files still name are replaced, too: {shown(others.former)}"
    by_place: dict[str, list[str]] = {}
    for path, place in others.foreign.items():
        by_place.setdefault(place, []).append(path)
    for place, paths in by_place.items():
        yield f"commands that run programs of another environment, {place}, and do not work without it: {shown(paths)}"


def of_builder(outside: Mapping[str, str], libraries: Mapping[str, str], users: Sequence[str]) -> Iterator[str]:
    """Yield notes on libraries of the builder that unmanaged files need, and on the user's own Python packages."""
    if users:
        yield (
            f"pip installed for you alone (`pip install --user`), and so not in the archive: {shown(users)}; install "
            "those that it needs into the environment"
        )
    if outside:
        pairs = [f"{path} ({place})" for path, place in outside.items()]
        yield (
            f"files that name others of this machine, which a host does not have: {shown(pairs)}; add those to the "
            "app, or say with --env where they are"
        )
    if libraries:
        pairs = [f"{name} (of {path})" for name, path in libraries.items()]
        yield (
            f"libraries that files need and that the environment does not have, as a host may not: {shown(pairs)}; "
            "install the packages that have them"
        )


def kept_paths(unreplaced: UnreplacedPaths) -> Iterator[str]:
    """Yield notes on compiled files that keep the builder's path."""
    if unreplaced.pieces:
        yield (
            "files that put the environment's path together from constants, and so keep the builder's: "
            f"{shown(unreplaced.pieces)}; compile them without optimization, or let them find their place when they run"
        )
    if unreplaced.sources:
        yield f"files that keep the builder's path as the one of their sources: {shown(unreplaced.sources)}"


def limits(items: Iterable[Content | Link]) -> Iterator[str]:
    """Yield the binaries that have no room for a longer path than the prefix's, if that is a short one.

    Raises InputError if that is so short that the archive could start nowhere.
    """
    rooms = {
        item.path.removeprefix("prefix/"): len(item.placeholder.encode())
        for item in items
        if isinstance(item, Content) and item.edits and item.placeholder and item.file_mode == "binary"
    }
    short = sorted((path for path, room in rooms.items() if room < ROOMY), key=lambda path: (rooms[path], path))
    if not short:
        return
    room = rooms[short[0]]
    remedy = "leave these out with --exclude, or make them again in an environment at a longer path"
    if room < SHORTEST:
        nowhere = [path for path in short if rooms[path] < SHORTEST]
        what = f"no host has so short a path that the archive could start: {shown(nowhere)} has room for {room} bytes"
        raise InputError(f"{what}, and the shortest place takes {SHORTEST}", remedy=remedy)
    yield f"the archive unpacks only if its prefix has at most {room} bytes, because of {shown(short)}: {remedy}"


def outside_links(links: Iterable[Link]) -> Iterator[str]:
    """Yield notes on links that lead out of the environment."""
    pairs = [f"{link.path.removeprefix('prefix/')} -> {link.target}" for link in leaving_links(links, "prefix")]
    if pairs:
        yield f"links that lead out of the environment, to files that are not in the archive: {shown(pairs)}"


def shown(paths: Sequence[str]) -> str:
    """Return the first of some paths, and how many more there are."""
    more = len(paths) - LISTED
    return ", ".join(paths[:LISTED]) + (f" and {more} more" if more > 0 else "")
