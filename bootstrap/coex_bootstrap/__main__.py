"""Start the archive that this file is in: first the version of Python, then `run.main`.

This file stands twice in an archive: in the package, where the prelude imports `main`, and as the root's
`__main__.py`, which `python FILE` runs. What it uses before the gate parses on any Python.
"""

import sys


def main(path, arguments):
    # type: (str, list[str]) -> int
    """Return the status of a start that failed; a start that succeeds does not return."""
    if sys.version_info < (2, 7) or (3, 0) <= sys.version_info < (3, 3):
        sys.stderr.write("coex: %s: Python 2.7, or 3.3 and newer, is needed; this is %s\n" % (path, sys.version.split()[0]))
        return 125
    try:
        import os

        from coex_bootstrap.base import compat

        words = [compat.path_bytes(word) for word in arguments]
        if os.environ.get("COEX_TOOLS", "0") not in ("", "0"):
            from coex_bootstrap.tools import main as tools

            return tools.main(compat.path_bytes(path), words)
        from coex_bootstrap.start import run

        return run.main(compat.path_bytes(path), words)
    except Exception:
        error = sys.exc_info()[1]
        lacking = find_lack()
        if lacking:
            sys.stderr.write("coex: %s: %s has not all of its standard library: %s; " % (path, sys.executable, lacking))
            sys.stderr.write("install the whole of python3, or name another Python in COEX_PYTHON\n")
            return 125
        failure = read_failure(path)
        if failure:
            sys.stderr.write("coex: %s: the archive cannot be read: %s\n" % (path, failure))
            return 125
        if is_whole(path):
            from coex_bootstrap.base import compat, errors

            sys.stderr.write("coex: %s\n" % errors.unforeseen(error, compat.path_bytes(path)))
            return 125
    sys.stderr.write("coex: %s: not a complete coex archive; get a fresh copy of the file\n" % path)
    return 125


def find_lack():
    # type: () -> str
    """Return what Python says of a module that it should have: distributions package parts of it."""
    try:
        import json  # noqa: F401
        import shutil  # noqa: F401
        import zipfile  # noqa: F401
    except ImportError:
        return str(sys.exc_info()[1])
    return ""


def read_failure(path):
    # type: (str) -> str
    """Return what the system says of reading the file: it failed, or there is no such file for this process."""
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
    """Return whether the archive's own code is what was written: no Python looks at that before it runs it."""
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
        stored = [info for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED]
        return archive.testzip() is None and all(info.compress_size == info.file_size for info in stored)
    except SystemError:  # a fault of the interpreter says nothing of the file
        return True
    except Exception:
        return False


def end_by_interrupts():
    # type: () -> None
    """Let Ctrl-C end this process, not show where it was, until `run` knows what there is to remove."""
    try:  # at once: the module in front of it loads others
        import _signal as signal  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import signal
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def drop_foreign_paths():
    # type: () -> None
    """Take the caller's PYTHONPATH out of the way of the standard library."""
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
