"""Packages of compiled C with the prefix inside: a library, and a program that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.layout import SOURCES
from testbed.package import ENCODINGS, PLACEHOLDER
from testbed.workshop import compile_c

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.package import Package
    from testbed.workshop import Workshop

_GLIBC = "__glibc >=2.17"


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    library = workshop.package("libcgreet", depends=[_GLIBC])
    soname = library.root / "lib" / "libcgreet.so.1"
    _compile(soname, "cgreet.c", "-shared", "-fPIC", "-Wl,-soname,libcgreet.so.1")
    library.link("lib/libcgreet.so", "libcgreet.so.1")
    library.text("share/libcgreet/greeting.txt", "good day\n")
    library.data("share/libcgreet/encodings.bin", encoded_prefixes())
    yield library

    program = workshop.package("cprog", depends=[_GLIBC, "libcgreet 1.0"])
    libraries = (f"-L{soname.parent}", "-l:libcgreet.so.1", "-Wl,-rpath,$ORIGIN/../lib")
    _compile(program.root / "bin" / "cprog", "cprog.c", *libraries)
    yield program


def _compile(output: Path, source: str, *options: str) -> None:
    """Compile a source of ours, which finds the placeholder as PREFIX."""
    define = f'-DPREFIX="{PLACEHOLDER}"'
    compile_c(output, SOURCES / "sources" / source, define, *options)


def encoded_prefixes() -> bytes:
    """Return every form in which a prefix hides in a binary, as conda knows them."""
    parts = [b"\x7fDATA\0"]
    for encoding in ENCODINGS:
        parts += [b"\0\0\0\0", f"{PLACEHOLDER}/share/{encoding}\0".encode(encoding)]
    parts += [b"\0\0\0\0two=", f"{PLACEHOLDER}/bin:{PLACEHOLDER}/lib\0".encode()]
    parts += [b"unterminated=", f"{PLACEHOLDER}/end".encode()]
    return b"".join(parts)
