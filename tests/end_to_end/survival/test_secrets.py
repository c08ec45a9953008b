"""Nothing that a builder keeps secret is in the file: not in its bytes, and not in anything that it decodes to."""

from __future__ import annotations

import base64
import os
import threading
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import zstandard
from coex_bootstrap.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

TOKEN, USER, PASSWORD = "tk-5e3c7e7-a11ce", "al1ce-builder", "pa55-w0rd-of-al1ce"
PACKAGES = ("cprog", "hello-noarch", "python", "zstd")
HOME = "home-of-al1ce"
ENVIRONMENT = {
    "USER": USER, "LOGNAME": USER, "ANACONDA_API_TOKEN": "tk-0f-the-env1ronment",
    "GITHUB_TOKEN": "ghp-0f-the-env1ronment",
    "CONDA_TOKEN": "tk-0f-c0nda", "HTTP_PASSWORD": "pa55-0f-the-env1ronment",
}  # fmt: skip
SECRETS = {TOKEN, PASSWORD, HOME, *ENVIRONMENT.values()}


class Guarded(SimpleHTTPRequestHandler):
    """Serves a channel below /t/TOKEN/ to who has the password."""

    def do_GET(self) -> None:
        known = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if not self.path.startswith(f"/t/{TOKEN}/") or self.headers.get("Authorization") != known:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="channel"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.path = self.path.removeprefix(f"/t/{TOKEN}")
        super().do_GET()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def secret_channel(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the channel, with everything in it that opens it."""
    served = tmp_path_factory.mktemp("served")
    (served / "chan").symlink_to(testbed.channel)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/t/{TOKEN}/chan"
    server.shutdown()
    server.server_close()
    thread.join()


def everything(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the file, its members and what its frames decode to, by name."""
    yield "the file", path.read_bytes()
    with closing(Archive(os.fsencode(path))) as archive:
        yield from archive.members.items()
        for number in range(len(archive.index.frames)):
            yield f"frame {number}", zstandard.ZstdDecompressor().decompress(archive.frame(number))


@pytest.mark.parametrize("way", ["option", "file", "environment"])
def test_nothing_of_a_channel_with_a_token(conda: Conda, secret_channel: str, tmp_path: Path, way: str) -> None:
    home = tmp_path / HOME
    work = home / "work"
    work.mkdir(parents=True)
    environment = {**ENVIRONMENT, "HOME": str(home), "CONDA_PKGS_DIRS": str(home / "pkgs"), "CONDA_OFFLINE": "false"}
    packages = [word for name in PACKAGES for word in ("--package", name)]
    inputs: list[str] = ["--override-channels", "-c", secret_channel, *packages]
    if way == "file":
        lines = [f"channels: [{secret_channel}, nodefaults]", "dependencies:", *(f"  - {name}" for name in PACKAGES)]
        (work / "environment.yml").write_text("\n".join(lines) + "\n")
        inputs = ["-f", "environment.yml"]
    elif way == "environment":
        made = ("create", "-q", "-y", "--override-channels", "-c", secret_channel, "-p", home / "env", *PACKAGES)
        conda(*made, env=environment)
        inputs = ["-p", str(home / "env")]
    command = ("coex", "create", "-q", "-y", "--compression-level", "1", *inputs, "--entrypoint", "cprog")
    conda(*command, "-o", "x.coex", cwd=work, env=environment)
    found = dict(everything(work / "x.coex"))
    assert b"cprog" in found["coex.json"]
    assert b"127.0.0.1" in found["coex.json"]  # it did come from there
    assert any(b"conda-meta" in content for content in found.values())
    shown = [(name, secret) for name, content in found.items() for secret in SECRETS if secret.encode() in content]
    assert shown == []
