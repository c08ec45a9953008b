"""The programs that run a file of the app: #! lines that hosts can and cannot follow, as this kernel shows."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from conda_coex.entry.script import fault, faulty_programs, run_app_file
from conda_coex.errors import EntryPointNotFound
from conda_coex.root.content import Content
from conda_coex.root.layout import Layout
from conda_coex.root.source import InMemory


def layout_of(platform: str = "linux-64", **files: bytes | Path) -> Layout:
    layout = Layout()
    layout.platform = platform
    for command in ("python", "python3", "tool"):
        layout.place("all", [Content(f"prefix/bin/{command}", 0o755, 0, InMemory(b""), 0)])
    layout.place("app", [Content(f"app/{name}", 0o644, 0, InMemory(data), 1) for name, data in files.items()])
    return layout


RUN = [
    b"#!/usr/bin/env tool\n", b"#!/usr/bin/env tool", b"#!  /usr/bin/env\ttool  \n", b"#!/usr/bin/env -S tool -u x\n",
    b"#!/usr/bin/env -S A=1 tool\n", b"#!/bin/sh\n", b"#!/bin/sh -e\n", b"#! /bin/sh", b"#!/usr/bin/env sh\n",
]  # fmt: skip
BROKEN = {
    b"#!/usr/bin/env tool\r\n": "has a #! line that ends with CR, as on Windows; change its line ends",
    b"#!/bin/sh -e\r\n": "ends with CR",
    b"#!/usr/bin/env tol\n": "and neither the environment nor this machine has tol; did you mean tool?",
    b"#!/usr/bin/env tool -u\n": "which Linux reads as one word; write #!/usr/bin/env -S tool -u",
    b"#!/usr/bin/env -S no-such-program -u\n": "nor this machine has no-such-program; add a package that has it",
    b"#!/opt/x/bin/tool\n": "which another host does not have; write #!/usr/bin/env tool",
    b"#!/usr/bin/no-such-program\n": "which neither the environment nor this machine has",
    b"#!python-x\n": "which is not an absolute path; write #!/usr/bin/env python-x",
    b"#!\n": "has a #! line without a program",
    b"#!   \n": "has a #! line without a program",
    b"#!/usr/bin/env\n": "which has no program",
}


@pytest.mark.parametrize("line", [*RUN, *BROKEN], ids=repr)
def test_as_the_kernel_reads_it(line: bytes, tmp_path: Path) -> None:
    """A file is executed, with a directory as the environment's `bin`; a refused file does not run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "bin/tool").chmod(0o755)
    (tmp_path / "script").write_bytes(line + (b"" if line.endswith(b"\n") else b"\n") + b"echo ran\n")
    (tmp_path / "script").chmod(0o755)
    environ = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    ran = False
    if line != b"#!/usr/bin/env\n":  # env without a program runs itself for ever
        with contextlib.suppress(OSError):
            done = subprocess.run([tmp_path / "script"], env=environ, capture_output=True, cwd=tmp_path, check=False)
            ran = done.stdout == b"ran\n"
    layout = layout_of(script=line)
    if line in RUN:
        assert run_app_file("app/script", layout) == [["app", "script"]]
        assert (layout.notes, layout.entries["app/script"].mode, ran) == ([], 0o755, True)  # type: ignore[union-attr]
        return
    with pytest.raises(EntryPointNotFound) as caught:
        run_app_file("app/script", layout)
    assert str(caught.value).startswith("script: the entry point ")
    assert BROKEN[line] in str(caught.value)
    assert not ran


def test_lines_that_some_kernels_read() -> None:
    for line in (b"#!/bin/sh " + b"x" * 130 + b"\n", b"#!/bin/sh\0\n"):
        found = fault(line, layout_of())
        assert found is not None
        assert "of more than 127 bytes" in found.what
    assert fault(b"#!/usr/bin/env tool -u\n", layout_of("osx-arm64")) is None  # its kernel splits


