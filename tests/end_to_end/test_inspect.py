"""What inspect says of sizes and of the difference between two archives; the page as a real browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from end_to_end.archives import Archive, Coex
    from end_to_end.live import Live
    from testbed.layout import Layout

AWKWARD = "<-script><b>&amp; @DATA@ <!--.txt"


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with two archives that differ in all that can be compared."""
    work = tmp_path_factory.mktemp("inspected")
    (work / "data").mkdir()
    for name, text in {"run.sh": "#!/bin/sh\n", "data/a": "a", "data/b": "b" * 50000}.items():
        (work / name).write_text(text)
    (work / "data" / AWKWARD).write_text("x" * 1000)
    one = ("--entrypoint", "run.sh", "data", "--env", "A=1", "--env", "B=1")
    coex(work, "-q", "-o", "old.coex", *one, packages=("cprog", "legacy-pkg", "zstd"))
    (work / "data/a").write_text("A")
    (work / "data/b").unlink()
    (work / "data/new").touch()
    two = ("--entrypoint", "x=run.sh", "--entrypoint", "cprog", "data", "--env", "A?=1")
    coex(work, "-q", "-o", "new.coex", *two, packages=("cprog", "hello-noarch", "python", "zstd"))
    return work


def document(conda: Conda, work: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(conda("coex", "inspect", "--json", *arguments, cwd=work).stdout)
    return found


def test_two_archives(conda: Conda, made: Path) -> None:
    found = document(conda, made, "old.coex", "new.coex")
    assert (list(found["packages"]["added"]), list(found["packages"]["removed"])) == (
        ["hello-noarch", "python"], ["legacy-pkg"],
    )  # fmt: skip
    app = [list(found["app"][kind]) for kind in ("added", "removed", "changed")]
    assert app == [["data/new"], ["data/b"], ["data/a"]]
    assert found["entry_points"] == {
        "added": {"cprog": "prefix/bin/cprog", "x": "app/run.sh"}, "removed": {"run": "app/run.sh"}, "changed": {},
    }  # fmt: skip
    assert found["env"] == {"added": {}, "removed": {"B": "=1"}, "changed": {"A": ["=1", "?=1"]}}
    assert found["sizes"]["file"] == [(made / name).stat().st_size for name in ("old.coex", "new.coex")]
    assert found["same"] is False
    shown = conda("coex", "inspect", "old.coex", "new.coex", cwd=made).stdout
    for line in ("packages: 2 added, 1 removed", "  ~ data/a\n", "  - B=1\n", "  ~ A=1 -> ?=1\n"):
        assert line in shown


def test_an_archive_and_itself(conda: Conda, made: Path) -> None:
    shown = conda("coex", "inspect", "old.coex", "old.coex", cwd=made).stdout
    assert shown.splitlines()[0] == "the archives have the same content"
    assert len(shown.splitlines()) == 3


def test_same_packages_with_other_content(
    conda: Conda, live: Live, packed: Archive, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What was modified, added, removed in an environment since conda made it; where it lay makes no difference."""
    work = tmp_path_factory.mktemp("other")
    create = ("coex", "create", "-q", "-y", "--offline", "-p", live.prefix, "--entrypoint", "python")
    conda(*create, "--fast", "-o", "fast.coex", cwd=work)
    conda(*create, "-o", "slow.coex", cwd=work)
    shown = conda("coex", "inspect", "fast.coex", "slow.coex", cwd=work).stdout
    assert shown.splitlines()[0] == "the archives hold the same, compressed in another way"
    found = document(conda, work, "slow.coex", str(packed.path))
    changed = found["packages"]["changed"]
    assert changed.keys() == found["files"].keys() - {"environment"}
    assert changed["hello-noarch"][0] == changed["hello-noarch"][1]
    source = "prefix/lib/python3.11/site-packages/hello_noarch/__init__.py"
    assert source in found["files"]["hello-noarch"]["changed"]
    assert "prefix/lib/python3.11/antigravity.py" in found["files"]["python"]["removed"]
    assert not found["files"]["python"]["changed"]
    assert any("/mine/" in path for path in found["files"]["environment"]["added"])
    shown = conda("coex", "inspect", "slow.coex", packed.path, cwd=work).stdout
    assert "  ~ hello-noarch  1.0 pyh1_0, other content" in shown
    assert f"      ~ {source}\n" in shown


def test_sizes(conda: Conda, made: Path) -> None:
    """All bytes of the file have an owner, and each package those that the manifest gives it."""
    found = document(conda, made, "new.coex", "--sizes")
    assert abs(sum(each["packed"] for each in found["sizes"]) - found["size"]) <= len(found["sizes"])
    by_name = {each["name"]: each for each in found["sizes"]}
    assert by_name.keys() >= {"cprog", "python", "zstd", "app", "coex itself"}
    for package in found["packages"]:
        assert by_name[package["name"]]["unpacked"] >= package["unpacked"]
        assert by_name[package["name"]]["packed"] >= package["compressed"] - 1
    shown = conda("coex", "inspect", "new.coex", "--sizes", cwd=made).stdout.splitlines()
    assert shown[1].startswith("python")
    assert any(line.endswith("prefix/bin/cprog") or "prefix/lib/" in line for line in shown)


def test_page_in_a_browser(conda: Conda, made: Path, tmp_path: Path) -> None:
    page = tmp_path / "sizes.html"
    conda("coex", "inspect", "new.coex", "--html", page, cwd=made)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|href=|@import|url\(", text)
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("this machine has no chromium")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--window-size=1280,1000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    body = done.stdout.partition("<script>")[0]
    assert "<h1>new.coex</h1>" in body
    assert len(re.findall(r'class="box owner"', body)) >= 4
    assert len(re.findall(r'class="box"', body)) > 50
    boxes = re.findall(r"left: (-?[\d.]+)px; top: (-?[\d.]+)px; width: ([\d.]+)px; height: ([\d.]+)px", body)
    assert all(float(x) >= 0 and float(y) >= 0 and float(w) > 0 and float(h) > 0 for x, y, w, h in boxes)
    owned = document(conda, made, "new.coex", "--sizes")["sizes"]
    assert re.findall(r"<tr><td>([^<]+)</td>", body) == [each["name"] for each in owned]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("old.coex", "missing"), "cannot be read"),
        (("old.coex", "run.sh"), "not a complete coex archive"),
        (("old.coex", "new.coex", "--sizes"), "the size report is of one archive"),
        (("old.coex", "--html", "new.coex"), "would replace what is no page of HTML"),
        (("old.coex", "--html", "data"), "would replace what is no page of HTML"),
        (("old.coex", "--html", "nowhere/x.html"), "cannot be written: No such file or directory"),
    ],
)
def test_refused(conda: Conda, made: Path, arguments: tuple[str, ...], says: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    done = conda("coex", "inspect", *arguments, cwd=made, check=False)
    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_reader_that_stops_early(testbed: Layout, made: Path) -> None:
    """As `head` does: no message, and the status of a program that SIGPIPE ended."""
    for option in ("", "--json"):
        words = f'"{testbed.conda}" coex inspect new.coex {option}'
        command = f"{{ {words}; echo $? >status; }} | true; cat status; rm status"
        done = subprocess.run(["sh", "-c", command], cwd=made, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (f"{128 + signal.SIGPIPE}\n", "")
