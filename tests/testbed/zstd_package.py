"""The zstd library, compiled from the single-file source that zstandard's source archive has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testbed import wheels
from testbed.workshop import compile_c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop

SDIST = "zstandard==0.25.0"


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    sdist = workshop.sdist(SDIST)
    sources = workshop.directory / "zstd-source"
    sources.mkdir()
    for name in ("zstd.c", "zstd.h", "zstd_errors.h"):
        (sources / name).write_bytes(wheels.read_sdist_member(sdist, f"zstd/{name}"))
    header = (sources / "zstd.h").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"#define ZSTD_VERSION_(?:MAJOR|MINOR|RELEASE) +(\d+)", header))

    package = workshop.package("zstd", version, depends=["__glibc >=2.17"])
    library = package.root / "lib" / f"libzstd.so.{version}"
    options = ("-shared", "-fPIC", "-pthread", "-s", "-Wl,-soname,libzstd.so.1")
    compile_c(library, sources / "zstd.c", *options)
    package.link("lib/libzstd.so.1", library.name)
    package.link("lib/libzstd.so", library.name)
    package.data("include/zstd.h", header.encode())
    yield package
