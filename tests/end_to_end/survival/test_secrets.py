"""Nothing that a builder keeps secret is in the file: not in its bytes, and not in anything that it decodes to."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import zstandard
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from coex_bootstrap.format.archive import Archive
from end_to_end.archives import Archive as Started
from end_to_end.own_channel import put, workshop
from end_to_end.wheel_files import committed, make_project, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

TOKEN, USER, PASSWORD = "tk-5e3c7e7-a11ce", "al1ce-builder", "pa55-w0rd-of-al1ce"
PACKAGES = ("cprog", "hello-noarch", "python", "zstd")
HOME = "home-of-al1ce"
SIGNATURE = "5igned-by-al1ce"
ENVIRONMENT = {
    "USER": USER, "LOGNAME": USER, "ANACONDA_API_TOKEN": "tk-0f-the-env1ronment",
    "GITHUB_TOKEN": "ghp-0f-the-env1ronment",
    "CONDA_TOKEN": "tk-0f-c0nda", "HTTP_PASSWORD": "pa55-0f-the-env1ronment",
}  # fmt: skip
SECRETS = {TOKEN, PASSWORD, HOME, SIGNATURE, *ENVIRONMENT.values()}


class Guarded(SimpleHTTPRequestHandler):
    """Serves a channel below /t/TOKEN/ to clients with the password."""

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
    for name in ("alpha", "beta"):
        make_wheel(served / "wheels", name, "1.0", {f"{name}.py": ""})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/t/{TOKEN}/chan"
    server.shutdown()
    server.server_close()
    thread.join()


def everything(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the file, its members and the content of its frames, by name."""
    yield "the file", path.read_bytes()
    with closing(Archive(os.fsencode(path))) as archive:
        yield from archive.members.items()
        for number in range(len(archive.index.frames)):
            yield f"frame {number}", zstandard.ZstdDecompressor().decompress(archive.frame(number))


