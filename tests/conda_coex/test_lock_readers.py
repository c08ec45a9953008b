"""What lock files of every kind come to: read alone, without conda, packages or an archive."""

from __future__ import annotations

import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from conda_coex.errors import InputError
from conda_coex.lock import find_lock
from conda_coex.lock_file import Choice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conda_coex.lock_file import Lock

HERE, THERE = "linux-64", "osx-arm64"
MD5, SHA256 = "0" * 32, "a" * 64
URL = "https://example.com/main/{}/{}-1.0-0.conda"
WHEEL = "https://example.com/files/pure-1.0-py3-none-any.whl"
PLAIN = Choice(HERE, None, ())
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = "git+https://example.com/me/tool"


def locked(name: str, platform: str = HERE, **more: Any) -> dict[str, Any]:
    """Return a package as conda-lock writes it."""
    return {
        "name": name, "version": "1.0", "manager": "conda", "platform": platform, "url": URL.format(platform, name),
        "hash": {"md5": MD5, "sha256": SHA256}, "category": "main", "optional": False, "dependencies": {}, **more,
    }  # fmt: skip


def conda_lock(*packages: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "metadata": {"platforms": [HERE, THERE], "channels": [{"url": "main", "used_env_vars": []}], **metadata},
        "package": list(packages),
    }


def pixi(*packages: dict[str, Any], version: int = 6, **environments: Any) -> dict[str, Any]:
    kinds = ("conda", "pypi", "conda_source")
    listed = [{key: package[key]} for package in packages for key in kinds if key in package]
    default = {"channels": [{"url": "main"}], "packages": {HERE: listed}}
    return {"version": version, "environments": {"default": default, **environments}, "packages": list(packages)}


def of_pixi(name: str, **more: Any) -> dict[str, Any]:
    return {"conda": URL.format(HERE, name), "md5": MD5, "sha256": SHA256, **more}


TOOL = of_pixi("tool")


def in_yaml(lock: dict[str, Any], *, flow: bool) -> str:
    """Return YAML in one of its styles, with keys in the order of the alphabet."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = flow, 60
    written = io.StringIO()
    yaml.dump(lock, written)
    return written.getvalue()


STYLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "block": lambda lock: in_yaml(lock, flow=False),
    "flow": lambda lock: in_yaml(lock, flow=True),
    "JSON": json.dumps,
    "indented JSON": lambda lock: json.dumps(lock, indent=2),
}


def read(directory: Path, lock: Any, name: str = "some.file", choice: Choice = PLAIN) -> Lock | None:
    text = lock if isinstance(lock, str) else json.dumps(lock)
    (directory / name).write_text(text, encoding="utf-8")
    return find_lock([str(directory / name)], [], choice)


def names(lock: Lock | None) -> list[str]:
    assert lock is not None
    return [package.file_name.partition("-1.0")[0] for package in lock.packages]


def lines(lock: Lock | None, directory: Path) -> list[str]:
    assert lock is not None
    return [line.replace(str(directory), "HERE") for section in lock.pip for line in section.lines]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("lock", [conda_lock(locked("tool")), pixi(TOOL), pixi(TOOL, version=7)])
def test_style(tmp_path: Path, lock: dict[str, Any], style: str) -> None:
    """A lock is told by what it holds: neither the name, nor the style of its YAML, nor the order of keys count."""
    found = read(tmp_path, STYLES[style](lock))
    assert found is not None
    (package,) = found.packages
    assert (package.url, package.md5, package.sha256) == (URL.format(HERE, "tool"), MD5, SHA256)
    assert found.channels == ("main",)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("dependencies: [environments, packages, version]\n", id="words of one"),
        pytest.param("# version:\n# environments:\n# packages:\ndependencies: [x]\n", id="comments"),
        pytest.param("note: |\n  version: 6\n  environments: x\n  packages: x\n", id="text in it"),
        pytest.param("{a: [", id="no YAML"),
        pytest.param("numpy ==1.0\n", id="requirements"),
        pytest.param("- metadata\n- package\n", id="list"),
        pytest.param("", id="empty"),
        pytest.param("x @EXPLICIT\n", id="a word"),
    ],
)
def test_no_lock(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) is None
    assert find_lock([str(tmp_path / "missing")], [], PLAIN) is None


@pytest.mark.parametrize("name", ["conda-lock.yml", "my.conda-lock.yml", "pixi.lock"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{a: [", "is no YAML in line 1", id="no YAML"),
        pytest.param("version: 6\n", "is none: it pins no packages", id="other keys"),
        pytest.param("", "is none: it pins no packages", id="empty"),
    ],
)
def test_named_like_one(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(InputError, match=rf"{re.escape(name)}: the lock file {says}"):
        read(tmp_path, text, name)


def test_explicit(tmp_path: Path) -> None:
    """Sums of every spelling, none, comments; each package once."""
    url = URL.format(HERE, "a")
    text = f"# platform: {HERE}\n@EXPLICIT\n{url}#{MD5}\n{url}#{MD5}\n" + "".join(
        f"{URL.format('noarch', name)}{mark}\n"
        for name, mark in [("b", f"#{SHA256}"), ("c", f"#sha256:{SHA256}"), ("d", ""), ("e", f"#{MD5.upper()}")]
    )
    found = read(tmp_path, text)
    assert found is not None
    assert [(p.md5, p.sha256) for p in found.packages] == [
        (MD5, None), (None, SHA256), (None, SHA256), (None, None), (MD5, None),
    ]  # fmt: skip


def test_explicit_of_another_editor(tmp_path: Path) -> None:
    """With the mark of UTF-8 and the line ends of Windows."""
    found = read(tmp_path, f"\ufeff@EXPLICIT\r\n# x\r\n\r\n  {URL.format(HERE, 'a')}#{MD5}  \r\n")
    assert found is not None
    assert [(package.url, package.md5) for package in found.packages] == [(URL.format(HERE, "a"), MD5)]
    (tmp_path / "latin").write_bytes(b"@EXPLICIT\n# caf\xe9\n")
    with pytest.raises(InputError, match="is no UTF-8 text"):
        find_lock([str(tmp_path / "latin")], [], PLAIN)


def test_pipe(tmp_path: Path) -> None:
    """As a shell's `<(conda list --explicit)` gives one: it can be read once."""
    fifo = tmp_path / "fifo"
    for text in (f"@EXPLICIT\n{URL.format(HERE, 'a')}\n", json.dumps(pixi(of_pixi("a")))):
        os.mkfifo(fifo)
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(fifo.write_text, text)
            found = find_lock([str(fifo)], [], PLAIN)
            written.result()
        assert names(found) == ["a"]
        fifo.unlink()


