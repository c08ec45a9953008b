"""Decide whether single values of a manifest are possible: texts, numbers, paths, names. Anyone may have written them."""

from ..base.compat import utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, TypeGuard

TEXT, WHOLE = type(u""), (int, type(1 << 64))
# Sets of characters, which a start has at once: regular expressions take it several milliseconds to load.
DIGITS, LOWER = frozenset(u"0123456789"), frozenset(u"abcdefghijklmnopqrstuvwxyz")
HEXADECIMAL = frozenset(u"0123456789abcdef")
LETTERS = frozenset(u"ABCDEFGHIJKLMNOPQRSTUVWXYZ_") | LOWER
CONTROL = frozenset(bytes(bytearray(list(range(0x20)) + list(range(0x7F, 0xA0)))).decode("latin-1"))
LONGEST = 1 << 16  # characters of one text


def is_text(value):
    # type: (object) -> TypeGuard[str]
    """Return whether a value is text that a process can be given: it has bytes, and no NUL."""
    if not isinstance(value, TEXT) or u"\0" in value or len(value) > LONGEST:
        return False
    try:
        return bool(utf8(value)) or not value
    except UnicodeError:  # half of a surrogate pair
        return False


def is_line(value):
    # type: (object) -> TypeGuard[str]
    """Return whether a value is text that can be shown: without control characters."""
    return is_text(value) and bool(value) and CONTROL.isdisjoint(value)


def is_line_or_null(value):
    # type: (object) -> bool
    """Return whether a value is such a text, or null."""
    return value is None or is_line(value)


def is_hexadecimal(value, length):
    # type: (object, int) -> bool
    """Return whether a value is a text of that many hexadecimal digits."""
    return is_text(value) and len(value) == length and HEXADECIMAL.issuperset(value)


def is_size(value):
    # type: (object) -> TypeGuard[int]
    """Return whether a value is a number of bytes, or of other things, that no system finds too large."""
    return isinstance(value, WHOLE) and 0 <= value < 1 << 63


def is_file_name(value):
    # type: (object) -> bool
    """Return whether a value is the name of one file."""
    return is_line(value) and u"/" not in value and value not in (u".", u"..")


def is_path(value):
    # type: (object) -> TypeGuard[str]
    """Return whether a value is a path that stays below its beginning."""
    return is_text(value) and not set(value.split(u"/")) & set([u"", u".", u".."])


def is_name(text):
    # type: (str) -> bool
    """Return whether a text is a name for a shell, and for Python."""
    return bool(text) and text[0] in LETTERS and (LETTERS | DIGITS).issuperset(text)


def is_module(text):
    # type: (str) -> bool
    """Return whether a text is the dotted name of a module."""
    return all(map(is_name, text.split(u".")))


def is_function(text):
    # type: (str) -> bool
    """Return whether a text is MODULE:FUNCTION, as packages write entry points."""
    module, _, function = text.partition(u":")
    return is_module(module) and is_module(function)


def is_list_of(is_item):
    # type: (Callable[[object], bool]) -> Callable[[object], bool]
    """Return the check of a list, all of whose items pass a check."""
    return lambda value: isinstance(value, list) and all(map(is_item, value))
