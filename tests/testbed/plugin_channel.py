"""Make a channel in which this project's recipe finds all that it asks for: runs in the base environment.

conda itself is packaged from the base environment, and the distributions that it, the recipe and the
recipe's tests need as pip resolves them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from testbed.base import CONDA_VERSION
from testbed.channel import assemble
from testbed.layout import REPOSITORY, SOURCES, Layout
from testbed.package import PLACEHOLDER
from testbed.stamps import digest, is_fresh
from testbed.wheel_channel import build_wheels, fetch_wheels, spec
from testbed.wheel_package import CONSOLE_SCRIPT, finish
from testbed.workshop import Workshop

# Packages that the recipe needs and conda does not; hatchling is for the build.
WANTED = ("hatchling", "pip", "setuptools")
OTHERS = ("python_package", "zstd_package")  # groups of the test bed's own channel


def build(layout: Layout) -> None:
    """Make the channel, unless it is up to date."""
    requirements = SOURCES / "requirements.txt"
    stamp = layout.plugin_channel / "stamp"
    sources = [Path(__file__), *(SOURCES / f"wheel_{name}.py" for name in ("channel", "package")), requirements]
    value = digest(sys.version, layout.base / "testbed-stamp", *sources, REPOSITORY / "pyproject.toml")
    if is_fresh(stamp, value):
        return
    print("testbed: a channel for the recipe", file=sys.stderr)
    shutil.rmtree(layout.plugin_channel, ignore_errors=True)
    of_conda = _of_conda(requirements)
    with tempfile.TemporaryDirectory(dir=layout.root) as scratch:
        wheels = fetch_wheels(Path(scratch, "wheels"), [*of_conda, *WANTED, *_of_plugin()])
        built = Path(scratch, "built")
        build_wheels(wheels, built)
        _build_conda(layout, built, of_conda)
        assemble(layout.plugin_channel, [*(layout.built / group for group in OTHERS), built])
    stamp.write_text(value, encoding="utf-8")


def _of_conda(requirements: Path) -> list[str]:
    """Return the requirements of the base environment that are conda's."""
    section = re.search(r"# conda \S+ runs on these\n(.*?)\n\n", requirements.read_text(encoding="utf-8"), re.DOTALL)
    assert section
    return section.group(1).splitlines()


def _of_plugin() -> list[str]:
    """Return the dependencies in this project's metadata, those of older Pythons as well: the recipe has all."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    section = re.search(r"^dependencies = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    assert section
    return [text.partition(";")[0] for text in re.findall(r'"([^"]+)"', section.group(1))]


def _build_conda(layout: Layout, built: Path, requirements: list[str]) -> None:
    from packaging.requirements import Requirement

    (source,) = layout.base.glob("lib/python3.*/site-packages/conda")
    with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
        workshop = Workshop(Path(scratch), built.parent)
        package = workshop.python_extension("conda", CONDA_VERSION)
        package.depends += [spec(each.name, str(each.specifier)) for each in map(Requirement, requirements)]
        site_packages = package.root / workshop.site_packages
        shutil.copytree(source, site_packages / "conda", ignore=shutil.ignore_patterns("__pycache__"))
        metadata = f"Metadata-Version: 2.1\nName: conda\nVersion: {CONDA_VERSION}\n"
        package.text(f"{workshop.site_packages}/conda-{CONDA_VERSION}.dist-info/METADATA", metadata)
        fields = {"module": "conda.cli", "first": "main", "function": "main"}
        package.script("bin/conda", CONSOLE_SCRIPT.format(prefix=PLACEHOLDER, python=workshop.python_name, **fields))
        finish(package, built)


if __name__ == "__main__":
    build(Layout(Path(sys.argv[1])))
