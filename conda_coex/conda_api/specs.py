"""Read an environment file, of other formats than ours by conda's plugins: 25.7 to 26.x differ here, and here alone."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from ..errors import InputError, PlanHidden
from ..inputs.environment_file import SUFFIXES, EnvironmentFile, read, wrong
from ..inputs.lock_file import check_platform
from ..inputs.mistaken import check_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..inputs.document import Document


def read_environment_file(document: Document, platform: str) -> EnvironmentFile:
    """Read an environment file; formats of other names by the specifiers of conda's plugins.

    Raises InputError if nothing can read it.
    """
    from conda import CondaError
    from conda.exceptions import DryRunExit

    path = document.path
    check_kind(document)
    found = read(document)
    if found is not None:
        return found
    try:
        # conda prints remarks on unknown keys to stdout, where --json has its document
        with contextlib.redirect_stdout(sys.stderr):
            if _has_specifier_plugins():
                return _read_by_plugin(path, platform)
    except InputError:
        raise
    except DryRunExit as error:  # a plugin fetches what a lock names, and ends there, without a word, in a dry run
        raise PlanHidden(path) from error
    except (CondaError, ValueError, TypeError, AttributeError, KeyError, yaml_error()) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason.partition(" Please add to your prior command:")[0]  # options that are not ours
        raise wrong(path, f"cannot be understood: {reason}") from error
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    if path.endswith(SUFFIXES):
        raise wrong(path, "asks for no package", "list some under `dependencies:`")
    remedy = "name it `.yml` if it has `dependencies:`, `.txt` if it is a list of specs"
    raise wrong(path, "is of an unknown format", remedy)


def yaml_error() -> type[Exception]:
    """Return the base class of what conda's YAML reader raises."""
    from ruamel.yaml.error import YAMLError

    return YAMLError


def _has_specifier_plugins() -> bool:
    from conda.base.context import context

    return hasattr(context.plugin_manager, "get_environment_specifier")


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
