"""Fetch distributions with pip, and unpack them."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from configparser import ConfigParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def download(
    python: Path, requirement: str, directory: Path, *, sdist: bool = False, platforms: Sequence[str] = ()
) -> Path:
    """Return the file pip has for ``name==version``, fetched once; ``platforms`` are tags of others than this one."""
    folder = directory / "-".join([requirement.replace("==", "-"), *platforms])
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        options = ["--no-binary=:all:"] if sdist else ["--only-binary=:all:"]
        options += [word for tag in platforms for word in ("--platform", tag)]
        command = [str(python), "-m", "pip", "download", "-qq", "--no-deps", *options]
        subprocess.run([*command, "--dest", str(partial), requirement], check=True)
        partial.rename(folder)
    (file,) = folder.iterdir()
    return file


def unpack(wheel: Path, directory: Path, only: str = "") -> None:
    """Unpack a wheel's members whose names start with ``only``; its programs stay executable, as pip installs them."""
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.infolist() if member.filename.startswith(only)]
        archive.extractall(directory, members)
    for member in members:
        if not member.is_dir() and member.external_attr >> 16 & 0o111:
            (directory / member.filename).chmod(0o755)


def read_sdist_member(sdist: Path, path: str) -> bytes:
    """Return one file of a source archive, named below its top directory."""
    with tarfile.open(sdist) as archive:
        top = archive.getnames()[0].split("/")[0]
        member = archive.extractfile(f"{top}/{path}")
        if member is None:
            raise FileNotFoundError(f"{sdist.name} has no file {path}")
        return member.read()


def console_scripts(site_packages: Path) -> dict[str, str]:
    """Return the console scripts of the one distribution unpacked in a directory."""
    parser = ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read(site_packages.glob("*.dist-info/entry_points.txt"), encoding="utf-8")
    return dict(parser["console_scripts"]) if parser.has_section("console_scripts") else {}
