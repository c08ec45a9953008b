"""Conda's record of a package, as far as it is read here: conda's own classes are not the same in all its versions."""

from __future__ import annotations

from typing import Protocol


class CondaChannel(Protocol):
    """conda's `Channel`."""

    @property
    def base_url(self) -> str | None:
        """The URL without platform and credentials; None for an unknown channel."""

    @property
    def canonical_name(self) -> str:
        """The name as conda shows it."""


class CondaRecord(Protocol):
    """conda's `PackageRecord`, or one of its subclasses: `PrefixRecord`, `PackageCacheRecord`."""

    name: str
    version: str
    build: str
    subdir: str
    channel: CondaChannel
    url: str | None
    noarch: object  # an enumeration whose value is `python` or `generic`; None for a package of one platform
    package_type: object  # an enumeration; None for an ordinary package

    def dist_str(self) -> str:
        """Return `channel/subdir::name-version-build`."""

    def get(self, name: str) -> object:
        """Return the value of a field; None if the record does not have it."""
