"""Refuse a manifest that names what is outside its root, or says what no builder says: it may come from anyone."""

import re

from ..base.compat import utf8
from ..base.errors import ArchiveDamaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

TEXT, WHOLE = type(u""), (int, type(1 << 64))
DIGEST = re.compile(u"[0-9a-f]{64}\\Z")
SUBDIR = re.compile(u"[a-z0-9]+-[a-z0-9_]+\\Z")
LAST_DATE = 253402300799  # 9999-12-31, the last that time.gmtime(3) of every Python knows
LONGEST = 1 << 16  # characters of one text
NUMBERS = WHOLE + (bool, float)
# What a package, or one of pip's, has as text if it has it.
TEXTS = frozenset([
    u"channel", u"subdir", u"url", u"md5", u"sha256", u"license", u"file", u"commit", u"vcs", u"subdirectory",
])
MOST = 200  # constraints of a virtual package, and characters of one
VARIABLE = re.compile(u"[A-Za-z_][A-Za-z0-9_]*\\Z")
MODULE = re.compile(u"{0}(\\.{0})*\\Z".format(VARIABLE.pattern[:-2]))
FUNCTION = re.compile(u"{0}:{0}\\Z".format(MODULE.pattern[:-2]))  # as packages write entry points
HOST_SHELLS = (u"sh", u"bash", u"dash", u"zsh", u"ksh")
CONTROL = re.compile(u"[\\x00-\\x1f\\x7f-\\x9f]")


def check_manifest(fields):
    # type: (Dict[str, Any]) -> None
    """Raise ArchiveDamaged for fields, of the right kinds each, that cannot be."""
    need(DIGEST.match(fields["digest"]), "digest")
    need(SUBDIR.match(fields["platform"]), "platform")
    need(is_line(fields["name"]), "name")
    need(0 <= fields["date"] <= LAST_DATE, "date")
    need(all(is_size(fields[name]) for name in ("prelude", "payload")), "size")
    need(fields["prefix_limit"] is None or is_size(fields["prefix_limit"]), "prefix limit")
    need(all(is_size(fields["unpacked"].get(name)) for name in ("files", "bytes")), "unpacked size")
    need(fields["entry_points"] and all(map(is_entry_point, fields["entry_points"])), "entry point")
    need(all(map(is_variable, fields["env"])), "variable")
    need(all(map(is_package, fields["packages"])), "package")
    need(all(map(is_requirement, fields["requires"].items())), "requirement")
    need(all(map(is_post_link, fields["post_link"])), "post-link script")
    pip = fields.get("pip", [])
    need(isinstance(pip, list) and all(map(is_pip_package, pip)), "pip package")
    portable = fields.get("portable", {})
    need(isinstance(portable, dict) and all(is_name(n) and is_size(size) for n, size in portable.items()), "shell script")
    kept = fields.get("keep_env", [])
    need(isinstance(kept, list) and all(is_text(name) and VARIABLE.match(name) for name in kept), "variable to keep")
    need(all(fields.get(name) is None or is_line(fields[name]) for name in ("builder", "libzstd")), "builder")
    need(1 <= fields.get("level", 1) <= 19 if is_size(fields.get("level", 1)) else fields["level"] is None, "level")
    need(fields["compile"] is None or is_compile(fields["compile"]), "source to compile")


def need(found, what):
    # type: (object, str) -> None
    if not found:
        raise ArchiveDamaged("its manifest has a %s that cannot be" % what)


def is_text(value):
    # type: (Any) -> bool
    """Return whether a value is text that a host can be given: of bytes, without NUL."""
    if not isinstance(value, TEXT) or u"\0" in value or len(value) > LONGEST:
        return False
    try:
        return bool(utf8(value)) or not value
    except UnicodeError:  # half of a surrogate pair
        return False


def is_line(value):
    # type: (Any) -> bool
    """Return whether a value is text that can be shown: no controls of a terminal."""
    return is_text(value) and bool(value) and not CONTROL.search(value)


