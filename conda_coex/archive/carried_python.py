"""The Python that an archive carries for hosts that have none: its member, and its field in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import PYTHON, python_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coex_bootstrap.format.archive import Archive

    from ..root.package import Package


@dataclass(frozen=True)
class CarriedPython:
    """A Python that runs from any directory, in a gzipped tar: `bin/python` and its standard library."""

    data: bytes
    version: str
    size: int  # bytes of its files, unpacked
    packages: Sequence[Mapping[str, object]] = ()  # that its files come from, as `described` writes them
    package: Package | None = field(default=None, compare=False)  # that it was made of now

    def fields(self) -> dict[str, object]:
        """Return the manifest's field `python`."""
        name = python_id(self.data)
        return {"id": name, "version": self.version, "size": self.size, "packages": list(self.packages)}


def python_of(archive: Archive) -> CarriedPython | None:
    """Return the Python that an archive carries, None if it carries none."""
    fields = archive.manifest.python
    if fields is None:
        return None
    packages = fields.get("packages") or ()
    return CarriedPython(archive.members[PYTHON], fields["version"], fields["size"], packages)
