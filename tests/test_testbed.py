"""The test bed's packages are real: conda installs all of them, and their programs run."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from testbed import host_tests, hosts, lanes
from testbed.layout import native_subdir
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout


@pytest.fixture(scope="module")
def everything(conda: Conda, testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment of every good package."""
    prefix = tmp_path_factory.mktemp("everything") / "env"
    channel = ("--override-channels", "-c", testbed.channel)
    conda("create", "-q", "-y", "--copy", "--offline", *channel, "-p", prefix, *_names(testbed.channel))
    return prefix


def _names(channel: Path) -> list[str]:
    names = set()
    for subdir in ("noarch", native_subdir()):
        repodata = json.loads((channel / subdir / "repodata.json").read_text(encoding="utf-8"))
        for kind in ("packages", "packages.conda"):
            names |= {record["name"] for record in repodata[kind].values()}
    return sorted(names)


def _output(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_is_relocated(everything: Path, name: str) -> None:
    code = "import sys, site; print(sys.prefix); print(*site.getsitepackages())"
    prefix, site_packages = _output(everything / "bin" / name, "-c", code).splitlines()
    assert prefix == str(everything)
    assert all(path.startswith(prefix) and path.endswith("/site-packages") for path in site_packages.split())


def test_python_brings_its_libraries(everything: Path) -> None:
    code = "import ssl, sqlite3, ctypes, lzma, bz2, zlib, readline; print(open('/proc/self/maps').read())"
    mapped = _output(everything / "bin" / "python", "-c", code)
    for library in ("libssl", "libsqlite3", "libffi", "liblzma"):
        (path,) = {line.split()[-1] for line in mapped.splitlines() if f"/{library}" in line}
        assert path.startswith(str(everything))


def test_python_packages_install_themselves(everything: Path) -> None:
    listed = json.loads(_output(everything / "bin" / "pip", "list", "--format", "json"))
    assert {"numpy", "pip", "setuptools", "hello-noarch"} <= {row["name"] for row in listed}


def test_programs_run(everything: Path) -> None:
    binaries = everything / "bin"
    assert _output(binaries / "python", "-c", "import numpy; print(numpy.arange(5).sum())") == "10\n"
    assert _output(binaries / "node", "-p", "6 * 7") == "42\n"
    assert f"prefix={everything}\nargument=x\n" in _output(binaries / "hello-noarch", "x")
    assert f"prefix={everything}\n" in _output(binaries / "hello-script")
    assert _output(binaries / "legacy-script") == f"{everything}\n"


def test_cprog_finds_its_data(everything: Path) -> None:
    lines = _output(everything / "bin" / "cprog", "a b").splitlines()
    assert lines == [
        f"prefix={everything}",
        f"library prefix={everything}",
        f"search path={everything}/bin:{everything}/lib",
        "argument 1=a b",
        "greeting=good day",
    ]


def test_zstd_loads(everything: Path) -> None:
    code = f"import ctypes; print(ctypes.CDLL({str(everything / 'lib' / 'libzstd.so.1')!r}).ZSTD_versionNumber())"
    assert int(_output(everything / "bin" / "python", "-c", code)) >= 10500


def test_legacy_prefixes_are_replaced(everything: Path) -> None:
    assert (everything / "etc/legacy/legacy.conf").read_text() == f"root={everything}\n"
    assert (everything / "share/legacy/name with space.txt").read_text() == f"at {everything}\n"
    binary = (everything / "lib/legacy/legacy.bin").read_bytes()
    padding = b"\0" * (len(PLACEHOLDER) - len(str(everything)))
    assert binary == b"\x7f\0" + f"{everything}/lib\0".encode() + padding + b"\0end"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("escape-path", "cannot be found", id="path above the prefix"),
        pytest.param("truncated", "not a zip file", id="half a file"),
        pytest.param("unsat", "does-not-exist", id="missing dependency"),
    ],
)
def test_bad_packages_are_bad(conda: Conda, testbed: Layout, tmp_path: Path, name: str, message: str) -> None:
    channel = ("--override-channels", "-c", testbed.bad_channel)
    done = conda("create", "-q", "-y", "--offline", *channel, "-p", tmp_path / "env", name, check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_hosts_have_the_versions_that_they_report() -> None:
    found, missing = hosts.find_pythons()
    assert [host.name for host in found] + missing != []
    for host in found:
        version = _output(host.executable, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        assert version.strip() == f"{host.version[0]}.{host.version[1]}"


def test_coverage_is_told() -> None:
    assert hosts.describe("shells", 2, []) == "shells: covered 2 of 2; missing: none"
    assert hosts.describe("host Pythons", 9, ["3.14", "pypy3"]) == "host Pythons: covered 9 of 11; missing: 3.14, pypy3"


def test_lanes_run_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each waits for a file of the other; the second's output is shown whole, and every failure is named."""
    monkeypatch.setattr(lanes, "LOGS", tmp_path / "logs")
    meet = 'echo "$0"; : >"$1/$0"; until [ -e "$1/$2" ]; do sleep 0.01; done; exit "$3"'

    def step(name: str, other: str, status: int) -> tuple[str, list[str]]:
        return name, ["sh", "-c", meet, name, str(tmp_path), other, str(status)]

    first = lanes.Lane("shown", [step("one", "two", 0), step("three", "two", 3)])
    second = lanes.Lane("kept", [step("two", "one", 1), step("four", "one", 0)])
    assert lanes.run_lanes([first, second]) == ["three", "two"]
    said = capfd.readouterr().out
    assert sorted(said.split()) == sorted(["one", "three", "---", "kept", "two", "four"])
    assert said.endswith("--- kept\ntwo\nfour\n\n")
    assert second.log.read_text() == "two\nfour\n"


def test_a_step_without_end_is_ended_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lanes, "LOGS", tmp_path)
    monkeypatch.setattr(lanes, "LIMIT", 0.2)
    lane = lanes.Lane("shown", [("endless", ["sleep", "600"]), ("next", ["echo", "next"])])
    assert lanes.run_lanes([lane]) == ["endless"]
    out, error = capfd.readouterr()
    assert (out, error) == ("next\n", "ended after 0.2 s: sleep 600\n")


def test_a_python_whose_tests_have_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a process that holds its output goes on: it is left alone."""
    monkeypatch.setattr(host_tests, "RUN_LIMIT", 0.2)
    output = tmp_path / "output"
    with output.open("wb") as stream:
        assert not host_tests.passes(["sh", "-c", "echo begun; sleep 5 & exec sleep 600"], {}, stream)
    assert output.read_text() == "begun\n\nended after 0.2 s\n"
