"""The list that `lock` prints: it has no credentials, and pins as conda and pip read it."""

import subprocess

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL

from unit.coex_bootstrap.building import write_archive
from unit.coex_bootstrap.demo_archive import CONTENT, PYTHON, ask, asking, demo_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

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


def test_lock_names_packages_from_a_directory(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    local = package(name="own", url=LOCAL_CHANNEL + "/noarch/own-1-0.conda")
    write_archive(archive, demo_index(), [CONTENT], packages=[package(), local])
    status, found, _ = ask(archive, environ, b"lock")
    assert (status, found["packages"][1]["line"]) == (0, "%s/noarch/own-1-0.conda#%s" % (LOCAL_CHANNEL, MD5))
    out = subprocess.check_output([PYTHON, archive, b"lock"], env=asking(environ)).decode("ascii")
    said = ["# from a directory of the machine that made the archive: own"]
    said += ["# put the URL of a channel that has them in the place of " + LOCAL_CHANNEL]
    assert [line for line in out.partition("@EXPLICIT\n")[0].splitlines() if line in said] == said


def test_lock_names_pip_packages(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    pip = [{"name": "p", "version": "2", "url": "https://u:secret@host/p.whl"}, {"name": "q", "version": "1", "file": "lib/q"}]
    write_archive(archive, demo_index(), [CONTENT], packages=[package()], pip=pip)
    out = subprocess.check_output([PYTHON, archive, b"lock"], env=asking(environ)).decode("ascii")
    head, _, listed = out.partition("@EXPLICIT\n")
    said = ["p==2 from https://host/p.whl", "q==1 from lib/q"]
    assert [line for line in head.splitlines() if "pip" in line] == ["# not in this list, pip installed it: " + w for w in said]
    assert len(listed.splitlines()) == 1


def test_pip_packages_without_a_source(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """A null means the same as a missing field."""
    pip = [{"name": "p", "version": "2", "url": None, "file": None}, {"name": "q", "version": "1", "url": None, "file": "q.whl"}]
    write_archive(archive, demo_index(), [CONTENT], packages=[package()], pip=pip)
    out = subprocess.check_output([PYTHON, archive, b"lock"], env=asking(environ)).decode("ascii")
    assert [line.partition(": ")[2] for line in out.splitlines() if "pip installed it" in line] == ["p==2", "q==1 from q.whl"]
    out = subprocess.check_output([PYTHON, archive, b"info"], env=asking(environ)).decode("ascii")
    assert [line.split() for line in out.splitlines() if line[:2] in ("p ", "q ")] == [["p", "2"], ["q", "1", "q.whl"]]


def test_lock_pins_pip_packages(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """By URL and sha256, or by a commit, where no word of the line could be another one."""
    url, commit = "https://u:secret@host/p.whl", "0123456789" * 4
    pip = [
        {"name": "p", "version": "2", "url": url, "sha256": SHA256},
        {"name": "q", "version": "2", "url": "https://host/q", "commit": commit, "subdirectory": "a/b"},
        {"name": "r", "version": "2", "url": "https://host/r.zip", "sha256": SHA256, "subdirectory": "a"},
        {"name": "s", "version": "2", "url": "https://host/s", "commit": commit, "vcs": "hg"},
        {"name": "t --x", "version": "2", "url": url, "sha256": SHA256},
        {"name": "v", "version": "2", "url": "https://host/v#egg=x", "sha256": SHA256},
        {"name": "w", "version": "2", "url": "https://host/w", "commit": commit, "subdirectory": "a b"},
        {"name": "x", "version": "2", "url": "https://host/x", "sha256": "0"},
        {"name": "y", "version": "2", "url": "ssh://git@host/y", "commit": commit},
        {"name": "z", "version": "2", "url": "https://host/source/t/tz/tz-2.zip?token=secret", "sha256": SHA256},
    ]
    write_archive(archive, demo_index(), [CONTENT], packages=[package()], pip=pip)
    out = subprocess.check_output([PYTHON, archive, b"lock"], env=asking(environ)).decode("ascii")
    head, _, listed = out.partition("@EXPLICIT\n")
    assert listed.splitlines()[1:] == [
        "# pip p @ https://host/p.whl#sha256=" + SHA256,
        "# pip q @ git+https://host/q@%s#subdirectory=a/b" % commit,
        "# pip r @ https://host/r.zip#sha256=%s&subdirectory=a" % SHA256,
        "# pip y @ git+ssh://git@host/y@" + commit,
        "# pip z @ https://host/source/t/tz/tz-2.zip#sha256=" + SHA256,
    ]
    assert [line.split(": ")[1][0] for line in head.splitlines() if "pip installed it" in line] == list("stvwx")


def test_lock_pins_wheels_as_pip_does(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """conda 26 makes packages of wheels in a channel, and reads none of them in an explicit list."""
    wheel = "https://u:secret@host/chan/noarch/demo-1-py3-none-any.whl"
    packages = [package(), package(url=wheel, sha256=SHA256), package(name="bare", url=wheel)]
    write_archive(archive, demo_index(), [CONTENT], packages=packages)
    status, found, _ = ask(archive, environ, b"lock")
    assert (status, len(found["packages"]), [each["name"] for each in found["pip"]]) == (0, 1, ["demo", "bare"])
    out = subprocess.check_output([PYTHON, archive, b"lock"], env=asking(environ)).decode("ascii")
    assert out.splitlines()[-1] == "# pip demo @ https://host/chan/noarch/demo-1-py3-none-any.whl#sha256=" + SHA256
    assert "# not in this list, pip installed it: bare==1 from https://host" in out


@pytest.mark.parametrize("url", [None, "https://host/x.conda#evil", "/etc/x.conda", "https://host/a b.conda"])
def test_lock_of_a_package_without_a_url(archive, environ, url):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    write_archive(archive, demo_index(), [CONTENT], packages=[package(url=url)])
    status, found, _ = ask(archive, environ, b"lock")
    assert (status, found["success"]) == (1, False)
    assert "its package demo-1-0 has no URL" in found["error"]