def is_lines(values):
    # type: (Any) -> bool
    return isinstance(values, list) and all(value == u"" or is_line(value) for value in values)


def is_described(package):
    # type: (Dict[str, Any]) -> bool
    """Return whether all that is said of a package can be shown: lines, if they are there, and numbers."""
    for name, value in package.items():
        if isinstance(value, TEXT):
            if value and not is_line(value):
                return False
        elif value is not None and (name in TEXTS or not isinstance(value, NUMBERS)):
            return False
    return True


def is_requirement(pair):
    # type: (Tuple[Any, Any]) -> bool
    """Return whether this is (virtual package, constraints), as many and as long as packages have them."""
    name, found = pair
    return is_line(name) and is_lines(found) and len(found) <= MOST and max(map(len, [name] + found)) <= MOST


def is_size(value):
    # type: (Any) -> bool
    return isinstance(value, WHOLE) and 0 <= value < 1 << 63


def is_name(value):
    # type: (Any) -> bool
    """Return whether a value is a name of one file."""
    return is_line(value) and u"/" not in value and value not in (u".", u"..")


def is_path(value):
    # type: (Any) -> bool
    """Return whether a value is a path that stays below where it begins."""
    return is_text(value) and not set(value.split(u"/")) & set([u"", u".", u".."])


def is_pip_package(row):
    # type: (Any) -> bool
    """Return whether this is what pip installed, in texts that can be shown."""
    if not isinstance(row, dict) or not (is_line(row.get("name")) and is_line(row.get("version"))):
        return False
    return is_described(row)


def is_entry_point(entry):
    # type: (Any) -> bool
    """Return whether this is {name, command, imports}: a command begins with a program."""
    if not isinstance(entry, dict) or not is_name(entry.get("name")):
        return False
    command, imports = entry.get("command"), entry.get("imports", [])
    if not isinstance(command, list) or not all(map(is_word, command)) or not is_program([w[0] for w in command]):
        return False
    return isinstance(imports, list) and all(is_path(path) and path.split(u"/")[0] == u"app" for path in imports)


def is_program(kinds):
    # type: (List[str]) -> bool
    """Return whether words of these kinds begin with a file of the root, or a shell of the host, and have no other."""
    return kinds[:1] in (["prefix"], ["app"], ["host"]) and "host" not in kinds[1:]


def is_word(word):
    # type: (Any) -> bool
    """Return whether this is [kind, text] of a command line."""
    if not isinstance(word, list) or len(word) != 2 or not is_text(word[1]):
        return False
    kind, text = word
    if kind in ("text", "expanded"):
        return True
    if kind in ("prefix", "app"):
        return is_path(text)
    if kind == "module":
        place, colon, module = text.rpartition(u":")
        return bool(MODULE.match(module)) and (is_path(place) or not colon)
    return kind == "function" and bool(FUNCTION.match(text)) or kind == "host" and text in HOST_SHELLS


def is_variable(variable):
    # type: (Any) -> bool
    """Return whether this is {name, value, default} that a shell can export."""
    if not isinstance(variable, dict) or not is_text(variable.get("name")) or not is_text(variable.get("value")):
        return False
    return bool(VARIABLE.match(variable["name"])) and isinstance(variable.get("default"), bool)


def is_package(package):
    # type: (Any) -> bool
    if not isinstance(package, dict) or not all(is_line(package.get(name)) for name in ("name", "version", "build")):
        return False
    return is_described(package) and all(is_size(package.get(name)) for name in ("compressed", "unpacked", "files"))


def is_post_link(script):
    # type: (Any) -> bool
    if not isinstance(script, dict) or not is_name(script.get("name")) or not is_line(script.get("version")):
        return False
    return is_size(script.get("build_number"))


def is_compile(found):
    # type: (Any) -> bool
    """Return whether this is {python, sources}: paths in the prefix, each of one line."""
    sources = found.get("sources")
    return is_path(found.get("python")) and isinstance(sources, list) and all(
        is_path(source) and u"\n" not in source for source in sources
    )
