"""Write the recipe of a container image that has an archive unpacked in it."""

import json
import os
import re
from collections import OrderedDict
from contextlib import closing

from ..base.compat import text, visible
from ..base.errors import CoexError
from ..format.archive import Archive
from ..start.host import matches
from ..start.placed import placed_links
from ..unpack.expected import sha256_of
from .output import Outcome
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict

    from ..format.manifest import Manifest

ABOUT = """\
The recipe copies the file from the directory in which the image is built, compares its sha256, and unpacks it in a first
stage. The image keeps the environment and the application, in a layer each, and not the archive. It starts at once, and
needs no Python. The layer of the environment stays in the engine's cache when only the application changes.

Name the base images by digest (`IMAGE@sha256:...`) to get the same files again next year; the times of files are those
of the image's build, unless the engine has an option for them, and so the digest of the image changes with each build.
Base images for Linux need the GNU C library. `conda coex image` makes an image without an engine.

examples:
  CALL > Dockerfile && docker build -t app .
  CALL --base debian:12-slim@sha256:...
"""
# The first line begins with a fixed word: `# name=value` there would be a directive to the engine.
RECIPE = """\
# An image of %(name)s: unpacked while the image is built, started without a Python and without the archive.
FROM --platform=%(platform)s %(unpack)s AS unpack
COPY %(copy)s
RUN echo "%(sha256)s  /opt/app.coex" | sha256sum -c - \\
 && %(override)sCOEX_TOOLS=1 python3 /opt/app.coex unpack --root %(root)s \\
 && mv %(root)s/prefix /opt/prefix

FROM --platform=%(platform)s %(base)s
COPY --from=unpack /opt/prefix %(root)s/prefix
COPY --from=unpack %(root)s %(root)s
ENTRYPOINT %(start)s"""
ROOT = b"/opt/coex"  # in an image
TRIED = 20  # versions that constraints name
PLATFORMS = {
    "linux-64": "linux/amd64", "linux-32": "linux/386", "linux-aarch64": "linux/arm64", "linux-ppc64le": "linux/ppc64le",
    "linux-s390x": "linux/s390x", "linux-riscv64": "linux/riscv64",
}


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `dockerfile` to a parser."""
    parser.add_argument("--base", metavar="IMAGE", default="debian:stable-slim", help="the base image (%(default)s)")
    parser.add_argument(
        "--unpack-image", metavar="IMAGE", default="python:3-slim", help="an image with python3, to unpack in (%(default)s)"
    )


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the recipe for the archive at `path`; raises CoexError for a platform that containers do not have."""
    with closing(Archive(path)) as archive:
        manifest = archive.manifest
    for image in (options.base, options.unpack_image):
        if not image or image.split() != [image]:
            raise CoexError("%r is not the name of an image" % image)
    if manifest.platform not in PLATFORMS:
        raise CoexError("containers cannot run an archive for %s" % manifest.platform, path)
    fields = {
        "name": visible(manifest.name), "platform": PLATFORMS[manifest.platform], "sha256": _sha256(path),
        "copy": json.dumps([_pattern(os.path.basename(path)), "/opt/app.coex"]), "override": _override(manifest),
        "base": options.base, "unpack": options.unpack_image, "root": text(ROOT),
        "start": json.dumps([text(ROOT + b"/" + placed_links(manifest)[0][0])]),
    }
    recipe = RECIPE % fields
    return Outcome({"archive": text(path), "dockerfile": recipe + "\n", "sha256": fields["sha256"]}, recipe.split("\n"), 0)


def _pattern(name):
    # type: (bytes) -> str
    """Return a pattern of COPY for a file: `?` for characters that an engine would expand, unquote or not read.

    If it fits another file, the sha256 refuses that.
    """
    return re.sub(u"[^\\w .,:;@%+=~#&()!<>{}|-]", u"?", text(name), flags=re.UNICODE)


def _override(manifest):
    # type: (Manifest) -> str
    """Return the variables with which the archive unpacks while an image is built: there is no graphics card then."""
    constraints = manifest.requires.get("__cuda")
    if constraints is None:
        return ""
    numbers = re.findall(r"[0-9]+(?:\.[0-9]+)*", " ".join(constraints))
    versions = list(OrderedDict.fromkeys(numbers))[:TRIED] + ["99", "0"]
    fits = (version for version in versions if all(matches(version, c) for c in constraints))
    return "CONDA_OVERRIDE_CUDA=%s " % next(fits, versions[0])


def _sha256(path):
    # type: (bytes) -> str
    with open(path, "rb") as stream:
        return str(sha256_of(iter(lambda: stream.read(1 << 20), b"")).decode("ascii"))


VERB = Verb("dockerfile", "Print the recipe of a container image that has the archive unpacked in it.", ABOUT, configure, execute)
