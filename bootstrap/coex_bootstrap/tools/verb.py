"""The description of a verb of an archive, for the command lines that offer it."""

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Callable, Dict, NamedTuple

    from .output import Outcome

    Configure = Callable[[ArgumentParser], None]
    Execute = Callable[[bytes, Namespace, Dict[bytes, bytes]], Outcome]

# `summary` is a sentence and `about` a manual, in which CALL stands for the user's command line; `configure` adds
# options to an argparse parser; `execute` takes the path of the archive, the parsed options, and the
# environment as bytes, and returns an Outcome.
if TYPE_CHECKING:
    Verb = NamedTuple("Verb", [
        ("name", str), ("summary", str), ("about", str), ("configure", Configure), ("execute", Execute),
    ])
else:
    Verb = namedtuple("Verb", "name summary about configure execute")
