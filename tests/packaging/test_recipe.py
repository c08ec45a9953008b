"""The recipe: rattler-build makes the package and tests it, and conda installs it beside itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from testbed.builders import clean_environment, prepare_plugin_channel
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from testbed.layout import Layout

BUILD = """
import json, sys
from rattler_build import Stage0Recipe, ToolConfiguration, VariantConfig

recipe, channel, output, python_min = sys.argv[1:]
results = Stage0Recipe.from_file(recipe).run_build(
    variant_config=VariantConfig({"python_min": [python_min]}),
    tool_config=ToolConfiguration(test_strategy="native", use_sharded=False),
    channels=[channel],
    output_dir=output,
)
print(json.dumps([str(path) for result in results for path in result.packages]))
"""
CONDARC = """\
solver: classic
add_pip_as_python_dependency: false
report_errors: false
notify_outdated_conda: false
channels: []
repodata_fns: [repodata.json]
register_envs: false
shortcuts: false
"""


@pytest.fixture(scope="module")
def plugin_channel(testbed: Layout) -> Path:
    """Return a channel that has conda, and all that conda and the recipe ask for."""
    return prepare_plugin_channel(testbed)


@pytest.fixture(scope="module")
def package(builders: Path, plugin_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package that the recipe makes, for the Python of the channel; its own tests have run."""
    place = tmp_path_factory.mktemp("recipe")
    python_min = f"{sys.version_info[0]}.{sys.version_info[1]}"
    arguments = [REPOSITORY / "recipe/recipe.yaml", plugin_channel.as_uri(), place / "output", python_min]
    command = [builders, "-c", BUILD, *arguments]
    env = clean_environment(RATTLER_CACHE_DIR=str(place / "cache"), HOME=str(place))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = json.loads(done.stdout.splitlines()[-1])
    return Path(made)


def run(*command: str | Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_conda_installs_it_into_its_base(
    testbed: Layout, plugin_channel: Path, package: Path, tmp_path: Path
) -> None:
    """There it shows its help, makes an archive that runs, and lacks no dependency."""
    base = tmp_path / "miniconda"
    env = clean_environment(HOME=str(tmp_path), CONDA_PKGS_DIRS=str(tmp_path / "pkgs"), CONDA_OVERRIDE_CUDA="")
    options = ("-y", "-q", "-p", base, "--override-channels", "-c", plugin_channel)
    run(testbed.conda, "create", *options, "python", "conda", "pip", env=env)
    (base / ".condarc").write_text(CONDARC, encoding="utf-8")
    conda = base / "bin/conda"
    run(conda, "install", *options, "-c", package.parent.parent, "conda-coex", env=env)

    assert "create" in run(conda, "coex", "--help", env=env)
    output = tmp_path / "cprog.coex"
    options = ("-y", "-q", "--override-channels", "-c", testbed.channel, "-o", output)
    run(conda, "coex", "create", *options, "--package", "cprog", "--entrypoint", "cprog", env=env)
    assert "prefix=" in run(output, env={**env, "COEX_ROOT": str(tmp_path / "store")})
    run(base / "bin/python", "-m", "pip", "check", env=env)
    listed = json.loads(run(conda, "list", "-p", base, "--json", "^conda-coex$", env=env))
    assert [entry["version"] for entry in listed] == [package.name.split("-")[2]]
