"""The verbs of `conda coex`: their names at once, for conda's parser, and the options of each when it is looked at."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Each verb with its summary. `cli` runs them; conda loads this table on every one of its runs.
VERBS = {
    "create": "Create an executable archive of an environment and an application.",
    "pack": "Pack a live environment as it is: packages, changes to them, pip's packages, and all other files.",
    "repack": "Replace the app, the entry points or the variables of an archive; its packages stay, byte for byte.",
    "inspect": "Show the contents of an archive, the sizes of its packages, or the differences of two.",
    "image": "Write a container image of an archive, without an engine: an OCI layout, or a file for `docker load`.",
    "info": "Show the contents of an archive, and its needs of a host.",
    "files": "List the files of an archive.",
    "verify": "Verify every byte of an archive and of its unpacked files.",
    "repair": "Repair the unpacked files of an archive.",
    "unpack": "Unpack to stay: an ordinary environment, or a root in a shared store.",
    "env": "Print the variables of the activated environment, for a shell to evaluate.",
    "lock": "Print the explicit list of the packages, from which conda makes them again.",
    "sbom": "Print the software bill of materials, in CycloneDX.",
    "dockerfile": "Print the recipe of a container image that has the archive unpacked in it.",
    "kernelspec": "Add the archive to Jupyter, as a kernel that starts it.",
    "cache": "List or remove the frames that builds keep of packages, and the roots of unpacked archives.",
}
EXAMPLES = """\
examples:
  conda coex create -f environment.yml --entrypoint ./report.py -o report.coex
  conda coex pack -n myenv --entrypoint python -o myenv.coex
  conda coex inspect report.coex

`conda coex VERB --help` describes a verb.
"""


class VerbParser(argparse.ArgumentParser):
    """The parser of one verb, made when somebody looks into it: conda asks for all of them on each of its runs."""

    def __init__(self, **options: object) -> None:
        vars(self)["_unmade"] = options

    def __getattr__(self, name: str) -> object:
        options = vars(self).pop("_unmade", None)
        if options is None or name.startswith("__"):
            raise AttributeError(name)
        verb, configure = options.pop("verb"), options.pop("configure")
        # Without abbreviations: each version of conda has more options that one could stand for.
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(add_help=False, allow_abbrev=False, formatter_class=formatter, **options)
        configure(self, verb)
        return getattr(self, name)

    def parse_known_args(  # type: ignore[override] # any object may be the namespace of argparse
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; a verb that takes paths takes them in any place, and other words are an error of this verb."""
        given = words = list(args or ())
        paths: list[str] = []
        takes_paths = any(action.dest == "sources" for action in self._actions)
        if takes_paths and "--" in words:
            words, paths = words[: words.index("--")], words[words.index("--") + 1 :]
        arguments, left = super().parse_known_args(words, namespace)
        if takes_paths:  # argparse takes a list of arguments in one piece
            arguments.sources += [*(word for word in left if not word.startswith("-")), *paths]
            arguments.coex_words = tuple(given)
            left = [word for word in left if word.startswith("-")]
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}{self._guess(left[0].partition('=')[0])}")
        empty = empty_argument(self, arguments)
        if empty is not None:
            self.error(f"{empty} is empty")
        return arguments, []

    def _guess(self, word: str) -> str:
        """Return a hint for an unknown option: the words for the same option of another tool, or the closest option."""
        from .other_tools import meaning

        here = meaning(self.prog.split()[-1], word)
        options = [
            option
            for option, action in self._option_string_actions.items()
            if option.startswith("--") and action.help != argparse.SUPPRESS
        ]
        return f" (here: {here})" if here else did_you_mean(word, options)

    def error(self, message: str) -> NoReturn:
        """Raise conda's error for a command line that is wrong: one line, or its document with --json."""
        _refuse(f"{message}; see `{self.prog} --help`")

    def _check_help(self, action: argparse.Action) -> None:
        """Leave the help of a verb alone: Python 3.14 looks at it while the verb is added."""


class CoexParser(argparse.ArgumentParser):
    """The parser of `conda coex` itself: its errors are one line that suggests the closest verb."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.dest == "coex_verb" and value not in VERBS:
            _refuse(f"conda coex has no verb {value!r}{did_you_mean(str(value), VERBS)}; see `conda coex --help`")
        super()._check_value(action, value)

    def parse_known_args(  # type: ignore[override] # as above
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; words that are left over are an error."""
        arguments, left = super().parse_known_args(args, namespace)
        if left:
            hint = "options come after the verb; " if left[0].startswith("-") and arguments.coex_verb else ""
            _refuse(f"unrecognized arguments: {' '.join(left)}; {hint}see `conda coex --help`")
        return arguments, left


def add_verbs(parser: argparse.ArgumentParser, configure: Callable[[argparse.ArgumentParser, str], None]) -> None:
    """Add the verbs to the parser of `conda coex`; `configure` gives the parser of a verb its options."""
    parser.prog, parser.epilog = "conda coex", EXAMPLES  # under any name
    parser.add_argument(
        "-V", "--version", action="version", version=f"conda-coex {__version__}", help="Show the version and exit."
    )
    verbs = parser.add_subparsers(dest="coex_verb", metavar="VERB", title="verbs", parser_class=VerbParser)
    for name, summary in VERBS.items():
        verbs.add_parser(name, help=summary, verb=name, configure=configure)
    parser.__class__ = type("CoexParser", (CoexParser, type(parser)), {})  # conda has made it, of its own class


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question with the closest known word to a mistyped one, or an empty text."""
    from coex_bootstrap.tools.output import did_you_mean

    return did_you_mean(word, known)


def empty_argument(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> str | None:
    """Return the name of an argument that is there and empty, as a shell leaves it for a variable that is not set."""
    from coex_bootstrap.tools.output import empty_argument

    return empty_argument(parser, arguments)


def _refuse(text: str) -> NoReturn:
    from conda.exceptions import ArgumentError
    from conda.gateways.logging import initialize_logging

    from .signals import let_conda_say, open_closed_streams

    error = ArgumentError("%(text)s", text=text)  # conda applies % to the text of its errors
    open_closed_streams()
    let_conda_say(error)
    initialize_logging()  # which conda does after it has parsed, and prints its documents by
    raise error
