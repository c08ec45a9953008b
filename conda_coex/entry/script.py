"""Find the program that runs a file of the app: by its #! line, format or suffix; refuse files that no host can run."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import shutil
import struct
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EntryPointNotFound
from ..root.content import Content, Link

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ..root.layout import Layout

# The interpreter of a file of the app without a #! line, by its suffix.
INTERPRETERS = {
    ".py": "python", ".pyw": "python", ".pyz": "python", ".R": "Rscript", ".r": "Rscript", ".js": "node",
    ".mjs": "node", ".cjs": "node", ".sh": "sh", ".bash": "bash", ".pl": "perl", ".rb": "ruby", ".jl": "julia",
    ".lua": "lua",
}  # fmt: skip
ELF, FAT, BOM = b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xef\xbb\xbf"
MACHO = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", FAT)
PROGRAMS = (b"#!", ELF, *MACHO)
MACHINES = {"x86_64": 62, "64": 62, "32": 3, "aarch64": 183, "ppc64le": 21, "ppc64": 21, "s390x": 22, "armv6l": 40,
            "armv7l": 40, "riscv64": 243, "riscv32": 243}  # fmt: skip
LOADER = 3  # the type of a program header
LONGEST = 127  # bytes of a #! line that every kernel reads
SYSTEM = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/opt/homebrew/bin/")
EVERYWHERE = {"sh", "bash", "env", "awk", "sed", "make", "cat"}  # on every host but a bare container image
SPLIT = re.compile(r"-[a-zA-Z]*S|--split-string(=|\s|$)")


def run_app_file(path: str, layout: Layout) -> list[list[str]]:
    """Return the words that run a file of the app, or a directory with a `__main__.py`; the file becomes executable."""
    relative = path.removeprefix("app/")
    entry = layout.entries.get(path)
    if entry is None:
        return [["prefix", f"bin/{_needed('python', relative, layout)}"], ["app", relative]]
    if isinstance(entry, Link):
        return [["app", relative]]
    start = beginning(entry)
    suffix = posixpath.splitext(path)[1]
    interpreter = INTERPRETERS.get(suffix)
    if start.startswith(PROGRAMS):
        defect = fault(start, layout)
        if defect is not None and defect.fatal:
            raise _refused(relative, defect.what, defect.remedy)
        if defect is not None:
            layout.notes.append(f"the entry point {relative} {defect.what}; {defect.remedy}")
        layout.entries[path] = replace(entry, mode=0o755)
        return [["app", relative]]
    if interpreter is None:
        raise _no_program(relative, start)
    if interpreter in ("sh", "bash"):
        refuse_line_ends(path, layout)
    if interpreter in ("sh", "bash") and f"prefix/bin/{interpreter}" not in layout.entries:
        return [["host", interpreter], ["app", relative]]
    return [["prefix", f"bin/{_needed(interpreter, relative, layout)}"], ["app", relative]]


def faulty_programs(layout: Layout, entry_files: Container[str]) -> Iterator[str]:
    """Yield a note on programs of the app, beside the entry points, that another host cannot run as they are."""
    faults = []
    for path, entry in sorted(layout.entries.items()):
        if path.startswith("app/") and isinstance(entry, Content) and entry.mode & 0o100 and path not in entry_files:
            start = beginning(entry)
            defect = fault(start, layout) if start.startswith(PROGRAMS) else None
            faults += [f"{path.removeprefix('app/')} {defect.what}; {defect.remedy}"] if defect is not None else []
    if faults:
        more = f" (and {len(faults) - 1} more such files)" if len(faults) > 1 else ""
        yield f"the app's {faults[0]}{more}"


def beginning(entry: Content) -> bytes:
    """Return the first bytes of a file, enough for a #! line."""
    return entry.source.part(0, 4096) if entry.source is not None else b""


def _no_program(relative: str, start: bytes) -> EntryPointNotFound:
    if not start:
        return _refused(relative, "is empty", "write it first")
    if start.startswith(BOM + b"#!"):
        what = "is not a program: a byte order mark stands before its #! line"
        return _refused(relative, what, "save it as UTF-8 without one")
    what = "is not a program: it has no #! line and no suffix of a known language"
    return _refused(relative, what, "begin it with a line such as #!/usr/bin/env python")


def refuse_line_ends(path: str, layout: Layout) -> None:
    """Raise EntryPointNotFound for a script whose lines end as on Windows: a shell takes the CR as part of each."""
    entry = layout.entries.get(path)
    if isinstance(entry, Content) and b"\r\n" in beginning(entry):
        what = "is a script of a shell whose lines end with CR, as on Windows"
        raise _refused(path.removeprefix("app/"), what, "change its line ends: sed -i 's/\\r$//' FILE")


def _needed(interpreter: str, relative: str, layout: Layout) -> str:
    if f"prefix/bin/{interpreter}" not in layout.entries:
        raise EntryPointNotFound(
            f"the environment has no {interpreter} to run it", os.fsencode(relative),
            "add a package that has it, or begin the file with a #! line",
        )  # fmt: skip
    return interpreter


def _refused(relative: str, what: str, remedy: str) -> EntryPointNotFound:
    return EntryPointNotFound(f"the entry point {what}", os.fsencode(relative), remedy)


