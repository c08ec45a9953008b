"""Prepare the test bed: ``python tests/testbed [directory]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if not __package__:  # run by path, not with -m
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from testbed.layout import Layout
from testbed.prepare import prepare


def main() -> int:
    """Prepare the test bed that the arguments describe."""
    parser = argparse.ArgumentParser(prog="testbed", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=Layout.default().root)
    parser.add_argument("--python", help="the interpreter of the base environment")
    parser.add_argument("--base-only", action="store_true", help="leave the channels out")
    arguments = parser.parse_args()
    layout = prepare(arguments.directory, arguments.python, channels=not arguments.base_only)
    print(layout.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
