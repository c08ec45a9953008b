"""Pack and unpack as coex did in 2019: a zip of one tar.zst a package, then prefixes searched and replaced.

Run as a program it unpacks: ``python old_scheme.py FILE PREFIX``. That half needs no more than the
standard library, as its model did: ``unzip -p | tar -I zstd -x`` a package, then every file that a
package lists is read, searched and written.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.environments import Environment
    from benchmarks.runner import Command


def command(bench: Bench, environment: Environment, output: Path) -> Command:
    """Return the command that unpacks an environment in the old way."""
    from benchmarks.runner import Command

    file = bench.place / f"{environment.name}-2019.zip"
    if not file.exists():
        pack(environment.tree, file)
    words = [sys.executable, str(Path(__file__).resolve()), str(file), str(output)]
    return Command("coex of 2019", words, outputs=(output,), prepare=output.mkdir)


def pack(tree: Path, file: Path) -> None:
    """Write every package of an environment as one compressed member."""
    prefixes: list[dict[str, str]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive, tempfile.TemporaryDirectory() as scratch:
        for record in sorted((tree / "conda-meta").glob("*.json")):
            rows = json.loads(record.read_text(encoding="utf-8"))["paths_data"]["paths"]
            names = Path(scratch) / "names"
            present = [row["_path"] for row in rows if os.path.lexists(tree / row["_path"])]
            names.write_text("".join(f"{name}\n" for name in present), encoding="utf-8")
            packed = Path(scratch) / f"{record.stem}.tar.zst"
            tar = ["tar", "-C", str(tree), "-cf", str(packed), "-I", "zstd -9 -T0 -q", "-T", str(names)]
            subprocess.run(tar, check=True)
            archive.write(packed, packed.name)
            packed.unlink()
            marked = [row for row in rows if "prefix_placeholder" in row]
            prefixes += [{"path": row["_path"], "mode": row["file_mode"]} for row in marked]
        archive.writestr("prefixes.json", json.dumps({"placeholder": str(tree), "files": prefixes}))


def unpack(file: str, prefix: str) -> None:
    """Extract package by package, then rewrite the files that hold the placeholder."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".tar.zst")]
        listing = json.loads(archive.read("prefixes.json"))
    for name in names:
        member = subprocess.Popen(["unzip", "-p", file, name], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-I", "zstd", "-xf", "-", "-C", prefix], stdin=member.stdout, check=True)
        if member.wait():
            sys.exit(f"unzip failed for {name}")
    old, new = listing["placeholder"].encode(), prefix.encode()
    for row in listing["files"]:
        _rewrite(os.path.join(prefix, row["path"]), row["mode"], old, new)  # noqa: PTH118


def _rewrite(path: str, mode: str, old: bytes, new: bytes) -> None:
    if not os.path.isfile(path):  # noqa: PTH113
        return
    with open(path, "rb") as stream:  # noqa: PTH123
        content = stream.read()
    changed = content.replace(old, new)
    if mode == "binary":
        changed = changed + b"\0" * max(0, len(content) - len(changed))
    if changed != content:
        temporary = path + ".new"
        with open(temporary, "wb") as stream:  # noqa: PTH123
            stream.write(changed)
        shutil.copymode(path, temporary)
        os.rename(temporary, path)  # noqa: PTH104


if __name__ == "__main__":
    unpack(sys.argv[1], sys.argv[2])
