"""Every difference between the versions of conda, 24.7 to 26.x, and nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .environment_file import check_shape
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class EnvironmentFile:
    """What an environment file asks for."""

    name: str | None
    channels: tuple[str, ...]
    specs: tuple[str, ...]
    pip: tuple[str, ...]
    variables: dict[str, str]


def read_environment_file(path: str, platform: str) -> EnvironmentFile:
    """Read an environment file by conda's own specifiers (environment.yml, requirements.txt, plugins' formats).

    Raises InputError where it is missing, not readable by any of them, or a lock file.
    """
    from conda import CondaError

    check_shape(path)
    try:
        # conda prints remarks on unknown keys to stdout, where --json has its document
        with contextlib.redirect_stdout(sys.stderr):
            return _read_by_plugin(path, platform) if _has_specifier_plugins() else _read_by_env(path)
    except InputError:
        raise
    except (CondaError, ValueError, TypeError, AttributeError, KeyError, yaml_error()) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the environment file cannot be understood: {reason}", os.fsencode(path)) from error
    except OSError as error:
        raise InputError(f"the environment file cannot be read: {error.strerror}", os.fsencode(path)) from error


def yaml_error() -> type[Exception]:
    """Return the base class of what conda's YAML reader raises."""
    from ruamel.yaml.error import YAMLError

    return YAMLError


def _has_specifier_plugins() -> bool:
    from conda.base.context import context

    return hasattr(context.plugin_manager, "get_environment_specifier")


def _read_by_env(path: str) -> EnvironmentFile:
    """conda up to 25.5: `conda.env.specs.detect`."""
    from conda.env.specs import detect

    with open(path, "rb") as stream:  # noqa: PTH123
        if b"@EXPLICIT" in stream.read():
            raise InputError("explicit lock files are not supported yet", os.fsencode(path))
    found = detect(filename=path, name="coex").environment
    dependencies = found.dependencies
    return EnvironmentFile(
        name=found.name,
        channels=tuple(str(channel) for channel in found.channels or ()),
        specs=tuple(str(spec) for spec in dependencies.get("conda", ())),
        pip=tuple(str(requirement) for requirement in dependencies.get("pip", ())),
        variables={str(name): str(value) for name, value in (found.variables or {}).items()},
    )


def _read_by_plugin(path: str, platform: str) -> EnvironmentFile:
    """conda 25.7 and newer: environment specifier plugins; `env_for` came with 26.5."""
    from conda.base.context import context

    specifier = context.plugin_manager.get_environment_specifier(source=path, name=None).environment_spec(path)
    found = specifier.env_for(platform) if hasattr(specifier, "env_for") else specifier.env
    if found.explicit_packages:
        raise InputError("lock files are not supported yet", os.fsencode(path))
    config = found.config
    return EnvironmentFile(
        name=found.name,
        channels=tuple(str(channel) for channel in (config.channels if config else ()) or ()),
        specs=tuple(str(spec) for spec in found.requested_packages or ()),
        pip=tuple(str(requirement) for requirement in (found.external_packages or {}).get("pip", ())),
        variables={str(name): str(value) for name, value in (found.variables or {}).items()},
    )


def prefix_data(prefix: str) -> Any:
    """Return conda's view of an environment, with what pip installed; the keyword's name changed in 25.5."""
    from inspect import signature

    from conda.core.prefix_data import PrefixData

    names = signature(PrefixData.__init__).parameters
    keyword = "interoperability" if "interoperability" in names else "pip_interop_enabled"
    return PrefixData(prefix, **{keyword: True})


def confirm_yn() -> None:
    """Ask to proceed; raises conda's DryRunExit or CondaSystemExit."""
    try:
        from conda.reporters import confirm_yn as confirm
    except ImportError:
        from conda.cli.common import confirm_yn as confirm
    confirm()


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes the fraction done, 0 to 1; drawn by conda, where conda would draw."""
    from conda.base.context import context

    shown = sys.stdout.isatty() and not (context.json or context.quiet)
    try:
        from conda.reporters import get_progress_bar, get_progress_bar_context_manager

        manager: AbstractContextManager[Any] = get_progress_bar_context_manager()
        with manager as holder:
            bar = get_progress_bar(description, context_manager=holder, enabled=shown)
            try:
                yield bar.update_to
            finally:
                bar.close()
    except ImportError:
        from conda.common.io import ProgressBar

        bar = ProgressBar(description, enabled=shown, json=context.json)
        try:
            yield bar.update_to
        finally:
            bar.close()
