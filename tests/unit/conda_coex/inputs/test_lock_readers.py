"""The content of lock files of every kind, read without conda, packages or an archive."""

from __future__ import annotations

import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from conda_coex.conda_api.locked import explicit_rules
from conda_coex.errors import InputError
from conda_coex.inputs.document import read_document
from conda_coex.inputs.lock_file import Choice
from conda_coex.inputs.lock_recognize import find_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conda_coex.inputs.lock_file import Lock

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
    return find_lock([read_document(str(directory / name))], [], choice, explicit_rules())


def names(lock: Lock | None) -> list[str]:
    assert lock is not None
    return [package.file_name.partition("-1.0")[0] for package in lock.packages]


def lines(lock: Lock | None, directory: Path) -> list[str]:
    assert lock is not None
    return [line.replace(str(directory), "HERE") for section in lock.pip for line in section.lines]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "lock", [conda_lock(locked("tool")), pixi(TOOL), pixi(TOOL, version=7), pixi(TOOL, version=1)]
)
def test_style(tmp_path: Path, lock: dict[str, Any], style: str) -> None:
    """A lock is recognised by content: its name, the style of its YAML and the order of keys do not count."""
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
    assert find_lock([], [], PLAIN, explicit_rules()) is None


@pytest.mark.parametrize("name", ["conda-lock.yml", "my.conda-lock.yml", "pixi.lock"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{a: [", "is not YAML in line", id="no YAML"),
        pytest.param("version: 6\n", "pins no packages", id="other keys"),
        pytest.param("", "pins no packages", id="empty"),
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
    """With the mark of UTF-8 or UTF-16 and the line ends of Windows."""
    hidden = f"# x\u2028{URL.format(HERE, 'b')}"  # which editors and conda take for one line, a comment
    content = f"\ufeff  @EXPLICIT \r\n{hidden}\r\n\r\n  {URL.format(HERE, 'a')}#{MD5}  \r\n"
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        (tmp_path / "list").write_bytes(content.encode(encoding))
        found = find_lock([read_document(str(tmp_path / "list"))], [], PLAIN, explicit_rules())
        assert found is not None
        assert [(package.url, package.md5) for package in found.packages] == [(URL.format(HERE, "a"), MD5)]
    (tmp_path / "latin").write_bytes(b"@EXPLICIT\n# caf\xe9\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        find_lock([read_document(str(tmp_path / "latin"))], [], PLAIN, explicit_rules())


def test_pipe(tmp_path: Path) -> None:
    """As a shell's `<(conda list --explicit)` gives one: it can be read once."""
    fifo = tmp_path / "fifo"
    for text in (f"@EXPLICIT\n{URL.format(HERE, 'a')}\n", json.dumps(pixi(of_pixi("a")))):
        os.mkfifo(fifo)
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(fifo.write_text, text)
            found = find_lock([read_document(str(fifo))], [], PLAIN, explicit_rules())
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


def test_channels_by_name(tmp_path: Path) -> None:
    """As conda-lock's first locks of this format have them."""
    found = read(tmp_path, conda_lock(locked("a"), channels=["conda-forge", {"url": "main", "used_env_vars": []}]))
    assert found is not None
    assert found.channels == ("conda-forge", "main")


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
        pytest.param(f"direct+{WHEEL}", f"p @ {WHEEL} --hash=sha256:{SHA256}", id="wheel of no index"),
        pytest.param(
            f"{WHEEL}#sha256={SHA256}", f"p @ {WHEEL}#sha256={SHA256} --hash=sha256:{SHA256}", id="sum in the URL"
        ),
        pytest.param(f"{GIT}?subdirectory=a%2Fb&rev=x%2F#{COMMIT}", f"p @ {GIT}@{COMMIT}#subdirectory=a/b", id="%"),
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


def test_commit_as_a_sum(tmp_path: Path) -> None:
    """conda-lock has the commit of a repository where other packages have their sha256."""
    of_git = locked("p", manager="pip", url=f"{GIT}@{COMMIT}", hash={"sha256": COMMIT})
    assert lines(read(tmp_path, conda_lock(locked("tool"), of_git)), tmp_path) == [f"p @ {GIT}@{COMMIT}"]


UNQUOTED = """\
version: 1
metadata:
  platforms: [linux-64]
package:
- name: on
  version: 2023e1
  manager: conda
  platform: linux-64
  optional: no
  url: https://example.com/main/linux-64/on-2023e1-0.conda
  hash:
    md5: 46062e28451234567890123456789012
    sha256: 1111111111111111111111111111111111111111111111111111111111111111
- {name: 1.10, version: 2.1, manager: conda, platform: linux-64, optional: off, category: 2020-01-01,
   url: https://example.com/main/linux-64/1.10-2.1-0.conda, hash: {md5: 012345678901234567890123456701, sha256: ~}}
- {name: 1:30, version: 0o17, manager: conda, platform: linux-64, optional: yes,
   url: https://example.com/main/linux-64/x-1-0.conda, hash: {md5: "null", sha256: .inf}}
"""


def test_text_stays_text(tmp_path: Path) -> None:
    """Numbers, dates and truth values of any version of YAML are text in a lock."""
    text = UNQUOTED.replace("012345678901234567890123456701", "01234567890123456789012345670123")
    found = read(tmp_path, text, choice=Choice(HERE, None, ("2020-01-01",)))
    assert names(found) == ["on-2023e1-0.conda", "1.10-2.1-0.conda"]
    assert found is not None
    assert [(p.md5, p.sha256) for p in found.packages] == [
        ("46062e28451234567890123456789012", "1" * 64), ("01234567890123456789012345670123", None),
    ]  # fmt: skip


def test_numbers_of_a_record(tmp_path: Path) -> None:
    """A record has a number where the lock has one."""
    for style in STYLES.values():
        found = read(tmp_path, style(pixi(of_pixi("tool", timestamp=1700000000000, license=3, depends=["a 2.10"]))))
        assert found is not None
        assert found.packages[0].fields == {
            "depends": ["a 2.10"], "constrains": [], "timestamp": 1700000000000, "license": "3",
        }  # fmt: skip


def test_repeated_keys(tmp_path: Path) -> None:
    """They are refused in parts that are used, and passed over elsewhere."""
    lock = conda_lock(locked("tool"), locked("other", THERE))
    text = in_yaml(lock, flow=False).replace("package:\n", "package: []\npackage:\n")
    with pytest.raises(InputError, match="the lock file has `package` twice in the file, again in line"):
        read(tmp_path, text)
    text = in_yaml(lock, flow=False).replace("metadata:\n", "metadata:\n  sources: [a]\n  sources: [b]\n")
    assert names(read(tmp_path, text)) == ["tool"]
    twice = "  url: https://example.com/x.conda\n"
    before, url, after = in_yaml(lock, flow=False).rpartition(f"  url: {URL.format(THERE, 'other')}\n")
    assert names(read(tmp_path, before + twice + url + after, choice=PLAIN)) == ["tool"]
    with pytest.raises(InputError, match="has `url` twice in the package 'other'"):
        read(tmp_path, before + twice + url + after, choice=Choice(THERE, None, ()))


@pytest.mark.parametrize("place", ["./pkgs/x-1.0-0.conda", "pkgs/x-1.0-0.conda", "HERE/pkgs/x-1.0-0.conda"])
def test_package_beside_a_pixi_lock(tmp_path: Path, place: str) -> None:
    place = place.replace("HERE", str(tmp_path))
    with pytest.raises(InputError, match=f"the lock file names {re.escape(place)}, and there is no {tmp_path}/pkgs/x"):
        read(tmp_path, pixi(of_pixi("tool", conda=place)))
    (tmp_path / "pkgs").mkdir()
    (tmp_path / "pkgs/x-1.0-0.conda").touch()
    found = read(tmp_path, pixi(of_pixi("tool", conda=place)))
    assert found is not None
    assert [(p.url, p.sha256) for p in found.packages] == [((tmp_path / "pkgs/x-1.0-0.conda").as_uri(), SHA256)]


def test_pip_lines_of_a_list(tmp_path: Path) -> None:
    """As conda-lock and archives write them; comments of a person are named, not refused."""
    wheel = tmp_path / "pure tool-1.2.whl"
    wheel.touch()
    text = "\n".join([
        "@EXPLICIT", URL.format(HERE, "a"), f"# pip pure @ {WHEEL}#sha256={SHA256}", f"# pip b[x] @ {WHEEL}",
        f"# pip c @ {wheel.as_uri()}#sha256={SHA256.upper()}", f"# pip d @ {GIT}@{COMMIT}#subdirectory=x",
        f"# pip e @ {WHEEL} --hash=sha256:{SHA256}", "# pip f==1.0", f"# pip g ==1.0 --hash=sha256:{SHA256}",
        f"# pip h @ {WHEEL}#egg=h&sha256={SHA256}", "# pip install z", "# pipx is not pip",
        "# not in this list, pip installed it: y==1 from y.whl",
    ])  # fmt: skip
    found = read(tmp_path, text)
    hashed = f" --hash=sha256:{SHA256}"
    assert lines(found, tmp_path) == [
        f"pure @ {WHEEL}{hashed}", f"HERE/pure tool-1.2.whl{hashed}", f"e @ {WHEEL}{hashed}", f"g ==1.0{hashed}",
        f"h @ {WHEEL}#egg=h{hashed}", f"b[x] @ {WHEEL}", f"d @ {GIT}@{COMMIT}#subdirectory=x", "f==1.0",
    ]  # fmt: skip
    assert found is not None
    assert found.notes == (
        f"pip installed these, and {tmp_path / 'some.file'} does not pin them: y==1 from y.whl",
        "not read as a pip package, it is not pinned: # pip install z",
    )


def test_windows_alone(tmp_path: Path) -> None:
    lock = conda_lock(locked("a", "win-64"), platforms=["win-64"])
    with pytest.raises(InputError, match="is for win-64 alone, and archives are for Linux and macOS; lock for"):
        read(tmp_path, lock)


def test_shared_values_are_not_written_out(tmp_path: Path) -> None:
    """Aliases of aliases: the error shows a part."""
    levels = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(40))
    text = f"a0: &a0 x\n{levels}version: 6\nenvironments: {{default: {{packages: {{{HERE}: []}}}}}}\npackages: [*a40]\n"
    with pytest.raises(InputError, match="which is neither a conda nor a pypi package") as error:
        read(tmp_path, text)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        pytest.param(
            pixi(TOOL, {"conda": f"{GIT}?rev=main#{COMMIT}"}), "has 'git+.*', a package that pixi builds", id="of git"
        ),
        pytest.param(pixi(of_pixi("x", timestamp="now")), "has 'now' as `timestamp` of the package x", id="time"),
        pytest.param(pixi(of_pixi("x", depends={"a": 1})), "has no list of texts in `depends` of the", id="depends"),
        pytest.param(pixi(TOOL, {"pypi": "./gone", "name": "p"}), "names ./gone, and there is no", id="gone"),
        pytest.param(pixi(TOOL, {"pypi": "-e x", "name": "p"}), "has '-e x', which is neither the URL", id="option"),
        pytest.param(pixi(TOOL, {"pypi": "", "name": "p"}), "has '', which is neither the URL nor", id="nothing"),
        pytest.param(
            pixi(TOOL, {"pypi": WHEEL, "name": "p", "sha256": "ab"}), "has 'ab' for p, which is not a sha256", id="sum"
        ),
        pytest.param(
            pixi(TOOL, {"conda_source": "x[ab] @ ."}, version=7),
            re.escape("has 'x[ab] @ .', a package that pixi builds from source; publish it to a channel"),
            id="source of format 7",
        ),
        pytest.param(pixi(TOOL, {"conda": "./x"}), "has './x', a package that pixi builds from source", id="source"),
        pytest.param(
            pixi(TOOL, version=8), "is of pixi's format 8, and 6 and 7 can be read; lock in format 7", id="version"
        ),
        pytest.param(
            pixi(TOOL, version=5), "is of pixi's format 5, which is too old; run `pixi lock` of a newer pixi", id="old"
        ),
        pytest.param(
            {**conda_lock(locked("x")), "version": 3}, "is of pixi's format 3, which is too old; run", id="older"
        ),
        pytest.param(
            {**conda_lock(locked("x")), "version": 4}, "is of conda-lock's format 4, and 1 can be read", id="newer"
        ),
        pytest.param(pixi(of_pixi("x", md5="0")), "has '0' for x-1.0-0.conda, which is not an md5", id="md5"),
        pytest.param(pixi(), f"pins no conda package for {HERE}", id="empty"),
        pytest.param(conda_lock(locked("x", hash=["md5"])), "has no mapping `hash` in the package 'x'", id="hash"),
        pytest.param(conda_lock(locked("x", url="x.conda")), "has 'x.conda', which is not the URL", id="no URL"),
        pytest.param(
            conda_lock(locked("x"), locked("x", url=URL.format("noarch", "x"))), "pins two packages named x", id="twins"
        ),
        pytest.param(conda_lock(locked("x", category=[3])), "has a category of the package 'x'", id="category"),
        pytest.param(conda_lock(locked("x"), channels=3), "has no list of mappings in `channels`", id="channels"),
        pytest.param(conda_lock(channels=[{"used_env_vars": 3}]), "has `used_env_vars` that are not", id="names"),
        pytest.param({**pixi(TOOL), "platforms": ["x"]}, "has no list of mappings in `platforms`", id="platforms"),
        pytest.param(conda_lock({"name": [3]}), "has no text `name` in a package", id="number"),
        pytest.param(conda_lock("x"), "has no text `name` in a package", id="text"),  # type: ignore[arg-type]
    ],
)
def test_refused(tmp_path: Path, lock: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"the lock file {says}"):
        read(tmp_path, lock)
