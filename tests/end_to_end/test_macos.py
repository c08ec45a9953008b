"""An archive for macOS, built and unpacked here: real files of wheels, and others, have valid signatures afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive
from end_to_end.own_channel import put
from testbed import wheels
from testbed.package import PLACEHOLDER
from testbed.workshop import Workshop
from unit.coex_bootstrap.mach_o_files import ARM64, ENTITLEMENTS, X86_64, blob, fat, mach_o

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Conda
    from testbed.layout import Layout

code_signatures = pytest.importorskip("end_to_end.code_signatures", reason="lief or macholib is not installed")

PLATFORM = "osx-arm64"
# Files of wheels as their projects published them. The linkers of Apple signed the parts for arm64; those for Intel are
# not signed. Their build directories are in them, and serve as placeholders.
TAGS = ("macosx_10_12_universal2", "macosx_11_0_arm64")
REAL = {"bcrypt": ("bcrypt==5.0.0", "_bcrypt.abi3.so"), "cryptography": ("cryptography==50.0.2", "_rust.abi3.so")}
BUILT_IN = "/Users/runner/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f"
STRING = PLACEHOLDER.encode() + b"/lib\0"
LARGE = b"x" * 4_500_000  # more than a frame
MADE = {
    "entitled": mach_o(STRING + b"x" * 70000, entitlements=ENTITLEMENTS),
    "large": mach_o(STRING + LARGE + STRING, ["sha256"], entitlements=ENTITLEMENTS),
    "pages-of-16-KiB": mach_o(b"x" * 40000 + STRING, ["sha256"], page=14),
    "fat": fat([(X86_64, mach_o(STRING, [], cpu=X86_64)), (ARM64, mach_o(LARGE + STRING, entitlements=ENTITLEMENTS))]),
    "both-signed": fat([(X86_64, mach_o(STRING, cpu=X86_64)), (ARM64, mach_o(STRING, ["sha256", "sha1"]))]),
}
CERTIFIED = mach_o(STRING, cms=blob(0xFADE0B01, b"of a company"))


@pytest.fixture(scope="module")
def originals(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the files by their paths in an environment, as they are in packages."""
    directory = tmp_path_factory.mktemp("originals")
    files = {}
    for name, (requirement, library) in REAL.items():
        wheel = wheels.download(Path(sys.executable), requirement, testbed.downloads, platforms=TAGS)
        wheels.unpack(wheel, directory / name)
        (files[f"lib/{name}.so"],) = (directory / name).rglob(library)
    for name, data in MADE.items():
        files[f"bin/{name}"] = directory / name
        files[f"bin/{name}"].write_bytes(data)
    return files


@pytest.fixture(scope="module")
def mac_channel(
    testbed: Layout, originals: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ...]:
    """Return the options that name a channel of packages for macOS."""
    directory = tmp_path_factory.mktemp("mac")
    shop = Workshop(directory / "packages", testbed.downloads, subdir=PLATFORM)
    packages = {name: shop.package(name) for name in (*REAL, "made", "certified", "zstd")}
    for name in REAL:
        packages[name].placeholder = BUILT_IN
        packages[name].data(f"lib/{name}.so", originals[f"lib/{name}.so"].read_bytes(), 0o755)
    for name, data in MADE.items():
        packages["made"].data(f"bin/{name}", data, 0o755)
    packages["certified"].data("lib/certified.dylib", CERTIFIED, 0o755)
    packages["zstd"].data("lib/libzstd.1.dylib", mach_o(b"not for this machine"), 0o755)
    return ("--override-channels", *put(directory / "channel", list(packages.values())))


