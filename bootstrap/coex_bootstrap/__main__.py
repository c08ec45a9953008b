"""Start the archive that this file is in: first the version of Python, then the modules, then `run.main`.

This file stands twice in an archive: in the package, and as `__main__.py`, the first member of the tail, which the
prelude executes and which `python FILE` runs. The code before the gate parses on any Python.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Dict, List, Optional, Tuple

    from coex_bootstrap.base.modules import Modules

IMPORTER = "coex_bootstrap/base/modules.py"


def main(path, arguments):
    # type: (str, list[str]) -> int
    """Return the status of a start that failed; a start that succeeds does not return."""
    if sys.version_info < (2, 7) or (3, 0) <= sys.version_info < (3, 3):
        sys.stderr.write("coex: %s: Python 2.7, or 3.3 and newer, is needed; this is %s\n" % (path, sys.version.split()[0]))
        return 125
    try:
        import os

        sys.meta_path.insert(0, open_modules(path))  # type: ignore[arg-type,unused-ignore]
        sys.path[:] = [entry for entry in sys.path if entry != path]  # nothing else is in it

        from coex_bootstrap.base import compat

        words = [compat.path_bytes(word) for word in arguments]
        if os.environ.get("COEX_TOOLS", "0") not in ("", "0"):
            from coex_bootstrap.tools import command_line

            return command_line.main(compat.path_bytes(path), words)
        compat.leave_garbage()  # each object that modules make, and each row of an index, would be looked at several times
        from coex_bootstrap.start import run

        return run.main(compat.path_bytes(path), words)
    except Exception:
        error = sys.exc_info()[1]
        if isinstance(error, MemoryError):  # all that follows takes more
            sys.stderr.write("coex: %s: there is not enough memory\n" % path)
            return 125
        lacking = find_lack(path, error)
        if lacking:
            sys.stderr.write("coex: %s: %s has not all of its standard library: %s; " % (path, sys.executable, lacking))
            sys.stderr.write("install the whole of python3, or name another Python in COEX_PYTHON\n")
            return 125
        failure = read_failure(path)
        if failure:
            sys.stderr.write("coex: %s: the archive cannot be read: %s\n" % (path, failure))
            return 125
        if not isinstance(error, Incomplete) and is_whole(path):
            from coex_bootstrap.base import compat, errors

            sys.stderr.write("coex: %s\n" % errors.unforeseen(error, compat.path_bytes(path)))
            return 125
    sys.stderr.write("coex: %s: not a complete coex archive; get a fresh copy of the file\n" % path)
    return 125


class Incomplete(Exception):
    """The file does not end with the tail of an archive, or with an altered one."""


def open_modules(path):
    # type: (str) -> Modules
    """Return the importer of the modules in the tail; raises Incomplete. It is one of them, because this file has no bytecode."""
    wanted = bytecode_member()
    members = read_members(path, wanted)
    codes = load_codes(wanted, members.pop(wanted, (b"", 0))[0])
    if IMPORTER not in members:
        raise Incomplete()
    code = codes.get(IMPORTER[:-3].replace("/", ".")) or compiled(path, IMPORTER, *members[IMPORTER])
    names = {"__name__": "coex"}  # type: Dict[str, object] # 2.7 would look for the package of another name
    exec(code, names)
    return names["Modules"](path, members, codes, compiled)  # type: ignore[operator, no-any-return]


def compiled(path, member, source, crc):
    # type: (str, str, bytes, int) -> CodeType
    """Return the code of a module; raises Incomplete if its source was altered."""
    from binascii import crc32

    if crc32(source) & 0xFFFFFFFF != crc:
        raise Incomplete()
    return compile(source, path + "/" + member, "exec", 0, True)


def bytecode_member():
    # type: () -> str
    """Return the name of the member with bytecode for this Python, by its implementation and its magic number."""
    external = sys.modules.get("_frozen_importlib_external")
    if external is not None:  # importlib.util, which has the number too, would load others
        tag, magic = str(sys.implementation.cache_tag), external.MAGIC_NUMBER
    elif sys.version_info < (3,):
        tag = sys.subversion[0].lower() + "-27"  # type: ignore[attr-defined,unused-ignore]
        magic = __import__("imp").get_magic()  # which newer Pythons lack
    else:
        return ""
    low, high = bytearray(magic[:2])
    return "coex_bytecode/%s-%d" % (tag, low | high << 8)


def load_codes(name, packed):
    # type: (str, bytes) -> Dict[str, CodeType]
    """Return the code of modules out of the member `name`, none if it is empty or damaged: marshal cannot stand damage.

    It begins with its own name, and zlib compares a checksum.
    """
    try:
        import marshal
        import zlib

        data = zlib.decompress(packed)
        head = name.encode("ascii") + b"\n"
        return dict(marshal.loads(data[len(head) :])) if packed and data.startswith(head) else {}
    except Exception:
        return {}


def read_members(path, wanted):
    # type: (str, str) -> Dict[str, Tuple[bytes, int]]
    """Return the modules in the tail of an archive, and the member `wanted` if it is there, with their checksums.

    Raises Incomplete.

    These members are stored, one after another, and have no extra field. Only they are read here: the whole tail is
    read, and compared with its digest, when the archive is opened.
    """
    import struct

    stream = open(path, "rb")
    try:
        stream.seek(0, 2)
        end = stream.tell() - 22  # of the end record (APPNOTE 4.3.16)
        stream.seek(max(end, 0))
        record = stream.read()
        size, offset = struct.unpack("<2L", record[12:20].ljust(8))  # of the directory
        start = end - size - offset
        if record[:4] != b"PK\5\6" or start < 0:
            raise Incomplete()
        stream.seek(start + offset)
        members = find_members(stream.read(size), wanted)
        if not members:
            raise Incomplete()
        first, last = members[0][0], members[-1][0] + members[-1][1]
        stream.seek(start + first)
        code = stream.read(last - first)
    finally:
        stream.close()
    return dict((member, (code[at - first : at - first + size], crc)) for at, size, crc, member in members)


def find_members(directory, wanted):
    # type: (bytes, str) -> List[Tuple[int, int, int, str]]
    """Return those members in the directory of a zip, by offset in the tail: that, size, crc32, name (APPNOTE 4.3.12)."""
    import struct

    place, members = 0, []
    while place < len(directory):
        crc, size, _, length, more, comment = struct.unpack("<3L3H", directory[place + 16 : place + 34])
        (offset,) = struct.unpack("<L", directory[place + 42 : place + 46])
        member = str(directory[place + 46 : place + 46 + length].decode("ascii"))
        if member.endswith(".py") and "/" in member or member == wanted:
            members.append((offset + 30 + length, size, crc, member))
        place += 46 + length + more + comment
    return sorted(members)


def find_lack(path, error):
    # type: (str, Optional[BaseException]) -> str
    """Return Python's error for a module of the standard library: some distributions package parts of it separately.

    In a damaged archive, it is one of the archive's own that is not found.
    """
    try:
        import json  # noqa: F401
        import shutil  # noqa: F401
        import zipfile  # noqa: F401
    except ImportError:
        return str(sys.exc_info()[1])
    is_own = not isinstance(error, ImportError) or "coex_bootstrap" in str(error)
    return "" if is_own or not is_whole(path) else str(error)


def read_failure(path):
    # type: (str) -> str
    """Return the system's error for reading the file: it failed, or this process cannot see the file."""
    try:
        stream = open(path, "rb")
        while stream.read(1 << 20):
            pass
        stream.close()
    except EnvironmentError:
        return str(getattr(sys.exc_info()[1], "strerror", None) or sys.exc_info()[1])
    return ""


def is_whole(path):
    # type: (str) -> bool
    """Return whether the archive's own code is unchanged: Python runs it without a check."""
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
        stored = [info for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED]
        return archive.testzip() is None and all(info.compress_size == info.file_size for info in stored)
    except SystemError:  # a fault of the interpreter is not one of the file
        return True
    except Exception:
        return False


def end_by_interrupts():
    # type: () -> None
    """Let Ctrl-C end this process without a traceback, until `run` can remove unfinished files."""
    try:  # at once: the module in front of it loads others
        import _signal as signal  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import signal
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def drop_foreign_paths():
    # type: () -> None
    """Remove the caller's PYTHONPATH from sys.path: it could hide modules of the standard library."""
    import os

    def absolute(entry):
        # type: (str) -> str
        try:
            return os.path.abspath(entry)
        except EnvironmentError:  # it is relative to a directory that was removed
            return entry

    foreign = [absolute(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = sys.path[:1] + [entry for entry in sys.path[1:] if absolute(entry) not in foreign]


if __name__ == "__main__":
    drop_foreign_paths()
    end_by_interrupts()
    sys.exit(main(sys.argv[0], sys.argv[1:]))