def test_conda_lock_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Categories, platforms, sums that are missing, credentials from the environment of the builder."""
    lock = conda_lock(
        locked("a"), locked("b", category="dev"), locked("c", THERE), locked("d", optional=True), locked("e", hash={}),
        locked("f", hash=None, url="https://$TOKEN:${TOKEN}@example.com/main/linux-64/f-1.0-0.conda"),
        channels=[{"url": "https://$TOKEN@example.com", "used_env_vars": ["TOKEN"]}],
    )  # fmt: skip
    monkeypatch.setenv("TOKEN", "s3cr3t")
    found = read(tmp_path, lock)
    assert names(found) == ["a", "e", "f"]
    assert found is not None
    assert (found.packages[1].md5, found.packages[1].sha256) == (None, None)
    assert found.packages[2].url == "https://s3cr3t:s3cr3t@example.com/main/linux-64/f-1.0-0.conda"
    assert found.channels == ("https://s3cr3t@example.com",)
    assert names(read(tmp_path, lock, choice=Choice(HERE, None, ("dev",)))) == ["a", "b", "e", "f"]
    assert names(read(tmp_path, lock, choice=Choice(THERE, None, ()))) == ["c"]
    with pytest.raises(InputError, match="has no category 'test'; choose among dev, main"):
        read(tmp_path, lock, choice=Choice(HERE, None, ("test",)))


def test_pixi_choices(tmp_path: Path) -> None:
    """Environments and platforms of one lock; of format 7 also platforms with names of their own."""
    both = {"channels": [], "packages": {HERE: [{"conda": TOOL["conda"]}], "gpu": [{"conda": of_pixi("b")["conda"]}]}}
    lock = pixi(TOOL, of_pixi("b"), version=7, cuda=both)
    lock["platforms"] = [{"name": HERE}, {"name": "gpu", "subdir": HERE, "virtual-packages": ["__cuda=12"]}]
    assert names(read(tmp_path, lock)) == ["tool", "b"]
    assert names(read(tmp_path, lock, choice=Choice(HERE, "cuda", ()))) == ["tool"]
    del both["packages"][HERE]
    assert names(read(tmp_path, lock, choice=Choice(HERE, "cuda", ()))) == ["b"]
    lock["platforms"].append({"name": "cpu", "subdir": HERE})
    both["packages"]["cpu"] = []
    with pytest.raises(InputError, match=f"has gpu, cpu, which are all {HERE}"):
        read(tmp_path, lock, choice=Choice(HERE, "cuda", ()))
    with pytest.raises(InputError, match=f"is for {HERE}, not for {THERE}; choose with --platform {HERE}"):
        read(tmp_path, lock, choice=Choice(THERE, None, ()))
    with pytest.raises(InputError, match="has no environment 'test'; choose with --lock-environment: default, cuda"):
        read(tmp_path, lock, choice=Choice(HERE, "test", ()))


@pytest.mark.parametrize(
    ("location", "line"),
    [
        pytest.param(WHEEL, f"p @ {WHEEL} --hash=sha256:{SHA256}", id="wheel"),
        pytest.param("./wheels/x.whl", f"HERE/wheels/x.whl --hash=sha256:{SHA256}", id="local wheel"),
        pytest.param("wheels/x.whl", f"HERE/wheels/x.whl --hash=sha256:{SHA256}", id="local wheel, no dot"),
        pytest.param("./", "HERE", id="the project itself"),
        pytest.param("./wheels/../wheels", "HERE/wheels", id="directory"),
        pytest.param(f"{GIT}?rev=main#{COMMIT}", f"p @ {GIT}@{COMMIT}", id="git of uv"),
        pytest.param(f"{GIT}?subdirectory=a/b&tag=v1#{COMMIT}", f"p @ {GIT}@{COMMIT}#subdirectory=a/b", id="sub"),
        pytest.param(f"{GIT}?rev={COMMIT[:12]}", f"p @ {GIT}@{COMMIT[:12]}", id="git, no fragment"),
        pytest.param(f"git+file:///a b/x#{COMMIT}".replace(" ", "%20"), f"git+file:///a%20b/x@{COMMIT}", id="file"),
        pytest.param(f"{GIT}@{COMMIT}", f"p @ {GIT}@{COMMIT}", id="git of pip"),
        pytest.param(f"{GIT}@{COMMIT}#subdirectory=x", f"p @ {GIT}@{COMMIT}#subdirectory=x", id="git of pip, sub"),
        pytest.param("git+ssh://git@example.com/x?rev=v1#a1b2c3d", "p @ git+ssh://git@example.com/x@a1b2c3d", id="ssh"),
    ],
)
def test_pip_locations(tmp_path: Path, location: str, line: str) -> None:
    """URLs keep the lock's hash; so do local files; directories and commits have none that pip could compare."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/x.whl").touch()
    of_pypi = {"pypi": location, "name": "p", "version": "1", "sha256": SHA256}
    of_pip = locked("p", manager="pip", url=location, hash={"sha256": SHA256})
    assert lines(read(tmp_path, pixi(TOOL, of_pypi)), tmp_path) == [line]
    assert lines(read(tmp_path, conda_lock(locked("tool"), of_pip)), tmp_path) == [line]


