"""Read a shell script word by word, as far as all shells read it in one way."""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = "[A-Za-z_][A-Za-z0-9_]*"
# Variables that a shell sets, or treats in a way of its own.
OF_SHELLS = re.compile(
    r"_|_coex_.*|BASH.*|ZSH.*|KSH.*|COMP_.*|COPROC|CDPATH|COLUMNS|DIRSTACK|E?[UG]ID|ENV|EPOCH.*|ERRNO|EXECIGNORE|FCEDIT|"
    r"FIGNORE|FPATH|FUNC.*|GLOBIGNORE|GROUPS|HIST.*|HOST.*|IFS|INPUTRC|LINE(NO|S)|LOGNAME|MACHTYPE|MAIL.*|MAPFILE|"
    r"MODULE_PATH|OLDPWD|OPT(ARG|ERR|IND)|OSTYPE|PIPESTATUS|POSIXLY_CORRECT|PPID|PROMPT.*|PS[0-9]|PWD|RANDOM|"
    r"READLINE_.*|REPLY|SECONDS|SHELL|SHELLOPTS|SHLVL|SRANDOM|TERM|TIMEFORMAT|TMOUT|USERNAME|WATCH.*|WORDCHARS|"
    r"argv|cdpath|commands|fpath|functions|histchars|mailpath|manpath|options|path|prompt|psvar|signals|status|watch"
)
BARE = re.compile(r"[A-Za-z0-9_./:,=+@%-]+")
SINGLE = re.compile(r"'([\t\n\x20-\x26\x28-\x7e]*)'")
PLAIN = re.compile(r"[\t\n\x20\x21\x23\x25-\x5b\x5d-\x5f\x61-\x7e]+|\\[\"\\$`]")  # in double quotes
ALONE = re.compile(r"(?:!=|[!\[\]{}])(?=[ \t\n;]|$)")
# `?`, and a length, is a byte to some shells and a letter to others.
GLOB = re.compile(r"[*A-Za-z0-9_./:,=+@%-]*\*[*A-Za-z0-9_./:,=+@%-]*(?=[ \t|)])")
LINES = re.compile(r"(?:[ \t\n]|\\\n|#[^\n]*)+")
BLANK = re.compile(r"(?:[ \t]|\\\n|#[^\n]*)+")
REDIRECTION = re.compile(r"(?:[12]?>[ \t]*/dev/null|2>&1|1?>&2)(?=[ \t\n;]|$)")
OPERATOR = re.compile(r"&&|\|\||;;|[;\n|)]")
EXPANSION = re.compile(rf"\$(?:({NAME})|\{{({NAME}))")
INNER = re.compile(r"[A-Za-z0-9_./:,=+@-]+")  # in ${NAME:-word}
ESAC, NEXT = re.compile(r"esac(?=[ \t\n;]|$)"), re.compile(r"[ \t\n]*;;(?:[ \t\n]|#[^\n]*)*")
PATTERN = re.compile(r"[A-Za-z0-9_./:,=+@*-]*")  # in ${NAME%pattern}


class UnknownText(Exception):
    """Text that is not in the part of the language that is read here."""


class Word(NamedTuple):
    """One word of a script."""

    text: str  # as it stands in the script
    value: str | None  # its value, if it has no expansion
    whole: bool = True  # all expansions are quoted: it stays one word

    @property
    def bare(self) -> str | None:
        """Its text, if it has no quotes: keywords and commands are recognised by it."""
        return self.text if self.text == self.value else None


class Sign(NamedTuple):
    """An operator, or the end of the script, whose text is empty."""

    text: str


LINE, SEMICOLON, NEXT_CASE, END = Sign("\n"), Sign(";"), Sign(";;"), Sign("")


class WordReader:
    """Reads a script from its beginning to its end; raises UnknownText."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Return the text that matches here and pass over it; None if there is no match."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else None

    def need(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Return the match here and pass over it; raises UnknownText if there is none."""
        match = pattern.match(self.text, self.at)
        if not match:
            raise UnknownText
        self.at = match.end()
        return match

    def next(self) -> Word | Sign:
        """Return the next word or operator; redirections of output to nowhere and to errors are passed over."""
        self.take(BLANK)
        while self.take(REDIRECTION):
            self.take(BLANK)
        if self.at == len(self.text):
            return END
        operator = self.take(OPERATOR)
        return Sign(operator) if operator else self.word()

    def plain(self) -> Word | Sign:
        """Return the next word or operator; a redirection before a keyword or command is refused."""
        self.take(BLANK)
        if self.take(REDIRECTION):
            raise UnknownText
        return self.next()

    def peek(self) -> Word | Sign:
        """Return the next word or operator, and stay before it."""
        at = self.at
        token = self.next()
        self.at = at
        return token

    def word(self) -> Word:
        """Return the word that begins here; raises UnknownText."""
        start, values, whole = self.at, [self.take(ALONE)], True
        while values[0] is None and self.at < len(self.text) and self.text[self.at] not in " \t\n;|)&":
            mark = self.text[self.at]
            if mark == '"':
                values.append(self.quoted())
            elif mark == "'":
                values.append(self.need(SINGLE)[1])
            elif mark == "$":
                whole = False
                self.expansion()
                values.append(None)
            else:
                values.append(self.need(BARE)[0])
        text, parts = self.text[start : self.at], values if values[0] else values[1:]
        if not parts or (text[0] == "=" and text != "="):
            raise UnknownText
        return Word(text, None if None in parts else "".join(map(str, parts)), whole)

    def quoted(self) -> str | None:
        """Pass over double quotes; return the text in them, None if something is expanded."""
        start, fixed = self.at, True
        self.at += 1
        while not self.text.startswith('"', self.at):
            if not self.take(PLAIN):
                fixed = False
                self.expansion()
        self.at += 1
        return self.text[start + 1 : self.at - 1] if fixed else None

    def expansion(self) -> None:
        """Pass over $NAME, and the forms of ${NAME} whose words need no quotes."""
        match = self.need(EXPANSION)
        if OF_SHELLS.fullmatch(match[1] or match[2]):
            raise UnknownText
        if match[1]:
            return
        kind = self.take(re.compile(r":?[-+=]|##?|%%?"))
        is_pattern = kind is not None and kind[0] in "#%"  # shells read a value as a pattern in different ways
        if is_pattern:
            self.take(PATTERN)
        while kind and not is_pattern and not self.text.startswith("}", self.at):
            if not self.take(INNER):
                self.expansion()
        self.need(re.compile("}"))


def is_name(text: str | None) -> bool:
    """Return whether this is a variable that all shells treat alike."""
    return text is not None and bool(re.fullmatch(NAME, text)) and not OF_SHELLS.fullmatch(text)
