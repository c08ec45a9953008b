"""The app: the user's files under their given names, and the programs of the app or the environment that run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, Coex, only_root

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

SHOW = '#!/bin/sh\necho "shown: $0"\nfor word; do echo "<$word>"; done\n'
SHOW_PY = "import sys\nprint(sys.prefix, sys.argv)\n"


@pytest.fixture(scope="module")
def prefix(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment without Python, of which archives are made quickly."""
    prefix = tmp_path_factory.mktemp("plain") / "env"
    conda("create", "-q", "-y", "--offline", *channel, "-p", prefix, "legacy-pkg", "zstd")
    return prefix


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a directory with the files of an app."""
    work = tmp_path / "work"
    for name, text in {
        "show.sh": SHOW, "tools/show": SHOW, "plain.py": SHOW_PY, "data/a.txt": "a\n", "data/deep/b c.txt": "b\n",
        "data/__pycache__/a.pyc": "stale", "data/.hidden": "h\n", "../beside/lib.txt": "beside\n",
    }.items():  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    (work / "data/run").write_text("#!/bin/sh\n")
    (work / "data/run").chmod(0o700)
    (work / "data/empty").mkdir()
    (work / "data/link").symlink_to("deep/b c.txt")
    return work


def test_history_of_a_project_is_named(coex: Coex, work: Path, prefix: Path) -> None:
    (work / "data/sub/.git").mkdir(parents=True)
    (work / "data/sub/.git/config").write_text("token")
    (work / "data/.gitignore").write_text("x")
    done = coex(work, "-q", "-p", prefix, "--entrypoint", "./show.sh", "data")
    said = [line for line in done.stderr.splitlines() if line]
    what = "the app has data/sub/.git, the history of a project"
    assert said == [f"coex: note: {what}; name files or a pattern to leave it out"]


def test_names_are_kept(coex: Coex, work: Path, prefix: Path, store: Path) -> None:
    coex(work, "-p", prefix, "--entrypoint", "./show.sh", "data/", "./tools/show", "../beside/lib.txt")
    Archive(work / "show.coex").start(store=store)
    app = only_root(store) / "app"
    found = {str(path.relative_to(app)): path for path in app.rglob("*") if not path.is_dir()}
    assert found.keys() == {
        "show.sh", "tools/show", "lib.txt", "data/a.txt", "data/deep/b c.txt", "data/.hidden", "data/run", "data/link",
    }  # fmt: skip
    assert (app / "data/empty").is_dir()
    assert found["data/link"].readlink().as_posix() == "deep/b c.txt"
    assert found["data/deep/b c.txt"].read_text() == "b\n"
    modes = {name: oct(found[name].stat().st_mode)[-3:] for name in ("data/a.txt", "data/run", "show.sh")}
    assert modes == {"data/a.txt": "644", "data/run": "755", "show.sh": "755"}


@pytest.mark.parametrize(
    ("command", "sources", "output", "line"),
    [
        pytest.param("./show.sh", (), "show.coex", "{app}/show.sh", id="local file"),
        pytest.param("show.sh -x", ("show.sh",), "show.coex", "{app}/show.sh", id="local file with arguments"),
        pytest.param("tools/show", ("tools",), "show.coex", "{app}/tools/show", id="file in a directory of the app"),
        pytest.param("{work}/show.sh", (), "show.coex", "{app}/show.sh", id="absolute path of a local file"),
    ],
)
def test_local_entry_points(
    coex: Coex, work: Path, prefix: Path, store: Path,
    command: str, sources: tuple[str, ...], output: str, line: str,
) -> None:  # fmt: skip
    """None of these files may be executed where they come from."""
    coex(work, "-q", "-p", prefix, "--entrypoint", command.format(work=work), *sources)
    lines = Archive(work / output).start("a b", "", store=store).splitlines()
    assert lines[0] == "shown: " + line.format(app=only_root(store) / "app")
    assert [word for word in lines[1:] if word != "<-x>"] == ["<a b>", "<>"]
    assert ("<-x>" in lines) is ("-x" in command)


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_entry_point_inside_the_prefix(coex: Coex, work: Path, prefix: Path, store: Path, relative: bool) -> None:
    """A path into the packed environment means that file of the archive's, not a copy of this one."""
    path = prefix / "bin/legacy-script"
    coex(work, "-q", "-p", prefix, "--entrypoint", os.path.relpath(path, work) if relative else str(path))
    assert Archive(work / "legacy-script.coex").start(store=store) == f"{only_root(store)}/prefix\n"
    assert list((only_root(store) / "app").iterdir()) == []


def test_entry_points_of_python(coex: Coex, work: Path, store: Path) -> None:
    """A command with arguments; and a source without a #! line, which the environment's Python runs."""
    code = "import sys; print(sys.prefix, sys.argv)"
    coex(work, "-q", "--entrypoint", f"python -c '{code}' 'a b'", packages=("python",))
    coex(work, "-q", "--entrypoint", "./plain.py", packages=("python",))
    (store / "1").mkdir()
    said = Archive(work / "python.coex").start("c", store=store / "1")
    assert said == f"{only_root(store / '1')}/prefix ['-c', 'a b', 'c']\n"
    said = Archive(work / "plain.coex").start("c", store=store)
    root = only_root(store)
    assert said == f"{root}/prefix ['{root}/app/plain.py', 'c']\n"


@pytest.mark.parametrize(
    ("command", "wanted"),
    [("legacy-script", ["prefix", "bin/legacy-script"]), ("./legacy-script", ["app", "legacy-script"])],
)
def test_command_wins_over_a_local_file(
    coex: Coex, conda: Conda, work: Path, prefix: Path, command: str, wanted: list[str]
) -> None:
    """`tool` is a command and `./tool` a file, as in a shell."""
    (work / "legacy-script").write_text(SHOW)
    coex(work, "-q", "-p", prefix, "--entrypoint", command)
    found = json.loads(conda("coex", "inspect", "--json", work / "legacy-script.coex").stdout)
    assert found["entry_points"][0]["command"] == [wanted]
    assert [row["path"] for row in found["app"]] == wanted[1:] * (wanted[0] == "app")
