"""Run `python -m conda_coex …`: the same as `conda coex …`."""

import sys

from .plugin import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
