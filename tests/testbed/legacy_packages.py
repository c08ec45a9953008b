"""A package as conda-build made them before 2017: a .tar.bz2 without info/paths.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.package import PLACEHOLDER, Package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.workshop import Workshop

DEFAULT_PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"
"""What a line of has_prefix means that names only a path."""

_HAS_PREFIX = f"""\
bin/legacy-script
{PLACEHOLDER} text etc/legacy/legacy.conf
{PLACEHOLDER} binary lib/legacy/legacy.bin
{PLACEHOLDER} text "share/legacy/name with space.txt"
"""


class LegacyPackage(Package):
    """A package whose files are listed line by line."""

    extension = ".tar.bz2"

    def _write_info(self) -> None:
        paths = self.paths()
        self.text("info/index.json", json.dumps(self.index(), indent=2))
        self.text("info/files", "".join(f"{path}\n" for path in paths))
        self.text("info/has_prefix", _HAS_PREFIX)
        self.text("info/no_link", "share/legacy/no-link.txt\n")


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    package = LegacyPackage(workshop.directory, workshop.subdir, "legacy-pkg")
    package.script(
        "bin/legacy-script", f"#!/bin/sh\n# {DEFAULT_PLACEHOLDER}/lib\necho {DEFAULT_PLACEHOLDER}\n"
    )
    package.text("etc/legacy/legacy.conf", f"root={PLACEHOLDER}\n")
    package.data("lib/legacy/legacy.bin", f"\x7f\0{PLACEHOLDER}/lib\0\0end".encode())
    package.text("share/legacy/name with space.txt", f"at {PLACEHOLDER}\n")
    package.text("share/legacy/no-link.txt", "copy me\n")
    package.text("share/legacy/plain.txt", "plain\n")
    package.link("share/legacy/link", "plain.txt")
    yield package
