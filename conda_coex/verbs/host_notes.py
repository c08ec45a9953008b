"""Make notes on needs of an archive that not every host meets."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from coex_bootstrap.store.refused import alike, folded

from ..root.activation import SCRIPTS
from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..root.layout import Layout
    from ..root.link_rules import PackagePlan

# The beginning of a command in a line of sh: the start of the line, an operator or keyword before it, or a command that
# runs another one.
COMMAND = r"""(?:^|[;&|({!`]|\b(?:then|do|else|if|elif|while|until|exec|time|sudo|command|nohup|xargs|env|eval)\s)\s*
    (?:\w+=\S*\s+)*["']?(?:[^\s"'=;&|()]*/)?"""
FETCHES = re.compile(
    COMMAND
    + r"""(?P<name>curl|wget|aria2c|axel|lftp|ftp|rsync|scp|sftp|gdown|gsutil|installBiocDataPackage\.sh
    |git(?:\s+-\S+(?:\s+\S+)?)*?\s+(?:clone|fetch|pull|submodule)
    |svn\s+(?:co|checkout|export|update)|hg\s+(?:clone|pull)|aws\s+s3|docker\s+pull
    |(?:python[\d.]*["']?\s+(?:-\w+\s+)*-m\s+)?pip[\d.]*["']?\s+(?:install|download)
    |(?:conda|mamba|micromamba)["']?\s+(?:install|create|update|env)
    |(?:apt|apt-get|yum|dnf|brew|gem|cargo|luarocks|opam|tlmgr)["']?\s+(?:-\S+\s+)*install
    |npm\s+(?:install|i|ci)|npx|yarn|go\s+(?:get|install)|cpanm?|playwright\s+install|rfbrowser\s+init)(?![\w.-])""",
    re.VERBOSE | re.MULTILINE,
)
# Functions of R, Python and Julia, anywhere in the line.
CALLS = re.compile(
    r"install\.packages\(|BiocManager::install\(|biocLite\(|download\.file\(|install_tinytex\("
    r"|(?:remotes|devtools|pak)::\w*install\w*\(|urlretrieve\(|urlopen\(|requests\.get\(|nltk\.download\("
    r"|Pkg\.(?:add|instantiate|build|update)\("
)
SPEAKS = re.compile(r"^[ \t]*(?:echo|printf)[ \t](?:[^\n\"'$|`]|\"(?:[^\"\\]|\\.)*\"|'[^']*'|\$(?!\())*", re.MULTILINE)
MESSAGE = re.compile(r"^[^\n#]*\bcat\b[^\n]*<<-?\s*[\"']?(\w+)[\"']?.*?^\s*\1\s*$", re.MULTILINE | re.DOTALL)
# Commands that end the shell which sources a script; `exec` without a command only moves descriptors.
ENDS = re.compile(
    COMMAND + r"""(?P<name>exit(?![\w.-])|exec\s+(?![\d<>&{\s#])|trap\s[^\n;]*\b(?:EXIT|0)\b
    |set\s+(?:-\w*n\w*|-o\s+noexec)(?![\w-]))""",
    re.VERBOSE | re.MULTILINE,
)
NAMED = 3  # pairs of paths
TERMINALS = "prefix/share/terminfo/"


def same_names(layout: Layout, platform: str) -> Iterator[str]:
    """Yield a note on paths that differ only in case: a file system of macOS or Windows may treat them as one.

    Every ncurses for Linux has such paths among its terminals, and so every Python: on Linux they are not worth a note.
    """
    directories, entries = _suspects(layout)
    pairs = [
        (os.fsdecode(first), os.fsdecode(second))
        for first, second in alike(map(os.fsencode, entries), map(os.fsencode, directories))
    ]
    others = "many of macOS"
    if platform.startswith("linux-"):
        others = "shares of Windows"
        pairs = [pair for pair in pairs if not pair[0].startswith(TERMINALS)]
    if pairs:
        named = ", ".join(f"{first} and {second}" for first, second in pairs[:NAMED])
        more = f", and {len(pairs) - NAMED} more pairs" if len(pairs) > NAMED else ""
        yield (
            f"unpacks only on a file system with upper and lower case, which {others} do not have, because of "
            f"{named}{more}"
        )


def _suspects(layout: Layout) -> tuple[list[str], list[str]]:
    """Return the directories and the entries that may be one of a pair: `alike` takes its time for each path."""
    paths = [*layout.directories, *layout.entries]
    joined = "\0".join(paths)
    if joined.isascii():
        keys = joined.lower().split("\0")
    else:
        keys = [path.lower() if path.isascii() else folded(os.fsencode(path)) for path in paths]
    once: set[str] = set()
    several = {key for key in keys if key in once or once.add(key)}  # type: ignore[func-returns-value]
    suspects = [path for path, key in zip(paths, keys, strict=True) if key in several] if several else []
    directories = [path for path in suspects if path in layout.directories]
    return directories, [path for path in suspects if path in layout.entries]


def fetching_scripts(plans: Iterable[PackagePlan]) -> Iterator[str]:
    """Yield a note on each post-link script that needs the network: a host may have none at the first start."""
    for plan in plans:
        path = f"prefix/bin/.{plan.package.name}-post-link.sh"
        for item in plan.files:
            data = item.read() if item.path == path and isinstance(item, Content) else None
            if data is not None and (commands := fetches(data.decode("utf-8", "replace"))):
                yield (
                    f"the post-link script of {plan.package.name} runs {', '.join(commands)} on the host, at the "
                    "first start, which so needs the network; `conda coex pack` of an environment with it does not"
                )


def ending_scripts(layout: Layout) -> Iterator[str]:
    """Yield a note on each activation script that may end a start before its entry point runs, some without a word."""
    for path, item in layout.files_in(SCRIPTS):
        name = posixpath.basename(path)
        is_script = name.endswith(".sh") and not name.startswith(".")
        data = item.read() if is_script else None
        if data is not None and (commands := ends(data.decode("utf-8", "replace"))):
            yield (
                f"the activation script {name} has {', '.join(f'`{command}`' for command in commands)}: if a start "
                "reaches it, the start ends before the entry point runs, as `conda activate` would end a shell"
            )


def ends(script: str) -> list[str]:
    """Return the commands of a script that end the shell which sources it, as far as its text shows."""
    text = re.sub(r"(?:^|(?<=\s))#.*$", "", MESSAGE.sub("", script.replace("\\\n", " ")), flags=re.MULTILINE)
    text = SPEAKS.sub("", text)
    return list(dict.fromkeys(" ".join(each["name"].split()) for each in ENDS.finditer(text)))


def fetches(script: str) -> list[str]:
    """Return the commands and functions of a script of sh that download something."""
    commands: dict[str, None] = {}
    text = re.sub(r"^\s*#.*$", "", script.replace("\\\n", " "), flags=re.MULTILINE)
    text = SPEAKS.sub(lambda said: said[0] if "$(" in said[0] else "", MESSAGE.sub("", text))
    for each in FETCHES.finditer(re.sub(r"\s#.*", "", text)):
        commands[" ".join(re.sub("[\"']", "", each["name"]).split())] = None
    commands.update({each[0].rstrip("("): None for each in CALLS.finditer(text)})
    return list(commands)