@pytest.fixture(scope="module")
def mac_conda(conda: Conda, tmp_path_factory: pytest.TempPathFactory) -> Conda:
    """Return conda with a package cache of its own."""
    cache = {"CONDA_PKGS_DIRS": str(tmp_path_factory.mktemp("pkgs"))}

    def run(
        *arguments: str | Path, check: bool = True, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return conda(*arguments, check=check, env={**cache, **(env or {})}, cwd=cwd)

    return run


def create(conda: Conda, channel: tuple[str, ...], directory: Path, *names: str) -> Archive:
    (directory / "run.sh").write_text("#!/bin/sh\n")
    words = [word for name in names for word in ("--package", name)]
    options = ("--compression-level", "1", "--platform", PLATFORM, "--entrypoint", "./run.sh", "-o", "mac.coex")
    done = conda("coex", "create", "-y", *options, *channel, *words, cwd=directory)
    return Archive(directory / "mac.coex", done.stderr)


@pytest.fixture(scope="module")
def archive(mac_conda: Conda, mac_channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return create(mac_conda, mac_channel, tmp_path_factory.mktemp("archive"), *REAL, "made")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Return a place that is no longer than the placeholder of the real files."""
    directory = Path(tempfile.mkdtemp(prefix="coex-"))
    if len(str(directory)) + 2 > len(BUILT_IN):
        directory.rmdir()
        pytest.skip(f"the temporary directory has a longer name than {BUILT_IN}")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def prefix(archive: Archive, conda: Conda, place: Path) -> Path:
    """Return the environment of the archive, unpacked on this system."""
    conda("coex", "unpack", archive.path, "-p", place / "p")
    return place / "p"


def test_valid_in_the_packages(originals: dict[str, Path]) -> None:
    for path, file in originals.items():
        assert code_signatures.problems(file) == [], path
        assert ARM64 in code_signatures.signed(file), path


def test_valid_after_relocation(originals: dict[str, Path], prefix: Path) -> None:
    for path, original in originals.items():
        file = prefix / path
        assert str(prefix).encode() in file.read_bytes(), path
        assert code_signatures.problems(file) == [], path
        # The parts of a file, and the places of their signatures, stay as they are.
        assert code_signatures.slices(file) == code_signatures.slices(original)


def test_one_byte_makes_it_invalid(originals: dict[str, Path], prefix: Path, tmp_path: Path) -> None:
    """In the first, the middle and the last page of the code for arm64."""
    for path in originals:
        (part,) = [each for each in code_signatures.slices(prefix / path) if each.processor == ARM64]
        for offset in (2048, part.at // 2, part.at - 1):
            data = bytearray((prefix / path).read_bytes())
            data[part.start + offset] ^= 1
            (tmp_path / "flipped").write_bytes(data)
            found = code_signatures.problems(tmp_path / "flipped")
            assert found, (path, offset)
            assert all(line.endswith("differs") for line in found), (path, offset)


def test_only_the_signature_is_not_conda_s(
    originals: dict[str, Path],
    prefix: Path,
    mac_conda: Conda,
    mac_channel: tuple[str, ...],
    place: Path,
) -> None:
    """conda relocates these files here as well, and signs them on macOS only."""
    prefix.rename(place / "ours")
    try:
        names = (*REAL, "made")
        env = {"CONDA_SUBDIR": PLATFORM}
        mac_conda("create", "-yq", "--copy", "--no-default-packages", *mac_channel, "-p", prefix, *names, env=env)
        for path in originals:
            theirs, ours = (prefix / path).read_bytes(), (place / "ours" / path).read_bytes()
            assert code_signatures.problems(prefix / path), path
            for part in reversed(code_signatures.slices(prefix / path)):
                if part.at >= 0:
                    theirs = theirs[: part.start + part.at] + theirs[part.start + part.at + part.size :]
                    ours = ours[: part.start + part.at] + ours[part.start + part.at + part.size :]
            assert theirs == ours, path
    finally:
        shutil.rmtree(prefix, ignore_errors=True)
        (place / "ours").rename(prefix)


def test_verify_knows_the_signed_files(archive: Archive, prefix: Path, conda: Conda) -> None:
    """The records of conda have the hashes of the files as they are signed."""
    records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    hashes: dict[str, Any] = {row["_path"]: row for record in records for row in record["paths_data"]["paths"]}
    for path in ("lib/cryptography.so", "bin/fat"):
        done = subprocess.run(["sha256sum", prefix / path], capture_output=True, text=True, check=True)
        assert hashes[path]["sha256_in_prefix"] == done.stdout.split()[0]
    assert conda("coex", "verify", archive.path, check=False).returncode == 0


def test_no_note_on_files_that_are_renewed(archive: Archive) -> None:
    assert "codesign" not in archive.said


def test_note_on_files_for_codesign(mac_conda: Conda, mac_channel: tuple[str, ...], tmp_path: Path) -> None:
    made = create(mac_conda, mac_channel, tmp_path, "certified")
    assert (
        "the first start on a Mac signs this file (lib/certified.dylib (it is signed by a certificate)) with "
        "/usr/bin/codesign. "
    ) in made.said


def test_no_quarantine_for_unpacked_files(
    archive: Archive, mac_conda: Conda, place: Path, tmp_path: Path
) -> None:
    """A browser marks its downloads. The files of an archive do not get the mark; copies made by macOS would."""
    marked = tmp_path / "downloaded.coex"
    shutil.copy(archive.path, marked)
    try:
        os.setxattr(marked, "user.com.apple.quarantine", b"0081;5fc5f3d6;Safari;")
    except OSError as error:
        pytest.skip(f"the file system has no attributes: {error.strerror}")
    mac_conda("coex", "unpack", marked, "-p", place / "q")
    paths = [path for path in (place / "q").rglob("*") if not path.is_symlink()]
    assert len(paths) > len(MADE)
    assert {str(path): os.listxattr(path) for path in paths if os.listxattr(path)} == {}
