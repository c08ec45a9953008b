"""Packages of files that are hard to carry: odd names, links, sizes and first lines."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from testbed.package import EPOCH, PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop

_MIB = 1 << 20
_NAMES = (
    "with space.txt",
    "trailing space ",
    "-leading-dash.txt",
    "naïve-ünïcode-日本.txt",
    "decomposed-e\u0301.txt",
    "emoji-\U0001f40d.txt",
    "single'quote.txt",
    'double"quote.txt',
    "dollar$HOME.txt",
    "back\\slash.txt",
    "semi;colon&and|pipe.txt",
    "star*question?.txt",
    "new\nline.txt",
    "tab\there.txt",
    "percent%s.txt",
    ".hidden",
    "CaseFold.txt",
    "casefold.txt",
    "n" * 200,
)


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    yield _files(workshop)
    yield _shebangs(workshop)

    # conda replaces absolute links by the files that they point to.
    absolute = workshop.noarch("absolute-links")
    absolute.link("share/absolute/passwd", "/etc/passwd")
    absolute.text("share/absolute/plain.txt", "plain\n")
    yield absolute


def _files(workshop: Workshop) -> Package:
    package = workshop.package("awkward-files")
    for name in _NAMES:
        package.text(f"share/awkward/{name}", f"{name}\n")
    deep = "/".join(f"level{number}" for number in range(40))
    package.text(f"share/awkward/{deep}/bottom.txt", "deep down\n")
    package.link("share/awkward/links/file", "../with space.txt")
    package.link("share/awkward/links/directory", "../level0")
    package.link("share/awkward/links/dangling", "nowhere/at all")
    package.link("share/awkward/links/chain", "file")
    package.link("share/awkward/links/self", ".")
    package.data("share/awkward/empty", b"")
    package.data("bin/awkward-empty", b"", 0o755)
    package.text("share/awkward/read-only.txt", "do not write\n", 0o444)
    package.text("share/awkward/private.txt", "owner only\n", 0o600)
    package.text("share/awkward/read-only-prefix.txt", f"at {PLACEHOLDER}\n", 0o444)
    package.text("share/awkward/no-link.txt", "copy me\n")
    package.no_link.add("share/awkward/no-link.txt")
    twin = package.text("share/awkward/twin-a", "one file, two names\n")
    os.link(twin, twin.with_name("twin-b"))
    package.text("share/awkward/fraction.txt", "half past\n")
    package.date("share/awkward/fraction.txt", EPOCH * 10**9 + 123_456_789)
    package.text("share/awkward/old.txt", "before 1980\n")
    package.date("share/awkward/old.txt", 100_000 * 10**9)
    package.data("share/awkward/large.bin", _large())
    package.data("lib/awkward-prefixes.bin", _prefixes_near_edges())
    return package


def _large() -> bytes:
    """Return 12 MiB, of which half compress and half do not."""
    noise = random.Random(20_231_114)
    return b"".join(noise.randbytes(_MIB) + b"compress me " * (_MIB // 12) for _ in range(6))


def _prefixes_near_edges() -> bytes:
    """Return 9 MiB with prefixes that end before, straddle and start at multiples of 4 MiB."""
    content = bytearray(random.Random(4).randbytes(9 * _MIB))
    path = f"{PLACEHOLDER}/lib/edge\0".encode()
    offsets = (0, 4 * _MIB - len(path), 4 * _MIB + 4096, 8 * _MIB - 100, 9 * _MIB - len(path))
    for offset in offsets:
        content[offset : offset + len(path)] = path
    # Exactly at an edge, and one whose terminating NUL alone is beyond the next one.
    content[4 * _MIB : 4 * _MIB + len(path)] = path
    start = 5 * _MIB - len(path) + 1
    content[start : start + len(path)] = path
    return bytes(content)


def _shebangs(workshop: Workshop) -> Package:
    package = workshop.noarch("shebangs")
    shell = f"#!{PLACEHOLDER}/bin/sh"
    long_option = " --option=" + "x" * 150
    bodies = {
        "plain": f"{shell}\necho plain\n",
        "options": f"{shell} -e\necho options\n",
        "space": f"#! {PLACEHOLDER}/bin/sh\necho space\n",
        "env": "#!/usr/bin/env python\nprint('env')\n",
        "system": "#!/bin/sh\necho system\n",
        "long": f"{shell}{long_option}\necho long\n",
        "long-system": f"#!/bin/sh{long_option}\necho long-system\n",
        "windows": f"{shell}\r\necho windows\r\n",
        "no-newline": shell,
        "repeated": f"{shell}\necho repeated\n# {shell}\n{shell}\n",
        "later": f"\n{shell}\necho later\n",
    }
    for name, body in bodies.items():
        package.script(f"bin/shebang-{name}", body)
    package.text("share/shebangs/not-executable.sh", f"{shell}\necho not executable\n")
    return package
