"""A live environment with a history: changed, incomplete, with files of nobody, and with editable installs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from end_to_end.wheel_files import make_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Conda

PACKAGES = (
    "python", "hello-noarch", "cprog", "data-generic", "shebangs", "clobber-a", "clobber-b", "pip", "setuptools",
)  # fmt: skip
LONG = 100  # bytes of its path: compiled files and #! lines in it have no room for a longer one
BUILT = '[build-system]\nrequires = []\nbuild-backend = "setuptools.build_meta"\n'
PROJECTS = {
    "flat": {  # setuptools: a finder with a mapping of a package and of a single module
        "pyproject.toml": '[project]\nname = "flat"\nversion = "1"\n[project.scripts]\nflat-tool = "flat:main"\n'
        f'{BUILT}[tool.setuptools]\npackages = ["flat"]\npy-modules = ["alone"]\n',
        "flat/__init__.py": "from pathlib import Path\nDATA = Path(__file__).with_name('data.txt').read_text()\n"
        "def main(): print('tool of', DATA)\n",
        "flat/data.txt": "data",
        "flat/old.cpython-311.pyc": "x",
        "alone.py": "X = 'alone'\n",
        "secret.txt": "no source",
    },
    "laid": {  # setuptools: a .pth
        "pyproject.toml": f'[project]\nname = "laid"\nversion = "1"\n{BUILT}',
        "src/laid/__init__.py": "Y = 'laid'\n",
        "src/laid/.git/config": "x",
        "src/laid/run.sh": "#!/bin/sh\n",
        "src/laid/data/x": "x",
    },
    "fixed": {  # not editable
        "pyproject.toml": f'[project]\nname = "fixed"\nversion = "1"\n{BUILT}',
        "fixed/__init__.py": "",
    },
    "exact": {  # hatchling's dev-mode-exact, as the library `editables` writes it
        "exact/__init__.py": "from exact.deep import Z\n",
        "exact/deep.py": "Z = 'exact'\n",
    },
    "poem": {  # poetry: the whole project in a .pth
        "pyproject.toml": "",
        "poem/__init__.py": "P = 'poem'\n",
        ".env": "TOKEN=secret",
        "build/lib/poem/__init__.py": "old",
        "venv/pyvenv.cfg": "home = /usr/bin\n",
        "node_modules/x/index.js": "x",
        "docs/index.md": "x",
    },
    "egg": {"egg.py": "E = 'egg'\n", "egg.egg-info/PKG-INFO": "Name: egg\nVersion: 3\n", "scripts/hatch": "print(7)\n"},
    "laid-out/src": {"more.py": "M = 'more'\n"},  # a .pth by hand
    "inline": {"inline.py": "I = 'inline'\n"},  # a .pth with code
    "linked/linked": {"__init__.py": "L = 'linked'\n"},  # flit: a link in site-packages
    "shared": {"shared.txt": "shared", "tree/x": "x"},
}
PROGRAM = """\
import alone, egg, exact, flat, inline, laid, linked, more, native_demo, poem
print(flat.DATA, alone.X, laid.Y, exact.Z, poem.P, egg.E, more.M, inline.I, linked.L, native_demo.__name__)
"""
PRINTED = "data alone laid exact poem egg more inline linked native_demo\n"
REDIRECT = """\
import sys
from importlib.util import spec_from_file_location
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return spec_from_file_location(name, {place!r}) if name == 'exact' else None
sys.meta_path.insert(0, Finder)
"""
TOOL = "#!{prefix}/bin/python\nimport sys; print(sys.prefix)\n"
DEV_SCRIPT = """\
#!{prefix}/bin/python
# EASY-INSTALL-DEV-SCRIPT: 'egg==3','hatch'
__file__ = {place!r}
with open(__file__) as f:
    exec(compile(f.read(), __file__, 'exec'))
"""


@dataclass(frozen=True)
class Live:
    """A live environment, and the projects that it imports from."""

    prefix: Path
    projects: Path

    @property
    def site_packages(self) -> Path:
        return self.prefix / "lib/python3.11/site-packages"

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Have neither where it was, as on another machine."""
        moved = [path.rename(path.with_name(path.name + "-away")) for path in (self.prefix, self.projects)]
        try:
            yield
        finally:
            for path, old in zip(moved, (self.prefix, self.projects), strict=True):
                path.rename(old)

    @contextlib.contextmanager
    def file(self, path: Path, text: str) -> Iterator[Path]:
        """Have one file more for a while."""
        path.write_text(text)
        try:
            yield path
        finally:
            path.unlink()


def pack(
    conda: Conda, prefix: Path, output: Path, *options: str | Path, entry_point: str = "mine", check: bool = True
) -> subprocess.CompletedProcess[str]:
    words = ("--entrypoint", entry_point, "--compression-level", "1", "-o", output)
    return conda("coex", "pack", "-y", "--from-prefix", prefix, *words, *options, check=check)


