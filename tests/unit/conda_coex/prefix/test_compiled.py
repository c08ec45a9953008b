"""A library that was compiled in an environment at a short path needs no room for a longer one; programs stay right."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from coex_bootstrap.format.relocation import BINARY, in_binary
from coex_bootstrap.format.relocation_write import write_edits
from coex_bootstrap.unpack.relocate import apply

from conda_coex.prefix.compiled import UnreplacedPaths, limit_edits
from conda_coex.prefix.elf import read_sections
from conda_coex.prefix.live_file import read_live
from conda_coex.root.content import Content
from conda_coex.root.source import InMemory

CODE = '#include "answer.h"\nint asked(void) { return answer(); }\nconst char *place = PLACE;\n'
HEADER = "int answer(void);\nstatic inline int half(void) { return answer() / 2; }\n"
TARGET = "prefix/lib/deep/asked.so"


def limit(content: Content, prefix: Path) -> Content:
    """Return a file of a live prefix with the edits that a host can make."""
    (limited,) = limit_edits([content], [str(prefix)], UnreplacedPaths())
    assert isinstance(limited, Content)
    return limited


def compiled(prefix: Path, place: str) -> Content:
    """Return a library of `prefix`, as it is read there: it needs another one, and has debugging information."""
    (prefix / "lib/deep").mkdir(parents=True)
    (prefix / "include").mkdir()
    (prefix / "include/answer.h").write_text(HEADER)
    (prefix / "answer.c").write_text('#include "answer.h"\nint answer(void) { return 42; }\n')
    (prefix / "asked.c").write_text(CODE.replace("answer();", "answer() + half();"))
    quick = ["cc", "-shared", "-fPIC", "-g", f"-I{prefix}/include", f'-DPLACE="{place}"']
    subprocess.run([*quick, f"{prefix}/answer.c", "-o", f"{prefix}/lib/libanswer.so"], check=True)
    linked = [f"-L{prefix}/lib", "-lanswer", f"-Wl,-rpath,{prefix}/lib:/usr/none"]
    subprocess.run([*quick, f"{prefix}/asked.c", *linked, "-o", f"{prefix}/lib/deep/asked.so"], check=True)
    reading = read_live(prefix / "lib/deep/asked.so", TARGET, [str(prefix)])
    assert reading is not None
    assert reading.content.edits
    return reading.content


def test_finds_its_library_from_another_place(tmp_path: Path) -> None:
    content = compiled(tmp_path / "env", "nowhere")
    limited = limit(content, tmp_path / "env")
    assert (limited.edits, limited.placeholder, limited.file_mode) == (None, None, None)
    data = limited.read()
    assert data is not None
    assert b"$ORIGIN/..:/usr/none\0" in data
    assert len(data) == content.size
    there = tmp_path / "a-place-whose-name-is-longer/lib"
    (there / "deep").mkdir(parents=True)
    shutil.move(tmp_path / "env/lib/libanswer.so", there)
    shutil.rmtree(tmp_path / "env")
    (there / "deep/asked.so").write_bytes(data)
    assert ctypes.CDLL(str(there / "deep/asked.so")).asked() == 63


def test_strings_that_the_code_names_are_still_relocated(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    content = compiled(prefix, f"{prefix}/share")
    limited = limit(content, prefix)
    assert limited.placeholder == str(prefix)
    assert limited.edits
    assert content.edits
    assert len(write_edits(BINARY, limited.edits)) < len(write_edits(BINARY, content.edits))


def test_name_of_a_symbol_that_is_the_end_of_the_path(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    prefix.mkdir()
    (prefix / "x.c").write_text("int lib(void) { return 7; }")
    target = prefix / "x.so"
    command = ["cc", "-shared", "-fPIC", f"{prefix}/x.c", f"-Wl,-rpath,{prefix}/lib", "-o", str(target)]
    subprocess.run(command, check=True)
    reading = read_live(target, "prefix/x.so", [str(prefix)])
    assert reading is not None
    limited = limit(reading.content, prefix)
    data = limited.read() or b""
    moved = tmp_path / "moved.so"
    moved.write_bytes(data)
    assert ctypes.CDLL(str(moved)).lib() == 7


@pytest.mark.parametrize("size", [0, 4, 5, 20, 63, 64, 1000, -1])
def test_truncated_elf_files(tmp_path: Path, size: int) -> None:
    data = Path("/bin/sh").read_bytes()[:size]
    assert read_sections(data) == []
    edits = ((0, ((1, 2),)),)
    content = Content("prefix/x", 0o644, 0, InMemory(data), len(data), "", in_binary(str(tmp_path), edits))
    assert limit(content, tmp_path).edits == (None if data else edits)  # of an ELF file they are looked for again


C = """#include <stdio.h>
int main(void) {{ puts("{0}/etc/app.conf"); puts("/etc/app.conf"); puts("conf"); puts("{0}"); return 0; }}
"""
SHARED = """#include <stdio.h>
int main(void) {{ puts("{0}"); puts("{0}" + 1 + sizeof "{0}" - sizeof "/env"); puts("env"); return 0; }}
"""
CXX = """#include <string>
#include <cstdio>
static std::string all = "{0}";
int main() {{
    std::string one = "{0}/etc/app.conf", two = all + "/" + "x.conf";
    one += ".d";
    printf("%s|%zu\\n%s|%zu\\n", one.c_str(), one.size(), two.c_str(), two.size());
}}
"""
COPIED = """#include <cstring>
#include <cstdio>
void copy(char *to) {{ std::strcpy(to, "{0}/etc/y"); }}
int main() {{ char place[999]; copy(place); std::puts(place); }}
"""
OPTIONS = ["-O0", "-O1", "-O2", "-O3", "-Os", "-Os -static", "-Os -no-pie -fno-pie"]


def moved(target: Path, prefix: Path, host: str) -> tuple[Path, UnreplacedPaths]:
    """Return a program as a host makes it, and in which form it still names the builder's path."""
    reading = read_live(target, f"prefix/bin/{target.name}", [str(prefix)])
    assert reading is not None
    unreplaced = UnreplacedPaths()
    (content,) = limit_edits([reading.content], [str(prefix)], unreplaced)
    assert isinstance(content, Content)
    data = content.read() or b""
    if content.edits:
        data = apply(content.relocation, data, host.encode())
    there = target.with_name("moved")
    there.write_bytes(data)
    there.chmod(0o755)
    return there, unreplaced


