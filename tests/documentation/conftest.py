"""Fixtures for the pages: a home directory, conda as for a user, and the test bed's channel as conda-forge."""

from __future__ import annotations

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from testbed.layout import Layout

CONDARC = """\
channels: [conda-forge]
custom_multichannels:
  conda-forge: [{channels}]
report_errors: false
"""


def make_user(testbed: Layout, directory: Path, *channels: str, programs: Sequence[Path] = ()) -> dict[str, str]:
    """Make the home directory of a user of conda, for whom the channels are conda-forge, and return the environment.

    No prompt of conda waits for an answer, and archives find no other place for their roots.
    """
    home, temporary, own = directory / "home", directory / "tmp", directory / "bin"
    home.mkdir()
    own.mkdir()
    condarc = CONDARC.format(channels=", ".join(channels or [testbed.channel.as_uri()]))
    temporary.mkdir()
    (own / "conda").symlink_to(testbed.conda)
    (home / ".condarc").write_text(condarc, encoding="utf-8")
    path = os.pathsep.join([str(own), *map(str, programs), "/usr/local/bin", "/usr/bin", "/bin"])
    conda = {"CONDA_ENVS_DIRS": str(home / "envs"), "CONDA_ALWAYS_YES": "true", "CONDA_OVERRIDE_CUDA": ""}
    return {"HOME": str(home), "TMPDIR": str(temporary), "PATH": path, "LANG": "C.UTF-8", **conda}


@pytest.fixture
def user(testbed: Layout, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user with an empty home directory."""
    return make_user(testbed, tmp_path)


@pytest.fixture
def served_channel(testbed: Layout) -> Iterator[str]:
    """Return the address of a server that has the channel: of a directory, archives do not name the place."""
    handler = partial(Silent, directory=str(testbed.channel))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Silent(SimpleHTTPRequestHandler):
    """Serves files."""

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
