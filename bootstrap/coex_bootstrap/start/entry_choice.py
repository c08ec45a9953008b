"""Write the sh text by which a start chooses among its entry points: by the file's name, or as the caller asks.

The text uses builtins of sh only. The lines for `COEX_ENTRYPOINT` come after the exec of the usual way: a start without
that variable does not even parse them.
"""

from ..base import compat
from ..base.shell import fill, quote
from ..format.manifest import APP, PREFIX
from .activate import put_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List

    from ..format.manifest import EntryPoint, Manifest

VARIABLE = "COEX_ENTRYPOINT"
SUFFIX = b".coex"

# The Python code for `module:function`. It imports from the directory of the app, not from the caller's.
FUNCTION = """\
import sys
if sys.path[:1] == ['']: del sys.path[0]
import os
sys.path.insert(0, os.environ['COEX_APP'])
sys.argv[0] = os.environ['COEX_FILE']
from %s import %s
sys.exit(%s())"""

# The Python code for a module of the app. It does the same as `python -m` in the app's directory: the caller's does not
# count.
MODULE = """\
import sys
if sys.path[:1] == ['']: del sys.path[0]
import os
place = os.path.join(os.environ['COEX_APP'], %s).rstrip('/')
if sys.path[:1] != [place]: sys.path.insert(0, place)
sys.argv[0] = '-m'
del os, place, sys
__import__('runpy')._run_module_as_main('%s')"""
# The lines after the activation if an entry point imports modules of the app.
IMPORTS = b"""\
[ -z "$_coex_imports" ] || export PYTHONPATH="$_coex_imports${PYTHONPATH:+:$PYTHONPATH}"
"""

# Splits a command line as a shell does, and expands nothing. The words of the caller come last, unchanged.
ASKED = b"""\
case $COEX_ENTRYPOINT in
%(names)s
*)
  _coex_rest=$COEX_ENTRYPOINT _coex_count=0 _coex_word= _coex_open=
  _coex_ends='[ \t
"'\\''\\\\]*' _coex_inner='["\\\\]*'
  while [ -n "$_coex_rest" ]; do
    case $_coex_rest in
      \\'*\\'*) _coex_rest=${_coex_rest#?} _coex_open=1
        _coex_word=$_coex_word${_coex_rest%%%%\\'*} _coex_rest=${_coex_rest#*\\'} ;;
      '"'*'"'*) _coex_rest=${_coex_rest#?} _coex_open='"'
        while [ "$_coex_open" = '"' ]; do
          case $_coex_rest in
            '') break ;;
            '"'*) _coex_rest=${_coex_rest#?} _coex_open=1 ;;
            '\\"'*|'\\\\'*|'\\$'*|'\\`'*) _coex_rest=${_coex_rest#?}
              _coex_word=$_coex_word${_coex_rest%%"${_coex_rest#?}"} _coex_rest=${_coex_rest#?} ;;
            '\\'*) _coex_word=$_coex_word'\\' _coex_rest=${_coex_rest#?} ;;
            *) _coex_part=${_coex_rest%%%%$_coex_inner}
              _coex_word=$_coex_word$_coex_part _coex_rest=${_coex_rest#"$_coex_part"} ;;
          esac
        done
        [ "$_coex_open" = 1 ] || break ;;
      \\'*|'"'*|'\\') _coex_open='"'; break ;;
      '\\'*) _coex_rest=${_coex_rest#?} _coex_open=1
        _coex_word=$_coex_word${_coex_rest%%"${_coex_rest#?}"} _coex_rest=${_coex_rest#?} ;;
      ' '*|'\t'*|'
'*) _coex_rest=${_coex_rest#?}
        if [ -n "$_coex_open" ]; then
          _coex_count=$((_coex_count + 1)); eval "_coex_word_$_coex_count=\\$_coex_word"; _coex_word= _coex_open=
        fi ;;
      *) _coex_part=${_coex_rest%%%%$_coex_ends} _coex_open=1
        _coex_word=$_coex_word$_coex_part _coex_rest=${_coex_rest#"$_coex_part"} ;;
    esac
  done
  if [ "$_coex_open" = '"' ]; then
    printf '%%s\\n' "coex: $_coex_file: $COEX_ENTRYPOINT: COEX_ENTRYPOINT ends within a quotation" >&2
    exit 125
  fi
  if [ -n "$_coex_open" ]; then
    _coex_count=$((_coex_count + 1)); eval "_coex_word_$_coex_count=\\$_coex_word"
  fi
  _coex_word=${_coex_word_1-}
  [ "$_coex_count" -gt 0 ] || _coex_word=
  case $_coex_word in
    */*) _coex_part= ;;
    *) _coex_part=%(bin)s/$_coex_word ;;
  esac
  if [ ! -f "$_coex_part" ] || [ ! -x "$_coex_part" ]; then
    [ "$_coex_count" -le 1 ] || _coex_word=$COEX_ENTRYPOINT
    printf '%%s\\n' "coex: $_coex_file: COEX_ENTRYPOINT: '$_coex_word' is neither an entry point ("%(list)s\\
") nor a command of the environment" >&2
    exit 125
  fi
  while [ "$_coex_count" -gt 1 ]; do
    eval "set -- \\"\\$_coex_word_$_coex_count\\" \\"\\$@\\""
    _coex_count=$((_coex_count - 1))
  done
  set -- "$_coex_part" "$@" ;;
esac""".replace(b"%%", b"%")


