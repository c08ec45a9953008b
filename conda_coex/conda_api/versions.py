"""Hide the differences between conda 24.7 and 26.x; those of reading environment files are in `specs`."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING

from coex_bootstrap.tools.output import write_lines, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from ..inputs.conda_record import CondaRecord


def version() -> str:
    """Return the version of the conda that builds."""
    from conda import __version__

    return str(__version__)


def prefix_record(fields: Mapping[str, object]) -> CondaRecord:
    """Return conda's object for the JSON of an installed package; raises ValueError for fields that conda refuses."""
    from conda.auxlib.entity import ValidationError
    from conda.models.records import PrefixRecord

    try:
        known = {key: value for key, value in fields.items() if value is not None}
        record: CondaRecord = PrefixRecord(**{"build_number": 0} | known)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    return record


def requested_specs(prefix: str, names: Container[str]) -> list[str]:
    """Return the specs that users requested, by the history, for packages with these names.

    conda's `get_requested_specs_map` would read all records again, and fail if other files are beside them.
    """
    from conda import CondaError
    from conda.history import History
    from conda.models.match_spec import MatchSpec

    specs: dict[str, str] = {}
    for request in History(prefix).get_user_requests():
        for action in ("remove_specs", "update_specs", "neutered_specs"):
            for text in request.get(action, ()):
                with contextlib.suppress(CondaError):
                    spec = MatchSpec(text)
                    specs.pop(spec.name, None)
                    if action != "remove_specs":
                        specs[spec.name] = str(spec)
    return [spec for name, spec in specs.items() if name in names]


def link_order(records: Iterable[CondaRecord]) -> tuple[CondaRecord, ...]:
    """Return records in the order of conda's graph, dependencies first; the graph fails on menuinst without python."""
    from conda.models.prefix_graph import PrefixGraph

    records = tuple(records)
    last: list[CondaRecord] = []
    if not any(record.name == "python" for record in records):
        last = [record for record in records if record.name == "menuinst"]
    return (*PrefixGraph(tuple(record for record in records if record not in last)).graph, *last)


def requested(spec: str | None) -> dict[str, object]:
    """Return the fields of a record for the requested spec of its package; conda 26.3 added a list of specs."""
    from conda.models.records import PrefixRecord

    if hasattr(PrefixRecord, "requested_specs"):
        return {"requested_spec": spec, "requested_specs": (spec,) if spec else ()}
    return {"requested_spec": str(spec)}  # "None" for a dependency, as conda's `CreatePrefixRecordAction` writes


def print_json(**fields: object) -> None:
    """Print a JSON document as conda does, with `success` true unless given; raises OSError, unlike conda's logging."""
    from conda.cli.common import stdout_json_success

    with contextlib.redirect_stdout(io.StringIO()) as document:
        stdout_json_success(**fields)
    write_text(document.getvalue())


def repodata_names() -> tuple[str, ...]:
    """Return the file names of a channel's repodata, in the order in which conda tries them."""
    from conda.base.context import context

    names = () if context.use_only_tar_bz2 else context.repodata_fns
    return tuple(dict.fromkeys([*names, "repodata.json"]))


def unread_channels(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the channels whose repodata conda does not have in its cache, if it is offline and cannot fetch them."""
    from conda.base.context import context
    from conda.core.subdir_data import SubdirData
    from conda.models.channel import Channel

    def known(url: str) -> bool:
        names = repodata_names()
        return any(SubdirData(Channel(url), repodata_fn=name).cache_path_json.is_file() for name in names)

    if not context.offline:
        return ()
    unread = []
    for channel in map(Channel, channels):
        urls = channel.urls(with_credentials=True, subdirs=(context.subdir, "noarch"))
        if not all(url.startswith("file:") or known(url) for url in urls):
            unread.append(str(channel.base_url or channel.canonical_name))
    return tuple(unread)


def show_and_confirm(lines: Callable[[], Iterable[str]]) -> None:
    """Show the planned changes, and ask whether to proceed, as conda does; with --json proceed.

    Raises conda's CondaSystemExit if the answer is no.
    """
    from conda.base.context import context

    if context.json:
        return
    if not (context.quiet and context.always_yes):  # a question needs the changes that it is about
        write_lines(lines())
    confirm_yn()


def confirm_yn() -> None:
    """Ask whether to proceed; raises conda's DryRunExit or CondaSystemExit."""
    try:
        from conda.reporters import confirm_yn as confirm
    except ImportError:
        from conda.cli.common import confirm_yn as confirm
    confirm()


@contextlib.contextmanager
def working(description: str) -> Iterator[None]:
    """Print `description: ...working... done` around a block, as conda does, unless conda is quiet."""
    from conda.base.context import context

    shown = not (context.quiet or context.json)
    if shown:
        print(f"{description}: ...working... ", end="", flush=True)
    yield
    if shown:
        print("done")


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes the fraction done, 0 to 1, for a progress bar that conda draws on a terminal."""
    from conda.base.context import context

    shown = bool(sys.stdout) and sys.stdout.isatty() and not (context.json or context.quiet)
    with contextlib.ExitStack() as stack:
        try:
            from conda.reporters import get_progress_bar, get_progress_bar_context_manager
        except ImportError:
            from conda.common.io import ProgressBar

            bar = ProgressBar(f"{description} ", enabled=shown, json=context.json)
        else:
            holder = stack.enter_context(get_progress_bar_context_manager())
            bar = get_progress_bar(f"{description} ", context_manager=holder, enabled=shown)
        stack.callback(bar.close)
        yield bar.update_to
