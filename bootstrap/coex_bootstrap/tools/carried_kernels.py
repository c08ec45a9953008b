"""Read the Jupyter kernels that the environment of an archive has."""

from collections import OrderedDict, namedtuple

from ..base.compat import text
from ..base.errors import CoexError
from ..base.untrusted import parse_json
from ..unpack.decoder import load_decoder
from ..unpack.expected_contents import ExpectedContents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NamedTuple, Optional, Set, Text

    from ..format.archive import Archive

DIRECTORY = b"prefix/share/jupyter/kernels/"
SPEC = b"kernel.json"
MARK = b"/@COEX_PREFIX@"  # in the place of the environment, whose path each host chooses
ELSEWHERE = "unpack the environment with `unpack -p`, and add its kernel to Jupyter as that of any environment"

if TYPE_CHECKING:
    Kernel = NamedTuple("Kernel", [
        ("command", Text), ("arguments", List[Text]), ("fields", Dict[str, object]), ("files", Dict[bytes, bytes]),
    ])
else:
    # A command of the environment with its arguments, the other fields of `kernel.json`, and the files beside it.
    Kernel = namedtuple("Kernel", "command arguments fields files")


class CarriedKernels(object):
    """The kernels of an archive by name; raises CoexError, also if this host cannot decode zstd."""

    def __init__(self, archive):
        # type: (Archive) -> None
        self.archive = archive
        self.rows = {}  # type: Dict[str, Dict[bytes, int]]
        for row in range(len(archive.index.files)):
            path = archive.index.files.path(row)
            name, _, file = path[len(DIRECTORY) :].partition(b"/")
            if path.startswith(DIRECTORY) and file and b"/" not in file:
                self.rows.setdefault(text(name), {})[file] = row

    def names(self):
        # type: () -> List[str]
        """Return the names of all kernels."""
        return sorted(name for name, files in self.rows.items() if SPEC in files)

    def read(self, name):
        # type: (str) -> Kernel
        """Return the kernel of this name."""
        expected = ExpectedContents(self.archive, MARK, load_decoder(self.archive))
        names = dict((row, file) for file, row in self.rows[name].items() if row not in expected.large)
        files = dict((names[row], content) for row, content in expected.contents(names))
        try:
            fields = parse_json(files.pop(SPEC, b""), OrderedDict)
        except ValueError as error:
            raise self._unusable(name, "its kernel.json cannot be read: %s" % error)
        words = fields.pop("argv", None) if isinstance(fields, dict) else None
        if not isinstance(fields, dict) or not isinstance(words, list) or not words or not all(map(_is_argument, words)):
            raise self._unusable(name, "its kernel.json has no command")
        for field in ("env", "metadata"):
            if not isinstance(fields.get(field, {}), dict):
                raise self._unusable(name, "the field %s of its kernel.json is not an object" % field)
        if not all(map(_is_argument, fields.get("env", {}).values())):
            raise self._unusable(name, "its kernel.json has a variable that is not a text")
        if _names_prefix([words[1:], fields]):
            raise self._unusable(name, "its arguments or variables name files of the environment", ELSEWHERE)
        return Kernel(self._command(name, words[0]), words[1:], fields, files)

    def _command(self, name, word):
        # type: (str, Text) -> Text
        """Return the command of the environment that the first word of a kernel names.

        R's kernel names `lib/R/bin/R`, which the environment offers as `bin/R`.
        """
        command = word.rpartition(u"/")[2] if word.startswith(text(MARK) + u"/") else word
        if command not in commands(self.archive):
            shown = word.replace(text(MARK), u"${COEX_PREFIX}")
            raise self._unusable(name, "it starts %s, which is not a command of the environment" % shown, ELSEWHERE)
        return command

    def _unusable(self, name, why, remedy=None):
        # type: (str, str, Optional[str]) -> CoexError
        return CoexError("its Jupyter kernel %s cannot start the archive: %s" % (name, why), self.archive.path, remedy)


def commands(archive):
    # type: (Archive) -> Set[Text]
    """Return the names of the commands of the environment."""
    index, place = archive.index, b"prefix/bin/"
    paths = [index.files.path(row) for row in range(len(index.files))] + [link.path for link in index.links]
    return set(text(path[len(place) :]) for path in paths if path.startswith(place))


def _is_text(value):
    # type: (object) -> bool
    return isinstance(value, type(u""))


def _is_argument(value):
    # type: (object) -> bool
    """Return whether a program can be given a value: a text without NUL."""
    return _is_text(value) and u"\0" not in value  # type: ignore[operator]


def _names_prefix(value):
    # type: (object) -> bool
    """Return whether any text in a value of JSON names the environment."""
    if isinstance(value, dict):
        return _names_prefix(list(value)) or _names_prefix(list(value.values()))
    if isinstance(value, list):
        return any(map(_names_prefix, value))
    return _is_text(value) and text(MARK) in value  # type: ignore[operator]
