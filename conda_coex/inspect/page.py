"""Write the size report as one self-contained page: a treemap and a table, of an HTML file that loads nothing."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.compat import visible
from coex_bootstrap.tools.output import human

from ..archive.new_file import check_place, output_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..archive.sizes import Owned

START = b"<!doctype html>"
SHOWN = 150  # files of an owner that have a rectangle of their own; the rest have one together
ALL_SHOWN = 20_000  # of all owners: a page with more is slow


def write_page(output: str, name: str, owned: Sequence[Owned]) -> None:
    """Write the page at `output`; raises OutputError if another kind of file is there, or nothing can be written."""
    path = Path(output)
    check_place(path, _is_page, "an HTML page", "--html")
    with output_file(path, 0o666) as stream:
        stream.write(page(name, owned).encode())


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(START)).lower() in (START, b"")


def page(name: str, owned: Sequence[Owned]) -> str:
    """Return the page."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    packed, unpacked = (sum(getattr(each, kind) for each in owned) for kind in ("packed", "unpacked"))
    least = _least(owned)
    fields = {
        "NAME": html.escape(name),
        "PACKED": human(round(packed)),
        "UNPACKED": human(unpacked),
        "COUNT": str(sum(len(each.files) for each in owned)),
        "DATA": json.dumps([_tree(each, least) for each in owned]).replace("<", "\\u003c"),
    }
    return re.sub("@([A-Z]+)@", lambda mark: fields[mark[1]], template)


def _least(owned: Sequence[Owned]) -> float:
    """Return the size in the archive below which a file has no rectangle."""
    sizes = sorted((file.packed for each in owned for file in each.files[:SHOWN]), reverse=True)
    return sizes[ALL_SHOWN] if len(sizes) > ALL_SHOWN else -1.0


def _tree(owned: Owned, least: float) -> dict[str, object]:
    shown_files = [file for file in owned.files[:SHOWN] if file.packed > least]
    children = [{"n": visible(file.path), "p": round(file.packed), "u": file.unpacked} for file in shown_files]
    rest = owned.files[len(shown_files) :]
    if rest:
        children.append({
            "n": f"{len(rest)} smaller files", "p": round(sum(file.packed for file in rest)),
            "u": sum(file.unpacked for file in rest),
        })  # fmt: skip
    return {
        "n": visible(owned.name), "p": round(owned.packed), "u": owned.unpacked, "c": children,
        "k": len(owned.files),
    }  # fmt: skip
