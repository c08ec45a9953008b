"""Packages that meet in the same paths: files over files, over directories, through links."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    first = workshop.noarch("clobber-a")
    first.text("share/clobber/both.txt", "from a\n")
    first.text("share/clobber/link-or-file", "a has a file\n")
    first.text("share/clobber/only-a.txt", "a\n")
    first.text("share/clobber/thing/inside.txt", "a has a directory here\n")
    first.text("share/clobber/thing/deeper/inside.txt", "a has a directory here\n")
    yield first

    second = workshop.noarch("clobber-b")
    second.text("share/clobber/both.txt", "from b, which is longer\n", 0o755)
    second.link("share/clobber/link-or-file", "both.txt")
    second.text("share/clobber/only-b.txt", "b\n")
    second.text("share/clobber/thing", "b has a file here\n")
    yield second

    linked = workshop.noarch("symlink-dir-a")
    linked.text("lib/symlink-dir/real/a.txt", "a\n")
    linked.link("lib64-demo", "lib")
    yield linked

    through = workshop.noarch("symlink-dir-b", depends=["symlink-dir-a"])
    through.text("lib64-demo/symlink-dir/b.txt", "b, through the link\n")
    yield through
