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

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def build(self) -> str: ...
    @property
    def subdir(self) -> str: ...
    @property
    def channel(self) -> CondaChannel: ...
    @property
    def url(self) -> str | None: ...
    @property
    def noarch(self) -> object:
        """The kind, an enumeration whose value is `python` or `generic`; None for a package of one platform."""

    @property
    def package_type(self) -> object:
        """An enumeration, or None for an ordinary package."""

    def dist_str(self) -> str:
        """Return `channel/subdir::name-version-build`."""

    def get(self, name: str) -> object:
        """Return the value of a field; None if the record does not have it."""
