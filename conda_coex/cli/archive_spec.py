"""Let `conda create -f tool.coex` make the packages of an archive into an environment, with condas that ask plugins."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conda.plugins.types import EnvironmentSpecBase

if TYPE_CHECKING:
    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.tools.lock import Locked
    from conda.models.environment import Environment


class Content(NamedTuple):
    """An archive, as far as conda can make it again."""

    lock: Locked
    variables: dict[str, str]


class ArchiveSpec(EnvironmentSpecBase):  # type: ignore[misc]
    """The packages of an archive, at exactly their builds; conda imports this module at every start."""

    def __init__(self, filename: str | None = None, **more: object) -> None:  # noqa: ARG002 - conda's own have it
        self.filename = filename

    def can_handle(self) -> bool:
        """Return whether the file begins as archives do."""
        from coex_bootstrap.format.archive import is_start

        try:
            with Path(str(self.filename)).open("rb") as stream:
                return bool(is_start(stream.read(512)))
        except OSError:
            return False

    @property
    def available_platforms(self) -> tuple[str, ...]:
        """The archive's platform."""
        return (self._read().lock.platform,)

    @property
    def env(self) -> Environment:
        """Return explicit packages with their checksums. Note the parts of the archive that conda does not make."""
        from dataclasses import MISSING, fields

        from conda.base.context import context
        from conda.exceptions import CondaValueError
        from conda.misc import get_package_records_from_explicit
        from conda.models.environment import Environment

        from .print_outcome import notify

        lock, variables = self._read()
        if lock.platform != context.subdir:
            what = f"{self.filename} is for {lock.platform}, not for {context.subdir}; use --platform"
            raise CondaValueError(what.replace("%", "%%"))
        needed = {field.name for field in fields(Environment) if field.default is MISSING}
        pip = [f"{package['name']}=={package['version']}" for package in lock.pip]
        others = [*pip, *(f"the variable {name}" for name in variables)]
        if others:  # conda leaves these out of environments of explicit packages
            notify([f"only the packages of conda are made again, not {', '.join(others)}, and not the app"])
        return Environment(
            platform=lock.platform,
            name=Path(str(self.filename)).name.removesuffix(".coex"),
            explicit_packages=list(get_package_records_from_explicit(self._lines(lock))),
            variables=variables,
            **({"prefix": context.target_prefix} if "prefix" in needed else {}),
        )

    def env_for(self, platform: str) -> Environment:  # noqa: ARG002 - there is one platform
        """Return the environment; conda has compared the platform."""
        return self.env

    def _lines(self, lock: Locked) -> list[str]:
        """Return an explicit list, with packages of the builder's directories if this machine has them."""
        from coex_bootstrap.base.errors import CoexError
        from conda.exceptions import CondaValueError

        from ..conda_api.local_packages import find_local, is_local
        from ..inputs.lock_file import Lock, LockedPackage

        packages = tuple(LockedPackage(row["url"], row["md5"], row["sha256"]) for row in lock.packages)
        try:
            places = find_local(Lock(str(self.filename), lock.platform, packages)).packages
        except CoexError as error:
            raise CondaValueError(str(error).replace("%", "%%")) from error
        lines = [
            row["line"].replace(package.url, place.url, 1) if is_local(package) else row["line"]
            for row, package, place in zip(lock.packages, packages, places, strict=True)
        ]
        return ["@EXPLICIT", *lines]

    def _read(self) -> Content:
        """Return the packages and the variables of the archive; raises conda's errors."""
        from coex_bootstrap.base.errors import CoexError, unforeseen
        from coex_bootstrap.format.archive import Archive
        from coex_bootstrap.tools import lock as tool_lock
        from conda.exceptions import CondaValueError

        path = os.fsencode(str(self.filename))
        try:
            lock = tool_lock.read(path, wants_sha256=True)
            with closing(Archive(path)) as archive:
                return Content(lock, _variables(archive))
        except CoexError as error:
            raise CondaValueError(str(error).replace("%", "%%")) from error
        except Exception as error:
            raise CondaValueError(str(unforeseen(error, path)).replace("%", "%%")) from error


def _variables(archive: Archive) -> dict[str, str]:
    """Return the environment's variables, which conda keeps in `conda-meta/state`."""
    from coex_bootstrap.format.manifest import PREFIX
    from coex_bootstrap.start.activation_files import STATE
    from coex_bootstrap.start.variable_files import UNSET, parse_variables, state_variables

    from ..archive.kept_part import checked_frame
    from ..archive.sizes import decode

    path = PREFIX + b"/" + STATE
    row = next((row for row in archive.index.files if row.path == path), None)
    if row is None or not row.size:
        return {}
    frame = decode(checked_frame(archive, row.frame), archive.index.frames[row.frame].content)
    data = frame[row.offset :][: row.size]
    variables = state_variables(parse_variables(data, path), path)
    return {str(name): str(value) for name, value in variables.items() if value not in (None, UNSET)}
