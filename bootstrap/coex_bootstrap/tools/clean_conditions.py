"""Choose the roots that `cache clean` removes: by age, size and name, and none in use."""

import argparse
import re
from fnmatch import fnmatchcase

from ..base.compat import path_bytes, text
from .root_sizes import Freed, total_size
from .roots import why_in_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import List, Tuple

    from .roots import Unpacked

    Kept = Tuple[Unpacked, str]  # a root that stays, and the reason

AGES = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def age(words):
    # type: (str) -> int
    """Return the seconds of an age such as 12h or 30d."""
    match = re.match(r"(\d+)(s|min|h|d|w)\Z", words)
    if not match:
        raise argparse.ArgumentTypeError("%r is not an age: write 12h, 30d, 8w" % words)
    return int(match.group(1)) * AGES[match.group(2)]


def size(words):
    # type: (str) -> int
    """Return the bytes of a size such as 500MB."""
    match = re.match(r"(\d+(?:\.\d+)?) ?([kmgt]?)b?\Z", words.lower())
    if not match:
        raise argparse.ArgumentTypeError("%r is not a size: write 500MB, 10GB" % words)
    return int(float(match.group(1)) * SIZES[match.group(2)])


def add_conditions(parser):
    # type: (ArgumentParser) -> None
    """Add the options that choose roots to a parser."""
    parser.add_argument("--all", action="store_true", help="clean: all roots that are not in use")
    parser.add_argument("--older-than", type=age, metavar="AGE", help="clean: those not started for so long: 12h, 30d, 8w")
    parser.add_argument("--larger-than", type=size, metavar="SIZE", help="clean: those that take more: 500MB, 10GB")
    parser.add_argument(
        "--name", dest="root_name", metavar="GLOB",  # `name` is conda's, for an environment
        help="clean: those of archives whose first entry point has such a name",
    )
    parser.add_argument(
        "--max-size", type=size, metavar="SIZE", help="clean: those started longest ago, until all others fit"
    )


def has_condition(options):
    # type: (Namespace) -> bool
    """Return whether an option chooses roots."""
    conditions = (options.older_than, options.larger_than, options.root_name, options.max_size)
    return bool(options.all or any(condition is not None for condition in conditions))


def choose(roots, options, now):
    # type: (List[Unpacked], Namespace, float) -> Tuple[List[Unpacked], List[Kept]]
    """Return the roots that fit all conditions, and those of them that stay because they are in use, with the reason."""
    if not has_condition(options):
        return [], []
    fitting = [
        root for root in roots
        if (options.older_than is None or now - root.used >= options.older_than)
        and (options.larger_than is None or root.size > options.larger_than)
        and (options.root_name is None or fnmatchcase(root.name, text(path_bytes(options.root_name))))
    ]
    reasons = [why_in_use(root, now) for root in fitting]
    chosen = [root for root, why in zip(fitting, reasons) if why is None]
    in_use = [(root, why) for root, why in zip(fitting, reasons) if why is not None]
    if options.max_size is None:
        return chosen, in_use
    total, freed, oldest = total_size(roots), Freed(), []  # type: int, Freed, List[Unpacked]
    for root in sorted(chosen, key=lambda root: root.used):
        if total - freed.size <= options.max_size:
            return oldest, []
        oldest.append(root)
        freed.add(root)
    return oldest, in_use if total - freed.size > options.max_size else []
