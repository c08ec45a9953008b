"""Lines of pip sections: gathered from several files and directories into one, without pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.inputs.environment import PipSection
from conda_coex.pypi.requirements import gather

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "my home"
    for directory in ("lib", "more/wheels", "wheels"):
        (home / directory).mkdir(parents=True)
    for name in ("x-1.0.tar.gz", "lib/y-1.0-py3-none-any.whl", "limits.txt", "more/limits.txt"):
        (home / name).touch()
    return home


def gathered(home: Path, *lines: str) -> list[str]:
    return [line.replace(str(home), "HOME") for line in gather([PipSection(str(home), lines)])]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("a\\\n>=1  # first", "a>=1"),
        ("numpy >=1 ; python_version > '3'", None),
        ("tool[extra]", None),
        ("tool @ https://example.com/tool.whl", None),
        ("https://example.com/a/tool.whl --hash=sha256:ab", None),
        ("git+https://example.com/tool@v1#subdirectory=./x", None),
        ("lib", None),  # a name, as for pip, though there is such a directory
        ("./lib", "HOME/./lib"),
        (".[extra]", "HOME/.[extra]"),
        ("../x ; python_version > '3'", "HOME/../x ; python_version > '3'"),
        ("lib/y-1.0-py3-none-any.whl --hash=sha256:ab", "HOME/lib/y-1.0-py3-none-any.whl --hash=sha256:ab"),
        ("x-1.0.tar.gz", "HOME/x-1.0.tar.gz"),
        ("gone-1.0.tar.gz", None),
        ("/abs/lib", None),
        ("-e ./lib", "-e 'HOME/./lib'"),
        ("-e.", "-e 'HOME/.'"),
        ("--editable=lib[extra]", "--editable 'HOME/lib[extra]'"),
        ("-e git+https://example.com/x#egg=x", "-e 'git+https://example.com/x#egg=x'"),
        ("-c limits.txt", "-c 'HOME/limits.txt'"),
        ("--constraint=limits.txt", "--constraint 'HOME/limits.txt'"),
        ("-f wheels", "-f 'HOME/wheels'"),
        ("-f ~/wheels", "-f '~/wheels'"),
        ("--find-links ./wheels --no-index", "--find-links 'HOME/wheels' --no-index"),
        ("--find-links=https://example.com/w", "--find-links https://example.com/w"),
        ("--index-url https://${ME}:${TOKEN}@x.org", "--index-url 'https://${ME}:${TOKEN}@x.org'"),
        ("-i https://example.com --pre", "-i https://example.com --pre"),
    ],
)  # fmt: skip
def test_line(home: Path, line: str, becomes: str | None) -> None:
    assert gathered(home, line) == [line if becomes is None else becomes]


def test_included_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and directories are relative to the file that names them, packages to the environment file, as for pip."""
    monkeypatch.setenv("PART", "more")
    (home / "more/a.txt").write_text(
        "\ufeff# all\r\n-r b.txt\r\n--find-links wheels  # near\r\n./lib\r\ntool==1 \\\r\n  --hash=sha256:ab\n", "utf-8"
    )
    (home / "more/b.txt").write_text("-c limits.txt\n--find-links lib\nlib/y-1.0-py3-none-any.whl\nname#x\n")
    assert gathered(home, "-r ${PART}/a.txt", "last") == [
        "-c 'HOME/more/limits.txt'",
        "--find-links 'HOME/lib'",
        "HOME/lib/y-1.0-py3-none-any.whl",
        "name#x",
        "--find-links 'HOME/more/wheels'",
        "HOME/./lib",
        "tool==1   --hash=sha256:ab",
        "last",
    ]


def test_several_sections(home: Path, tmp_path: Path) -> None:
    other = PipSection(str(tmp_path), ("./lib", '-r "my home"/more/a.txt'))
    (home / "more/a.txt").write_text("./lib\n")
    lines = gather([PipSection(str(home), ("./lib",)), other])
    assert lines == [f"{home}/./lib", f"{tmp_path}/./lib", f"{tmp_path}/./lib"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # as PowerShell's `>` writes them, and pip reads them
def test_requirements_of_windows(home: Path, encoding: str) -> None:
    (home / "a.txt").write_bytes("b==1 \\\r\n  ; python_version > '3'\r\n# caf\u00e9\r\nc\r\n".encode(encoding))
    assert gathered(home, "-r a.txt") == ["b==1   ; python_version > '3'", "c"]


def test_refused(home: Path) -> None:
    (home / "a.txt").write_text("-r more/b.txt\n")
    (home / "more/b.txt").write_text("-r ../a.txt\n")
    with pytest.raises(InputError, match=r"a\.txt: the requirements file includes itself"):
        gathered(home, "-r a.txt")
    with pytest.raises(InputError, match=r"gone\.txt: the requirements file cannot be read: No such file"):
        gathered(home, "-r gone.txt")
    (home / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.txt: the requirements file is not UTF-8 text"):
        gathered(home, "-rlatin.txt")
    with pytest.raises(InputError, match="cannot be split into words"):
        gathered(home, "-r 'open")
