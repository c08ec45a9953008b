"""A page of the documentation: its console blocks, the files it shows, and its hidden set-up, as steps of one shell.

    ```console                    commands begin with `$ `, go on with `> `; their output stands below them
    ```{code-block} yaml          with `:caption: NAME` the block is the file NAME
    <!-- setup ... -->            a script that readers do not see, of which no command may fail

Blocks in other languages are not run.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import LOCAL_CHANNEL
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from testbed.layout import Layout

PARTS = re.compile(
    r"^(?P<fence>```+|~~~+) *(?P<language>[^\n]*)\n(?P<block>.*?)^(?P=fence) *$|^<!-- setup\n(?P<setup>.*?)^-->",
    re.MULTILINE | re.DOTALL,
)
CAPTION = re.compile(r"\A:caption: (\S+)\n+")
BEGIN, END = "\x1e", "\x1f"  # never in the output of a command
FRAME = "printf '\\036%d\\n' {number}; (exit ${{_status-0}})\n{script}_status=$?; printf '\\037%d\\n' $_status\n"
RESULT = re.compile(f"{BEGIN}(\\d+)\n(.*?){END}(\\d+)\n", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A piece of shell, its line in the page, and the output that the page shows for it."""

    line: int
    script: str
    expected: str = ""


@dataclass(frozen=True)
class Result:
    """The output of a step, and its exit status."""

    printed: str
    status: int


def read_page(path: Path) -> list[Step]:
    """Return the steps of a page, in its order."""
    text = path.read_text(encoding="utf-8")
    found: list[Step] = []
    for part in PARTS.finditer(text):
        line = text.count("\n", 0, part.start()) + 2
        if part["setup"] is not None:
            found.append(Step(line, f"set -e\n{part['setup']}set +e\n"))
        elif part["language"] == "console":
            found += commands(part["block"], line)
        elif caption := CAPTION.match(part["block"]):
            name = shlex.quote(caption[1])
            content = shlex.quote(part["block"][caption.end() :])
            found.append(Step(line, f"mkdir -p -- $(dirname {name}) && printf %s {content} > {name}\n"))
    return found


def commands(block: str, line: int) -> Iterator[Step]:
    """Yield the commands of a console block, each with the lines below it."""
    for part in re.finditer(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        script = part[1].replace("\n> ", "\n")
        yield Step(line + block.count("\n", 0, part.start()), script, part[2].rstrip("\n"))


def run_steps(steps: list[Step], directory: Path, environment: Mapping[str, str]) -> list[Result]:
    """Run all steps in one bash, which starts in a directory; return a result for each step that came to its end."""
    script = "".join(FRAME.format(number=number, script=step.script) for number, step in enumerate(steps))
    shell = subprocess.Popen(
        ["bash", "-c", script], cwd=directory, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        text = shell.communicate()[0].decode(errors="replace")
    finally:
        with suppress(ProcessLookupError):  # none of the processes that it has left outlives a failed page
            os.killpg(shell.pid, signal.SIGKILL)
    return [Result(printed.rstrip("\n"), int(status)) for _, printed, status in RESULT.findall(text)]


# Lines on conda's progress; some versions print them with --quiet, too.
PROGRESS = re.compile(r"^.*: \.\.\.working\.\.\. done\n|^done\n", re.MULTILINE)
SIZE = r"([+-]?)(?<![\w.])(\d+(?:\.\d+)?) ?(B|kB|MB|GB)\b"
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
NOTED = 10**6  # bytes from which on a size on a page has to be near the one that is printed
# Other parts that differ by machine and by day, each with its replacement: dates, sums, room in tables.
VARIABLE = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d( \d\d:\d\d)?\b"), "DATE"),
    (re.compile(r"\b([0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{24})\b"), "SUM"),
    (re.compile(r"█*[▏▎▍▌▋▊▉]?(?=\s)"), ""),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r"[ \t]+"), " "),
)


def plain(text: str) -> str:
    """Return a text without the parts that may differ."""
    text = PROGRESS.sub("", text + "\n").strip("\n")
    for pattern, word in VARIABLE:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def fits(expected: str, printed: str) -> bool:
    """Return whether this was printed: `...` stands for anything in a line, and alone in a line for any lines."""
    wanted = plain(expected)
    pattern = re.escape(re.sub(SIZE, "SIZE", wanted) + "\n").replace(re.escape("..."), "...")
    pattern = re.sub(r"^\.\.\.\\\n", "(?:.*\n)*", pattern, flags=re.MULTILINE)
    found = re.fullmatch(pattern.replace("...", ".*").replace("SIZE", SIZE), plain(printed) + "\n")
    if found is None:
        return False
    parts = found.groups()
    sizes = [in_bytes(*parts[start : start + 3]) for start in range(0, len(parts), 3)]
    return all(map(near, (in_bytes(*size) for size in re.findall(SIZE, wanted)), sizes))


def in_bytes(sign: str, number: str, unit: str) -> float:
    """Return a size of a page, or of the output, as a number."""
    return float(sign + number) * UNITS[unit]


def near(one: float, other: float) -> bool:
    """Return whether a size on a page may stand for the one that is printed: they depend on the machine's Python."""
    low, high = sorted(map(abs, (one, other)))
    return high < NOTED or high <= 2 * low


def as_on_the_page(printed: str, user: dict[str, str], testbed: Layout, served: str = LOCAL_CHANNEL) -> str:
    """Return output with the names that the pages have for places of the test."""
    places = {
        served: "https://conda.anaconda.org/conda-forge",
        testbed.channel.as_uri(): "https://conda.anaconda.org/conda-forge",
        str(testbed.pkgs): "/home/me/pkgs",
        user["HOME"]: "/home/me",
        user["TMPDIR"]: "/tmp",
        native_subdir(): "linux-64",
    }
    for place, name in places.items():
        printed = printed.replace(place, name)
    return printed


def check_page(page: Path, user: dict[str, str], rename: Callable[[str], str]) -> None:
    """Run the blocks of a page and compare their output, in which `rename` puts the names of the page."""
    steps = read_page(page)
    results = run_steps(steps, Path(user["HOME"]), user)
    wrong = []
    for step, result in zip(steps, results, strict=False):
        printed = rename(result.printed)
        if (step.expected and not fits(step.expected, printed)) or (result.status and not step.expected):
            wrong.append(f"{page}:{step.line}: {step.script}status {result.status}, printed:\n{printed}\n")
    assert not wrong, "\n".join(wrong)
    assert len(results) == len(steps), f"{page}: the shell ended in line {steps[len(results)].line}"
