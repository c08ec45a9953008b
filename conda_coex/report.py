"""Say what was created, to a person or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from coex_bootstrap.report import human, quoted, table, write_text

from . import conda_api

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from coex_bootstrap.format import Manifest

    from .environment import Environment
    from .plan import Link

__all__ = ["human", "report", "table", "write_text"]


def report(
    output: Path,
    manifest: Manifest,
    environment: Environment,
    links: Sequence[tuple[str, Link]],
    notes: Sequence[str] = (),
) -> None:
    """Print the outcome on stdout and what deserves attention on stderr."""
    from conda.base.context import context

    warnings = [
        f"{dist}: {link.path.removeprefix('prefix/')} is a link to {link.target} and stays one; "
        "what it leads to on the host is not in the archive"
        for dist, link in links
    ]
    warnings += [*environment.notes, *notes]
    warnings += [f"{name} was not installed by conda and is left out" for name in environment.foreign]
    size = output.stat().st_size
    if context.json:
        conda_api.print_json(
            archive=str(output), digest=manifest.digest, size=size, platform=manifest.platform,
            packages=len(manifest.packages), entry_point=manifest.entry_points[0], warnings=warnings,
        )  # fmt: skip
        return
    notify(warnings)
    count = len(manifest.packages)
    unpacked = manifest.fields["unpacked"]["content"]
    say_made(
        output,
        f"{human(size)} for {manifest.platform}, {count} package{'s' * (count != 1)}, {human(unpacked)} unpacked",
        is_for_here=manifest.platform == context._native_subdir(),
    )


def say_made(output: Path, facts: str, *, is_for_here: bool) -> None:
    """Print the line on a new archive, and for a person how to start it."""
    from conda.base.context import context

    write_text(f"{output}: {facts}\n")
    if is_for_here and not context.quiet and sys.stdout and sys.stdout.isatty():
        path = str(output) if "/" in str(output) else f"./{output}"
        print(f"start it with {quoted(path)}", file=sys.stderr)


def notify(notes: Iterable[str]) -> None:
    """Print what deserves attention."""
    for note in notes:
        print(f"coex: note: {note}", file=sys.stderr)


def show_records(records: Sequence[Any], pip: Sequence[str] = ()) -> None:
    """Show what a dry run would have packed without a solve."""
    from conda.base.context import context

    if context.json:
        conda_api.print_json(dry_run=True, actions={"LINK": list(records), **({"PIP": list(pip)} if pip else {})})
        return
    lines = [*(record.dist_str() for record in records), *(f"pip: {line}" for line in pip)]
    write_text("".join(f"{line}\n" for line in lines))


def show_dry_run(message: str) -> None:
    """Say what a dry run came to where there are no packages to show."""
    from conda.base.context import context

    if context.json:
        conda_api.print_json(dry_run=True, message=message)
    else:
        notify([message])
