"""Archives for linux-aarch64, built on another machine from Debian's programs for arm64, start under qemu."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from bare_system import BareSystem
from end_to_end.archives import Archive
from testbed import arm64_channel, bare_systems

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

# It imports compiled modules whose libraries other packages have, and a module without an architecture.
SHOW = """\
import ctypes, hashlib, lzma, platform, sqlite3, ssl, subprocess, sys, zlib
import hello_noarch.cli
print(platform.machine(), sys.prefix, *sys.argv[1:], flush=True)
subprocess.run(["xz", "--robot", "--version"], check=True)
"""
# busybox's shell has an xz of its own, and prefers it.
SHOW_PROGRAM = """\
#!/bin/sh
env | grep -ci -e python -e _coex
$CONDA_PREFIX/bin/xz --robot --version
echo $DEMO_SPACES $*
"""
HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"  # conda's own Python, which compiles
ROOT = "?" * 24


class Build(Protocol):
    """Makes an archive for linux-aarch64."""

    def __call__(self, *words: str, packages: tuple[str, ...], **files: str) -> Archive: ...


@pytest.fixture(scope="module")
def debian(testbed: Layout) -> Path:
    """Return the root of a system for arm64 with a Python; tests are skipped if this machine cannot have it."""
    if platform.machine() == "aarch64":
        pytest.skip("this machine is one that the archives are for: all other tests start such archives")
    root = bare_systems.find(testbed, bare_systems.ARM64_DEBIAN)
    if root is None:
        pytest.skip(f"Debian's packages for arm64 need root, mmdebstrap, {bare_systems.QEMU}, and apt's sources")
    return root


@pytest.fixture(scope="module")
def build(conda: Conda, testbed: Layout, debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return a function that makes an archive; `name=text` makes a file of the app first."""
    channel = arm64_channel.make(testbed, debian)
    cache = {"CONDA_PKGS_DIRS": str(tmp_path_factory.mktemp("pkgs"))}

    def run(*words: str, packages: tuple[str, ...], **files: str) -> Archive:
        directory = tmp_path_factory.mktemp("archive")
        for name, text in files.items():
            (directory / name).write_text(text)
        named = [word for name in packages for word in ("--package", name)]
        options = ("--platform", arm64_channel.SUBDIR, "--compression-level", "1", "--override-channels", "-c", channel)
        command = ("coex", "create", "-q", "-y", *options, *named, *words, "-o", "app.coex", *files)
        done = conda(*command, cwd=directory, env=cache)
        return Archive(directory / "app.coex", done.stderr + done.stdout)

    return run


@pytest.fixture(scope="module")
def whole(build: Build) -> Archive:
    """Return an archive with a Python, programs, a noarch package, and scripts of packages."""
    packages = ("python", "zstd", "xz", "hello-noarch", "post-link-demo", "activate-demo")
    return build("--entrypoint", "main=show.py", "--entrypoint", "xz", packages=packages, **{"show.py": SHOW})


def emulate(root: Path, *command: str | Path, env: dict[str, str] | None = None) -> list[str]:
    """Return the lines that a program prints under qemu, which takes libraries of a root directory."""
    words = [bare_systems.QEMU, "-L", root, *command]
    env = {"PATH": "/usr/bin:/bin", **(env or {})}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def of_xz(debian: Path) -> list[str]:
    """Return the version lines of Debian's own xz."""
    return emulate(debian, debian / "bin/xz", "--robot", "--version")


def emulated(root: Path | None, archive: Archive) -> BareSystem:
    """Return a system whose programs the kernel starts under qemu; a test is skipped, with the reason, if it cannot."""
    assert root is not None
    system = BareSystem(root, archive.path, emulated=True)
    try:
        tried = system("set -e; in_system USER true")
        why = tried.stderr.strip() if tried.returncode else ""
    except OSError as error:
        why = str(error)
    if why:
        pytest.skip(f"qemu cannot be registered in a user namespace, as Linux allows it from 6.7 on: {why}")
    return system


