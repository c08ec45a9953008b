"""The output of inspect on sizes and on two archives; the page as a real browser shows it."""

from __future__ import annotations

import html
import json
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.tools.output import human

from conda_coex.archive.sizes import Owned, Sized
from conda_coex.inspect.page import page as page_of

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
    """Changes to an environment since conda made it are shown; its path makes no difference."""
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
    # Python compiled this again when pip ran: the source of the package's .pyc was rewritten for the prefix
    assert [path for path in found["files"]["python"]["changed"] if not path.endswith(".pyc")] == []
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
    unpacked = sum(each["unpacked"] for each in found["sizes"])
    assert unpacked == found["unpacked"]["content"] < found["unpacked"]["bytes"]
    assert f"unpacked {human(unpacked)} in" in conda("coex", "inspect", "new.coex", cwd=made).stdout
    shown = conda("coex", "inspect", "new.coex", "--sizes", cwd=made).stdout.splitlines()
    assert shown[1].startswith("python")
    assert any("prefix/lib/" in line for line in shown)


def test_page_in_a_browser(conda: Conda, made: Path, tmp_path: Path) -> None:
    page = tmp_path / "sizes.html"
    conda("coex", "inspect", "new.coex", "--html", page, cwd=made)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|href=|@import|url\(", text)
    body = opened(page, tmp_path, "1280,1000")
    assert "<h1>new.coex</h1>" in body
    assert len(re.findall(r'class="box owner"', body)) >= 4
    assert len(re.findall(r'class="box"', body)) > 50
    boxes = re.findall(r"left: (-?[\d.]+)px; top: (-?[\d.]+)px; width: ([\d.]+)px; height: ([\d.]+)px", body)
    assert all(float(x) >= 0 and float(y) >= 0 and float(w) > 0 and float(h) > 0 for x, y, w, h in boxes)
    owned = document(conda, made, "new.coex", "--sizes")["sizes"]
    names = re.findall(r'<tr><th scope="row">(?:<button type="button">)?([^<]+)<', body)
    assert names == [each["name"] for each in owned]


def opened(page: Path, scratch: Path, size: str, script: str = "") -> str:
    """Return the page in a browser's window of a size, after a script of the test; skips without a browser."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("this machine has no chromium")
    scripted = scratch / "scripted.html"
    scripted.write_text(page.read_text(encoding="utf-8") + f"<script>{{ {script} }}</script>", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={scratch / 'profile'}"]
    done = subprocess.run(
        [*command, f"--window-size={size}", "--dump-dom", scripted.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return re.sub(r"<script>.*?</script>", "", done.stdout, flags=re.DOTALL)


KEYS = """
const key = name => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const label = () => document.activeElement.getAttribute("aria-label");
const search = find("search"), found = { stops: map.querySelectorAll('[tabindex="0"]').length };
found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const isCut = (a, b) => a.right > b.right || a.bottom > b.bottom;
const place = element => element.getBoundingClientRect();
found.cut = [...map.querySelectorAll("b")].filter(b => isCut(place(b), place(b.parentElement))).length;
found.names = Math.min(...[...document.querySelectorAll("tbody th")].map(cell => cell.clientWidth));
map.firstChild.focus(); found.first = label();
key("ArrowRight"); key("ArrowDown"); key("End"); key("Home"); found.home = label();
document.activeElement.click(); found.inside = label();
found.files = document.querySelectorAll("tbody tr").length;
key("Escape"); found.back = label();
search.value = "LIBPYTHON"; search.dispatchEvent(new Event("input"));
found.matches = [...document.querySelectorAll("tbody th")].map(cell => cell.textContent);
found.dim = document.querySelectorAll(".owner.dim").length;
found.status = find("found").textContent;
document.body.replaceChildren("FOUND" + JSON.stringify(found) + "FOUND");
"""


@pytest.mark.parametrize("size", ["500,900", "1280,1000"])
def test_page_by_keyboard(conda: Conda, made: Path, tmp_path: Path, size: str) -> None:
    """One stop for the tab key, arrows from there; search; nothing cut, and no scrolling to the side."""
    page = tmp_path / "sizes.html"
    conda("coex", "inspect", "new.coex", "--html", page, cwd=made)
    found = json.loads(html.unescape(opened(page, tmp_path, size, KEYS).split("FOUND")[1]))
    assert (found["stops"], found["wide"], found["cut"]) == (1, False, 0)
    assert found["names"] > 90
    assert found["first"] == found["home"] == found["back"]
    assert found["first"].startswith("python: ")
    assert found["inside"] != found["first"]
    assert found["files"] == 100
    assert found["matches"][0] == "python"
    assert all("libpython" in name for name in found["matches"][1:])
    assert found["dim"] >= 3
    assert found["status"].startswith("found: 1 package, ")


def test_page_of_a_large_environment() -> None:
    """Its size has a limit, and every byte an owner."""
    sizes = [Sized(b"prefix/lib/%d" % n, "x", 2 * n, n) for n in range(400, 0, -1)]
    owned = [Owned(f"package-{n}", 160400, 80200, tuple(sizes)) for n in range(2000)]
    text = page_of("big.coex", owned)
    assert len(text) < 4_000_000
    data = json.loads(text.partition("const DATA = ")[2].partition(";\n")[0])
    assert len(data) == 2000
    assert all(sum(file["p"] for file in each["c"]) == each["p"] == 80200 for each in data)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("old.coex", "missing"), "cannot be read"),
        (("old.coex", "run.sh"), "not a complete coex archive"),
        (("old.coex", "new.coex", "--sizes"), "the size report is of one archive"),
        (("old.coex", "--html", "new.coex"), "is not an HTML page, and would be replaced"),
        (("old.coex", "--html", "data"), "the output is a directory"),
        (("old.coex", "--html", "nowhere/x.html"), "the directory of the output does not exist"),
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
