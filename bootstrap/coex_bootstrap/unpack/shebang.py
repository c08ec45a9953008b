"""Write the #! line of a script for a prefix: conda's, except for lines that no system can start.

A line that is too long for kernels, or has a blank in its path, goes through env(1), which finds the program on PATH.
conda writes the options after the name. The kernel passes both to env as one word, and no program has that name.
"""

import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

ENV = b"#!/usr/bin/env "


def longest_line(system):
    # type: (str) -> int
    """Return the bytes of the longest #! line that a system takes, and its older kernels, as in conda."""
    return 512 if system == "darwin" else 127


LIMIT = longest_line(sys.platform)

# conda's SHEBANG_REGEX: whole line, executable with its escaped blanks, the rest of the line.
SHEBANG = re.compile(br"^(#!(?:[ ]*)(/(?:\\ |[^ \n\r\t])*)(.*))$", re.MULTILINE)

PYTHON = re.compile(br"(?:python|pypy)[\d.]*\Z")
# Finds scripts that cannot take another line: the first statement is a docstring, or the second line names the
# encoding.
TAKEN = re.compile(br"[ \t\f]*#.*?coding[:=]|(?:[ \t\f]*(?:#[^\n]*)?\r?\n)*[ \t\f]*[bBrRuU]{0,2}[\"']")
COMMENTS = re.compile(br"(?:[ \t\f]*(?:#[^\n]*)?\r?\n)*[ \t\f]*")  # lines before the first statement
STATEMENT = 3  # bytes that show whether it is a text
PLAIN = re.compile(br"[\w=+,./:@% -]+\Z")  # words that are the same for sh, env and Python
ODD = re.compile(br"[\"$`\\]|'''")  # characters with a meaning between quotation marks of sh, or of Python


def shorten_shebang(data):
    # type: (bytes) -> bytes
    """Return `data` with a #! line that is too long, or has an escaped blank, going through env(1) or sh(1)."""
    line, new, everywhere = _shortened(data)
    if everywhere:
        return data.replace(line, new)
    return new + data[len(line) :]


def _shortened(data):
    # type: (bytes) -> Tuple[bytes, bytes, bool]
    """Return the #! line, its replacement, and whether equal text further on is replaced too, as by conda."""
    match = SHEBANG.match(data) if data.startswith(b"#!") else None
    if match is None:
        return b"", b"", False
    line, executable, rest = match.groups()
    directory, _, name = executable.rpartition(b"/")
    if len(line) <= LIMIT and b"\\ " not in directory:
        return b"", b"", False
    options = rest.strip()
    if not options:
        return line, ENV + name + rest, True
    return line, _by_sh(executable, options, data[len(line) :]) or ENV + b"-S " + name + b" " + _word(options), False


class ShebangInPieces(object):
    """Changes a text that comes in pieces as `shorten_shebang` changes a whole one."""

    def __init__(self):
        # type: () -> None
        self._head, self._wanted = bytearray(), 2  # the beginning until it is complete, and the size to look at it
        self._begins = True
        self._line, self._new = b"", b""  # to replace everywhere
        self._rest = b""  # bytes that may be a part of the line

    def feed(self, piece):
        # type: (bytes) -> bytes
        """Return the bytes of the text that are complete with this piece."""
        if not self._begins:
            return self._replace(self._rest + piece) if self._line else piece
        self._head += piece
        if len(self._head) < self._wanted:
            return b""
        data = bytes(self._head)
        if _is_open(data):
            self._wanted = 2 * len(data)
            return b""
        return self._begin(data)

    def finish(self):
        # type: () -> bytes
        """Return the bytes that are left when there are no more pieces."""
        if self._begins:
            return shorten_shebang(bytes(self._head))
        return self._rest

    def _begin(self, data):
        # type: (bytes) -> bytes
        self._begins, self._head = False, bytearray()
        line, new, everywhere = _shortened(data)
        if not everywhere:
            return new + data[len(line) :]
        self._line, self._new = line, new
        return self._replace(data)

    def _replace(self, data):
        # type: (bytes) -> bytes
        parts = data.split(self._line)
        keep = max(0, len(parts[-1]) - len(self._line) + 1)
        parts[-1], self._rest = parts[-1][:keep], parts[-1][keep:]
        return self._new.join(parts)


def _is_open(data):
    # type: (bytes) -> bool
    """Return whether more of a text is needed to know its first lines: the #! line, and those that `_by_sh` looks at."""
    if not data.startswith(b"#!"):
        return b"#!".startswith(data)
    line, newline, body = data.partition(b"\n")
    if not newline or len(line) <= LIMIT and b"\\ " not in line:
        return not newline
    match = COMMENTS.match(body)
    statement = body[match.end() :] if match else body
    return b"\n" not in statement and (len(statement) < STATEMENT or statement.startswith(b"#"))


def _by_sh(executable, options, body):
    # type: (bytes, bytes, bytes) -> Optional[bytes]
    """Return lines by which sh starts a Python with options; that Python ignores them. None if they would change `body`.

    env(1) takes options since 2018, on some systems since never; sh is everywhere.
    """
    path = executable.replace(b"\\ ", b" ")
    is_python = PYTHON.match(path.rpartition(b"/")[2])
    if not is_python or not PLAIN.match(path) or not PLAIN.match(options) or TAKEN.match(body[1:]):
        return None
    return b"#!/bin/sh\n'''exec' \"" + path + b"\" " + options + b" \"$0\" \"$@\" #'''"


def _word(options):
    # type: (bytes) -> bytes
    """Return options as env -S takes them: words, or one word if there is more in it than letters."""
    if PLAIN.match(options):
        return options
    return b"'" + options.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"


def console_shebang(executable):
    # type: (bytes) -> bytes
    """Return the first lines of a console script (conda's `generate_shebang_for_entry_point`)."""
    line = b"#!" + executable + b"\n"
    if len(line) <= LIMIT and b" " not in executable:
        return line
    if ODD.search(executable):
        return ENV + executable.rpartition(b"/")[2] + b"\n"
    return b"#!/bin/sh\n'''exec' \"" + executable + b"\" \"$0\" \"$@\" #'''\n"
