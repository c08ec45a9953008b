"""Ask every verb of hostile archives, and start them: a right result, or one line and a status, and nothing outside.

`python -m unit.coex_bootstrap.siege --seed 1 --count 500` does so under any Python; its last line counts. Each archive is looked
at in copies of this process, which may take 10 seconds and 300 MB each; a few are started as users do.
"""

from __future__ import print_function  # noqa: F401

import argparse
import ctypes  # noqa: F401 # loaded once, not in every copy
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
import unicodedata

from coex_bootstrap.base import compat, workers
from coex_bootstrap.start import run
from coex_bootstrap.tools import command_line

from unit.coex_bootstrap import hostile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterator, List, Sequence, Tuple

    Asked = Tuple[str, int, str, str]  # question, status, stdout, stderr

HANG = 10  # seconds
MEMORY = 300 << 20  # bytes
REAL = 25  # of so many archives one is started by an interpreter and by a shell of its own, too
VERBS = [
    ["info"], ["info", "--json"], ["files"], ["lock"], ["lock", "--sha256", "--json"], ["sbom"], ["sbom", "--json"],
    ["dockerfile"], ["kernelspec", "--prefix", "made/jupyter"], ["verify"],
    ["unpack", "-p", "made/env", "--app", "made/app"], ["verify", "-p", "made/env"], ["unpack", "--store", "shared"],
    ["unpack", "--root", "made/root"],
]
LATER = [["verify", "--json"], ["env"], ["repair"], ["cache", "list"], ["cache", "clean", "--all", "-y"]]  # after a start
LOCKED = re.compile(u"(#.*|@EXPLICIT|https://[^ ]*)?\\Z")
NOTE = u"coex: note: "


