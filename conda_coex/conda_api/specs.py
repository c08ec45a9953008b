"""Read an environment file; conda's plugins read the formats that we do not, by different calls in 25.7 to 26.x."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from ..errors import InputError, PlanHidden
from ..inputs.environment_file import EnvironmentFile, read, wrong
from ..inputs.lock_file import check_platform
from ..inputs.mistaken import check_kind
from ..inputs.suffixes import YAML_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..inputs.document import Document


def read_environment_file(document: Document, platform: str) -> EnvironmentFile:
    """Return the content of an environment file; raises InputError if neither we nor a plugin of conda can read it.

    Raises PlanHidden in a dry run, for a lock file that a plugin would fetch.
    """
    from conda import CondaError
    from conda.exceptions import DryRunExit

    path = document.path
    check_kind(document)
    content = read(document)
    if content is not None:
        return content
    try:
        # conda prints warnings of unknown keys to stdout, where --json prints its document
        with contextlib.redirect_stdout(sys.stderr):
            if _has_specifier_plugins():
                return _read_by_plugin(path, platform)
    except InputError:
        raise
    except DryRunExit as error:  # a plugin that fetches packages stops here in a dry run, without a message
        raise PlanHidden(path) from error
    except (CondaError, ValueError, TypeError, AttributeError, KeyError, yaml_error()) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason.partition(" Please add to your prior command:")[0]  # options that are not ours
        raise wrong(path, f"cannot be understood: {reason}") from error
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    if path.endswith(YAML_SUFFIXES):
        raise wrong(path, "asks for no package", "list some under `dependencies:`")
    remedy = "name it `.yml` if it has `dependencies:`, `.txt` if it is a list of specs"
    raise wrong(path, "is of an unknown format", remedy)


def yaml_error() -> type[Exception]:
    """Return the base class of the errors of conda's YAML reader."""
    from ruamel.yaml.error import YAMLError

    return YAMLError


def _has_specifier_plugins() -> bool:
    from conda.base.context import context

    return hasattr(context.plugin_manager, "get_environment_specifier")


def _read_by_plugin(path: str, platform: str) -> EnvironmentFile:
    """Read a file by an environment specifier plugin (conda 25.7); `env_for` is new in 26.5."""
    from conda.base.context import context

    specifier = context.plugin_manager.get_environment_specifier(source=path, name=None).environment_spec(path)
    if hasattr(specifier, "env_for"):
        available = tuple(getattr(specifier, "available_platforms", ()) or ())
        if available and platform not in available:
            check_platform(path, platform, available)
        environment = specifier.env_for(platform)
    else:
        environment = specifier.env
    external = environment.external_packages or {}
    pip = (*_texts(external.get("pip")), *_texts(external.get("pypi")))
    return EnvironmentFile(
        channels=_texts(environment.config.channels if environment.config else ()),
        specs=_texts(environment.requested_packages),
        pip=pip,
        has_pip_section=bool(pip),
        variables=_variables(environment.variables),
        pinned=tuple(environment.explicit_packages or ()),
    )


def _variables(variables: Mapping[str, object] | None) -> dict[str, str | None]:
    """Return the values of variables as text; None means that the variable is unset."""
    return {str(name): None if value is None else str(value) for name, value in (variables or {}).items()}


def _texts(values: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(map(str, values or ()))
