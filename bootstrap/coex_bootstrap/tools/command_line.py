"""The command line of an archive's verbs: `COEX_TOOLS=1 FILE VERB`; it needs only a Python of the host.

Loaded only when COEX_TOOLS is set. Each verb is a module beside this one, whose VERB both this command line and
`conda coex` offer. The status is 0 if all is well, 1 if something failed or is damaged,
2 if the command line is wrong.
"""

import argparse
import signal
import sys
import textwrap
from collections import OrderedDict

from ..base import compat
from ..base.errors import CoexError, Misuse, unforeseen
from ..base.process import Interrupted, Process
from . import cache, dockerfile, env, files, info, kernelspec, lock, repair, sbom, unpack, verify
from .output import did_you_mean, empty_argument, quoted, show, show_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

    from .verb import Verb

VARIABLE = b"COEX_TOOLS"
FAILED, MISUSED = 1, 2
TOOLS = (
    info, files, verify, repair, unpack, env, lock, sbom, dockerfile, kernelspec, cache,
)
VERBS = OrderedDict((tool.VERB.name, tool.VERB) for tool in TOOLS)  # type: OrderedDict[str, Verb]
BUILDERS = ("create", "pack", "repack", "inspect", "image")  # the verbs that only `conda coex` has
ABOUT = """\
Ask something of this archive instead of starting it. A Python of the host is all that is needed.
`%s VERB -h` describes a verb.
"""
STATUS_ABOUT = """\
exit status:
  0 all is well; 1 something failed, or was found to be damaged; 2 the command
  line was wrong

environment variables:
  COEX_ROOT    the store that has the archive's root, or is to have it; default:
               the user's caches
  COEX_PYTHON  the Python that answers, if the archive itself is asked
"""
WIDTH = 79  # columns of the help of a verb
JSON_ABOUT = "print one JSON document, with `success`, and with `error` if that is false"


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors, and does not end this process."""

    def error(self, message):  # type: ignore[override]
        # type: (str) -> None
        """Raise Misuse with a message of argparse."""
        raise Misuse(message.replace("\n", " "), remedy="see %s -h" % self.prog)


def main(path, arguments):
    # type: (bytes, List[bytes]) -> int
    """Run the verb that the first argument names on the archive at `path`; return the status."""
    process = Process()
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader of a listing may stop early
    environ = compat.environ_bytes()
    environ.pop(VARIABLE, None)
    try:
        try:
            return _run_any(path, arguments, environ)
        finally:
            if compat.UNPACKED_TO:
                from ..store.unpacked_python import UnpackedPython

                UnpackedPython().end()
    except CoexError as error:
        if b"--json" in arguments:
            show_json({"success": False, "error": str(error)})
        else:
            sys.stderr.write("coex: %s\n" % error)
        return MISUSED if isinstance(error, Misuse) else FAILED
    except Interrupted as interrupted:
        process.end(interrupted)
    return FAILED


def _run_any(path, arguments, environ):
    # type: (bytes, List[bytes], Dict[bytes, bytes]) -> int
    """Run the verb; raises CoexError also for an unexpected exception."""
    try:
        return _run(path, arguments, environ)
    except (CoexError, Interrupted, ImportError):  # the last one comes from a Python without a whole library
        raise
    except Exception as error:
        raise unforeseen(error, path)


def _run(path, arguments, environ):
    # type: (bytes, List[bytes], Dict[bytes, bytes]) -> int
    call = "COEX_TOOLS=1 " + quoted(compat.one_line(path if b"/" in path else b"./" + path))
    if not [word for word in arguments if word != b"--json"]:
        raise Misuse("say which verb: " + ", ".join(VERBS), remedy="see %s -h" % call)
    if arguments[0] == b"--json":  # conda takes it before the verb, too
        arguments = arguments[1:] + arguments[:1]
    first = compat.one_line(arguments[0])
    if first.startswith("-") and first not in ("-h", "--help"):
        raise Misuse("unrecognized arguments: " + quoted(first), remedy="see %s -h" % call)
    if first in BUILDERS:
        raise Misuse("%s is a verb of conda, and not of an archive" % first, remedy="run conda coex %s" % first)
    if not first.startswith("-") and first not in VERBS:
        what = "there is no verb %s%s" % (quoted(first), did_you_mean(first, VERBS))
        raise Misuse("%s: %s" % (what, ", ".join(VERBS)), remedy="see %s -h" % call)
    parser = make_parser(call)
    options, unknown = parser.parse_known_args([compat.native(word) for word in arguments])
    if unknown:
        words = " ".join(quoted(compat.one_line(compat.path_bytes(word))) for word in unknown)
        guess = did_you_mean(unknown[0].partition("=")[0], long_options(parser, options.verb))
        raise Misuse("unrecognized arguments: %s%s" % (words, guess), remedy="see %s %s -h" % (call, options.verb))
    empty = empty_argument(parser_of(parser, options.verb), options)
    if empty is not None:
        raise Misuse(empty + " is empty", remedy="see %s %s -h" % (call, options.verb))
    return show(VERBS[options.verb].execute(path, options, environ), options.json)


def make_parser(call):
    # type: (str) -> Parser
    """Return the parser of all verbs; `call` is the command that asks the archive."""
    parser = Parser(
        prog=call, description=ABOUT % call, epilog=STATUS_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb in VERBS.values():
        below = verbs.add_parser(verb.name, help=verb.summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        configure(below, verb, "%s %s" % (call, verb.name))
    return parser


def long_options(parser, verb):
    # type: (Parser, str) -> List[str]
    """Return the options of a verb, without those of one letter."""
    return [option for option in parser_of(parser, verb)._option_string_actions if option.startswith("--")]


def parser_of(parser, verb):
    # type: (Parser, str) -> argparse.ArgumentParser
    """Return the parser of one verb, of that of all verbs."""
    verbs = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )  # type: argparse._SubParsersAction[argparse.ArgumentParser]
    return verbs._name_parser_map[verb]


def fold(paragraph):
    # type: (str) -> str
    """Return a paragraph in lines that every terminal has room for; one with lines of its own stays as it is."""
    return paragraph if "\n  " in paragraph else textwrap.fill(paragraph, WIDTH, break_on_hyphens=False)


def configure(parser, verb, call):
    # type: (argparse.ArgumentParser, Verb, str) -> None
    """Give the parser of one verb its options and its help; `call` is the command line before the options."""
    paragraphs = [fold(paragraph) for paragraph in (verb.summary + "\n\n" + verb.about).split("\n\n")]
    parser.description = "\n\n".join(paragraphs).replace("CALL", call)
    parser.epilog = STATUS_ABOUT
    verb.configure(parser)
    parser.add_argument("--json", action="store_true", help=JSON_ABOUT)
