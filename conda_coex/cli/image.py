"""The command line of `conda coex image`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .options import add_list, add_output, describe

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome

ABOUT = """\
The environment is in /opt/coex/prefix of the image, with the files that
unpacking it there would write. Its layer is the same for every application.
The start of the entry points and the application are the two layers above it.
Layers of the base are taken as they are. Nothing is run, no engine, network or
root is needed, and the archive may be for another platform than this machine.
The same archive and base give the same bytes.

The image runs its first entry point. /opt/coex/bin has one program for each:
the environment is activated, as a start of the archive does it, by /bin/sh of
the base. It has no Python but the one of the environment.

Archives with post-link scripts are refused, because these are programs of the
image; `dockerfile` prints a recipe by which an engine runs them.
"""
MORE = """\
examples:
  conda coex image tool.coex --base oci:debian -o tool.tar
  docker load -i tool.tar
  conda coex image tool.coex --base rootfs.tar --name example.org/tool:1.2
  conda coex image tool.coex --base docker-archive:base.tar -o tool-image
  skopeo copy oci:tool-image:latest docker://example.org/tool:latest

bases:
  oci:DIR[:NAME]              an OCI image layout, as `skopeo copy` makes it
  oci-archive:FILE[:NAME]     a tar of one
  docker-archive:FILE[:NAME]  a file of `docker save`
  FILE                        a tar of a root file system, plain or compressed:
                              it becomes one layer, with all names as they are

exit status:
  0 the image was written; 1 something failed, and nothing was written; 2 the
  command line was wrong; 128 + N: signal N ended it
"""


def configure_image(parser: ArgumentParser) -> None:
    """Add the options."""
    describe(parser, "image", ABOUT, MORE)
    parser.add_argument("archive", metavar="ARCHIVE", help="The archive.")
    parser.add_argument(
        "-o", "--output", metavar="FILE.tar|DIR",
        help="A tar that is an OCI layout and that `docker load` reads, too, if it ends with .tar; else a directory "
        "for an OCI layout. The default is the name of the file, with .tar.",
    )  # fmt: skip
    parser.add_argument(
        "--base", metavar="BASE",
        help="The image to put the layers on. Without one, the image has no /bin/sh and no C library.",
    )  # fmt: skip
    parser.add_argument(
        "--name", metavar="[HOST/]NAME[:TAG]", dest="image_name",  # `name` is conda's, for an environment
        help="The name of the image. The default is that of the first entry point.",
    )  # fmt: skip
    add_list(parser, "--label", "NAME=VALUE", "A label more, such as org.opencontainers.image.source.", "labels")
    parser.add_argument(
        "--compression", choices=("gzip", "zstd"), default="gzip",
        help="How layers are compressed. The default, gzip, is for any engine; zstd is for those since about 2021.",
    )  # fmt: skip
    parser.add_argument(
        "--attach-sbom", action="store_true",
        help="Attach the software bill of materials to the image as an artifact, beside the copy in the image.",
    )  # fmt: skip
    add_output(parser, asks=False)


def execute_image(arguments: Namespace) -> Outcome:
    """Run the verb."""
    from ..verbs.image import ImageRequest, image

    output = arguments.output or f"{Path(arguments.archive).name.removesuffix('.coex')}.tar"
    request = ImageRequest(
        archive=arguments.archive,
        output=Path(output),
        base=arguments.base,
        name=arguments.image_name,
        labels=tuple(map(parse_label, arguments.labels)),
        compression=arguments.compression,
        attach_sbom=arguments.attach_sbom,
    )
    return image(request)


def parse_label(text: str) -> tuple[str, str]:
    """Return name and value of a label; raises InputError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--label {text!r} is not NAME=VALUE")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"--label {text!r} is not UTF-8 text") from error
    return name, value
