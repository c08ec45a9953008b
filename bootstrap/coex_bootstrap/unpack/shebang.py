"""Write the #! line of a script for a prefix: conda's, but for lines that conda writes and no system can start.

A line that is too long for kernels, or has a blank in its path, goes through env(1), which finds the program on PATH.
conda leaves the options behind the name, which the kernel hands to env as one word with it: no program has that name.
"""

import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

LIMIT = 512 if sys.platform == "darwin" else 127  # as conda: of the running system, older kernels
ENV = b"#!/usr/bin/env "

# conda's SHEBANG_REGEX: whole line, executable with its escaped blanks, the rest of the line.
SHEBANG = re.compile(br"^(#!(?:[ ]*)(/(?:\\ |[^ \n\r\t])*)(.*))$", re.MULTILINE)

PYTHON = re.compile(br"(?:python|pypy)[\d.]*\Z")
# In a script whose first statement is its documentation, or whose second line names its encoding, no line can be added.
TAKEN = re.compile(br"[ \t\f]*#.*?coding[:=]|(?:[ \t\f]*(?:#[^\n]*)?\r?\n)*[ \t\f]*[bBrRuU]{0,2}[\"']")
PLAIN = re.compile(br"[\w=+,./:@% -]+\Z")  # words that are the same for sh, env and Python
ODD = re.compile(br"[\"$`\\]|'''")  # what is not itself between quotation marks of sh, or of Python


def shorten_shebang(data):
    # type: (bytes) -> bytes
    """Return `data` with a #! line that is too long, or has an escaped blank, going through env(1) or sh(1)."""
    found = SHEBANG.match(data) if data.startswith(b"#!") else None
    if found is None:
        return data
    line, executable, rest = found.groups()
    directory, _, name = executable.rpartition(b"/")
    if len(line) <= LIMIT and b"\\ " not in directory:
        return data
    options = rest.strip()
    if not options:
        return data.replace(line, ENV + name + rest)
    return (_by_sh(executable, options, data[len(line) :]) or ENV + b"-S " + name + b" " + _word(options)) + data[len(line) :]


def _by_sh(executable, options, body):
    # type: (bytes, bytes, bytes) -> Optional[bytes]
    """Return lines by which sh starts a Python with options, and that Python passes over; None if they would change `body`.

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
