"""Decide whether a shell script means the same to every POSIX shell.

Only a small part of the language is known here: the part in which dash, bash, busybox and others agree on result,
output and errors. A script with anything else is left to bash: these scripts are written for bash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .shell_words import (
    BLANK,
    END,
    ESAC,
    GLOB,
    LINE,
    LINES,
    NAME,
    NEXT,
    NEXT_CASE,
    SEMICOLON,
    Sign,
    UnknownText,
    Word,
    WordReader,
    is_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

UNARY, BINARY = ("-n", "-z", "-f", "-d", "-e", "-s", "-h", "-L"), ("=", "!=")
COMPOUND = ("if", "case", "for", "{")


def is_portable(script: bytes) -> bool:
    """Return whether every POSIX shell does the same when it sources a script."""
    if b"\r" in script or b"\0" in script:
        return False
    reader = _CommandReader(script.decode("latin-1"))
    try:
        reader.commands()
        return reader.next() == END
    except (UnknownText, RecursionError):
        return False


class _CommandReader(WordReader):
    """Reads commands of commands; raises UnknownText."""

    def commands(self, *ends: str) -> int:
        """Read commands up to a word that ends them, which stays; return their number."""
        count = 0
        while True:
            self.take(LINES)
            token = self.peek()
            if token in (END, NEXT_CASE) or (isinstance(token, Word) and token.bare in ends):
                return count
            self.pipeline()
            while self.peek() in (Sign("&&"), Sign("||")):
                self.next()
                self.take(LINES)
                self.pipeline()
            count += 1
            token = self.peek()
            if token in (SEMICOLON, LINE):
                self.next()
            elif token not in (NEXT_CASE, END):
                raise UnknownText

    def block(self, *ends: str) -> str:
        """Read commands, one at least, and the word that ends them, which is returned."""
        if not self.commands(*ends):
            raise UnknownText
        return self.keyword(*ends)

    def keyword(self, *words: str) -> str:
        token = self.plain()
        if not isinstance(token, Word) or token.bare not in words:
            raise UnknownText
        return str(token.bare)

    def pipeline(self) -> None:
        """Read one command; pipes are not known."""
        first = self.plain()
        if first == Word("!", "!"):  # some shells give its `return` a status of its own, even inside of it
            first = self.plain()
            if isinstance(first, Word) and first.bare in ("return", *COMPOUND):
                raise UnknownText
        if not isinstance(first, Word):
            raise UnknownText
        compound = {"if": self.conditional, "case": self.case, "for": self.loop, "{": self.group}.get(first.bare or "")
        if compound:
            compound()
        elif not is_known(first, *self.arguments()):
            raise UnknownText

    def arguments(self) -> Iterator[Word]:
        while isinstance(self.peek(), Word) and isinstance(word := self.next(), Word):
            yield word

    def conditional(self) -> None:
        end = "elif"
        while end == "elif":
            self.block("then")
            end = self.block("elif", "else", "fi")
        if end == "else":
            self.block("fi")

    def group(self) -> None:
        self.block("}")

    def loop(self) -> None:
        name = self.plain()
        if not isinstance(name, Word) or not is_name(name.bare):
            raise UnknownText
        self.keyword("in")
        while isinstance(word := self.plain(), Word):
            if not word.whole:
                raise UnknownText
        if word not in (SEMICOLON, LINE):
            raise UnknownText
        self.take(LINES)
        self.keyword("do")
        self.block("done")

    def case(self) -> None:
        if not isinstance(self.plain(), Word):
            raise UnknownText
        self.keyword("in")
        self.take(LINES)
        more = True
        while not self.take(ESAC):
            if not more:
                raise UnknownText
            self.patterns()
            self.commands("esac")
            more = bool(self.take(NEXT))

    def patterns(self) -> None:
        sign: Word | Sign = Sign("|")
        while sign == Sign("|"):
            self.take(BLANK)
            if not self.take(GLOB):
                word = self.plain()
                if not isinstance(word, Word) or not word.whole:
                    raise UnknownText
            sign = self.plain()
        if sign != Sign(")"):
            raise UnknownText


def is_known(name: Word, *words: Word) -> bool:
    """Return whether a simple command does the same in every shell."""
    assigned, wholes = _assigned(name.text), all(word.whole for word in words)
    if assigned and not name.text.startswith('"'):  # nothing in the value is split into words
        return not words and is_name(assigned)
    if name.bare in (":", "true", "false"):
        return wholes
    if name.bare == "export":
        return wholes and bool(words) and all(is_name(_assigned(word.text) or word.bare) for word in words)
    if name.bare == "unset":
        return bool(words) and all(is_name(word.bare) for word in words)
    if name.bare == "[":
        return wholes and bool(words) and words[-1].bare == "]" and is_test(*words[:-1])
    if name.bare == "echo":
        values = [word.value for word in words]
        return None not in values and "\\" not in "".join(map(str, values)) and not str(*values[:1]).startswith("-")
    return name.bare == "return" and (not words or (len(words) == 1 and words[0].bare in tuple("0123456789")))


def _assigned(text: str) -> str | None:
    """Return the name in NAME=value, and in "NAME=value"."""
    match = re.match(f'"?({NAME})=', text)
    return match[1] if match else None


def is_test(*words: Word) -> bool:
    """Return whether POSIX defines this test fully: a test of one word, or a comparison of two."""
    negated = words[:1] != () and words[0].bare == "!"
    if negated and len(words) == 3:
        return words[1].bare in UNARY
    if len(words) == 3:
        return words[1].bare in BINARY
    return len(words) == 1 or (len(words) == 2 and words[0].bare in UNARY)
