"""Find expressions that the style page refuses in the prose of the project: docstrings, comments, messages, pages."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Prose(NamedTuple):
    """A paragraph of a file; `line` is the first one."""

    line: int
    text: str


class Rule(NamedTuple):
    """An expression that is refused, with the one that the style asks for."""

    pattern: re.Pattern[str]
    instead: str


def _rule(pattern: str, instead: str) -> Rule:
    return Rule(re.compile(pattern), instead)


# Sentences begin after these. A question may use each of the words.
BEGIN = r"(?:^|(?<=[.:;!] ))"
RULES = (
    _rule(r"(?i)\bwhat\b", "name the thing: `the output of pip` instead of `what pip prints`"),
    _rule(
        r"(?i)(?:^|[.,;:(] |\b(?:of|to|by|from|for|with|as|and|or|but|than|says?|knows?|is|are) )who\b",
        "name the person: `the user who starts it` instead of `who starts it`",
    ),
    _rule(r"(?i)\b(?:who|whom|what|which)ever\b", "`any`, `each` or `the user who`: `under any umask`"),
    _rule(
        rf"{BEGIN}Where [^.?]+, |(?<=[;:,] )where (?:it|they|that|this|there|one|none) |\bwhere "
        r"(?:known|needed|possible|wanted|allowed)\b|\b(?:only|but|even|except|unless|also) where\b",
        "`if` or `when`: `where` is for places",
    ),
    _rule(r"(?i)(?<!\bthere )\b(?:is|are|was|were|be) no (?!longer\b|more\b)", "`is not a` instead of `is no`"),
    _rule(r"(?i)\bno more(?= ?[.,;:)]|$)", "`no longer`, or a number"),
    _rule(r"(?i)^(?:(?!\bneither\b).)*\bnor\b", "`and not`, or a sentence of its own; `nor` only after `neither`"),
    _rule(rf"{BEGIN}Of (?!course\b)", "the usual order of words: `some Pythons lack a part` instead of `Of some …`"),
    _rule(
        r"(?i)\b(?:anew|mends?|mended|hence|thus|thereby|lest|whence|upon|till|thereof|wherein)\b",
        "`again`, `repair`, `so`, `if`, `when`, `on`, `until`",
    ),
    _rule(
        r"(?i)\b(?:is|are|was|were|be) told (?:by|from|apart)\b|\btells? (?:an? )?\w+ from \w",
        "`recognised by`, `distinguishes`",
    ),
    _rule(r"(?i)\b(?:but|save) for\b", "`except`, `without`"),
    _rule(r"(?i)\bas [^.,;:()]{1,30} ha(?:s|ve) (?:it|them)\b", "`as in conda` instead of `as conda has it`"),
    _rule(r"(?i)\bnothing of\b", "`none of its files`, `nothing`"),
)

DIRECTIVE = re.compile(r"#\s*(?:type:|noqa|fmt:|pragma|mypy:|ruff:|!)")
FENCE = re.compile(r"^(?P<mark>`{3,}|~{3,}).*?^(?P=mark)[^\n]*$|<!--.*?-->", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).+?\1")
PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|#>]|\d+\.) )")
SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z`\"(])")
WORDS = re.compile(r"[A-Za-z]{2,},? [a-z]+,? [a-z]+")


def wrong(prose: Prose) -> Iterator[str]:
    """Yield a message for each expression of a paragraph that a rule refuses; questions and code are not looked at."""
    for sentence in SENTENCE.split(" ".join(CODE.sub("`x`", prose.text).split())):
        for rule in RULES:
            found = None if sentence.endswith("?") else rule.pattern.search(sentence)
            if found:
                yield f"{prose.line}: {sentence!r} has {found.group().strip()[-40:]!r}: write {rule.instead}"


def read(path: Path, *, texts: bool) -> Iterator[Prose]:
    """Yield the paragraphs of a page, of a shell script's comments, or of a Python file; `texts`: its messages too."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from _page(source)
    elif path.suffix == ".sh":
        yield from _comments((number, 0, line.strip()) for number, line in enumerate(source.splitlines(), 1))
    else:
        yield from _python(source, texts=texts)


def _page(source: str) -> Iterator[Prose]:
    """Yield the paragraphs, rows of tables and items of lists of a page."""
    source = FENCE.sub(lambda found: "\n" * found.group().count("\n"), source)
    start = 0
    for end in [*(found.start() for found in PARAGRAPH.finditer(source)), len(source)]:
        line = source.count("\n", 0, start) + 1
        yield from (Prose(line, cell.strip(" \n-*#>")) for cell in source[start:end].split("|"))
        start = end


def _python(source: str, *, texts: bool) -> Iterator[Prose]:
    """Yield docstrings, comments, names of tests, and the texts that look like sentences, of a Python file."""
    tree = ast.parse(source)
    seen: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                seen.add(id(node.body[0].value))  # type: ignore[attr-defined]
                yield from (Prose(getattr(node, "lineno", 1), part) for part in re.split(r"\n\s*\n", text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Prose(node.lineno, node.name.removeprefix("test_").replace("_", " "))
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "x" for part in node.values]
            seen |= {id(part) for part in node.values}
            yield from _text(node.lineno, "".join(map(str, parts)) if texts else "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
            yield from _text(node.lineno, node.value if texts else "")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (each for each in tokens if each.type == tokenize.COMMENT)
    yield from _comments((each.start[0], each.start[1], each.string) for each in comments)


def _text(line: int, text: str) -> Iterator[Prose]:
    """Yield the paragraphs of a text that looks like a sentence."""
    if WORDS.search(text):
        yield from (Prose(line, part) for part in re.split(r"\n\s*\n", text))


def _comments(lines: Iterator[tuple[int, int, str]]) -> Iterator[Prose]:
    """Yield comments from (line, column, text); lines that follow each other in one column are one comment."""
    last, parts = (0, 0), list[str]()
    for line, column, text in lines:
        if not text.startswith("#") or DIRECTIVE.match(text):
            continue
        if parts and last != (line - 1, column):
            yield Prose(last[0], " ".join(parts))
            parts = []
        parts.append(text.lstrip("# "))
        last = line, column
    if parts:
        yield Prose(last[0], " ".join(parts))
