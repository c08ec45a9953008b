"""Find the role of each word of a command: an option, the script, module or code of an interpreter, or another word."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import HOST_SHELLS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

PYTHON = re.compile(r"(python|pypy)[0-9.]*w?")
# Options of each interpreter: those with a value in the next word, and those with code in the next word.
VALUES = {
    "python": {"-W", "-X", "-Q", "--check-hash-based-pycs"},
    "shell": {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"},
    "node": {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"},
    "perl": {"-I"},
    "ruby": {"-I", "-r", "-C"},
    "Rscript": set(),
    "julia": {"-L", "--load", "-J", "--sysimage", "-p", "--procs", "-t", "--threads", "-C"},
    "lua": {"-l"},
}
CODE = {
    "python": {"-c"},
    "shell": {"-c"},
    "node": {"-e", "--eval", "-p", "--print", "-pe"},
    "perl": {"-e", "-E"},
    "ruby": {"-e"},
    "Rscript": {"-e"},
    "julia": {"-e", "--eval", "-E", "--print"},
    "lua": {"-e"},
}
# One-letter options may be written together; behind these letters stands their value.
CLUSTERED = {"python": "", "shell": "", "perl": "MmiCDxFl0", "ruby": "WKExTFi0"}
CLASS_PATH = {"-cp", "-classpath", "--class-path", "-p", "--module-path"}  # of java
# Options for output: the file is the caller's, even if it exists when the archive is made.
OUTPUT = re.compile(r"-o|--?(out|save|write|dest|pid|result|export|log-?(file|dir|path)|junit|report)[\w-]*")
JOINED = re.compile(r"(--?[A-Za-z][\w.-]*=|[A-Za-z_][\w.+-]*=|@)(.*)", re.DOTALL)  # --option=VALUE, key=VALUE, @FILE


@dataclass(frozen=True)
class Word:
    """One word of a command after its program, and its role: option, script, module, code or word."""

    role: str
    text: str
    option: str = ""  # the one that stands before it

    @property
    def parts(self) -> tuple[str, str]:
        """Return the part of a word before its value (`--config=`), and the value."""
        match = JOINED.fullmatch(self.text) if self.role in ("word", "option") else None
        return (match[1], match[2]) if match else ("", self.text)

    @property
    def is_output(self) -> bool:
        """Return whether this names an output of the program."""
        before = self.parts[0].rstrip("=")
        return bool(OUTPUT.fullmatch(before if before.startswith("-") else self.option))


def family(program: str) -> str | None:
    """Return the interpreter that a program is, if it is one whose options are known."""
    name = posixpath.basename(program)
    if PYTHON.fullmatch(name):
        return "python"
    if name in HOST_SHELLS:
        return "shell"
    return name if name in VALUES and name != "shell" else None


def words_of(program: str, arguments: Sequence[str]) -> list[Word]:
    """Return the words after the program, with their roles; `-um mod` becomes `-u` and a module."""
    kind = family(program)
    rest = list(arguments)
    words = list(_of_interpreter(kind, rest)) if kind else []
    option = ""
    for word in rest:
        is_option = word.startswith("-") and len(word) > 1
        words.append(Word("option" if is_option else "word", word, option))
        option = word if is_option and "=" not in word else ""
    return words


def _of_interpreter(kind: str, rest: list[str]) -> Iterator[Word]:
    """Take the interpreter's own words from the front of `rest`: options, and the script, module or code after them."""
    while rest:
        word = rest.pop(0)
        if word == "-" or (word == "--" and not rest):
            yield Word("option", word)
            return
        if word == "--":
            yield Word("option", word)
            yield Word("script", rest.pop(0))
            return
        if word[0:1] not in ("-", "+") or word == "+":
            yield Word("script", word)
            return
        if kind in CLUSTERED and not word.startswith("--"):
            ended = yield from _cluster(kind, word, rest)
            if ended:
                return
            continue
        yield Word("option", word)
        if word in VALUES[kind] and rest:
            yield Word("word", rest.pop(0), word)
        elif word in CODE[kind] and rest:
            yield Word("code", rest.pop(0), word)
            return


def _cluster(kind: str, word: str, rest: list[str]) -> Generator[Word, None, bool]:
    """Yield options of one letter that are written together; return whether a module or code came with them."""
    for number, letter in enumerate(word[1:], 1):
        before, value = word[:number], word[number + 1 :]
        if letter in CLUSTERED[kind]:
            break
        if kind == "python" and letter == "m":
            yield from [Word("option", before)] if number > 1 else []
            yield Word("module", value or (rest.pop(0) if rest else ""), "-m")
            return True
        if f"-{letter}" in CODE[kind]:
            yield from _code(kind, word, value, rest)
            return True
        if f"-{letter}" in VALUES[kind]:
            yield Word("option", word)
            if (not value or kind == "shell") and rest:
                yield Word("word", rest.pop(0), f"-{letter}")
            return False
    yield Word("option", word)
    return False


def _code(kind: str, word: str, value: str, rest: list[str]) -> Iterator[Word]:
    """Yield an option that brings code, and the code."""
    if value and kind not in ("perl", "shell"):
        yield Word("code", word)
        return
    yield Word("option", word)
    while kind == "shell" and rest and rest[0][0:1] in ("-", "+"):  # words after -c are more options
        yield Word("option", rest.pop(0))
    if rest:
        yield Word("code", rest.pop(0), "-c")
