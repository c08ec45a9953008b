"""Print the outcome of a verb: for a person, lines on stdout and notes on stderr; for a program, one JSON document."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.base.compat import visible
from coex_bootstrap.base.urls import without_credentials
from coex_bootstrap.tools.output import counted, human, quoted, write_lines

from ..conda_api import versions
from ..inputs.environment import DryRun
from ..verbs.outcome import Created, ImageMade, Repacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..verbs.outcome import Outcome


@dataclass(frozen=True)
class Shown:
    """An outcome in words: the fields of its document; notes, lines and a hint for a person."""

    fields: Mapping[str, object]
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    last: str | None = None  # of the lines on stderr
    status: int = 0
    dry_run: bool = False


def show(outcome: Outcome, *, as_json: bool) -> int:
    """Print an outcome and return the status of the process; raises conda's DryRunExit after a dry run of a build."""
    shown = _in_words(outcome)
    if as_json:
        fields = {name: _public(value) for name, value in shown.fields.items()}
        versions.print_json(**fields, **({"success": False} if shown.status else {}))
    else:
        notify(shown.notes)
        write_lines([without_credentials(line) for line in shown.lines])
        if shown.last:
            print(shown.last, file=sys.stderr)
    if shown.dry_run:
        from conda.exceptions import DryRunExit

        raise DryRunExit
    return shown.status


def notify(notes: Iterable[str]) -> None:
    """Print the notes."""
    for note in notes:
        print(_note(note), file=sys.stderr)


def _note(text: str) -> str:
    return f"coex: note: {visible(without_credentials(text))}"


def _public(value: object) -> object:
    """Return a value of a JSON document without the credentials of URLs in it."""
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, dict):
        return {name: _public(each) for name, each in value.items()}
    return [_public(each) for each in value] if isinstance(value, list | tuple) else value


def _in_words(outcome: Outcome) -> Shown:
    match outcome:
        case Created():
            return _created(outcome)
        case Repacked():
            return _repacked(outcome)
        case ImageMade():
            return _image(outcome)
        case DryRun():
            return _planned(outcome)
        case _:
            return Shown(outcome.fields, list(outcome.lines), status=outcome.status)


def _created(made: Created) -> Shown:
    fields = {
        "archive": str(made.archive), "digest": made.digest, "size": made.size, "platform": made.platform,
        "packages": made.packages, "pip_packages": made.pip_packages, "entry_point": made.entry_point,
        "python": made.python, "warnings": list(made.notes),
    }  # fmt: skip
    packages = counted(made.packages, "package")
    if made.pip_packages:
        packages += f", {counted(made.pip_packages, 'pip package')}"
    facts = f"{human(made.size)} for {made.platform}, {packages}, {human(made.unpacked)} unpacked"
    facts += _carries(made.python)
    return Shown(fields, [f"{made.archive}: {facts}"], made.notes, _how_to_start(made.archive, made.platform))


def _repacked(made: Repacked) -> Shown:
    fields: dict[str, object] = {"archive": str(made.archive), "entry_points": list(made.entry_points)}
    fields |= {"app_files": made.app_files, "python": made.python, "warnings": list(made.notes)}
    facts = f"{counted(made.app_files, 'app file')}, entry points: {', '.join(made.entry_points)}"
    facts += _carries(made.python)
    if made.size is None:
        last = _note("nothing was written: this was a dry run")
        return Shown({**fields, "dry_run": True}, [f"{made.archive}: {facts}"], made.notes, last, dry_run=True)
    fields |= {"digest": made.digest, "size": made.size}
    lines = [f"{made.archive}: {human(made.size)}, {facts}"]
    return Shown(fields, lines, made.notes, _how_to_start(made.archive, made.platform))


def _carries(python: str | None) -> str:
    return f", carries Python {python}" if python else ""


def _image(made: ImageMade) -> Shown:
    layers = [{"content": content, "size": size, "digest": digest} for content, size, digest in made.layers]
    fields = {
        "image": str(made.output), "name": made.name, "platform": made.platform, "digest": made.digest,
        "size": made.size, "layers": layers, "warnings": list(made.notes),
    }  # fmt: skip
    lines = [f"{made.output}: {made.name}, {human(made.size)} for {made.platform}"]
    lines += [f"  {content:<11}  {human(size):>9}  {digest}" for content, size, digest in made.layers]
    return Shown(fields, lines, made.notes)


def _planned(planned: DryRun) -> Shown:
    if planned.message is not None:
        return Shown({"dry_run": True, "message": planned.message}, notes=[planned.message], dry_run=True)
    return Shown({"dry_run": True, "actions": planned.actions}, planned.lines, dry_run=True)


def _how_to_start(archive: Path, platform: str) -> str | None:
    """Return a hint for a person at a terminal, on a machine that the archive is for."""
    from conda.base.context import context

    if platform != context._native_subdir() or context.quiet or not (sys.stdout and sys.stdout.isatty()):
        return None
    path = str(archive) if "/" in str(archive) else f"./{archive}"
    return f"start it with {quoted(path)}"
