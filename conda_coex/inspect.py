"""Show what an archive holds, as a table or as JSON."""

from __future__ import annotations

import os
from contextlib import closing

from coex_bootstrap.archive import Archive
from coex_bootstrap.tool_info import describe, render


def inspect(path: str) -> int:
    """Print what the archive at `path` says of itself; raises ArchiveDamaged or FormatUnknown."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    with closing(Archive(os.fsencode(path))) as archive:
        found = describe(archive)
    if context.json:
        stdout_json_success(archive=path, **found)
    else:
        print("\n".join(render(path, found)))
    return 0