def test_pip_sections(tmp_path: Path) -> None:
    """Lines with hashes and lines without are apart, as pip wants it; the version of a package counts for nothing."""
    plain = {"pypi": f"{GIT}?rev=main#{COMMIT}", "name": "p", "version": "1"}
    hashed = {"pypi": WHEEL, "name": "pure", "version": "1.0", "sha256": SHA256}
    found = read(tmp_path, pixi(plain, TOOL, hashed))
    assert found is not None
    assert [(section.lines, section.pinned) for section in found.pip] == [
        ((f"pure @ {WHEEL} --hash=sha256:{SHA256}",), True), ((f"p @ {GIT}@{COMMIT}",), True),
    ]  # fmt: skip
    assert names(found) == ["tool"]


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        pytest.param(pixi(TOOL, {"pypi": "./gone", "name": "p"}), "names ./gone, and there is no", id="gone"),
        pytest.param(pixi(TOOL, {"pypi": "-e x", "name": "p"}), "has '-e x', which is no URL and no path", id="option"),
        pytest.param(pixi(TOOL, {"pypi": "", "name": "p"}), "has '', which is no URL and no path", id="nothing"),
        pytest.param(
            pixi(TOOL, {"pypi": WHEEL, "name": "p", "sha256": "ab"}), "has 'ab' for p, which is no sha256", id="sum"
        ),
        pytest.param(
            pixi(TOOL, {"conda_source": "x[ab] @ ."}, version=7),
            re.escape("has 'x[ab] @ .', a package that pixi builds from source; publish it to a channel"),
            id="source of format 7",
        ),
        pytest.param(pixi(TOOL, {"conda": "./x"}), "has './x', a package that pixi builds from source", id="source"),
        pytest.param(pixi(TOOL, version=8), "is of version 8 of pixi's format; make one of version 7", id="version"),
        pytest.param(pixi(of_pixi("x", md5="0")), "has '0' for x-1.0-0.conda, which is no md5", id="md5"),
        pytest.param(pixi(), f"pins no conda package for {HERE}", id="empty"),
        pytest.param(conda_lock(locked("x", hash=["md5"])), "has no mapping `hash` in the package 'x'", id="hash"),
        pytest.param(conda_lock(locked("x", url="x.conda")), "has 'x.conda', which is no URL", id="no URL"),
        pytest.param(
            conda_lock(locked("x"), locked("x", url=URL.format("noarch", "x"))), "pins two packages named x", id="twins"
        ),
        pytest.param(conda_lock(locked("x", category=3)), "has 3 as category of the package 'x'", id="category"),
        pytest.param(conda_lock(locked("x"), channels=3), "has no list of mappings in `channels`", id="channels"),
        pytest.param(conda_lock(channels=[{"used_env_vars": 3}]), "has `used_env_vars` that are no list", id="names"),
        pytest.param({**pixi(TOOL), "platforms": ["x"]}, "has no list of mappings in `platforms`", id="platforms"),
        pytest.param(conda_lock({"name": 3}), "has no text `name` in the package 3", id="number"),
        pytest.param(conda_lock("x"), "has no text `name` in the package None", id="text"),  # type: ignore[arg-type]
    ],
)
def test_refused(tmp_path: Path, lock: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"the lock file {says}"):
        read(tmp_path, lock)