def configured(home: Path, channel: str, way: str) -> list[str]:
    """Return the options that name the channel, after writing its settings in files of the home directory."""
    base, _, name = channel.rpartition("/")
    settings = {
        "alias": {"channel_alias": base},
        "custom": {"custom_channels": {name: base}},
        "several": {"custom_multichannels": {"several": [channel]}},
    }.get(way)
    if settings is not None:
        (home / ".condarc").write_text(json.dumps(settings))
        return ["-c", "several" if way == "several" else name]
    if way == "netrc":
        (home / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
        (home / ".netrc").chmod(0o600)
        return ["-c", channel.replace(f"{USER}:{PASSWORD}@", "")]
    return ["-c", channel]


@pytest.mark.parametrize("way", ["option", "file", "explicit", "environment", "alias", "custom", "several", "netrc"])
def test_no_trace_of_a_channel_with_a_token(
    conda: Conda, secret_channel: str, testbed: Layout, tmp_path: Path, way: str
) -> None:
    home = tmp_path / HOME
    work = home / "work"
    work.mkdir(parents=True)
    environment = {**ENVIRONMENT, "HOME": str(home), "CONDA_PKGS_DIRS": str(home / "pkgs"), "CONDA_OFFLINE": "false"}
    packages = [word for name in PACKAGES for word in ("--package", name)]
    inputs: list[str] = ["--override-channels", *configured(home, secret_channel, way), *packages]
    if way == "file":
        lines = [f"channels: [{secret_channel}, nodefaults]", "dependencies:", *(f"  - {name}" for name in PACKAGES)]
        (work / "environment.yml").write_text("\n".join(lines) + "\n")
        inputs = ["-f", "environment.yml"]
    elif way == "explicit":
        files = [path for name in OWN[:3] for path in sorted(testbed.channel.glob(f"*/{name}-*.conda"))[-1:]]
        urls = [f"{secret_channel}/{path.parent.name}/{path.name}" for path in files]
        (work / "list.txt").write_text("\n".join(["@EXPLICIT", *urls]) + "\n")
        inputs = ["-f", "list.txt"]
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
    assert secrets_in(found) == []


def secrets_in(found: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return the secrets that are in an archive, with the parts that have them."""
    return [(name, secret) for name, content in found.items() for secret in SECRETS if secret.encode() in content]


def test_no_trace_of_the_credentials_of_pip(
    conda: Conda, secret_channel: str, channel: tuple[str, ...], tmp_path: Path, store: Path
) -> None:
    """Indexes, links, signed URLs and repositories: names, commits and sums of packages stay, credentials go."""
    home = tmp_path / HOME
    make_project(home / "gamma", "gamma")
    commit = committed(home / "gamma")
    wheels = secret_channel.replace("/chan", "/wheels")
    lines = [
        f"--find-links {wheels}/", "alpha", f"beta @ {wheels}/beta-1.0-py3-none-any.whl?X-Amz-Signature={SIGNATURE}",
        f"gamma @ git+file://{home}/gamma@{commit}",
    ]  # fmt: skip
    wanted = ["channels: [nodefaults]", "dependencies:", *(f"- {name}" for name in ("python", "pip", "setuptools"))]
    (home / "environment.yml").write_text("\n".join([*wanted, "- pip:", *(f"  - {line}" for line in lines)]) + "\n")
    pip = {"PIP_INDEX_URL": f"{wheels}/simple", "PIP_EXTRA_INDEX_URL": f"{wheels}/more", "PIP_NO_BUILD_ISOLATION": "0"}
    environment = {**ENVIRONMENT, **pip, "HOME": str(home)}
    command = ("coex", "create", "-y", "--fast", *channel, "-f", "environment.yml", "--entrypoint", "python")
    planned = conda(*command, "--dry-run", "--json", cwd=home, env=environment)
    made = conda(*command, "-o", "x.coex", cwd=home, env=environment)
    found = dict(everything(home / "x.coex"))
    assert secrets_in(found) == []
    printed = planned.stdout + planned.stderr + made.stdout + made.stderr
    assert [secret for secret in (PASSWORD, TOKEN, SIGNATURE) if secret in printed] == []
    rows = {row["name"]: row for row in json.loads(found["coex.json"])["pip"]}
    assert rows["beta"]["url"].endswith("/wheels/beta-1.0-py3-none-any.whl")
    assert rows["gamma"]["commit"] == commit
    assert Started(home / "x.coex").start("-c", "import alpha, beta, gamma; print(1)", store=store) == "1\n"


OWN = ("cprog", "libcgreet", "zstd", "own")


def local(home: Path, way: str) -> list[str]:
    """Return the options that ask for packages of a home directory, in one of the ways that conda has."""
    channels = [home / "own", home / "chan"]
    if way in ("URL", "path"):
        names = [channel.as_uri() if way == "URL" else str(channel) for channel in channels]
        return [*(word for name in names for word in ("-c", name)), *(w for name in OWN for w in ("--package", name))]
    if way == "file":
        lines = ["channels:", *(f"  - {channel}" for channel in channels), "  - nodefaults", "dependencies:"]
        (home / "environment.yml").write_text("\n".join([*lines, *(f"  - {name}" for name in OWN)]) + "\n")
        return ["-f", str(home / "environment.yml")]
    files = [path for name in OWN for path in sorted(home.glob(f"*/*/{name}-*.conda"))[-1:]]
    assert (way, len(files)) == ("explicit", len(OWN))
    (home / "list.txt").write_text("\n".join(["@EXPLICIT", *map(str, files)]) + "\n")
    return ["-f", str(home / "list.txt")]


@pytest.mark.parametrize("way", ["URL", "path", "file", "explicit", "environment", "live"])
def test_no_trace_of_a_directory(conda: Conda, testbed: Layout, tmp_path: Path, store: Path, way: str) -> None:
    """Only names and sums of channels in the builder's home are in the file: enough to lock and make it again."""
    home = tmp_path / HOME
    home.mkdir()
    (home / "chan").symlink_to(testbed.channel)
    own = workshop(testbed, tmp_path).noarch("own")
    own.data("share/own.txt", b"mine")
    put(home / "own", [own])
    environment = {**ENVIRONMENT, "HOME": str(home), "CONDA_PKGS_DIRS": str(home / "pkgs")}
    verb, words = "create", ["--override-channels"]
    if way in ("environment", "live"):
        conda("create", "-q", "-y", *words, *local(home, "path")[:4], "-p", home / "env", *OWN, env=environment)
        verb, option = ("create", "-p") if way == "environment" else ("pack", "--from-prefix")
        words = [option, str(home / "env")]
    else:
        words += local(home, way)
    command = ("coex", verb, "-q", "-y", "--compression-level", "1", *words, "--entrypoint", "cprog")
    conda(*command, "-o", "x.coex", cwd=home, env=environment)
    found = dict(everything(home / "x.coex"))
    assert LOCAL_CHANNEL.encode() in found["coex.json"]
    assert [name for name, content in found.items() if HOME.encode() in content] == []

    subprocess.run([home / "x.coex"], env={"COEX_ROOT": str(store), "PATH": os.environ["PATH"]}, check=True)
    listed = conda("list", "-p", next(store.glob("*/prefix")), "--json").stdout
    assert {row["name"] for row in json.loads(listed)} >= set(OWN)

    lock = home / "again.txt"
    lock.write_text(conda("coex", "lock", home / "x.coex", "--sha256").stdout)
    assert HOME not in lock.read_text()
    cache = {"CONDA_PKGS_DIRS": str(tmp_path / "empty")}
    again = ("coex", "create", "-q", "-y", "-f", lock, "--entrypoint", "cprog", "-o", "y.coex")
    refused = conda(*again, cwd=home, env=cache, check=False)
    assert refused.returncode != 0
    said = "which came from a channel of the machine that made the archive; name a channel"
    assert said in " ".join(refused.stderr.split())
    conda(*again, "-c", home / "own", cwd=home, env=cache)
    remade = dict(everything(home / "y.coex"))
    assert [name for name, content in remade.items() if HOME.encode() in content] == []
    for channel in ("own", "chan"):
        (home / channel).rename(tmp_path / channel)
    (home / "y.coex").unlink()
    conda(*again, cwd=home, env={"CONDA_PKGS_DIRS": str(home / "pkgs")})  # conda has kept the files
    assert (home / "y.coex").exists()
