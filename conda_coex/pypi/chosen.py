"""The wheels that pip has chosen for another platform, and the refusal of sources, which pip would build."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coex_bootstrap.base.urls import without_credentials
from packaging.utils import canonicalize_name

from ..errors import InputError
from ..inputs.json_values import as_table, as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .target import Target

EDITABLE = re.compile(r"(-e|--editable)")
SOURCES_WANTED = re.compile(r"--no-b|--o.*:none:")  # options that undo --only-binary; pip takes shortened ones, too
REMEDY = "take such packages from conda, or build on a machine of that platform"


@dataclass(frozen=True)
class Chosen:
    """A package that pip has chosen: an item of `install` in its installation report."""

    fields: dict[str, object]

    @property
    def name(self) -> str:
        """The normalized name."""
        return canonicalize_name(as_text(as_table(self.fields.get("metadata")).get("name")))

    @property
    def url(self) -> str:
        """The URL without a fragment."""
        return as_text(self.download.get("url"))

    @property
    def download(self) -> dict[str, object]:
        """The origin, in the form of a `direct_url.json`."""
        return as_table(self.fields.get("download_info"))

    @property
    def hashes(self) -> dict[str, object]:
        """The hashes of the file by algorithm, if pip knows some."""
        return as_table(as_table(self.download.get("archive_info")).get("hashes"))

    def requirement(self, hashed: bool) -> str:
        """Return a line of a requirements file for exactly this package."""
        version = as_text(as_table(self.fields.get("metadata")).get("version"))
        line = f"{self.name} @ {self.url}" if self.fields.get("is_direct") else f"{self.name}=={version}"
        return line + "".join(f" --hash={kind}:{value}" for kind, value in self.hashes.items()) if hashed else line

    def metadata(self) -> dict[str, bytes]:
        """Return the files that an installer adds to `.dist-info` (PEP 376, 610)."""
        files = {"INSTALLER": b"pip\n"}
        files |= {"REQUESTED": b""} if self.fields.get("requested") else {}
        files |= {"direct_url.json": json.dumps(self.download).encode()} if self.fields.get("is_direct") else {}
        return files

    def check_wheel(self, target: Target) -> None:
        """Raise InputError if this is not a wheel."""
        if not is_wheel(self.url):
            raise _to_be_built(f"{self.name} from {self.url}", target)


def check_wheels(lines: Sequence[str], target: Target) -> None:
    """Raise InputError for a line of a requirements file that names sources: pip would begin to build them."""
    for line in lines:
        place = line.partition(" @ ")[2] or line
        place = re.split(r"\[| ;| --", place, maxsplit=1)[0].strip()
        is_place = place.startswith("/") or ("://" in place and not place.startswith("-"))
        if EDITABLE.match(line) or SOURCES_WANTED.match(line) or (is_place and not is_wheel(place)):
            raise _to_be_built(line, target)


def is_wheel(url: str) -> bool:
    """Return whether a URL or a path leads to a wheel."""
    return urlsplit(url).path.endswith(".whl")


def _to_be_built(what: str, target: Target) -> InputError:
    return InputError(f"pip would have to build {without_credentials(what)} for {target.platform}", remedy=REMEDY)