def test_starts(debian: Path, whole: Archive) -> None:
    """First and later starts, and verbs, on the system's Python, as a user."""
    done = emulated(debian, whole)("""
        in_system USER '/app.coex one "t w o"'
        env=PYTHONVERBOSE=1
        in_system USER '/app.coex three 2>/tmp/said'
        env=COEX_ENTRYPOINT=xz
        in_system USER 'echo text | /app.coex | /app.coex --decompress'
        env=COEX_TOOLS=1
        in_system USER '/app.coex verify; /app.coex info'
        grep -o '^# code object from .*' tmp/said
    """)
    assert done.stderr == "post-link-demo was set up\n"
    xz = of_xz(debian)
    prefix = re.escape("/home/user/.cache/coex/") + r"\w{24}/prefix"
    lines = done.stdout.splitlines()
    assert re.fullmatch(f"aarch64 {prefix} one t w o", lines[0])
    assert lines[1 : len(xz) + 1] == xz
    assert re.fullmatch(f"aarch64 {prefix} three", lines[len(xz) + 1])
    text, whole_file, whole_root = lines[2 * len(xz) + 2 :][:3]
    assert text == "text"
    assert whole_file.startswith("/app.coex: whole: ")
    assert re.search(r": whole: \d+ files as the archive writes them", whole_root)
    rest = "\n".join(lines)
    assert re.search(r"platform +linux-aarch64$", rest, re.MULTILINE)
    assert re.search(rf"# code object from .{prefix}/lib/python3\.\d+/site-packages/hello_noarch/.*/cli\..*\.pyc", rest)


def test_compiled_on_the_builder(conda: Conda, whole: Archive) -> None:
    """The bytecode does not depend on the machine: conda's own Python makes it if it has that version."""
    listed = conda("coex", "files", whole.path).stdout
    (version,) = set(re.findall(r"lib/(python3\.\d+)/site-packages/hello_noarch/cli\.py\b", listed))
    compiled = re.search(r"hello_noarch/__pycache__/cli\.cpython-\d+\.pyc", listed) is not None
    assert compiled is (version == HERE)
    assert ("compiled by the first start" in whole.said) is (version != HERE)


def test_carried_python(testbed: Layout, build: Build, debian: Path) -> None:
    """It unpacks on busybox and glibc, and is kept: a start that has to unpack again takes it."""
    packages = ("xz", "post-link-demo", "activate-demo")
    archive = build("--carry-python", "--entrypoint", "./show.sh", packages=packages, **{"show.sh": SHOW_PROGRAM})
    done = emulated(bare_systems.find(testbed, bare_systems.ARM64_BUSYBOX), archive)(f"""
        in_system USER '/app.coex one; /app.coex two; rm -r $HOME/.cache/coex/{ROOT}'
        rm bin/tar
        in_system USER '/app.coex three; ls -A /tmp $HOME/.cache/coex'
    """)
    assert done.stderr == "post-link-demo was set up\n" * 2
    variables = "1"  # PYTHONNOUSERSITE
    words = ("one", "two", "three")
    expected = [line for word in words for line in (variables, *of_xz(debian), f"some spaces {word}")]
    lines = done.stdout.splitlines()
    assert lines[: len(expected)] == expected
    names = [line for line in lines[len(expected) :] if line and not line.startswith("/")]
    assert sorted(name.strip("0123456789abcdef") for name in names) == ["", "CACHEDIR.TAG", "python-"]


def test_emulator_by_name(debian: Path, whole: Archive, store: Path, tmp_path: Path) -> None:
    """Without binfmt_misc, verbs run, and so does each program of an unpacked archive."""
    prefix = tmp_path / "prefix"
    env = {"COEX_ROOT": str(store), "COEX_TOOLS": "1"}
    said = emulate(debian, debian / "bin/python3", whole.path, "unpack", "-p", prefix, env=env)
    assert not [line for line in said if "does not run on this host" in line]
    lines = emulate(debian, prefix / "bin/python", "-c", SHOW.rpartition("subprocess")[0], env=env)
    assert lines[0] == f"aarch64 {prefix}"
    assert emulate(debian, prefix / "bin/xz", "--robot", "--version") == of_xz(debian)
