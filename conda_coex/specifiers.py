"""Read an environment file by conda's own readers: the one place that knows their differences, 24.7 to 26.x."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .environment_file import check_shape
from .errors import InputError
from .lock_file import check_platform
from .report import show_dry_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class EnvironmentFile:
    """What an environment file asks for; `pinned` are the records of a lock file that a plugin has read."""

    name: str | None
    channels: tuple[str, ...]
    specs: tuple[str, ...]
    pip: tuple[str, ...]
    variables: dict[str, str | None]
    pinned: tuple[Any, ...] = field(default=())


def read_environment_file(path: str, platform: str) -> EnvironmentFile:
    """Read an environment file by conda's own specifiers (environment.yml, requirements.txt, plugins' formats).

    Raises InputError where it is missing, or not readable by any of them.
    """
    from conda import CondaError
    from conda.exceptions import DryRunExit

    check_shape(path)
    try:
        # conda prints remarks on unknown keys to stdout, where --json has its document
        with contextlib.redirect_stdout(sys.stderr):
            return _read_by_plugin(path, platform) if _has_specifier_plugins() else _read_by_env(path)
    except InputError:
        raise
    except DryRunExit:  # a plugin fetches what a lock names, and ends there, without a word, in a dry run
        show_dry_run(f"{path} is a lock file, whose reader does not say in a dry run what it pins")
        raise
    except (CondaError, ValueError, TypeError, AttributeError, KeyError, yaml_error()) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason.partition(" Please add to your prior command:")[0]  # options that are not ours
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

    found = detect(filename=path, name="coex").environment
    dependencies = found.dependencies
    return EnvironmentFile(
        name=found.name,
        channels=_texts(found.channels),
        specs=_texts(dependencies.get("conda")),
        pip=_texts(dependencies.get("pip")),
        variables=_variables(found.variables),
    )


def _read_by_plugin(path: str, platform: str) -> EnvironmentFile:
    """conda 25.7 and newer: environment specifier plugins; `env_for` came with 26.5."""
    from conda.base.context import context

    specifier = context.plugin_manager.get_environment_specifier(source=path, name=None).environment_spec(path)
    if hasattr(specifier, "env_for"):
        available = tuple(getattr(specifier, "available_platforms", ()) or ())
        if available and platform not in available:
            check_platform(path, platform, available)
        found = specifier.env_for(platform)
    else:
        found = specifier.env
    external = found.external_packages or {}
    return EnvironmentFile(
        name=found.name,
        channels=_texts(found.config.channels if found.config else ()),
        specs=_texts(found.requested_packages),
        pip=(*_texts(external.get("pip")), *_texts(external.get("pypi"))),
        variables=_variables(found.variables),
        pinned=tuple(found.explicit_packages or ()),
    )


def _variables(found: Mapping[str, object] | None) -> dict[str, str | None]:
    """Return variables as they are set: null is one to unset."""
    return {str(name): None if value is None else str(value) for name, value in (found or {}).items()}


def _texts(values: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(map(str, values or ()))
