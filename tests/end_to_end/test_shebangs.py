"""Scripts whose #! line has options: at a long place and at one with a blank they run as at a short one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, only_root
from end_to_end.own_channel import put, workshop
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import Coex
    from testbed.layout import Layout

SHOW = '#!/bin/sh\nwhile [ "$#" -gt 0 ]; do printf "[%s]" "$1"; shift; done; echo\n'  # stands for perl, Rscript, node
BODY = "import sys\nprint(sys.flags.ignore_environment, sys.flags.no_user_site, sys.argv[1:])\n"
PYTHONS = {
    "plain": BODY,
    "commented": f"# -*- python -*-\n\n{BODY}",
    "documented": f'# told\n"""What it does."""\n{BODY}print(__doc__)\n',
    "raw": f"r'''Told.'''\nfrom __future__ import annotations\n{BODY}print(__doc__)\n",
    "future": f"from __future__ import annotations\n{BODY}",
    "encoded": f"# vim: set fileencoding=latin-1 :\nassert len('\xe9') == 1\n{BODY}",
}
OTHERS = {
    "perl": "-w", "Rscript": "--vanilla", "node": "--no-warnings", "bash": "-e", "odd": "-x 'a' $HOME \\ \"#",
}
PLACES = ("s", "a b", "l" * 110, "q'u$o`t\"e\\d " + "l" * 90)


@pytest.fixture(scope="module")
def archive(coex: Coex, testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    directory = tmp_path_factory.mktemp("shebangs")
    package = workshop(testbed, directory).noarch("opts", depends=("python",))
    for name, body in PYTHONS.items():
        package.data(f"bin/py-{name}", f"#!{PLACEHOLDER}/bin/python -E\n{body}".encode("latin-1"), 0o755)
    package.script("bin/py-two", f"#!{PLACEHOLDER}/bin/python -Es\n{BODY}")
    for name, options in OTHERS.items():
        if name != "bash":
            package.script(f"bin/{name}", SHOW)
        package.script(f"bin/run-{name}", f"#!{PLACEHOLDER}/bin/{name} {options}\n: nothing\n")
    package.link("bin/bash", "/bin/bash")
    channel = put(directory / "channel", [package])
    options = (*channel, "-q", "--entrypoint", "python", "-o", "app.coex")
    coex(directory, *options, packages=("opts", "hello-noarch", "zstd"))
    return Archive(directory / "app.coex")


def outputs(archive: Archive, store: Path) -> dict[str, str]:
    """Return the output of each script, without the place."""
    names = [f"py-{name}" for name in (*PYTHONS, "two")] + [f"run-{name}" for name in OTHERS] + ["hello-noarch"]
    found = {}
    for name in names:
        env = {"COEX_ENTRYPOINT": name}
        done = archive.run("first", "sec ond", store=store, env=env)
        assert done.returncode == 0, (name, done.stderr)
        found[name] = (done.stdout + done.stderr).replace(str(only_root(store)), "ROOT")
    return found


def test_options_at_every_place(archive: Archive, tmp_path: Path) -> None:
    found = []
    for name in PLACES:
        (tmp_path / name).mkdir(mode=0o700)
        found.append(outputs(archive, tmp_path / name))
    for name, said in found[0].items():
        assert [each[name] for each in found[1:]] == [said] * (len(found) - 1), name
    assert found[0]["py-documented"] == "1 0 ['first', 'sec ond']\nWhat it does.\n"


def test_everybody_reads_the_same(archive: Archive, tmp_path: Path) -> None:
    """The verbs know the lines that a start writes, and the records have the sha256 of the files."""
    store = tmp_path / "a b"
    store.mkdir(mode=0o700)
    archive.start("-c", "", store=store)
    tools = {"COEX_TOOLS": "1"}
    archive.start("verify", store=store, env=tools)
    script = only_root(store) / "prefix/bin/py-plain"
    before = script.read_bytes()
    assert before.startswith(b"#!/bin/sh\n'''exec' \"")
    script.write_bytes(b"")
    archive.start("repair", store=store, env=tools)
    assert script.read_bytes() == before
    archive.start("verify", store=store, env=tools)
    target = tmp_path / "an environment"
    archive.start("unpack", "-p", str(target), store=store, env=tools)
    archive.start("verify", "-p", str(target), store=store, env=tools)
    assert subprocess.check_output([target / "bin/py-plain", "x"], text=True) == "1 0 ['x']\n"