class Fault(NamedTuple):
    """A fault of a program of the app that a host would meet."""

    what: str
    remedy: str
    fatal: bool = True  # no host can run it


def fault(start: bytes, layout: Layout) -> Fault | None:
    """Return the fault of a program of the app with these first bytes, if it has one."""
    if start.startswith(b"#!"):
        return _line_fault(start[2:].split(b"\n", 1)[0], layout)
    if layout.platform is None:
        return None
    system, _, machine = layout.platform.partition("-")
    if start.startswith(ELF) != (system == "linux"):
        return Fault(f"is a program of another system than {layout.platform}", "compile it for that")
    if not start.startswith(ELF) or len(start) < 64:
        return None
    order = "<" if start[5] == 1 else ">"
    if struct.unpack_from(f"{order}H", start, 18)[0] not in (MACHINES.get(machine), None):
        return Fault(f"is a program of another machine than {layout.platform}", "compile it for that")
    loader = _loader(start, order)
    if loader and not loader.startswith(("/lib/", "/lib64/", "/lib32/", "/usr/lib")):
        return Fault(f"has the loader {loader}, which another host does not have", "link it with that of the system")
    if "musl" in loader:
        return Fault(f"has the loader {loader}, which few hosts have", "link it with glibc, or statically", fatal=False)
    return None


def _loader(start: bytes, order: str) -> str:
    """Return the path of the loader that the program headers of an ELF file name, if it is near the beginning."""
    wide = start[4] == 2
    table = struct.unpack_from(f"{order}Q" if wide else f"{order}I", start, 32 if wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", start, 54 if wide else 42)
    for at in range(table, min(table + size * count, len(start) - 56), size or 1):
        if struct.unpack_from(f"{order}I", start, at)[0] == LOADER:
            place = struct.unpack_from(f"{order}Q" if wide else f"{order}I", start, at + (8 if wide else 4))[0]
            return start[place:].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    return ""


def _line_fault(line: bytes, layout: Layout) -> Fault | None:
    shown = line.decode("utf-8", "backslashreplace").strip()
    program, _, argument = shown.replace("\t", " ").partition(" ")
    name = posixpath.basename(program)
    begins = f"begins with #!{shown}"
    usual = f"write #!/usr/bin/env {name}"
    if line.endswith(b"\r"):
        return Fault("has a #! line that ends with CR, as on Windows", "change its line ends: sed -i 's/\\r$//' FILE")
    if len(line) + 2 > LONGEST or b"\0" in line:
        return Fault(f"has a #! line of more than {LONGEST} bytes, or with NUL in it", "shorten it")
    if not program:
        return Fault("has a #! line without a program", "write #!/usr/bin/env python, or another program")
    if not program.startswith("/"):
        return Fault(f"{begins}, which is not an absolute path", usual)
    if not program.startswith(SYSTEM):
        remedy = usual if _has(name, layout) else _similar(name, layout)
        return Fault(f"{begins}, which another host does not have", remedy)
    if name == "env":
        return _env_fault(begins, argument.strip(), layout)
    if name in EVERYWHERE:
        return None
    if _has(name, layout):
        return Fault(f"{begins}: the host's own runs it, not the environment's", usual, fatal=False)
    if Path(program).exists():
        return Fault(f"{begins}: the host's own runs it, if it has one", f"add {name} to the environment", fatal=False)
    return Fault(f"{begins}, which neither the environment nor this machine has", _similar(name, layout))


def _env_fault(begins: str, argument: str, layout: Layout) -> Fault | None:
    """Return the fault of a line of `env`, which looks on PATH: the environment comes first there."""
    split = SPLIT.match(argument)
    if split is None and " " in argument and (layout.platform or "").startswith("linux"):
        return Fault(f"{begins}, which Linux reads as one word", f"write #!/usr/bin/env -S {argument}")
    try:
        words = shlex.split(argument[split.end() :] if split else argument)
    except ValueError:
        return None
    while words and (words[0].startswith("-") or "=" in words[0]):
        words = words[2 if words[0] in ("-u", "-C") else 1 :]
    if not words:
        return Fault(f"{begins}, which has no program", "write #!/usr/bin/env python, or another program")
    name = words[0]
    if "/" in name or _has(name, layout) or name in EVERYWHERE:
        return None
    if shutil.which(name):
        what = f"{begins}: the host's own runs it, if it has one"
        return Fault(what, f"add {name} to the environment", fatal=False)
    return Fault(f"{begins}, and neither the environment nor this machine has {name}", _similar(name, layout))


def _has(name: str, layout: Layout) -> bool:
    return f"prefix/bin/{name}" in layout.entries


def _commands(layout: Layout) -> list[str]:
    """Return the names of the environment's commands."""
    return [path[len("prefix/bin/") :] for path in layout.entries if path.startswith("prefix/bin/")]


def _similar(name: str, layout: Layout) -> str:
    return nearest_command(name, layout) or "add a package that has it"


def nearest_command(name: str, layout: Layout) -> str | None:
    """Return a question with the environment's command that is most like a mistyped one."""
    matches = get_close_matches(name, _commands(layout), 1)
    return f"did you mean {matches[0]}?" if matches else None
