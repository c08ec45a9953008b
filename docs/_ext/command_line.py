"""Directive `command-line`: the reference of every verb, read from the parsers that conda itself uses."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING

from conda.cli.conda_argparse import ArgumentParser
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from conda_coex.plugin import configure_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

WIDTH = 76  # of a usage, for the width of a page


class CommandLine(SphinxDirective):
    """Returns one section for each verb."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, in the order of the verbs."""
        return [section_of(name, parser) for name, parser in verbs()]


def verbs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the verbs of `conda coex` with their parsers, in the order of its help."""
    os.environ["COLUMNS"] = str(WIDTH)
    top = ArgumentParser(prog="conda coex")
    configure_parser(top)
    (action,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    yield from action.choices.items()


def section_of(name: str, parser: argparse.ArgumentParser) -> nodes.section:
    """Return the reference of one verb: usage, description, options, and the parts of its epilog."""
    section = nodes.section(ids=[name], names=[name])
    section += nodes.title("", "", nodes.literal("", name))
    section += nodes.literal_block("", usage_of(parser), language="text")
    section += paragraphs(parser.description or "")
    for group in parser._action_groups:
        section += options_of(group)
    section += epilog_of(parser.epilog or "")
    return section


def usage_of(parser: argparse.ArgumentParser) -> str:
    """Return the usage of a parser without its indentation."""
    indent = " " * len("usage: ")
    return "\n".join(line.removeprefix("usage: ").removeprefix(indent) for line in parser.format_usage().splitlines())


def paragraphs(text: str) -> list[nodes.Node]:
    """Return the paragraphs of a text; options, and words between backquotes, are literals."""
    return [nodes.paragraph("", "", *words_of(" ".join(part.split()))) for part in re.split(r"\n\s*\n", text.strip())]


def words_of(text: str) -> list[nodes.Node]:
    """Return the text with literals for options and for words between backquotes."""
    parts = re.split(r"`([^`]+)`|(?<![\w-])(--?[a-z][a-z-]*)", text)
    return [nodes.literal("", part) if number % 3 else nodes.Text(part) for number, part in enumerate(parts) if part]


def options_of(group: argparse._ArgumentGroup) -> list[nodes.Node]:
    """Return a heading and a definition list for the options of a group; nothing if none is shown."""
    shown = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
    if not shown:
        return []
    entries = nodes.definition_list()
    for action in shown:
        term = nodes.term("", "", nodes.literal("", spelling(action)))
        entries += nodes.definition_list_item("", term, nodes.definition("", *paragraphs(action.help or "")))
    return [nodes.rubric("", str(group.title).capitalize()), entries]


def spelling(action: argparse.Action) -> str:
    """Return how an option is written, as the help shows it."""
    formatter = argparse.HelpFormatter("")
    return formatter._format_action_invocation(action)


def epilog_of(epilog: str) -> list[nodes.Node]:
    """Return each `title:` of an epilog, with the indented lines below it as they are."""
    found: list[nodes.Node] = []
    for title, body in re.findall(r"^(\S[^\n]*):\n((?:(?:[ ]{2}[^\n]*)?\n?)+)", epilog, re.MULTILINE):
        language = "sh" if title == "examples" else "text"
        text = "\n".join(line[2:] for line in body.strip("\n").splitlines())
        found += [nodes.rubric("", title.capitalize()), nodes.literal_block("", text, language=language)]
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive to Sphinx."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
