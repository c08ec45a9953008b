"""Choose what of an environment goes into the archive: globs of the user, and what a small file can do without."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

# What `--small` leaves out, by what it is called in the report. A test directory keeps what other modules import:
# its packages' __init__ and its private modules.
KINDS = {
    "compiled Python files": re.compile(r".*\.py[co]\Z"),
    "static libraries": re.compile(r".*\.l?a\Z"),
    "headers": re.compile(r"include/(?!.*/pyconfig[^/]*\.h\Z)"),
    "documentation": re.compile(r"(share/)?(doc|man|info|gtk-doc|help)/"),
    "tests": re.compile(
        r"lib/python[^/]+/(?:test/|(?:.*/)?(?:tests?|idle_test)/(?!(?:.*/)?_[^/]*\Z|(?:.*/)?conftest\.py\Z))"
    ),
}


@dataclass
class Selection:
    """`include` wins over `exclude` and `small`; a pattern without a slash is for names, another for whole paths.

    Paths are relative to the prefix; a pattern that matches a directory stands for all below it.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    small: bool = False
    saved: dict[str, tuple[int, int]] = field(default_factory=dict)  # files and bytes, by kind

    def leaves_out(self, path: str) -> str | None:
        """Return why a path is not wanted, None where it is."""
        if self.includes(path):
            return None
        if matches(path, self.exclude):
            return "excluded"
        if not self.small:
            return None
        return next((kind for kind, pattern in KINDS.items() if pattern.match(path)), None)

    def includes(self, path: str) -> bool:
        """Return whether a path was asked for by name."""
        return matches(path, self.include)

    def wanted(self, path: str, size: int) -> bool:
        """Return whether a file is wanted, and count what `--small` leaves out."""
        kind = self.leaves_out(path)
        if kind is not None and kind != "excluded":
            files, total = self.saved.get(kind, (0, 0))
            self.saved[kind] = files + 1, total + size
        return kind is None


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a pattern matches the path, one of its directories, or a name of these."""
    if not patterns:
        return False
    parts = path.split("/")
    candidates = [*("/".join(parts[:n]) for n in range(1, len(parts) + 1)), *parts]
    return any(fnmatch.fnmatchcase(name, pattern.strip("/")) for pattern in patterns for name in candidates)
