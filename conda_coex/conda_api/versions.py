"""Differences between the versions of conda, 24.7 to 26.x, and nothing else; `specifiers` has those of its files."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any

from coex_bootstrap.tools.output import write_lines, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator


def version() -> str:
    """Return the version of the conda that builds."""
    from conda import __version__

    return str(__version__)


def prefix_data(prefix: str, *, pip: bool) -> Any:
    """Return conda's view of an environment, with what pip installed or without; the keyword's name changed in 25.5."""
    from inspect import signature

    from conda.core.prefix_data import PrefixData

    names = signature(PrefixData.__init__).parameters
    keyword = "interoperability" if "interoperability" in names else "pip_interop_enabled"
    return PrefixData(prefix, **{keyword: pip})


def prefix_record(fields: dict[str, Any]) -> Any:
    """Return the record of an installed package; raises ValueError for fields that conda does not take."""
    from conda.auxlib.entity import ValidationError
    from conda.models.records import PrefixRecord

    try:
        return PrefixRecord(**{"build_number": 0} | {key: value for key, value in fields.items() if value is not None})
    except ValidationError as error:
        raise ValueError(str(error)) from error


def requested_specs(prefix: str, names: Container[str]) -> list[str]:
    """Return the specs that the history says were asked for, of packages of these names.

    conda's `get_requested_specs_map` reads all records again, and fails on odd files beside them.
    """
    from conda import CondaError
    from conda.history import History
    from conda.models.match_spec import MatchSpec

    found: dict[str, str] = {}
    for request in History(prefix).get_user_requests():
        for action in ("remove_specs", "update_specs", "neutered_specs"):
            for text in request.get(action, ()):
                with contextlib.suppress(CondaError):
                    spec = MatchSpec(text)
                    found.pop(spec.name, None)
                    if action != "remove_specs":
                        found[spec.name] = str(spec)
    return [spec for name, spec in found.items() if name in names]


def link_order(records: Iterable[Any]) -> tuple[Any, ...]:
    """Return records, dependencies first, by conda's own graph, which fails on menuinst without python."""
    from conda.models.prefix_graph import PrefixGraph

    records = tuple(records)
    apart: list[Any] = []
    if not any(record.name == "python" for record in records):
        apart = [record for record in records if record.name == "menuinst"]
    return (*PrefixGraph(tuple(record for record in records if record not in apart)).graph, *apart)


def requested(spec: str | None) -> dict[str, Any]:
    """Return the fields of a record that say which spec asked for the package; 26.3 has them as a list, too."""
    from conda.models.records import PrefixRecord

    if hasattr(PrefixRecord, "requested_specs"):
        return {"requested_spec": spec, "requested_specs": (spec,) if spec else ()}
    return {"requested_spec": str(spec)}  # of a dependency "None", by its `CreatePrefixRecordAction`


def print_json(**fields: Any) -> None:
    """Print a document as conda does, of a success unless `success` is False.

    Raises if it cannot be written, which conda's own logging does not.
    """
    from conda.cli.common import stdout_json_success

    with contextlib.redirect_stdout(io.StringIO()) as document:
        stdout_json_success(**fields)
    write_text(document.getvalue())


def repodata_names() -> tuple[str, ...]:
    """Return the names of the files with a channel's packages that conda would try, in order."""
    from conda.base.context import context

    names = () if context.use_only_tar_bz2 else context.repodata_fns
    return tuple(dict.fromkeys([*names, "repodata.json"]))


def unread_channels(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the channels whose packages conda neither knows nor may ask for, being offline."""
    from conda.base.context import context
    from conda.core.subdir_data import SubdirData
    from conda.models.channel import Channel

    def known(url: str) -> bool:
        names = repodata_names()
        return any(SubdirData(Channel(url), repodata_fn=name).cache_path_json.is_file() for name in names)

    if not context.offline:
        return ()
    found = []
    for channel in map(Channel, channels):
        urls = channel.urls(with_credentials=True, subdirs=(context.subdir, "noarch"))
        if not all(url.startswith("file:") or known(url) for url in urls):
            found.append(str(channel.base_url or channel.canonical_name))
    return tuple(found)


def ask(lines: Callable[[], Iterable[str]]) -> None:
    """Show what is about to happen, and ask to proceed, as conda does; raises conda's CondaSystemExit for a no.

    A program that reads JSON is not asked.
    """
    from conda.base.context import context

    if context.json:
        return
    if not (context.quiet and context.always_yes):  # a question needs its subject
        write_lines(lines())
    confirm_yn()


def confirm_yn() -> None:
    """Ask to proceed; raises conda's DryRunExit or CondaSystemExit."""
    try:
        from conda.reporters import confirm_yn as confirm
    except ImportError:
        from conda.cli.common import confirm_yn as confirm
    confirm()


@contextlib.contextmanager
def working(description: str) -> Iterator[None]:
    """Say what goes on, as conda does, where it would."""
    from conda.base.context import context

    shown = not (context.quiet or context.json)
    if shown:
        print(f"{description}: ...working... ", end="", flush=True)
    yield
    if shown:
        print("done")


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes the fraction done, 0 to 1; drawn by conda, where conda would draw."""
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
