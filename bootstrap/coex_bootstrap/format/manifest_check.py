"""Refuse a manifest that names paths outside its root, or has values that no builder writes: anyone may have written it."""

from ..base.errors import ArchiveDamaged
from .values import (
    DIGITS, LOWER, TEXT, WHOLE, is_file_name, is_function, is_hexadecimal, is_line, is_line_or_null, is_list_of, is_module,
    is_name, is_path, is_size, is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, TypeGuard

LAST_DATE = 253402300799  # 9999-12-31, the last that time.gmtime(3) of every Python knows
NUMBERS = WHOLE + (bool, float)
# The fields of a package, also of one of pip's, that are text if it has them.
TEXTS = frozenset([
    u"channel", u"subdir", u"url", u"md5", u"sha256", u"license", u"file", u"commit", u"vcs", u"subdirectory",
])
MOST = 200  # constraints of a virtual package, and characters of one
LEVELS = range(1, 20)  # of zstd
HOST_SHELLS = (u"sh", u"bash", u"dash", u"zsh", u"ksh")


def check_manifest(fields):
    # type: (Dict[str, object]) -> None
    """Raise ArchiveDamaged for a field with an impossible value; fields that a reader does not use may be missing."""
    for name, is_valid, title in FIELDS:
        if name in fields and not is_valid(fields[name]):
            raise ArchiveDamaged("its manifest has an impossible %s" % title)


def _is_digest(value):
    # type: (object) -> bool
    return is_hexadecimal(value, 64)


def _is_python(value):
    # type: (object) -> bool
    """Return whether a value is {id, version, size, packages} of a carried Python."""
    if not isinstance(value, dict) or not is_line(value.get("version")) or not is_size(value.get("size")):
        return False
    if not is_list_of(_is_named_package)(value.get("packages", [])):
        return False
    return is_hexadecimal(value.get("id"), 24)


def _is_subdir(value):
    # type: (object) -> bool
    if not is_text(value):
        return False
    system, _, machine = value.partition(u"-")
    return bool(system and machine) and (LOWER | DIGITS).issuperset(system) and (LOWER | DIGITS | {u"_"}).issuperset(machine)


def _is_date(value):
    # type: (object) -> bool
    return isinstance(value, WHOLE) and 0 <= value <= LAST_DATE


def _is_prefix_limit(value):
    # type: (object) -> bool
    return value is None or is_size(value)


def _is_level(value):
    # type: (object) -> bool
    return value is None or (is_size(value) and value in LEVELS)


def _is_unpacked(value):
    # type: (object) -> bool
    """Return whether a value is {files, bytes}."""
    return isinstance(value, dict) and is_size(value.get("files")) and is_size(value.get("bytes"))


def _are_requirements(value):
    # type: (object) -> bool
    """Return whether a value is {virtual package: [constraint]}, no more and no longer than in packages."""
    return isinstance(value, dict) and all(_is_requirement(name, constraints) for name, constraints in value.items())


def _is_requirement(name, constraints):
    # type: (object, object) -> bool
    if not is_line(name) or len(name) > MOST or not isinstance(constraints, list) or len(constraints) > MOST:
        return False
    return all(constraint == u"" or is_line(constraint) and len(constraint) <= MOST for constraint in constraints)


def _is_described(row):
    # type: (Dict[object, object]) -> bool
    """Return whether the other fields of a package are texts that can be shown, or numbers."""
    for name, value in row.items():
        if isinstance(value, TEXT):
            if value and not is_line(value):
                return False
        elif value is not None and (name in TEXTS or not isinstance(value, NUMBERS)):
            return False
    return True


def _is_named_package(row):
    # type: (object) -> TypeGuard[Dict[object, object]]
    if not isinstance(row, dict) or not all(is_line(row.get(name)) for name in ("name", "version", "build")):
        return False
    return _is_described(row)


def _is_package(row):
    # type: (object) -> bool
    return _is_named_package(row) and all(is_size(row.get(name)) for name in ("compressed", "unpacked", "files"))


def _is_pip_package(row):
    # type: (object) -> bool
    """Return whether a value is a package that pip installed, in texts that can be shown."""
    if not isinstance(row, dict) or not (is_line(row.get("name")) and is_line(row.get("version"))):
        return False
    return _is_described(row)


def _are_entry_points(value):
    # type: (object) -> bool
    return isinstance(value, list) and bool(value) and all(map(_is_entry_point, value))


def _is_entry_point(entry):
    # type: (object) -> bool
    """Return whether a value is {name, command, imports}: a command begins with a program."""
    if not isinstance(entry, dict) or not is_file_name(entry.get("name")):
        return False
    command, imports = entry.get("command"), entry.get("imports", [])
    if not isinstance(command, list) or not all(map(_is_word, command)) or not _is_program([word[0] for word in command]):
        return False
    return isinstance(imports, list) and all(is_path(path) and path.split(u"/")[0] == u"app" for path in imports)


def _is_program(kinds):
    # type: (List[str]) -> bool
    """Return whether words of these kinds begin with a file of the root or a shell of the host, and have no other shell."""
    return kinds[:1] in (["prefix"], ["app"], ["host"]) and "host" not in kinds[1:]


def _is_word(word):
    # type: (object) -> bool
    """Return whether a value is [kind, text] of a command line."""
    if not isinstance(word, list) or len(word) != 2:
        return False
    kind, text = word
    if not is_text(text):
        return False
    if kind in ("text", "expanded"):
        return True
    if kind in ("prefix", "app"):
        return is_path(text)
    if kind == "module":
        place, colon, module = text.rpartition(u":")
        return is_module(module) and (is_path(place) or not colon)
    return kind == "function" and is_function(text) or kind == "host" and text in HOST_SHELLS


def _is_variable_name(value):
    # type: (object) -> bool
    return is_text(value) and is_name(value)


def _is_variable(variable):
    # type: (object) -> bool
    """Return whether a value is {name, value, default} that a shell can export."""
    if not isinstance(variable, dict) or not is_text(variable.get("value")):
        return False
    return _is_variable_name(variable.get("name")) and isinstance(variable.get("default"), bool)


def _is_post_link(script):
    # type: (object) -> bool
    """Return whether a value is {name, version, build_number} of a package."""
    if not isinstance(script, dict) or not is_file_name(script.get("name")) or not is_line(script.get("version")):
        return False
    return is_size(script.get("build_number"))


def _is_compile(value):
    # type: (object) -> bool
    """Return whether a value is null, or {python, sources}: paths in the prefix, each of one line."""
    if not isinstance(value, dict):
        return value is None
    sources = value.get("sources")
    return is_path(value.get("python")) and isinstance(sources, list) and all(
        is_path(source) and u"\n" not in source for source in sources
    )


def _are_portable(value):
    # type: (object) -> bool
    """Return whether a value is {name of a script: size}."""
    return isinstance(value, dict) and all(is_file_name(name) and is_size(size) for name, size in value.items())


# A field, the check of its value, and its name in an error.
FIELDS = (
    ("digest", _is_digest, "digest"),
    ("platform", _is_subdir, "platform"),
    ("name", is_line, "name"),
    ("date", _is_date, "date"),
    ("prelude", is_size, "size"),
    ("payload", is_size, "size"),
    ("prefix_limit", _is_prefix_limit, "prefix limit"),
    ("unpacked", _is_unpacked, "unpacked size"),
    ("entry_points", _are_entry_points, "entry point"),
    ("env", is_list_of(_is_variable), "variable"),
    ("packages", is_list_of(_is_package), "package"),
    ("requires", _are_requirements, "requirement"),
    ("post_link", is_list_of(_is_post_link), "post-link script"),
    ("pip", is_list_of(_is_pip_package), "pip package"),
    ("portable", _are_portable, "shell script"),
    ("keep_env", is_list_of(_is_variable_name), "variable to keep"),
    ("builder", is_line_or_null, "builder"),
    ("libzstd", is_line_or_null, "libzstd"),
    ("level", _is_level, "level"),
    ("python", _is_python, "Python"),
    ("compile", _is_compile, "source to compile"),
)