def printed(program: Path) -> str:
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    return re.sub("/+", "/", done.stdout)


@pytest.mark.parametrize("length", [83, 150])
@pytest.mark.parametrize(
    ("compiler", "text", "may_stay"),
    [pytest.param("cc", C, False, id="c"), pytest.param("cc", SHARED, True, id="shared"),
     pytest.param("c++", CXX, True, id="c++"), pytest.param("c++", COPIED, True, id="copied")],
)  # fmt: skip
def test_no_program_is_wrong_in_silence(
    tmp_path_factory: pytest.TempPathFactory, compiler: str, text: str, length: int, *, may_stay: bool
) -> None:
    """A program prints the same for the other path; or the file is named."""
    place = tmp_path_factory.mktemp("x")
    prefix = place / ("_" * max(1, length - len(f"{place}//env"))) / "env"
    prefix.mkdir(parents=True)
    suffix = ".c" if compiler == "cc" else ".cc"
    (prefix / f"x{suffix}").write_text(text.format(prefix))
    host, right = f"{place}/p", 0
    for options in OPTIONS:
        target = prefix / "x"
        subprocess.run([compiler, *options.split(), prefix / f"x{suffix}", "-o", target], check=True)
        expected = printed(target).replace(str(prefix), host)
        program, unreplaced = moved(target, prefix, host)
        is_named = bool(unreplaced.fixed or unreplaced.pieces)
        assert is_named or printed(program) == expected, options
        assert may_stay or not is_named, options
        right += not is_named
    assert right > 0 or text in (COPIED, SHARED)


def test_paths_of_sources_need_no_room(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    (prefix / "include").mkdir(parents=True)
    (prefix / "include/h.h").write_text("static const char *where(void) { return __FILE__; }\n")
    (prefix / "x.c").write_text('#include "h.h"\n#include <stdio.h>\nint main(void) { return puts(where()) < 0; }\n')
    subprocess.run(["cc", "-I", prefix / "include", "-o", prefix / "x", prefix / "x.c"], check=True)
    program, unreplaced = moved(prefix / "x", prefix, f"/{'longer' * 30}")
    assert (unreplaced.sources, unreplaced.pieces, unreplaced.fixed) == (["bin/x"], [], {})
    assert printed(program) == f"{prefix}/include/h.h\n"


def test_data_after_a_program_stay(tmp_path: Path) -> None:
    """An archive behind it has sums of its bytes."""
    (tmp_path / "x").write_bytes(Path("/bin/true").read_bytes() + f"PK\x01{tmp_path}/y\0".encode())
    program, unreplaced = moved(tmp_path / "x", tmp_path, "/p")
    assert program.read_bytes() == (tmp_path / "x").read_bytes()
    assert unreplaced.fixed == {"bin/x": 1}
