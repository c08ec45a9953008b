"""Make the manifest: the description of an archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import FORMAT_VERSION, Manifest
from coex_bootstrap.format.relocation import BINARY, kind_of, parse

from .. import __version__
from ..root.activation import check_variables, portable_scripts
from .writer import prelude_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import EntryPoint, Variable

    from ..inputs.environment import Environment
    from ..root.layout import Layout
    from ..root.link_rules import PackagePlan
    from ..root.package import Package
    from .payload import Payload

BLOCK = 4096  # room that a file takes on disk at least


@dataclass(frozen=True)
class ManifestValues:
    """The values of a manifest that do not follow from the root."""

    name: str
    entry_points: list[EntryPoint]  # the default one first
    env: list[Variable]
    keep_env: list[str]
    level: int
    date: int  # seconds since 1970
    environment: Environment
    plans: Sequence[PackagePlan]
    libzstd: str  # the package that it came from
    compile: dict[str, object] | None  # {python, sources} that a host compiles
    runs_post_link: bool  # on the host
    pip: Sequence[Mapping[str, object]]


def make_manifest(of: ManifestValues, layout: Layout, payload: Payload, index: IndexDraft) -> Manifest:
    """Return the manifest of a new archive without its digest, which comes last."""
    check_variables(layout)
    return Manifest({
        **_measured(of.environment.platform, payload, index),
        "name": of.name,
        "platform": of.environment.platform,
        "date": of.date,
        "entry_points": of.entry_points,
        "env": of.env,
        "keep_env": of.keep_env,
        "level": of.level,
        "packages": _packages(of.plans, layout, payload),
        "specs": list(of.environment.specs),
        "requires": virtual_packages(plan.package for plan in of.plans),
        "prefix_limit": _prefix_limit(index),
        "portable": portable_scripts(layout),
        "post_link": [_identity(plan.package) for plan in of.plans if of.runs_post_link and _has_post_link(plan)],
        "libzstd": of.libzstd,
        "compile": of.compile,
        **({"pip": list(of.pip)} if of.pip else {}),
    })  # fmt: skip


@dataclass(frozen=True)
class Change:
    """The new values of an archive around the packages of another one."""

    name: str | None  # None: as it was
    entry_points: list[EntryPoint]
    env: list[Variable]
    keep_env: list[str]
    level: int


def change_manifest(old: Manifest, change: Change, payload: Payload, index: IndexDraft) -> Manifest:
    """Return the manifest of a repacked archive; its digest is still the old one, and no Python is in it yet."""
    fields = {name: value for name, value in old.fields.items() if name != "python"}
    return Manifest(fields).replace(
        **_measured(old.platform, payload, index),
        name=old.name if change.name is None else change.name,
        entry_points=change.entry_points,
        env=change.env,
        keep_env=change.keep_env,
        level=change.level,
    )


def _measured(platform: str, payload: Payload, index: IndexDraft) -> dict[str, object]:
    """Return the fields that every build, and `repack`, sets."""
    return {
        "format": FORMAT_VERSION,
        "builder": f"conda-coex {__version__}",
        "prelude": prelude_size(platform),
        "payload": payload.size,
        "unpacked": unpacked_size(index),
    }


def _packages(plans: Sequence[PackagePlan], layout: Layout, payload: Payload) -> list[dict[str, object]]:
    by_owner = {group.owner: group.files for group in layout.groups()}
    packages = []
    for plan in plans:
        files = by_owner.get(plan.package.dist, ())
        unpacked = sum(content.size for content in files)
        packages.append(_package(plan.package, payload.compressed.get(plan.package.dist, 0), unpacked, len(files)))
    return packages


def unpacked_size(index: IndexDraft) -> dict[str, int]:
    """Return how many files and bytes an archive takes on the disk of a host, and the bytes that its files contain."""
    sizes = [row.size for row in index.files]
    blocks = sum([-(-size // BLOCK) for size in sizes]) + len(index.directories)
    return {"files": len(sizes), "bytes": blocks * BLOCK, "content": sum(sizes)}


def _identity(package: Package) -> dict[str, object]:
    return {key: package.record[key] for key in ("name", "version", "build_number")}


def described(package: Package) -> dict[str, object]:
    """Return the fields of a package's record that an archive keeps."""
    keys = ("name", "version", "build", "build_number", "channel", "subdir", "url", "md5", "sha256", "size", "license")
    return {key: package.record[key] for key in keys if package.record.get(key) is not None}


def _package(package: Package, compressed: int, unpacked: int, files: int) -> dict[str, object]:
    return {**described(package), "compressed": compressed, "unpacked": unpacked, "files": files}


def _has_post_link(plan: PackagePlan) -> bool:
    script = f"prefix/bin/.{plan.package.name}-post-link.sh"
    return any(item.path == script for item in plan.files)


def virtual_packages(packages: Iterable[Package]) -> dict[str, list[str]]:
    """Return the virtual packages that packages depend on, with every constraint."""
    constraints: dict[str, set[str]] = {}
    for package in packages:
        for depend in package.depends:
            if match := re.match(r"(__[\w-]+)\s*(.*)", depend):  # `__glibc >=2.17`, `__glibc>=2.17`
                constraints.setdefault(match[1], set()).add(match[2].strip())
    return {name: sorted(texts) for name, texts in sorted(constraints.items())}


def _prefix_limit(index: IndexDraft) -> int | None:
    """Return the length of the shortest placeholder that a binary holds: a longer prefix has no room there."""
    relocations = {row.relocation for row in index.files}
    binaries = [parse(text, index.placeholders) for text in relocations if kind_of(text) == BINARY]
    lengths = {len(relocation.placeholder.encode()) for relocation in binaries}
    return min(lengths, default=None)
