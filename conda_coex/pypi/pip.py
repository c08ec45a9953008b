"""Have an environment's own pip install into it, activated, as `conda env create` does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.shell import OPTIONS as SHELL_OPTIONS
from coex_bootstrap.base.urls import without_credentials
from coex_bootstrap.start.activate import needed_shell, write_activation

from ..errors import PipFailed
from ..inputs.json_values import as_table
from .direct_url_json import parse_direct_url
from .requirements import gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..inputs.environment import PipSection

OPTIONS = (
    "install", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-warn-script-location",
    "--progress-bar=off", "--exists-action=b",
)  # fmt: skip
REPORT_SINCE, DOWNLOADS_V2_SINCE = (22, 2), (23, 3)
# Settings that a pip.conf or the caller's environment must not change, because the place and the target are given.
REFUSED = (
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_REPORT", "PIP_PYTHON", "__PYVENV_LAUNCHER__",
    "PIP_PLATFORM", "PIP_PYTHON_VERSION", "PIP_IMPLEMENTATION", "PIP_ABI", "COEX_KEEP",
)  # fmt: skip
# No debugging information by default: it names directories of the builder, whose names differ each time. A linker's
# build ID is a hash of those that are left, such as the prefix in a run path.
# The status of the activation is ignored: many scripts end in a test that fails.
FLAGS = {"CFLAGS": "-g0", "CXXFLAGS": "-g0", **({"LDFLAGS": "-Wl,--build-id=none"} if sys.platform == "linux" else {})}
DEFAULTS = " ".join(f'{name}="${{{name}-{flags}}}"' for name, flags in FLAGS.items())
SCRIPT = f'{SHELL_OPTIONS.decode()}; . "$1"; shift; export {DEFAULTS}; exec "$@"'


@dataclass(frozen=True)
class Program:
    """A pip: that of the environment's package, or the wheel that its Python carries to install one (`ensurepip`)."""

    version: str
    wheel: str | None = None  # relative to the prefix


class Pip:
    """The pip of one environment at `prefix`."""

    def __init__(self, prefix: Path, program: Program, date: int, offline: bool) -> None:
        self.prefix, self.scratch = prefix, prefix.parent
        self.arguments = [f"{prefix}/{program.wheel}/pip"] if program.wheel else ["-m", "pip"]
        version = tuple(map(int, re.findall(r"\d+", program.version)[:2]))
        self.reports = version >= REPORT_SINCE
        self.environ = pip_environ(date, offline)
        self.activation = write_activation(os.fsencode(prefix.parent))
        bash = needed_shell({}, os.fsencode(prefix), dict(os.environb))
        self.shell = [os.fsdecode(bash), "-p"] if bash else ["/bin/sh"]
        # The next runs find most modules of pip compiled by the first one, which asks for the cache
        self.environ["PYTHONDONTWRITEBYTECODE"] = ""
        self.environ["PIP_CACHE_DIR"] = str(self._cache("http-v2" if version >= DOWNLOADS_V2_SINCE else "http"))
        self.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def _cache(self, downloads: str) -> Path:
        """Return a cache with the user's downloads of pip; it keeps new downloads, not the wheels that pip builds.

        A wheel that was built here, for another environment, may differ from the wheel of another builder.
        """
        cache = self.scratch / "pip-cache"
        cache.mkdir()
        try:
            theirs = Path(self._run(["cache", "dir"], str(self.scratch)).rstrip().rpartition("\n")[2]) / downloads
        except PipFailed:  # an older pip without that command, or with a setting to keep nothing
            return cache
        if not theirs.is_absolute():  # another message, or nothing
            return cache
        with contextlib.suppress(OSError):
            theirs.mkdir(0o700, parents=True, exist_ok=True)
            if theirs.stat().st_uid == os.geteuid():  # pip uses only its own user's
                (cache / downloads).symlink_to(theirs)
        return cache

    def install(self, sections: Sequence[PipSection]) -> list[dict[str, object]]:
        """Install sections in one run of pip, which finds versions that fit them all.

        Sections of a lock file name their dependencies too, and are installed as they are. Returns the items of pip's
        installation report, none if pip is too old for one. Raises PipFailed.
        """
        lines = self.scratch / "requirements.txt"
        lines.touch(0o600)  # it may have credentials
        lines.write_text("\n".join(gather(sections)) + "\n", "utf-8")
        report = self.scratch / "report.json"
        pinned = any(section.pinned for section in sections)
        options = ["--no-deps" if pinned else "--upgrade", "-r", str(lines)]
        if self.reports:
            options += ["--report", str(report)]
        self._run([*OPTIONS, *options], sections[0].directory)
        if self.reports and not report.is_file():
            raise PipFailed("pip did not run: a script in etc/conda/activate.d ends the shell that reads it")
        items = as_table(json.loads(report.read_text("utf-8"))).get("install") if self.reports else []
        return [as_table(item) for item in items] if isinstance(items, list) else []

    def install_copy(self, source: str) -> None:
        """Install an editable package for good: the archive cannot point at the builder's sources."""
        self._run([*OPTIONS, "--no-deps", "--force-reinstall", source], source)

    def _run(self, options: Sequence[str], directory: str) -> str:
        """Return the output of pip; raises PipFailed."""
        python = f"{self.prefix}/bin/python"
        command = [*self.shell, "-c", SCRIPT, "sh", os.fsdecode(self.activation), python, *self.arguments, *options]
        with subprocess.Popen(
            command, cwd=directory, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, close_fds=False,
        ) as process:  # fmt: skip
            try:
                out = process.communicate()[0].decode("utf-8", "replace")
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # and the compilers that it started
                raise
        if process.returncode:
            shown = without_credentials(out.replace(f"{self.scratch}/", "")).rstrip()
            raise PipFailed(f"pip ended with status {process.returncode} and said:\n{shown}")
        return out


def pip_environ(date: int, offline: bool) -> dict[str, str]:
    """Return the environment of a pip: the caller's, without the settings that a build decides."""
    environ = {name: value for name, value in os.environ.items() if name not in REFUSED}
    environ.update(
        PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_BREAK_SYSTEM_PACKAGES="1", PYTHONDONTWRITEBYTECODE="1",
        PYTHONHASHSEED="0", SOURCE_DATE_EPOCH=str(date), PYTHONIOENCODING="utf-8",
    )  # fmt: skip
    if offline:
        environ["PIP_NO_INDEX"] = "1"
    return environ


def editable_sources(site_packages: Path) -> Iterator[str]:
    """Yield the directories that editable installs point at (PEP 610, and setuptools' older `.egg-link`)."""
    for path in sorted(site_packages.glob("*.dist-info/direct_url.json")):
        direct_url = parse_direct_url(path.read_bytes())
        if direct_url is not None and direct_url.is_editable and direct_url.local_path is not None:
            yield direct_url.local_path
    for path in sorted(site_packages.glob("*.egg-link")):
        yield path.read_text("utf-8").splitlines()[0]
