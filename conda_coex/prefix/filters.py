"""Select the files of an environment for the archive: by patterns of the user, and without some kinds if small."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

# The kinds of files that `--small` leaves out, by their names in the report. Files of a test directory that other
# modules import are not left out: __init__ of its packages, and private modules.
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
    """The user's choice of files: `include` overrides `exclude` and `small`.

    A pattern without a slash matches names, others match whole paths, relative to the prefix. A pattern that matches a
    directory includes or excludes everything below it.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    small: bool = False
    saved: dict[str, tuple[int, int]] = field(default_factory=dict)  # kind, files and bytes left out

    def leaves_out(self, path: str) -> str | None:
        """Return `excluded`, or the kind of a file that `small` leaves out; None if the path is selected."""
        if self.includes(path):
            return None
        if matches(path, self.exclude):
            return "excluded"
        if not self.small:
            return None
        return next((kind for kind, pattern in KINDS.items() if pattern.match(path)), None)

    def includes(self, path: str) -> bool:
        """Return whether a pattern of `include` matches the path."""
        return matches(path, self.include)

    def takes(self, path: str, size: int) -> bool:
        """Return whether a file is selected, and count in `saved` the files that `small` leaves out."""
        kind = self.leaves_out(path)
        if kind is not None and kind != "excluded":
            files, total = self.saved.get(kind, (0, 0))
            self.saved[kind] = files + 1, total + size
        return kind is None


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a pattern matches the path, one of its directories, or a name in the path."""
    if not patterns:
        return False
    parts = path.split("/")
    candidates = [*("/".join(parts[:n]) for n in range(1, len(parts) + 1)), *parts]
    return any(fnmatch.fnmatchcase(name, pattern.strip("/")) for pattern in patterns for name in candidates)
