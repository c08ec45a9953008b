"""Pip sections: installed at build time by the environment's own pip, packed as they are, found where they unpack."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive, link_or_copy, only_root
from end_to_end.lock_texts import as_yaml
from end_to_end.small_channel import copy_without, make_package
from end_to_end.wheel_files import committed, make_extension, make_project, make_wheel, pack_sdist
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from conftest import Conda
    from testbed.layout import Layout

TOOL = """\
import sys

from pip_lib import greeting


def main():
    print(greeting(), sys.argv[1:], sys.prefix)
    return 3
"""
SECTION = """\
channels: [nodefaults]
dependencies:
- python
- pip
- setuptools
- hello-noarch
- pip:
  - -r more/requirements.txt
  - -e ./native
  - hello-noarch==9.0
variables: {FROM_FILE: "yes"}
"""
ENV = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_INDEX_URL": "http://127.0.0.1:1/none"}
CREATE = ("coex", "create", "-q", "-y", "--offline", "--fast", "-o", "app.coex")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with an environment file, the packages of its pip section, and wheels to be found."""
    work = tmp_path_factory.mktemp("secret-home") / "work"
    wheels = work / "wheels"
    make_wheel(wheels, "pip_lib", "1.5", {"pip_lib.py": "def greeting():\n    return 'greetings'\n"})
    tool = {"pip_tool.py": TOOL}
    make_wheel(wheels, "pip_tool", "2.0", tool, script="pip-tool = pip_tool:main", requires="pip_lib>=1")
    make_wheel(wheels, "hello_noarch", "9.0", {"hello_noarch/__init__.py": "VERSION = 9\n"})
    make_extension(work / "native")
    (work / "more").mkdir()
    (work / "more/requirements.txt").write_text("--find-links ../wheels\npip_tool==2.0\n")
    (work / "environment.yml").write_text(SECTION.replace("pip:\n", f"pip:\n  - --find-links {wheels}\n"))
    return work


@pytest.fixture(scope="module")
def archive(work: Path, conda: Conda, channel: tuple[str, ...]) -> Archive:
    conda(*CREATE, *channel, "-f", work / "environment.yml", "--entrypoint", "pip-tool", cwd=work.parent, env=ENV)
    return Archive(work.parent / "app.coex")


