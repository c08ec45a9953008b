"""The description of a verb of an archive, for the command lines that offer it."""

from collections import namedtuple

# `summary` is a sentence and `about` a manual, in which CALL stands for what the user types; `configure` adds
# options to an argparse parser; `execute` takes the path of the archive, the parsed options, and the
# environment as bytes, and returns an Outcome.
Verb = namedtuple("Verb", "name summary about configure execute")