def test_the_hosts_own_program() -> None:
    layout = layout_of(a=b"#!/usr/bin/python3 -u\n")
    run_app_file("app/a", layout)
    what = "the entry point a begins with #!/usr/bin/python3 -u: the host's own runs it, not the environment's"
    assert layout.notes == [f"{what}; write #!/usr/bin/env python3"]
    mine = next(name for name in ("git", "grep", "ls", "tail") if Path("/usr/bin", name).exists())
    for line in (f"#!/usr/bin/{mine}\n", f"#!/usr/bin/env {mine}\n"):
        found = fault(line.encode(), layout_of())
        assert found is not None
        assert (found.fatal, found.remedy) == (False, f"add {mine} to the environment")


def test_other_files() -> None:
    """By suffix if there is no #! line, with any other first bytes; a host has a shell."""
    files = {"a.py": b"\xef\xbb\xbf#!/usr/bin/env python\r\n", "b.sh": b"echo\n", "c.pyz": b"PK", "d.R": b""}
    layout = layout_of(**files)
    assert run_app_file("app/a.py", layout) == [["prefix", "bin/python"], ["app", "a.py"]]
    assert run_app_file("app/b.sh", layout) == [["host", "sh"], ["app", "b.sh"]]
    assert run_app_file("app/c.pyz", layout) == [["prefix", "bin/python"], ["app", "c.pyz"]]
    with pytest.raises(EntryPointNotFound, match=r"d.R: the environment has no Rscript to run it"):
        run_app_file("app/d.R", layout)
    with_mark = b"\xef\xbb\xbf#!/bin/sh\n"
    for data, says in ((b"", "is empty"), (with_mark, "a byte order mark stands before"), (b"x", "is not a program")):
        with pytest.raises(EntryPointNotFound, match=says):
            run_app_file("app/a", layout_of(a=data))


def test_programs_of_other_systems(tmp_path: Path) -> None:
    own = Path(sys.executable).resolve()
    with own.open("rb") as stream:
        native = stream.read(4096)
    if not native.startswith(b"\x7fELF"):
        pytest.skip("this Python is not an ELF file")
    platform = {62: "linux-64", 183: "linux-aarch64"}[struct.unpack_from("<H", native, 18)[0]]
    assert fault(native, layout_of(platform)) is None
    assert "of another system than osx-arm64" in str(fault(native, layout_of("osx-arm64")))
    assert "of another machine than linux-ppc64le" in str(fault(native, layout_of("linux-ppc64le")))
    assert "of another system than linux-64" in str(fault(b"\xcf\xfa\xed\xfe" + bytes(60), layout_of("linux-64")))
    assert fault(b"\xcf\xfa\xed\xfe" + bytes(60), layout_of("osx-arm64")) is None
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler
    (tmp_path / "x.c").write_text("int main(void) { return 0; }\n")
    for loader in ("/opt/x/ld.so", "/lib/ld-musl-x86_64.so.1"):
        program = tmp_path / "x"
        subprocess.run([compiler, f"-Wl,--dynamic-linker={loader}", "-o", program, tmp_path / "x.c"], check=True)
        found = fault(program.read_bytes()[:4096], layout_of(platform))
        assert found is not None
        assert (loader in found.what, found.fatal) == (True, loader.startswith("/opt"))


def test_programs_beside_the_entry_points() -> None:
    layout = layout_of(a=b"#!/opt/x/bin/tool\n", b=b"#!/bin/sh\r\n", c=b"#!/bin/sh\n", d=b"#!/bin/sh\r\n", e=b"\x7fELF")
    assert list(faulty_programs(layout, ())) == []  # nobody may execute them
    for name in "abcde":
        entry = layout.entries[f"app/{name}"]
        assert isinstance(entry, Content)
        layout.place("app", [Content(entry.path, 0o755, 0, entry.source, 1)])
    what = "the app's {} (and {} more such files)"
    first = "a begins with #!/opt/x/bin/tool, which another host does not have; write #!/usr/bin/env tool"
    assert list(faulty_programs(layout, {"app/d"})) == [what.format(first, 1)]