@pytest.fixture(scope="module")
def prefix(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked prefix, in a place with a blank that is longer than a #! line may be."""
    store = tmp_path_factory.mktemp("unpacked") / ("long " + "x" * 90)
    store.mkdir(mode=0o700)
    done = archive.run("one two", store=store)
    prefix = only_root(store) / "prefix"
    assert (done.returncode, done.stdout) == (3, f"greetings ['one two'] {prefix}\n"), done.stderr
    return prefix


def site_packages(prefix: Path) -> Path:
    return next(prefix.glob("lib/python3.*/site-packages"))


def python(prefix: Path, code: str) -> str:
    return subprocess.run([prefix / "bin/python", "-Bc", code], capture_output=True, text=True, check=True).stdout


def test_conda_and_pip_see_the_packages(prefix: Path, conda: Conda) -> None:
    rows = {row["name"]: row for row in json.loads(conda("list", "-p", prefix, "--json").stdout)}
    assert {name: rows[name]["version"] for name in ("pip-tool", "pip-lib", "native-demo")} == {
        "pip-tool": "2.0", "pip-lib": "1.5", "native-demo": "0.3",
    }  # fmt: skip
    assert {rows[name]["channel"] for name in ("pip-tool", "pip-lib", "native-demo")} == {"pypi"}
    check = subprocess.run([prefix / "bin/python", "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout


def test_compiled_extension_is_the_archives_own(prefix: Path, work: Path) -> None:
    """Editable for pip, but the archive has it: nothing points at the sources."""
    found = python(prefix, "import native_demo; print(native_demo.answer(), native_demo.__file__)")
    assert found.startswith(f"42 {prefix}/")
    assert not list(site_packages(prefix).glob("__editable__*"))
    assert not (prefix / "src").exists()


def test_package_of_conda_that_pip_replaced(prefix: Path) -> None:
    """As in an environment that conda made: pip's files stand, those that it took away are gone."""
    assert python(prefix, "import hello_noarch; print(hello_noarch.VERSION)") == "9\n"
    assert not (site_packages(prefix) / "hello_noarch/cli.py").exists()
    assert not list(site_packages(prefix).glob("hello_noarch/__pycache__/cli.*"))
    assert (prefix / "share/hello-noarch/readme.txt").exists()


def test_compiled_and_dated(prefix: Path) -> None:
    """Every source of pip's has its .pyc, which is fresh: importing writes nothing."""
    for module in ("pip_tool", "pip_lib"):
        code = f"import {module}, importlib.util as u; print({module}.__cached__)"
        cached = Path(python(prefix, code).strip())
        source = site_packages(prefix) / f"{module}.py"
        assert int.from_bytes(cached.read_bytes()[8:12], "little") == int(source.stat().st_mtime)


def test_records_of_pip_hold(prefix: Path) -> None:
    """RECORD lists the existing files; no file names a directory of the builder, not even inside the environment."""
    for info in ("pip_tool-2.0.dist-info", "native_demo-0.3.dist-info"):
        rows = [line.split(",") for line in (site_packages(prefix) / info / "RECORD").read_text().splitlines()]
        assert rows
        for path, _, size in rows:
            file = site_packages(prefix) / path
            assert file.is_file(), path
            assert not size or file.stat().st_size == int(size), path
        assert not (site_packages(prefix) / info / "direct_url.json").exists()


def test_no_trace_of_the_builder(prefix: Path) -> None:
    command = ["grep", "-rlE", "secret-home|coex-staging|/opt/coex_placehold", prefix]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_lock_in_the_manifest(archive: Archive, work: Path, conda: Conda) -> None:
    found = json.loads(conda("coex", "inspect", "--json", archive.path).stdout)
    rows = {row["name"].replace("_", "-"): row for row in found["pip"]}
    assert rows.keys() == {"pip-tool", "pip-lib", "native-demo", "hello-noarch"}
    assert rows["pip-tool"]["file"] == "pip_tool-2.0-py3-none-any.whl"
    assert rows["pip-tool"]["sha256"] == sha256(work / "wheels/pip_tool-2.0-py3-none-any.whl")
    assert (rows["pip-tool"]["requested"], rows["pip-lib"]["requested"]) == (True, False)
    assert "secret-home" not in json.dumps({**found, "archive": ""})
    assert "pip_tool-2.0-py3-none-any.whl" in conda("coex", "inspect", archive.path).stdout


def sha256(path: Path) -> str:
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


def test_same_bytes(archive: Archive, work: Path, conda: Conda, channel: tuple[str, ...], testbed: Any) -> None:
    """Under another umask and time too; and staging environments are gone, also one of a build that was killed."""
    (testbed.pkgs / ".coex-staging/abandoned/prefix").mkdir(parents=True)
    again = ("-f", work / "environment.yml", "--entrypoint", "pip-tool")
    old = os.umask(0o077)
    try:
        conda(*CREATE[:-1], "again.coex", *channel, *again, cwd=work.parent, env=ENV)
    finally:
        os.umask(old)
    assert (work.parent / "again.coex").read_bytes() == archive.path.read_bytes()
    assert not (testbed.pkgs / ".coex-staging").exists()


def test_same_bytes_in_another_cache(
    archive: Archive, work: Path, conda: Conda, channel: tuple[str, ...], tmp_path: Path
) -> None:
    """pip installs below the package cache, and an extension that it compiles names that place."""
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    words = (*CREATE, *channel, "-f", tmp_path / "work/environment.yml", "--entrypoint", "pip-tool")
    conda(*words, cwd=tmp_path, env={**ENV, "CONDA_PKGS_DIRS": str(tmp_path / "a-longer-name-of-pkgs")})
    assert (tmp_path / "app.coex").read_bytes() == archive.path.read_bytes()


def test_compiled_by_an_earlier_build(
    conda: Conda, channel: tuple[str, ...], tmp_path: Path, testbed: Layout
) -> None:
    """setuptools takes an extension that is in `build`, and that names the place of another environment."""
    make_extension(tmp_path / "native")
    for more in ([], ["hello-noarch"]):
        needed = {"dependencies": ["python", "pip", "setuptools", *more, {"pip": ["./native"]}]}
        (tmp_path / "environment.yml").write_text(json.dumps(needed))
        conda(*CREATE, *channel, "-f", "environment.yml", "--entrypoint", "python", cwd=tmp_path, env=ENV)
    archive = Archive(tmp_path / "app.coex")
    store = tmp_path / "store"
    store.mkdir(0o700)
    found = archive.start("-c", "import native_demo; print(native_demo.__file__)", store=store).strip()
    assert str(testbed.pkgs).encode() in next((tmp_path / "native/build").glob("lib*/*.so")).read_bytes()
    assert str(testbed.pkgs).encode() not in Path(found).read_bytes()
    assert bytes(only_root(store)) in Path(found).read_bytes()


def test_repacked(archive: Archive, conda: Conda, tmp_path: Path, store: Path) -> None:
    """There and back gives the same bytes; pip packages go along."""
    (tmp_path / "more.txt").write_text("more")
    conda("coex", "repack", archive.path, "more.txt", "--entrypoint", "python", "-o", "new.coex", cwd=tmp_path)
    new = Archive(tmp_path / "new.coex")
    assert new.start("-c", "import pip_tool, native_demo; print(native_demo.answer())", store=store) == "42\n"
    pip = [json.loads(conda("coex", "inspect", "--json", path).stdout)["pip"] for path in (archive.path, new.path)]
    assert pip[0] == pip[1]
    conda("coex", "repack", new.path, "--no-app", "--entrypoint", "pip-tool")
    assert new.path.read_bytes() == archive.path.read_bytes()


def test_variables(archive: Archive, prefix: Path) -> None:
    assert json.loads((prefix / "conda-meta/state").read_text())["env_vars"] == {"FROM_FILE": "yes"}


def test_dry_run(work: Path, conda: Conda, channel: tuple[str, ...]) -> None:
    options = ("--dry-run", "--json", *channel, "-f", work / "environment.yml", "--entrypoint", "pip-tool")
    found = json.loads(conda("coex", "create", *options, cwd=work).stdout)
    assert found["actions"]["PIP"][-2:] == ["-e ./native", "hello-noarch==9.0"]
    assert not (work / "pip-tool.coex").exists()


def pip_case(conda: Conda, channel: tuple[str, ...], work: Path, lines: str, *options: str) -> str:
    (work / "bad.yml").write_text(f"dependencies: [python, pip, {{pip: [{lines}]}}]\n")
    words = (*CREATE, *channel, "-f", "bad.yml", "--entrypoint", "python", *options)
    done = conda(*words, cwd=work, env=ENV, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (work / "app.coex").exists()
    return done.stdout + done.stderr


def test_requirements_that_pip_refuses(tmp_path: Path, conda: Conda, channel: tuple[str, ...]) -> None:
    """Its words are shown, on stderr or in the JSON document, and no credentials."""
    line = '--index-url http://me:hunter2@127.0.0.1:1/simple, "no-such-package-at-all==3"'
    said = pip_case(conda, channel, tmp_path, line)
    assert "PipFailed: pip ended with status 1 and said:\n" in said
    assert re.search(r"^ERROR: No matching distribution found for no-such-package-at-all", said, re.MULTILINE)
    assert "hunter2" not in said
    document = json.loads(pip_case(conda, channel, tmp_path, '"not a requirement !"', "--json").partition("\n\n\n")[0])
    assert "Invalid requirement" in document["message"]


def test_several_files(work: Path, tmp_path: Path, conda: Conda, channel: tuple[str, ...], store: Path) -> None:
    """Each with a pip section, in directories of their own: paths are relative to each, and one pip resolves all."""
    for name in ("first", "my second"):
        make_project(tmp_path / name / "library", name.replace(" ", "_"))
    wheels = tmp_path / "first/wheels"
    make_wheel(wheels, "clash", "1.0", {"clash-1.0.data/scripts/cprog": "#!python\nprint('of pip')\n"})
    pack_sdist(make_extension(tmp_path / "my second/native"), "native-demo-0.3")
    (tmp_path / "first/limits.txt").write_text("pip_lib<1.7\n")
    (tmp_path / "my second/more.txt").write_text("./library\npip_lib ${WANTED}\n")
    first = ("-c limits.txt", "./library", "wheels/clash-1.0-py3-none-any.whl")
    second = (f"--find-links {work / 'wheels'}", "-r more.txt", "./native-demo-0.3.tar.gz")
    for name, conda_packages, lines in (
        ("first", ["cprog", "python"], first), ("my second", ["pip", "setuptools"], second),
    ):  # fmt: skip
        text = json.dumps({"dependencies": [*conda_packages, {"pip": lines}]})
        (tmp_path / name / "environment.yml").write_text(text)
    files = ("-f", "first/environment.yml", "-f", "my second/environment.yml")
    options = (*CREATE, *channel, *files, "--entrypoint", "python")
    conda(*options, cwd=tmp_path, env={**ENV, "WANTED": ">=1"})
    code = "import first, my_second, native_demo, pip_lib; print(first.NAME, my_second.NAME, native_demo.answer())"
    archive = Archive(tmp_path / "app.coex")
    assert archive.start("-c", code, store=store) == "first my_second 42\n"
    assert archive.start(store=store, env={"COEX_ENTRYPOINT": "cprog"}) == "of pip\n"
    conda("coex", "verify", archive.path, env={"COEX_ROOT": str(store)})
    done = conda(*options, cwd=tmp_path, env={**ENV, "WANTED": ">=1.7"}, check=False)
    assert done.returncode == 1
    assert "Cannot install pip_lib>=1.7 because these package versions have conflicting dependencies" in done.stderr


@pytest.fixture(scope="module")
def locked(work: Path, rows: dict[str, dict[str, Any]]) -> str:
    """Return a conda-lock.yml with a pinned wheel."""
    wheel = work / "wheels/pip_lib-1.5-py3-none-any.whl"
    pinned = {"name": "pip-lib", "version": "1.5", "manager": "pip", "platform": native_subdir(), "dependencies": {}}
    packages = [
        {**pinned, "name": name, "version": rows[name]["version"], "manager": "conda", "url": rows[name]["url"],
         "hash": {"sha256": rows[name]["sha256"]}} for name in ("python", "pip")
    ]  # fmt: skip
    packages.append({**pinned, "url": wheel.as_uri(), "hash": {"sha256": sha256(wheel)}})
    metadata = {"platforms": [native_subdir()], "channels": [{"url": rows["zstd"]["url"].rsplit("/", 2)[0]}]}
    return as_yaml({"version": 1, "metadata": metadata, "package": packages})


def test_pinned_by_a_lock_file(locked: str, tmp_path: Path, conda: Conda, store: Path) -> None:
    (tmp_path / "conda-lock.yml").write_text(locked)
    conda(*CREATE, "-f", "conda-lock.yml", "--entrypoint", "python", cwd=tmp_path, env=ENV)
    assert Archive(tmp_path / "app.coex").start("-c", "import pip_lib; print(pip_lib.greeting())", store=store) == (
        "greetings\n"
    )
    (row,) = json.loads(conda("coex", "inspect", "--json", tmp_path / "app.coex").stdout)["pip"]
    assert (row["name"], row["file"]) == ("pip_lib", "pip_lib-1.5-py3-none-any.whl")


def test_sources_of_a_pixi_lock(
    work: Path, rows: dict[str, dict[str, Any]], tmp_path: Path, conda: Conda, store: Path
) -> None:
    """A directory beside the lock, a wheel by a relative path, a commit of a repository, as pixi writes them."""
    make_project(tmp_path / "beside", "beside")
    make_project(tmp_path / "repository/sub", "committed")
    commit = committed(tmp_path / "repository")
    (tmp_path / "repository/sub/committed.py").write_text("NAME = 'not committed'\n")
    wheel = work / "wheels/pip_lib-1.5-py3-none-any.whl"
    (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
    repository = (tmp_path / "repository").as_uri()
    pip = [
        {"pypi": "./beside", "name": "beside", "version": "1.0", "sha256": "0" * 64, "editable": True},
        {"pypi": f"./{wheel.name}", "name": "pip-lib", "version": "1.5", "sha256": sha256(wheel)},
        {"pypi": f"git+{repository}?subdirectory=sub&rev=HEAD#{commit}", "name": "committed", "version": "1.0"},
    ]
    names = ("python", "setuptools", "zstd")  # and no pip, as in many locks of pixi: Python carries one
    described = [{"conda": rows[name]["url"], "sha256": rows[name]["sha256"]} for name in names]
    listed = [{"conda": each["conda"]} for each in described] + [{"pypi": each["pypi"]} for each in pip]
    environments = {"default": {"channels": [], "packages": {native_subdir(): listed}}}
    lock = json.dumps({"packages": described + pip, "version": 6, "environments": environments})
    (tmp_path / "pixi.lock").write_text(lock)
    conda(*CREATE, "-f", "pixi.lock", "--entrypoint", "python", cwd=tmp_path, env=ENV)
    code = "import beside, committed, pip_lib; print(beside.NAME, committed.NAME, pip_lib.greeting())"
    assert Archive(tmp_path / "app.coex").start("-c", code, store=store) == "beside committed greetings\n"
    found = json.loads(conda("coex", "inspect", "--json", tmp_path / "app.coex").stdout)["pip"]
    assert {row["name"]: row.get("commit", row.get("file")) for row in found} == {
        "beside": "beside", "committed": commit, "pip_lib": wheel.name,
    }  # fmt: skip
    assert repository not in json.dumps(found)
    installed = {path.name for path in site_packages(only_root(store) / "prefix").glob("pip*")}
    assert installed == {"pip_lib-1.5.dist-info", "pip_lib.py"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param('", "hash": {"sha256": "', '", "hash": {"sha256": "0', "which is not a sha256", id="no hash"),
        pytest.param(".whl", " --index-url=x.whl", "which is neither the URL nor the path", id="option"),
        pytest.param("SHA256", "0" * 64, "THESE PACKAGES DO NOT MATCH THE HASHES", id="altered"),
    ],
)
def test_lock_file_is_refused(
    old: str, new: str, says: str, locked: str, work: Path, tmp_path: Path, conda: Conda
) -> None:
    old = sha256(work / "wheels/pip_lib-1.5-py3-none-any.whl") if old == "SHA256" else old
    head, found, tail = locked.rpartition(old)
    assert found
    (tmp_path / "conda-lock.yml").write_text(head + new + tail)
    words = (*CREATE, "-f", "conda-lock.yml", "--entrypoint", "python")
    done = conda(*words, cwd=tmp_path, env=ENV, check=False)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "app.coex").exists()


def test_nothing_that_pip_built_before(
    tmp_path: Path, conda: Conda, conda_home: Path, channel: tuple[str, ...], store: Path
) -> None:
    """A wheel of the same source, built here for another environment, is in pip's cache and not in the archive."""
    make_project(tmp_path / "demo", "demo")
    setup = (tmp_path / "demo/setup.py").read_text()
    (tmp_path / "demo/setup.py").write_text(
        f"import sys\n{setup}\n".replace("setup(", "open('demo.py', 'w').write(f'BUILT_BY = {sys.prefix!r}')\nsetup(")
    )
    (tmp_path / "found").mkdir()
    pack_sdist(tmp_path / "demo", "demo-1.0").rename(tmp_path / "found/demo-1.0.tar.gz")
    cache = conda_home / ".cache/pip"
    before = ("-m", "pip", "install", "-q", "--no-index", "--no-build-isolation", "--find-links", tmp_path / "found")
    conda("create", "-q", "-y", "--offline", *channel, "-p", tmp_path / "other", "python", "pip", "setuptools")
    other = [tmp_path / "other/bin/python", *before, "--cache-dir", cache, "demo"]
    subprocess.run(other, check=True, capture_output=True)
    assert list(cache.glob("wheels/**/demo-1.0*.whl"))
    lines = ["--no-index", "--find-links ./found", "demo"]
    needed = ["python", "pip", "setuptools", "zstd"]
    (tmp_path / "environment.yml").write_text(json.dumps({"dependencies": [*needed, {"pip": lines}]}))
    conda(*CREATE, *channel, "-f", "environment.yml", "--entrypoint", "python", cwd=tmp_path, env=ENV)
    found = Archive(tmp_path / "app.coex").start("-c", "import demo; print(demo.BUILT_BY)", store=store)
    assert found == f"{only_root(store)}/prefix\n"
    shutil.rmtree(cache)


def test_compiled_where_pip_runs(tmp_path: Path, conda: Conda, channel: tuple[str, ...], store: Path) -> None:
    """Only pip, and by its own first run; the archive has the .pyc of all packages."""
    make_project(tmp_path / "demo", "demo")
    setup = (tmp_path / "demo/setup.py").read_text()
    lines = ["import os, sysconfig", "purelib = sysconfig.get_path('purelib')"]
    names = ("hello_noarch", "pip", "setuptools")
    lines += [f"seen = [each for each in {names} if os.path.isdir(f'{{purelib}}/{{each}}/__pycache__')]"]
    lines += ["open('demo.py', 'w').write(f'COMPILED = {seen}')", setup]
    (tmp_path / "demo/setup.py").write_text("\n".join(lines))
    packages = ["python", "pip", "setuptools", "hello-noarch", "zstd", {"pip": ["--no-index", "./demo"]}]
    (tmp_path / "environment.yml").write_text(json.dumps({"dependencies": packages}))
    conda(*CREATE, *channel, "-f", "environment.yml", "--entrypoint", "python", cwd=tmp_path, env=ENV)
    assert Archive(tmp_path / "app.coex").start("-c", "import demo; print(demo.COMPILED)", store=store) == "['pip']\n"
    directory = site_packages(only_root(store) / "prefix")
    for name in names:
        assert list(directory.glob(f"{name}/__pycache__/__init__.*.pyc")), name


def test_activation_that_ends_false(
    work: Path, tmp_path: Path, conda: Conda, channel: tuple[str, ...], store: Path
) -> None:
    """As conda takes it: the status of a script means nothing."""
    make_package(tmp_path / "mine", "act-false", {"etc/conda/activate.d/z.sh": "[ -d /dev/null ] && export X=1\n"})
    wheel = str(work / "wheels/pip_lib-1.5-py3-none-any.whl")
    rows = {"dependencies": ["python", "pip", "zstd", "act-false", {"pip": ["--no-index", wheel]}]}
    (tmp_path / "environment.yml").write_text(json.dumps(rows))
    options = (*channel, "-c", tmp_path / "mine", "-f", "environment.yml", "--entrypoint", "python")
    conda(*CREATE, *options, cwd=tmp_path, env=ENV)
    found = Archive(tmp_path / "app.coex").start("-c", "import pip_lib; print(pip_lib.greeting())", store=store)
    assert found == "greetings\n"


def test_activation_that_ends_the_shell(
    work: Path, tmp_path: Path, conda: Conda, channel: tuple[str, ...]
) -> None:
    """A build fails if an activation script ends the shell with status 0 before pip ran."""
    make_package(tmp_path / "mine", "act-exit", {"etc/conda/activate.d/z.sh": "[ -d /dev/null ] || exit 0\n"})
    wheel = str(work / "wheels/pip_lib-1.5-py3-none-any.whl")
    rows = {"dependencies": ["python", "pip", "zstd", "act-exit", {"pip": ["--no-index", wheel]}]}
    (tmp_path / "environment.yml").write_text(json.dumps(rows))
    options = (*channel, "-c", tmp_path / "mine", "-f", "environment.yml", "--entrypoint", "python")
    done = conda(*CREATE, *options, cwd=tmp_path, env=ENV, check=False)
    assert (done.returncode, list(tmp_path.glob("*.coex"))) == (1, [])
    assert "pip did not run: a script in etc/conda/activate.d ends the shell" in " ".join(done.stderr.split())


def test_channels_without_pip(work: Path, tmp_path: Path, conda: Conda, testbed: Layout, store: Path) -> None:
    """conda adds pip to the packages of a section; if no channel has it, the one that Python carries serves."""
    copy_without(tmp_path / "channel", testbed.channel, "pip")
    wheel = str(work / "wheels/pip_lib-1.5-py3-none-any.whl")
    create = [word for word in CREATE if word != "--offline"]  # with which conda takes packages of its cache, too
    for asked, status in ((["python", "zstd"], 0), (["python", "zstd", "pip"], 1)):
        (tmp_path / "environment.yml").write_text(json.dumps({"dependencies": [*asked, {"pip": [wheel]}]}))
        options = ("--override-channels", "-c", tmp_path / "channel", "-f", "environment.yml", "--entrypoint", "python")
        done = conda(*create, *options, cwd=tmp_path, env=ENV, check=False)
        assert done.returncode == status, done.stderr
        if status:
            assert "not available from current channels" in " ".join(done.stderr.split())
        else:
            assert "no channel has a fitting package pip: the one in Python serves" in done.stderr
    found = Archive(tmp_path / "app.coex").start("-c", "import pip_lib; print(pip_lib.greeting())", store=store)
    assert found == "greetings\n"


def test_lock_of_an_archive_makes_it_again(
    work: Path, tmp_path: Path, conda: Conda, channel: tuple[str, ...], store: Path
) -> None:
    """A pip package from a URL is pinned by the archive's own list; one from a path is named."""
    for name in ("pip_tool-2.0", "pip_lib-1.5"):
        wheel = work / f"wheels/{name}-py3-none-any.whl"
        directory = tmp_path / "index" / name.partition("-")[0].replace("_", "-")
        directory.mkdir(parents=True)
        link_or_copy(wheel, directory / wheel.name)
    make_wheel(tmp_path / "local", "alone", "1.0", {"alone.py": "NAME = 'alone'\n"})
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever)
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            lines = [f"--index-url {url}", "pip-tool", "./local/alone-1.0-py3-none-any.whl"]
            needed = ["python", "pip", "zstd"]
            (tmp_path / "environment.yml").write_text(json.dumps({"dependencies": [*needed, {"pip": lines}]}))
            create = tuple(word for word in CREATE if word != "--offline")
            conda(*create, *channel, "-f", "environment.yml", "--entrypoint", "pip-tool", cwd=tmp_path)
            first = tmp_path / "first.coex"
            (tmp_path / "app.coex").rename(first)
            listed = conda("coex", "lock", first).stdout
            (tmp_path / "list.txt").write_text(listed)
            assert f"# pip pip_tool @ {url}/pip-tool/pip_tool-2.0-py3-none-any.whl#sha256=" in listed
            done = conda(*create, "-f", "list.txt", "--entrypoint", "pip-tool", cwd=tmp_path)
        finally:
            server.shutdown()
    assert "and list.txt does not pin them: alone==1.0 from alone-1.0-py3-none-any.whl" in done.stderr
    again = Archive(tmp_path / "app.coex")
    assert again.run("x", store=store).stdout == f"greetings ['x'] {only_root(store)}/prefix\n"
    one, two = (json.loads(conda("coex", "inspect", "--json", path).stdout) for path in (first, again.path))
    assert {row["url"] for row in two["packages"]} == {row["url"] for row in one["packages"]}
    assert {(row["name"], row["sha256"]) for row in two["pip"]} == {
        (row["name"], row["sha256"]) for row in one["pip"] if row["name"] != "alone"
    }


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a directory as a simple index, without a word."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_as_conda_makes_it(
    archive: Archive, work: Path, conda: Conda, channel: tuple[str, ...], tmp_path: Path
) -> None:
    """The files are those of `conda env create` at the same path, except for the documented differences."""
    tmp_path.chmod(0o700)
    archive.run(store=tmp_path)
    prefix = only_root(tmp_path) / "prefix"
    ours = prefix.rename(prefix.with_name("ours"))
    create = ("env", "create", "-q", "-y", "-p", prefix, "-f", work / "environment.yml")
    channels = {"CONDA_CHANNELS": channel[-1], "CONDA_OFFLINE": "true", "PIP_NO_INDEX": "1"}
    conda(*create, env={**ENV, **channels})
    # the editable package is installed for good; pip's RECORD lists .pyc, and hashes of files that name the prefix
    differ = re.compile(r"conda-meta/|.*(\.pyc|/RECORD|/direct_url\.json)\Z|.*native_demo")
    made = {path: data for path, data in contents(prefix).items() if not differ.match(path)}
    found = {path: data for path, data in contents(ours).items() if not differ.match(path)}
    assert found.keys() == made.keys()
    assert [path for path in found if found[path] != made[path]] == []
    compiled = [{path for path in contents(top) if path.endswith(".pyc")} for top in (ours, prefix)]
    assert compiled[0] == {path for path in compiled[1] if "native_demo" not in path}


def contents(prefix: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode, and content or target, of every file and link."""
    found = {}
    for top, directories, names in os.walk(prefix):
        for path in (Path(top, name) for name in [*names, *directories]):
            if path.is_symlink():
                found[str(path.relative_to(prefix))] = (0, os.readlink(path).encode())
            elif path.is_file():
                found[str(path.relative_to(prefix))] = (path.stat().st_mode, path.read_bytes())
    return found
