"""Read the setting of a site, which names the places to unpack in: /etc/coex.conf, or the file that COEX_CONFIG names.

A line is `KEY = VALUE`, a comment that begins with #, or empty. $NAME and ${NAME} in the value of `store` are variables of
the environment, and $$ is a dollar. Nothing else is replaced, and no shell reads it.
"""

import os
import stat

from ..base import compat
from ..base.errors import CoexError
from .trust import distrust, distrust_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

KINDS = (b"store", b"cache", b"temporary", b"memory")
MARK = br"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\}|)"  # $$, $NAME, ${NAME}, a lone $
LARGEST = 1 << 16


class SettingWrong(CoexError):
    """The file with the setting of the site cannot be used."""


class Setting(object):
    """The `stores` that the file at `path` names, and the kinds of places in their `order`, None if it has none."""

    def __init__(self, path, stores, order):
        # type: (bytes, List[bytes], Optional[List[bytes]]) -> None
        self.path, self.stores, self.order = path, stores, order


def read_setting(path, environ):
    # type: (bytes, Dict[bytes, bytes]) -> Setting
    """Return the setting in the file of the site; raises SettingWrong."""
    try:
        return _parse(path, _read(path), environ)
    except EnvironmentError as error:
        raise SettingWrong("cannot be read: %s" % (error.strerror or error), path)


def _read(path):
    # type: (bytes) -> bytes
    """Return the content of a file that only root and this user can have written; raises SettingWrong or EnvironmentError."""
    place = os.path.realpath(path)
    reason = distrust(os.path.dirname(place), named=True)
    reason = reason or distrust_made(place, stat.S_ISREG, (os.geteuid(), 0))
    if reason is not None:
        raise SettingWrong("not used: %s" % reason, path, "it has to belong to you or root, and nobody else may write to it")
    with open(place, "rb") as stream:
        text = stream.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise SettingWrong("more than %d bytes" % LARGEST, path)
    return text


def _parse(path, text, environ):
    # type: (bytes, bytes, Dict[bytes, bytes]) -> Setting
    setting = Setting(path, [], None)
    for number, line in enumerate(text.split(b"\n"), 1):
        line = line.strip(b" \t")
        if line and not line.startswith(b"#"):
            why = _take(setting, line, environ)
            if why is not None:
                raise SettingWrong("line %d: %s" % (number, why), path)
    return setting


def _take(setting, line, environ):
    # type: (Setting, bytes, Dict[bytes, bytes]) -> Optional[str]
    """Take a line into a setting; return the error in it, None if there is none."""
    key, equals, value = [part.strip(b" \t") for part in line.partition(b"=")]
    if not equals or not value:
        return "not KEY = VALUE"
    if key == b"store":
        return _take_store(setting, value, environ)
    if key != b"order":
        return "the key %s is not known: store, order" % compat.one_line(key)
    if setting.order is not None:
        return "a second order"
    setting.order = value.split()
    odd = [word for word in setting.order if word not in KINDS or setting.order.count(word) > 1]
    known = ", ".join(compat.text(kind) for kind in KINDS)
    return "%s: an order has some of these words, each once: %s" % (compat.one_line(odd[0]), known) if odd else None


def _take_store(setting, value, environ):
    # type: (Setting, bytes, Dict[bytes, bytes]) -> Optional[str]
    """Take a store whose variables all are set; return the error in it."""
    if b":" in value:
        return "a colon, which PATH cannot hold"
    path, why = expand(value, environ)
    if path is None:
        return why
    if not path.startswith(b"/"):
        return "%s does not begin with /" % compat.one_line(path)
    if b"\r" in path or b"\0" in path:
        return "a character that a path cannot have"
    setting.stores.append(path.rstrip(b"/") or path)
    return None


def expand(value, environ):
    # type: (bytes, Dict[bytes, bytes]) -> Tuple[Optional[bytes], Optional[str]]
    """Return a value with variables of the environment in their places; without one (None, None), or (None, an error)."""
    import re  # few hosts have such a file

    text, end, is_whole = b"", 0, True
    for match in re.finditer(MARK, value):
        name = match.group(1) or match.group(2)
        if match.group() == b"$":
            return None, "a $ without the name of a variable: write $NAME, ${NAME}, or $$ for a dollar"
        is_whole = is_whole and (name is None or bool(environ.get(name)))
        text += value[end : match.start()] + (b"$" if name is None else environ.get(name, b""))
        end = match.end()
    return text + value[end:] if is_whole else None, None