def choose_by_file(manifest, root):
    # type: (Manifest, bytes) -> bytes
    """Return the lines that put the entry point in front of the arguments: the one with the file's name, or the first."""
    first, others = manifest.entry_points[0], manifest.entry_points[1:]
    if not others:
        return set_line(first, root)
    lines = [b"case ${_coex_file##*/} in"]
    for entry in others:
        name = compat.utf8(entry["name"])
        lines.append(quote(name) + b"|" + quote(name + SUFFIX) + b") " + set_line(entry, root) + b" ;;")
    return b"\n".join(lines + [b"*) " + set_line(first, root) + b" ;;", b"esac"])


def choose_by_variable(manifest, root):
    # type: (Manifest, bytes) -> bytes
    """Return the lines that do so for the caller's COEX_ENTRYPOINT: a name, or a command line of the environment.

    If an entry point is only named after its command, that name means the command of the environment.
    """
    lines = [
        quote(compat.utf8(entry["name"])) + b") " + set_line(entry, root) + b" ;;" for entry in named_entries(manifest)
    ]
    listing = b", ".join(compat.utf8(compat.visible(entry["name"])) for entry in manifest.entry_points)
    fields = {b"names": b"\n".join(lines), b"list": quote(listing), b"bin": quote(root + b"/prefix/bin")}
    return fill(ASKED, fields)


def named_entries(manifest):
    # type: (Manifest) -> List[EntryPoint]
    """Return the entry points whose name the variable means: not those that are only named after a command."""
    return [
        entry
        for entry in manifest.entry_points
        if entry.get("named") or entry["command"] and entry["command"][0] != ["prefix", "bin/" + entry["name"]]
    ]


def imports(manifest):
    # type: (Manifest) -> Dict[bytes, bytes]
    """Return the lines before and after the activation by which entry points import modules of the app."""
    any_imports = any(entry.get("imports") for entry in manifest.entry_points)
    return {b"no_imports": b"_coex_imports=\n" * any_imports, b"imports": IMPORTS * any_imports}


def set_line(entry, root):
    # type: (EntryPoint, bytes) -> bytes
    """Return the shell line that sets the entry point's command, before the caller's arguments."""
    words = []  # type: List[bytes]
    for kind, text in entry["command"]:
        if kind == "expanded":
            words.append(_expanded(compat.utf8(text), root))
        else:
            words += map(quote, command_words([[kind, text]], root))
    places = b":".join(root + b"/" + compat.utf8(place) for place in entry.get("imports", ()))
    line = b"_coex_imports=" + quote(places) + b"; " if places else b""
    return line + b"set -- " + b" ".join(words) + b' "$@"'


def _expanded(text, root):
    # type: (bytes, bytes) -> bytes
    """Return a word of sh in which the places of the root, and the caller's directory, are paths."""
    places = dict((place, root + b"/" + place) for place in (PREFIX, APP))
    return b'"$PWD"'.join(quote(put_places(part, places)) for part in text.split(b"${PWD}"))


def command_words(command, root):
    # type: (Iterable[List[str]], bytes) -> List[bytes]
    """Return the words of an entry point's command, with absolute paths, and a function as its Python runs it."""
    words = []
    for kind, text in command:
        word = compat.utf8(text)
        if kind in (PREFIX.decode("ascii"), APP.decode("ascii")):
            word = root + b"/" + compat.utf8(kind) + b"/" + word
        elif kind == "function":
            module, _, function = text.partition(":")
            words.append(b"-c")
            word = compat.utf8(FUNCTION % (module, function.split(".")[0], function))
        elif kind == "module":
            import json

            place, _, module = text.rpartition(":")
            words.append(b"-c")
            word = compat.utf8(MODULE % ("u" + json.dumps(place) if place else "''", module))
        elif text == "sh" and kind == "host":
            word = b"/bin/sh"  # that of the prelude; others are found on PATH
        words.append(word)
    return words
