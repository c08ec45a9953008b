"""Install the programs that archives are compared with, and make their inputs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.stamps import digest, is_fresh

from benchmarks.bench import LEVEL
from benchmarks.runner import Command, CommandFailedError, run_quietly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from benchmarks.bench import Bench
    from benchmarks.environments import Environment

    Made = TypeVar("Made")

# conda-pack still imports pkg_resources; conda-ship's programs need no conda, though its metadata does.
TOOLS = ("conda-pack", "zstandard", "shiv", "pex", "setuptools<81", "--no-deps conda-ship")


def install(bench: Bench) -> Path:
    """Return the directory of the peers' programs; one that cannot be installed is missing there."""
    directory = bench.home / "tools"
    stamp = directory / "stamp"
    if not is_fresh(stamp, digest(*TOOLS, sys.version)):
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(directory / "bin" / "python"), "install", "-qq"]
        for tool in TOOLS:
            subprocess.run([*pip, *tool.split()], check=False)
        stamp.write_text(digest(*TOOLS, sys.version), encoding="utf-8")
    return directory / "bin"


def available(bench: Bench, peer: str, make: Callable[[], Made]) -> list[Made]:
    """Return the result of `make`, such as the command of a peer; nothing and a note if it fails."""
    try:
        return [make()]
    except (CommandFailedError, OSError) as error:
        bench.note(f"{peer} is missing: {str(error).strip().splitlines()[-1]}")
        return []


def tar_archive(bench: Bench, environment: Environment, level: int = LEVEL) -> Path:
    """Return the environment's tree as tar.zst, compressed as an archive is."""
    file = bench.place / f"{environment.name}-{level}.tar.zst"
    if not file.exists():
        run_quietly(["sh", "-c", f"{pack_pipe(environment.tree, level)} >{shlex.quote(str(file))}"])
    return file


def pack_pipe(tree: Path, level: int) -> str:
    """Return the shell command that writes a tree as tar.zst."""
    return f"tar -C {shlex.quote(str(tree))} -cf - . | zstd -q -T0 -{level} -c"


def tar_command(bench: Bench, environment: Environment, output: Path) -> Command:
    """Return the command that unpacks the tree from a tar.zst."""
    file = tar_archive(bench, environment)
    words = ["tar", "--zstd", "-xf", str(file), "-C", str(output)]
    return Command("tar --zstd -x", words, outputs=(output,), prepare=output.mkdir)


def copy_command(bench: Bench, environment: Environment, output: Path) -> Command:
    """Copy the tree within the measured file system."""
    source = bench.place / f"{environment.name}-tree"
    if not source.exists():
        run_quietly(["cp", "-a", str(environment.tree), str(source)])
    return Command("cp -a", ["cp", "-a", str(source), str(output)], outputs=(output,))


def conda_pack_command(bench: Bench, environment: Environment, output: Path) -> Command:
    """Unpack an archive of conda-pack, and let it rewrite the prefixes."""
    script = conda_pack_script(conda_pack_file(bench, environment), output)
    return Command("conda-pack (tar.zst, conda-unpack)", ["sh", "-c", script], outputs=(output,), prepare=output.mkdir)


def conda_pack_file(bench: Bench, environment: Environment) -> Path:
    """Return the environment's tree as conda-pack packs it."""
    file = bench.place / f"{environment.name}-conda-pack.tar.zst"
    if not file.exists():
        program = str(install(bench) / "conda-pack")
        words = [program, "-q", "-p", str(environment.tree), "-o", str(file), "--n-threads", "-1"]
        run_quietly([*words, "--ignore-missing-files"], env=bench.conda_environment())
    return file


def conda_pack_script(file: Path, output: Path, *options: str) -> str:
    """Return the shell commands that unpack a file of conda-pack into a directory, for good, with options of tar."""
    where, tar = shlex.quote(str(output)), ["tar", *options, "--zstd", "-xf", str(file), "-C", str(output)]
    return f"{shlex.join(tar)} && {where}/bin/python {where}/bin/conda-unpack"


def zipapp_command(bench: Bench, peer: str, wheels: Path, code: str) -> Command:
    """Start a shiv or pex archive of wheels, for the first time."""
    file = bench.place / f"{wheels.name}.{peer}"
    if not file.exists():
        make = zipapp_build(bench, peer, wheels, file)
        run_quietly(make.words, env=dict(make.environment or {}))
    return zipapp_start(bench, peer, file, code)


def zipapp_build(bench: Bench, peer: str, wheels: Path, file: Path, *options: str) -> Command:
    """Return the command that makes a shiv or pex archive of wheels."""
    files = [str(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    extra = ["--no-deps"] if peer == "shiv" else ["--no-transitive", "--python", str(sys.executable)]
    words = [str(install(bench) / peer), *extra, *options, "-o", str(file), *files]
    # Without the constraints of this machine's configuration: the pip of pex refuses them beside the paths of wheels.
    variables = {**bench.conda_environment(), "XDG_CONFIG_DIRS": str(bench.place)}
    return Command(" ".join((peer, *options)), words, variables, bench.place, outputs=(file,))


def zipapp_start(bench: Bench, peer: str, file: Path, code: str) -> Command:
    """Return the first start of a shiv or pex archive."""
    root = bench.place / f"{file.name}-root"
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8", f"{peer.upper()}_ROOT": str(root)}
    words = [sys.executable, str(file), "-c", code]
    return Command(peer, words, variables, bench.place, outputs=(root,), prepare=root.mkdir)
