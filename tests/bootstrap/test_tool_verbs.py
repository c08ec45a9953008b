"""Verbs that make or print something: unpack, env, lock, dockerfile. In the Python of the host, on small archives."""

import os
import subprocess

import pytest

from bootstrap.building import file_row, make_index, read, write, write_archive
from bootstrap.test_tools import CONTENT, PYTHON, archive, ask, asking, demo_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

__all__ = ["archive"]  # a fixture
MD5, SHA256 = "d" * 32, "e" * 64


def package(**fields):
    # type: (**Any) -> Dict[str, Any]
    known = {
        "name": "demo", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 1, "md5": MD5,
        "url": "https://u:secret@host/t/token/chan/noarch/demo-1-0.conda",
    }  # type: Dict[str, Any]
    return dict(known, **fields)


def test_lock_has_no_credentials(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, demo_index(), [CONTENT], packages=[package(), package(md5=None, sha256=SHA256)])
    status, found, _ = ask(archive, environ, b"lock")
    lines = [each["line"] for each in found["packages"]]
    url = "https://host/chan/noarch/demo-1-0.conda"
    assert (status, lines) == (0, [url + "#" + MD5, url + "#sha256:" + SHA256])


@pytest.mark.parametrize("url", [None, "https://host/x.conda#evil", "/etc/x.conda", "https://host/a b.conda"])
def test_lock_of_what_has_no_url(archive, environ, url):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    write_archive(archive, demo_index(), [CONTENT], packages=[package(url=url)])
    status, found, _ = ask(archive, environ, b"lock")
    assert (status, found["success"]) == (1, False)
    assert "its package demo-1-0 has no URL" in found["error"]


def test_env(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    _, found, _ = ask(archive, environ, b"env")
    prefix = found["root"] + "/prefix"
    assert found["set"]["CONDA_PREFIX"] == prefix
    assert found["set"]["PATH"] == prefix + "/bin:" + environ[b"PATH"].decode("ascii")
    environ[b"PYTHONPATH"] = b"/x y"
    out = subprocess.check_output([PYTHON, archive, b"env"], env=asking(environ))
    shown = subprocess.check_output([b"sh", b"-c", out + b'\necho "$COEX_PREFIX|${PYTHONPATH-gone}"'], env=environ)
    assert shown.decode("ascii") == prefix + "|gone\n"


def test_unpack_an_environment(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.mkdir(place + b"/made")
    os.mkdir(place + b"/made/.env.coex-other")  # nobody's that is known to be dead
    target = place + b"/made/env"
    status, _, error = ask(archive, environ, b"unpack", b"-p", target, b"--app", place + b"/made/app")
    assert (status, error) == (0, b"")
    assert read(target + b"/bin/demo").endswith(target + b"/share\n")
    assert sorted(os.listdir(place + b"/made")) == [b".env.coex-other", b"app", b"env"]
    status, found, _ = ask(archive, environ, b"verify", b"-p", target)
    assert (status, found["root"]["differences"]) == (0, [])
    os.unlink(target + b"/share/plain")
    status, found, _ = ask(archive, environ, b"verify", b"-p", target)
    assert [row["what"] for row in found["root"]["differences"]] == ["missing"]


def test_unpack_into_an_empty_directory(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    os.mkdir(place + b"/empty")
    assert ask(archive, environ, b"unpack", b"-p", place + b"/empty")[0] == 0
    assert read(place + b"/empty/share/plain") == b"plain\n"


@pytest.mark.parametrize("words", [
    [], [b"-p", b"a", b"--store", b"b"], [b"--store", b"b", b"--app", b"c"], [b"-p", b"full"], [b"-p", b"file"],
    [b"-p", b"link"], [b"-p", b"no/where"], [b"-p", b"a:b"], [b"-p", b"a", b"--app", b"a/b"], [b"--store", b"file"],
    [b"-p", b"a", b"--app", b"full"],
], ids=repr)
def test_unpack_to_where_it_cannot(archive, environ, place, words):
    # type: (bytes, Dict[bytes, bytes], bytes, List[bytes]) -> None
    write(place + b"/full/kept", b"")
    write(place + b"/file", b"")
    os.symlink(b"full", place + b"/link")
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", *[w if w[:1] == b"-" else place + b"/" + w for w in words])
    assert (status in (1, 2), found["success"]) == (True, False)
    assert "\n" not in found["error"]
    assert sorted(os.listdir(place)) == before


def test_unpack_whose_script_fails(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    script = b"exit 4\n"
    index = make_index([file_row(b"prefix/bin/.p-post-link.sh", 0, 0, len(script), mode=0o755)])
    write_archive(archive, index, [script], post_link=[{"name": "p", "version": "1", "build_number": 0}])
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert (status, sorted(os.listdir(place))) == (1, before)
    assert "post-link script of p ended with status 4" in found["error"]


def test_unpack_of_a_damaged_archive(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    write(archive, read(archive).replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe"))
    before = sorted(os.listdir(place))
    status, found, _ = ask(archive, environ, b"unpack", b"-p", place + b"/env")
    assert (status, sorted(os.listdir(place))) == (1, before)
    assert "a frame " in found["error"]


def test_unpack_into_a_store(archive, environ, place):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    umask = os.umask(0o077)
    try:
        status, found, _ = ask(archive, environ, b"unpack", b"--store", place + b"/shared")
    finally:
        os.umask(umask)
    assert status == 0
    assert os.stat(place + b"/shared").st_mode & 0o777 == 0o755
    environ[b"COEX_ROOT"] = place + b"/shared"
    out = subprocess.check_output([b"sh", archive], env=environ)
    assert out.decode("ascii") == found["root"] + "/prefix/share\n"


def test_dockerfile(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, demo_index(), [CONTENT], platform="linux-aarch64")
    status, found, _ = ask(archive, environ, b"dockerfile", b"--base", b"some:image")
    lines = found["dockerfile"].splitlines()
    assert (status, lines[1]) == (0, "FROM --platform=linux/arm64 python:3-slim AS unpack")
    assert "FROM --platform=linux/arm64 some:image" in lines
    write_archive(archive, demo_index(), [CONTENT], platform="osx-arm64")
    status, found, _ = ask(archive, environ, b"dockerfile")
    assert (status, "containers do not run what is for osx-arm64" in found["error"]) == (1, True)
