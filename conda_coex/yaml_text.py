"""Read YAML, and say in one line what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def load(data: bytes, wrong: Callable[[str], Exception]) -> Any:
    """Return what a YAML document holds; raises what `wrong` makes of the reason where it is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe").load(data)
    except MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise wrong(f"is no YAML{where}: {error.problem}") from error
    except (YAMLError, ValueError) as error:
        raise wrong(f"is no YAML: {' '.join(str(error).split())}") from error
