"""Print the outcome of a verb: lines for a person, or one JSON document for a program."""

import errno
import json
import os
import re
import sys
from collections import namedtuple

from ..base.compat import utf8, visible
from ..base.errors import CoexError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import BinaryIO, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence

    Outcome = NamedTuple("Outcome", [("fields", Mapping[str, object]), ("lines", Iterable[str]), ("status", int)])
else:
    # The result of a verb: the fields of its JSON document, the lines for a person, the exit status.
    Outcome = namedtuple("Outcome", "fields lines status")
RIGHT = ("compressed", "unpacked", "size", "on disk", "mode")  # columns that stand to the right


def human(size):
    # type: (int) -> str
    """Return a size as a person reads it, in decimal units."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return "%.0f %s" % (value, unit) if unit == "B" else "%.1f %s" % (value, unit)
        value /= 1000
    return "%.2f GB" % value


def quoted(word):
    # type: (str) -> str
    """Return a word as a person would type it for a shell."""
    return word if re.match(r"[\w@%+=:,./-]+\Z", word) else "'%s'" % word.replace("'", "'\\''")


def counted(number, thing):
    # type: (int, str) -> str
    """Return a number of things as a person says it."""
    return "%d %s%s" % (number, thing, "" if number == 1 else "s")


def did_you_mean(word, known):
    # type: (str, Iterable[str]) -> str
    """Return a question with the known word that is closest to a mistyped or shortened one, or nothing.

    The dashes of options say nothing about how close they are.
    """
    from difflib import get_close_matches

    names, word = dict((name.strip("-"), name) for name in known), word.strip("-")
    matches = [name for name in names if word and name.startswith(word)]
    if len(matches) != 1:
        matches = get_close_matches(word, list(names), n=1, cutoff=0.7)
    return " (did you mean %s?)" % names[matches[0]] if matches else ""


def empty_argument(parser, options):
    # type: (ArgumentParser, Namespace) -> Optional[str]
    """Return the name of an argument that is there and empty, as a shell leaves it for a variable that is not set."""
    for action in parser._actions:
        value = getattr(options, action.dest, None)
        if "" in (value if isinstance(value, list) else [value]) and action.const != "":
            return action.option_strings[-1] if action.option_strings else str(action.metavar)
    return None


def table(head, rows):
    # type: (Sequence[str], Sequence[Sequence[str]]) -> Iterator[str]
    """Yield aligned lines; columns of numbers stand to the right. A table without rows has no head either."""
    if not rows:
        return
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [head] + rows) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths]]  # type: List[Sequence[str]]
    for row in lines + rows:
        cells = [c.rjust(w) if name in RIGHT else c.ljust(w) for c, w, name in zip(row, widths, head)]
        yield "  ".join(cells).rstrip()


def show(outcome, as_json):
    # type: (Outcome, bool) -> int
    """Print an outcome and return its status."""
    if as_json:
        show_json(dict(outcome.fields, success=outcome.status == 0))
    else:
        write_lines(outcome.lines)
    return int(outcome.status)


def write_lines(lines):
    # type: (Iterable[str]) -> None
    """Write lines for a person; control characters in them are escaped, so that each stays one line."""
    write_text(u"".join(visible(line) + u"\n" for line in lines))


def show_json(fields):
    # type: (Mapping[str, object]) -> None
    """Print one JSON document; its field `success` is as in those of conda."""
    document = json.dumps(fields, indent=2, sort_keys=True, separators=(",", ": "))
    write_text(document.replace("\x7f", "\\u007f") + "\n")


def write_text(text):
    # type: (str) -> None
    """Write text to standard output as UTF-8 in any locale, after everything that was printed before."""
    if sys.stdout is None:  # the caller has closed it
        return
    try:
        sys.stdout.flush()
        stream = getattr(sys.stdout, "buffer", sys.stdout)  # type: BinaryIO # type: ignore[assignment,arg-type]
        stream.write(utf8(text))
        stream.flush()
    except EnvironmentError as error:
        if error.errno == errno.EPIPE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python tries once more at its end
        raise CoexError("cannot be written: %s" % error.strerror, b"standard output")