def make_live(conda: Conda, channel: tuple[str, ...], directory: Path) -> Live:
    """Make both, below a directory."""
    live = Live(directory / ("_" * max(1, LONG - len(f"{directory}//env"))) / "env", directory / "work-of-a-builder")
    live.prefix.parent.mkdir()
    _make_projects(live.projects)
    conda("create", "-q", "-y", "--copy", "--offline", *channel, "-p", live.prefix, *PACKAGES)
    _change(live.prefix)
    _add_files(live.prefix)
    _install(live)
    return live


def _make_projects(projects: Path) -> None:
    for project, files in PROJECTS.items():
        for name, text in files.items():
            path = projects / project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    make_extension(projects / "native")
    laid = projects / "laid/src/laid"
    (laid / "run.sh").chmod(0o755)
    (laid / "empty").mkdir(mode=0o750)
    (laid / "relative").symlink_to("data/x")
    (laid / "absolute").symlink_to(laid / "data")
    (laid / "shared.txt").symlink_to("../../../shared/shared.txt")
    (laid / "tree").symlink_to(projects / "shared/tree")


def _change(prefix: Path) -> None:
    changed = prefix / "lib/python3.11/site-packages/hello_noarch/__init__.py"
    changed.write_text(changed.read_text() + f"# changed\nHERE = {str(prefix)!r}\n")
    (prefix / "lib/python3.11/antigravity.py").unlink()
    (prefix / "bin/hello-noarch").unlink()
    (prefix / "bin/python3").unlink()


def _add_files(prefix: Path) -> None:
    mine = prefix / "mine"
    (mine / "read-only").mkdir(parents=True)
    (mine / "read-only/x").write_text("x")
    (mine / "read-only").chmod(0o555)
    (mine / "empty").mkdir()
    (mine / "wide.txt").write_bytes(f"root = {prefix}/x\n".encode("utf-16-le"))
    (mine / "first").write_text(f"{prefix}:{prefix}xtra\n")
    (mine / "second").hardlink_to(mine / "first")
    (mine / "absolute").symlink_to(mine / "first")
    (mine / "round").symlink_to(f"../../{prefix.name}/mine/first")
    (mine / "loop").symlink_to("loop")
    (mine / "hosts").symlink_to("/etc/hosts")
    os.mkfifo(mine / "fifo")
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(mine)
        opened.bind("socket")
        os.chdir(here)
    (mine / os.fsdecode(b"no-utf-8-\xff")).write_text("x")
    (prefix / ".condarc").write_text("channels: [https://host/t/a-token/channel]\n")
    (prefix / "pip.conf").write_text("[global]\nindex-url = https://me:a-token@host/simple\n")
    (mine / ".git").mkdir()
    (mine / ".git/config").write_text("url = https://me:a-token@host/repository\n")
    sources = {mine / "module.py": "X = 1\n", mine / "named.py": f"X = {str(prefix)!r}\n", prefix / "bin/tool.py": TOOL}
    for path, text in sources.items():
        path.write_text(text.format(prefix=prefix))
    subprocess.run([prefix / "bin/python", "-m", "compileall", "-q", *sources], check=True)
    script = prefix / "bin/mine"
    script.write_text(f"#!{prefix}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)


def _install(live: Live) -> None:
    projects, site_packages = live.projects, live.site_packages
    words = ("-m", "pip", "install", "-q", "--no-build-isolation", "--no-index", "--no-deps", "--no-compile")
    places = ("-e", projects / "flat", "-e", projects / "laid", "-e", projects / "native", projects / "fixed")
    quiet = {**os.environ, "CFLAGS": "-g0 -O0"}
    subprocess.run([live.prefix / "bin/python", *words, *places], check=True, cwd=projects, env=quiet)
    (site_packages / "_editable_impl_exact.pth").write_text("import _editable_impl_exact\n")
    redirect = REDIRECT.format(place=str(projects / "exact/exact/__init__.py"))
    (site_packages / "_editable_impl_exact.py").write_text(redirect)
    (site_packages / "poem.pth").write_text(f"{projects}/poem")
    info = site_packages / "poem-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: poem\nVersion: 1\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": (projects / "poem").as_uri(), "dir_info": {"editable": True}})
    )
    (info / "RECORD").write_text("poem.pth,sha256=x,1\npoem-1.dist-info/direct_url.json,sha256=x,1\n")
    (site_packages / "easy-install.pth").write_text(f"{projects}/egg\n")
    (site_packages / "egg.egg-link").write_text(f"{projects}/egg\n.")
    hatch = live.prefix / "bin/hatch"
    hatch.write_text(DEV_SCRIPT.format(prefix=live.prefix, place=str(projects / "egg/scripts/hatch")))
    hatch.chmod(0o755)
    more = os.path.relpath(projects / "laid-out/src", site_packages)
    (site_packages / "more.pth").write_text(f"# by hand\n{more}\n")
    (site_packages / "inline.pth").write_text(f"import sys; sys.path.append({str(projects / 'inline')!r})\n")
    (site_packages / "linked").symlink_to(projects / "linked/linked")
