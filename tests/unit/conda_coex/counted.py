"""Bytes that count how many of them an algorithm looks at."""

from __future__ import annotations

from typing import Any


class Counted(bytes):
    """Bytes, with the number of those that were sliced or searched."""

    looked_at = 0

    def __getitem__(self, key: Any) -> Any:
        """Count the bytes of a slice."""
        found = super().__getitem__(key)
        self.looked_at += len(found) if isinstance(found, bytes) else 1
        return found

    def find(self, searched: Any, start: Any = 0, stop: Any = None) -> int:
        """Count the bytes up to the place that is found."""
        found = super().find(searched, start, stop)
        end = len(self) if stop is None else stop
        self.looked_at += (found + len(searched) if found >= 0 else end) - start
        return found
