"""The Python that an archive carries has all modules that the archive's code imports, and no module of the builder."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.archive import Archive as Reader
from coex_bootstrap.format.manifest import PYTHON
from end_to_end.archives import Archive, Coex, only_root
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda

PACKAGES = ("cprog", "post-link-demo", "activate-demo", "shebangs")
# Imports for other Pythons, other systems and type checkers, and of OpenSSL, which a carried Python does not have.
ELSEWHERE = {"unicodedata", "compression", "compression.zstd", "typing", "importlib.machinery", "__future__"}
ELSEWHERE.add("_hashlib")
VERBS = (
    "info", "info --json", "files", "verify", "repair", "env", "lock", "sbom", "dockerfile", "cache", "cache clean",
    "unpack -p {there}", "unpack -p {there}", "info --help", "nothing", "files --nothing",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive that carries a Python; its first start links, relocates, runs a script and writes variables."""
    directory = tmp_path_factory.mktemp("carried")
    options = ("-q", "--carry-python", "--entrypoint", "cprog", "-o", "app.coex")
    return Archive(directory / "app.coex", coex(directory, *options, packages=PACKAGES).stdout)


@pytest.fixture(scope="module")
def carried(made: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked Python of that archive."""
    directory = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(fileobj=io.BytesIO(member(made.path))) as tar:
        tar.extractall(directory, **({"filter": "fully_trusted"} if sys.version_info >= (3, 12) else {}))
    return directory


def member(path: Path) -> bytes:
    archive = Reader(os.fsencode(path))
    archive.close()
    found: bytes = archive.members.get(PYTHON, b"")
    return found


def imported() -> Iterator[str]:
    """Yield the modules that the bootstrap imports, in functions too, as Python's own parser finds them."""
    for path in sorted((REPOSITORY / "bootstrap/coex_bootstrap").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module


def run(python: Path, code: str) -> str:
    command = [python / "bin/python", "-E", "-s", "-S", "-B", "-c", code]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_import(carried: Path) -> None:
    """The whole Python of this machine says which of them exist in Python 3 on Linux."""
    names = sorted({name for name in imported() if not name.startswith("coex_bootstrap")} - ELSEWHERE)
    code = f"""
import importlib, json
lacking = []
for name in {names!r}:
    try: importlib.import_module(name)
    except ImportError as error: lacking.append(name)
print(json.dumps(lacking))
"""
    here = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    exists_here = set(names) - set(json.loads(here))
    assert len(exists_here) > 30
    assert set(json.loads(run(carried, code))) & exists_here == set()


def test_every_module_of_the_bootstrap(made: Archive, carried: Path) -> None:
    root = REPOSITORY / "bootstrap"
    modules = sorted(path.relative_to(root).with_suffix("") for path in root.rglob("coex_bootstrap/**/*.py"))
    names = [".".join(path.parts).removesuffix(".__init__") for path in modules]
    start = f"import importlib, sys; sys.path.insert(0, {str(made.path)!r})"
    run(carried, f"{start}\nfor name in {names!r}: importlib.import_module(name)")


def test_messages_of_errors_that_nobody_foresaw(carried: Path) -> None:
    """A traceback shows lines of code, and marks in them: it takes modules that Python imports late."""
    code = """
import linecache, traceback
linecache.cache["x"] = (4, None, ["x = 1 + (1 / 0)\\n"], "x")
try: exec(compile("x = 1 + (1 / 0)", "x", "exec"))
except Exception: print(traceback.format_exc())
for name in ("utf-8", "utf-16-le", "utf-16", "utf-32-be", "ascii", "latin-1", "cp437"): "x".encode(name)
"""
    assert "ZeroDivisionError" in run(carried, code)


@pytest.mark.parametrize("words", VERBS)
def test_verbs(made: Archive, store: Path, tmp_path: Path, words: str) -> None:
    """A verb says the same under the carried Python and under another one."""
    answers = []
    for python in ("carried", sys.executable):
        env = {"COEX_TOOLS": "1", "COEX_PYTHON": python}
        for directory in (store, tmp_path / "there"):
            shutil.rmtree(directory, ignore_errors=True)
        store.mkdir(mode=0o700)
        done = made.run(*words.format(there=tmp_path / "there").split(), store=store, env=env)
        answers.append((done.returncode, done.stdout, done.stderr))
    assert answers[0] == answers[1]


def test_start(made: Archive, store: Path, tmp_path: Path) -> None:
    """On all cores, with post-link scripts and sources to compile, and for the store of another start."""
    first = made.start("a", store=store, env={"COEX_PYTHON": "carried"})
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    again = made.start("a", store=other, env={"COEX_PYTHON": sys.executable})
    assert again.replace(str(other), str(store)) == first
    assert files_of(store) == files_of(other)


def files_of(store: Path) -> set[str]:
    root = only_root(store)
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef")
@pytest.mark.parametrize(("locale", "encoding"), [("ja_JP", "EUC-JP"), ("ru_RU", "KOI8-R")])
def test_locale_of_another_encoding(made: Archive, store: Path, tmp_path: Path, locale: str, encoding: str) -> None:
    """The carried Python has no codec for it; file names and arguments stay the bytes that they are."""
    command = ["localedef", "-i", locale, "-f", encoding, tmp_path / f"{locale}.{encoding}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (tmp_path / f"{locale}.{encoding}").is_dir(), done.stderr
    own = Archive(tmp_path / os.fsdecode("\u043f".encode("koi8-r")) / "app.coex")
    own.path.parent.mkdir()
    shutil.copy2(made.path, own.path)
    env = {"COEX_PYTHON": "carried", "LC_ALL": f"{locale}.{encoding}", "LOCPATH": str(tmp_path)}
    argument = os.fsdecode(b"\xcf\xf0")
    environment = {"PATH": os.environ["PATH"], "HOME": str(store), "COEX_ROOT": str(store), **env}
    started = subprocess.run([own.path, argument], env=environment, capture_output=True)
    assert (started.returncode, started.stderr) == (0, b"post-link-demo was set up\n")
    assert b"argument 1=" + os.fsencode(argument) in started.stdout


@pytest.mark.parametrize("place", ["payload", "tail"])
def test_damaged_archive(made: Archive, store: Path, tmp_path: Path, place: str) -> None:
    data = bytearray(made.path.read_bytes())
    archive = Reader(os.fsencode(made.path))
    archive.close()
    data[archive.manifest.prelude + 100 if place == "payload" else len(data) - archive.tail_size // 10] ^= 1
    damaged = Archive(tmp_path / "damaged.coex")
    damaged.path.write_bytes(data)
    damaged.path.chmod(0o755)
    done, other = (damaged.run(store=store, env={"COEX_PYTHON": name}) for name in ("carried", sys.executable))
    assert done.returncode == 125
    assert (done.returncode, done.stderr) == (other.returncode, other.stderr)


def test_no_trace_of_the_builder(carried: Path) -> None:
    for path in sorted(path for path in carried.rglob("*") if path.is_file()):
        assert os.fsencode(REPOSITORY) not in path.read_bytes(), path


def test_same_bytes(coex: Coex, made: Archive, tmp_path: Path) -> None:
    options = ("-q", "--carry-python", "--entrypoint", "cprog", "-o", "app.coex")
    coex(tmp_path, *options, packages=PACKAGES)
    assert (tmp_path / "app.coex").read_bytes() == made.path.read_bytes()


def test_shown(conda: Conda, made: Archive, store: Path) -> None:
    said = made.said
    assert "carries Python 3." in said
    document = json.loads(conda("coex", "inspect", "--json", "--sizes", made.path).stdout)
    python = document["python"]
    sizes = {each["name"]: each for each in document["sizes"]}
    row = sizes["carried Python"]
    assert (row["packed"], row["unpacked"]) == (python["packed"], python["size"])
    assert python["packed"] == len(member(made.path)) < 4 << 20
    assert [each["name"] for each in python["packages"]] == ["python"]
    assert f"Python {python['version']} (" in conda("coex", "info", made.path).stdout
    sbom = json.loads(made.start("sbom", store=store, env={"COEX_TOOLS": "1"}))
    assert [each["name"] for each in sbom["components"] if each["name"] == "python"] == ["python"]


def test_repack(conda: Conda, channel: tuple[str, ...], made: Archive, tmp_path: Path) -> None:
    """A carried Python stays, is left out on request, and can be added."""
    kept, without, again = (tmp_path / f"{name}.coex" for name in ("kept", "without", "again"))
    conda("coex", "repack", made.path, "--env", "A=1", "-o", kept)
    assert member(kept) == member(made.path)
    conda("coex", "repack", made.path, "--no-carry-python", "-o", without)
    assert member(without) == b""
    shown = conda("coex", "inspect", without, made.path).stdout
    assert "+ carried Python  3." in shown
    dry = conda("coex", "repack", without, "--carry-python", "--dry-run", "--json", *channel)
    assert json.loads(dry.stdout)["warnings"] == ["a Python of the channels would be added"]
    conda("coex", "repack", without, "--carry-python", "-o", again, *channel)
    assert again.read_bytes() == made.path.read_bytes()


def test_pack(conda: Conda, channel: tuple[str, ...], coex: Coex, tmp_path: Path) -> None:
    """The Python of a live environment is the one that `create` makes of its package."""
    prefix = tmp_path / "env"
    conda("create", "-y", "-q", *channel, "-p", prefix, "python")
    options = ("-q", "--carry-python", "--entrypoint", "python")
    conda("coex", "pack", *options, "-p", prefix, "-o", tmp_path / "packed.coex", "--compression-level", "1")
    coex(tmp_path, *options, "-o", "created.coex", packages=("python",))
    assert member(tmp_path / "packed.coex") == member(tmp_path / "created.coex") != b""


def test_dry_run(coex: Coex, tmp_path: Path) -> None:
    options = ("--dry-run", "--json", "--carry-python", "--entrypoint", "cprog")
    done = coex(tmp_path, *options, packages=("cprog",))
    assert json.loads(done.stdout)["actions"]["CARRY"] == ["python"]


def test_platforms_without_one(coex: Coex, tmp_path: Path) -> None:
    options = ("-q", "--carry-python", "--entrypoint", "./x.sh", "--platform", "osx-arm64")
    (tmp_path / "x.sh").write_text("echo")
    done = coex(tmp_path, *options, packages=("data-generic",), check=False)
    assert done.returncode == 1
    assert "osx-arm64 is not a Linux platform" in done.stderr
    done = coex(tmp_path, *options[:-1], "linux-aarch64", packages=("data-generic",), check=False)
    assert done.returncode == 1
    assert "no CPython for linux-aarch64, 3.9 or newer, was found" in done.stderr
    # before pip runs, and before anything is laid out or compressed
    late = (*options[:2], "--entrypoint", "no-such-command", *options[4:-1], "linux-aarch64")
    assert "PythonNotCarried" in coex(tmp_path, *late, packages=("data-generic",), check=False).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.sh"]
