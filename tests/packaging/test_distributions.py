"""The wheel and the source archive: their files, their installation, and their pages on an index."""

from __future__ import annotations

import re
import subprocess
import tarfile
import zipfile
from email.parser import HeaderParser
from typing import TYPE_CHECKING

import pytest
from testbed.builders import clean_environment
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from testbed.layout import Layout

PACKAGES = {"conda_coex": REPOSITORY / "conda_coex", "coex_bootstrap": REPOSITORY / "bootstrap/coex_bootstrap"}
FILE_OF_OURS = re.compile(r"https://github\.com/conda-coex/conda-coex/blob/main/([^)#\s]+)")


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


def tracked() -> dict[str, bytes]:
    """Return the files of both packages, as a wheel names them; git knows which are sources."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *PACKAGES.values()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    names = {path: str(path.relative_to(REPOSITORY)).removeprefix("bootstrap/") for path in paths if path.is_file()}
    return {name: path.read_bytes() for path, name in names.items()}


def test_wheel_has_the_packages_byte_for_byte(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert found == tracked()
    assert {"conda_coex/inspect/page.html", "coex_bootstrap/prelude.sh"} <= found.keys()
    assert {f"{package}/py.typed" for package in PACKAGES} <= found.keys()


def test_source_archive_has_only_the_sources_of_the_wheel(distributions: Path) -> None:
    (file,) = distributions.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        found = {member.name.partition("/")[2] for member in archive if member.isfile()}
    sources = {re.sub(r"\Acoex_bootstrap/", "bootstrap/coex_bootstrap/", name) for name in tracked()}
    others = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert found == sources | others


def test_checkout_and_source_archive_give_one_wheel(
    wheel: Path, builders: Path, tmp_path: Path, distributions: Path
) -> None:
    """`build` has made the first one of the source archive."""
    command = [builders, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, REPOSITORY]
    subprocess.run(command, check=True, capture_output=True, env=clean_environment())
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def test_metadata(wheel: Path, builders: Path, distributions: Path) -> None:
    found = metadata(wheel)
    assert found["License-Expression"] == "BSD-3-Clause"
    assert found["License-File"] == "LICENSE"
    assert found["Author"]
    assert {url.partition(",")[0] for url in found.get_all("Project-URL", [])} >= {"Homepage", "Documentation"}
    command = [builders, "-m", "twine", "check", "--strict", *distributions.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    assert done.returncode == 0, done.stdout


def test_links_of_the_description_lead_somewhere(wheel: Path) -> None:
    """An index shows the README without the files beside it."""
    text = metadata(wheel).get_payload()
    assert isinstance(text, str)
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in text.splitlines()}
    for target in targets:
        assert target.startswith(("https://", "#")), target
        assert not target.startswith("#") or target[1:] in headings, target
        of_ours = FILE_OF_OURS.match(target)
        assert of_ours is None or (REPOSITORY / of_ours.group(1)).is_file(), target


def test_wheel_installs_with_its_dependencies(wheel: Path, testbed: Layout, tmp_path: Path) -> None:
    """The bootstrap, and modules that need no conda, can be imported then."""
    environment = tmp_path / "environment"
    subprocess.run([testbed.python, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin/python"
    install = [testbed.python, "-m", "pip", "--python", python, "install", "-qq", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, env=clean_environment())
    modules = ("archive.writer", "inputs.yaml_text", "archive.new_sbom")
    code = "; ".join(["import conda_coex, coex_bootstrap", *(f"import conda_coex.{name}" for name in modules)])
    for command in ([python, "-c", code], [testbed.python, "-m", "pip", "--python", python, "check"]):
        env = clean_environment()
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
