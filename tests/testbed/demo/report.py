#!/usr/bin/env python
"""Say where an archive runs: the application of the demonstration."""

import os
import sys

import numpy as np


def main() -> int:
    """Print the report."""
    print(os.environ["REPORT_TITLE"])
    print(f"  Python   {sys.version.split()[0]} in {sys.prefix}")
    print(f"  numpy    {np.__version__}: the numbers up to 100 add up to {np.arange(101).sum()}")
    print(f"  archive  {os.environ['COEX_FILE']}")
    print(f"  argv     {sys.argv[1:]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