def in_copies(works, place):
    # type: (Sequence[Callable[[], int]], str) -> Iterator[Tuple[int, str, str]]
    """Run all in a copy of this process, with limits; yield status, stdout and stderr of each. One that kills ends a copy."""
    done = 0
    while done < len(works):
        numbers, told = os.pipe()
        pid = os.fork()
        if not pid:
            _become(works[done:], place, told)
        os.close(told)
        with os.fdopen(numbers, "rb") as stream:
            statuses = list(bytearray(stream.read()))
        _, status = os.waitpid(pid, 0)
        if len(statuses) < len(works) - done:  # by a signal, or in the place of this program
            statuses.append(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
        for number, each in enumerate(statuses):
            yield each, _read("%s/out/out%d" % (place, number)), _read("%s/out/err%d" % (place, number))
        done += len(statuses)


def _read(name):
    # type: (str) -> str
    with open(name, "rb") as stream:
        return stream.read().decode("utf-8", "replace")


def _become(works, place, told):
    # type: (Sequence[Callable[[], int]], str, int) -> None
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        with open("/proc/self/statm") as stream:
            used = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        workers.usable_cores = lambda: 1
        for number, work in enumerate(works):
            _redirect(place, number)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(HANG)
            status = work()
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(told, bytes(bytearray([status])))
        os._exit(0)
    except BaseException:  # of any class: its text is the outcome
        said = traceback.format_exc()
        os.write(2, said if isinstance(said, bytes) else said.encode("utf-8", "replace"))
    finally:
        os._exit(70)


def _redirect(place, number):
    # type: (str, int) -> None
    for stream, name in ((1, "out"), (2, "err")):
        new = os.open("%s/out/%s%d" % (place, name, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(new, stream)
        os.close(new)
    if compat.PY2:
        sys.stdout, sys.stderr = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w", 0)
    else:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class Siege(object):
    """Looks at archives in a directory; `wrong` lists the faults, `counts` how starts and verbs ended."""

    def __init__(self, place):
        # type: (str) -> None
        self.place, self.path = place, place + "/here/x.coex"
        self.wrong, self.counts = [], {}  # type: List[str], Dict[str, int]
        self.environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": place + "/home", "COEX_ROOT": place + "/store", "LC_ALL": "C",
            "TMPDIR": place + "/tmp",
        }
        self.where = os.getcwd()

    def look(self, seed):
        # type: (int) -> None
        """Make the archive of a seed, ask everything, and judge the outcomes."""
        for name in ("here", "home", "store", "tmp", "made", "outside", "out"):
            os.mkdir("%s/%s" % (self.place, name), 0o700)
        saved = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environ)
        os.chdir(self.place)
        tempfile.tempdir = None
        try:
            done = ", ".join(hostile.make(compat.path_bytes(self.path), seed))
            before = self._others()
            for asked in self._ask(seed):
                for what in self._judge(*asked):
                    told = (seed, done, asked[0], what, asked[2][-500:], asked[3][-3000:])
                    self.wrong.append("seed %d (%s): %s: %s: %r %r" % told)
            if self._others() != before:
                self.wrong.append("seed %d (%s): outside of its root: %s" % (seed, done, self._others()))
        finally:
            os.chdir(self.where)
            os.environ.clear()
            os.environ.update(saved)
            tempfile.tempdir = None
            for name in os.listdir(self.place):
                remove(self.place + "/" + name)

    def _ask(self, seed):
        # type: (int) -> List[Asked]
        """Return the questions, and the end of each."""
        found = self._asked([(" ".join(words), self._verb(words)) for words in VERBS] + [("start", self._start)])
        started = found[-1][1] == 0
        for root in os.listdir("store") if started else ():
            remove("store/%s/prefix/share/plain" % root)
        found += self._asked([(" ".join(words), self._verb(words)) for words in (LATER if started else LATER[3:])])
        if seed % REAL == 0:
            path = compat.path_bytes(self.path)
            words = [[compat.path_bytes(sys.executable), path], [b"sh", path]]
            found += self._asked([("start by " + str(each[0]), lambda each=each: subprocess.call(each)) for each in words])
        return found

    def _asked(self, works):
        # type: (List[Tuple[str, Callable[[], int]]]) -> List[Asked]
        outcomes = in_copies([work for _, work in works], self.place)
        return [(name,) + outcome for (name, _), outcome in zip(works, outcomes)]

    def _verb(self, words):
        # type: (List[str]) -> Callable[[], int]
        return lambda: command_line.main(compat.path_bytes(self.path), [compat.path_bytes(word) for word in words])

    def _start(self):
        # type: () -> int
        return run.main(compat.path_bytes(self.path), [])

    def _judge(self, what, status, out, said):
        # type: (str, int, str, str) -> List[str]
        """Return the fault of an outcome."""
        is_start = "start" in what
        self.counts["%s %s" % ("start" if is_start else what.split()[0], status)] = (
            self.counts.get("%s %s" % ("start" if is_start else what.split()[0], status), 0) + 1
        )
        wrong = []
        if status == -signal.SIGALRM:
            return ["it hangs"]
        if "Traceback" in said + out or "can be read (" in said + out or "enough memory" in said + out:
            wrong.append("it is not in words")
        if status not in ((0, 125, 126, 127) if is_start else (0, 1, 2)):
            wrong.append("its status is %d" % status)
        lines = [line for line in said.split("\n")[:-1] if not line.startswith(NOTE)]
        if said and not said.endswith("\n"):
            wrong.append("its last line has no end")
        if status == 125 or (status and not is_start and not out):
            if len(lines) != 1 or not lines[0].startswith("coex: ") or (is_start and out):
                wrong.append("it is not one line")
        elif lines and not is_start:
            wrong.append("it says what it should not")
        if not is_start:
            wrong += _judge_lines(what, out)
        return wrong + ([repr(line) for line in lines if not is_plain(line)] if status == 125 or not is_start else [])

    def _others(self):
        # type: () -> Dict[str, List[str]]
        """Return the files in places to which no verb may write."""
        found = {".": sorted(set(os.listdir(self.place)) - set(["made", "shared", "store"]))}
        for name in ("outside", "here", "home", "tmp"):
            found[name] = sorted(os.listdir("%s/%s" % (self.place, name)))
        return found


def is_plain(line):
    # type: (str) -> bool
    """Return whether a terminal shows a line as it is: no controls, no ends of lines, nothing that turns letters round."""
    kinds = ("Cc", "Zl", "Zp") if sys.maxunicode == 0xFFFF else ("Cc", "Cs", "Zl", "Zp")
    turns = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
    return not any(unicodedata.category(mark) in kinds or unicodedata.bidirectional(mark) in turns for mark in line)


def _judge_lines(what, out):
    # type: (str, str) -> List[str]
    wrong = []
    lines = out.split("\n")
    if out and lines.pop():
        wrong.append("its last line has no end")
    wrong += [repr(line) for line in lines if not is_plain(line)]
    if "--json" in what or (what == "sbom" and out):
        try:
            json.loads(out)
        except (ValueError, RuntimeError) as error:
            wrong.append("not JSON: %s" % error)
    if what == "lock":
        wrong += ["a line more: %r" % line for line in lines if not LOCKED.match(line)]
    if what == "dockerfile" and out and len(lines) != 11:
        wrong.append("%d lines" % len(lines))
    return wrong


def remove(path):
    # type: (str) -> None
    """Remove a file or directory of any modes."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    path = compat.path_bytes(path)  # type: ignore[assignment]
    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o700)
    shutil.rmtree(path)


def main():
    # type: () -> int
    parser = argparse.ArgumentParser(prog="siege", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first archive")
    parser.add_argument("--count", type=int, default=100, help="how many archives")
    options = parser.parse_args()
    place = os.path.realpath(tempfile.mkdtemp(prefix="coex-siege-"))
    siege = Siege(place)
    try:
        for seed in range(options.seed, options.seed + options.count):
            siege.look(seed)
    finally:
        remove(place)
    for wrong in siege.wrong:
        print("siege: wrong: %s" % wrong)
    ends = ", ".join("%s: %d" % pair for pair in sorted(siege.counts.items()))
    print("siege: %d archives, %d wrong; %s" % (options.count, len(siege.wrong), ends))
    return 1 if siege.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
