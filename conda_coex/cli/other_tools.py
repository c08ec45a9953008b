"""Options that users know from other tools, each with the words for the same thing here."""

from __future__ import annotations

import shlex

PRINTED = "the verb prints it: > FILE"
LEVEL = "--compression-level"
ONE_FORMAT = "an archive has one format; its verb `unpack` makes a directory"
MODULE = "--entrypoint 'python -m MODULE'"
SCRIPT = "--entrypoint ./SCRIPT or --entrypoint COMMAND"
# By verb, as conda-pack, pixi-pack, PEX, shiv and constructor call them.
MEANINGS = {
    "create": {
        "--compress-level": LEVEL,
        "--console-script": SCRIPT,
        "--create-executable": "every archive is executable",
        "--exclude": "the paths or a pattern of the files to take, at the end",
        "--exe": SCRIPT,
        "--environment": "--lock-environment",
        "--force": "an older archive is replaced without it",
        "--inject": "--package SPEC, or files of the app at the end",
        "--module": MODULE,
        "--output-file": "-o FILE",
        "--requirement": "an environment file with a pip section that has `-r FILE`",
        "--scie": "--carry-python",
        "--script": SCRIPT,
        "--sources-directory": "the directory, at the end",
        "-D": "the directory, at the end",
        "-e": "--entrypoint COMMAND, or --lock-environment NAME",
        "-m": MODULE,
        "-r": "an environment file with a pip section that has `-r FILE`",
    },
    "pack": {
        "--arcroot": ONE_FORMAT,
        "--compress-level": LEVEL,
        "--dest-prefix": "the archive replaces its own prefix as it unpacks",
        "--filter": "--exclude and --include",
        "--force": "an older archive is replaced without it",
        "--format": ONE_FORMAT,
        "--ignore-editable-packages": "--editable bring, or --exclude",
        "--ignore-missing-files": "--missing ignore, which is the default",
        "--zip-symlinks": "links stay links",
        "-f": "an older archive is replaced without it",
        "-j": "a build uses all cores",
        "--n-threads": "a build uses all cores",
    },
    "unpack": {"-o": "-p PREFIX", "--output": "-p PREFIX", "--output-directory": "-p PREFIX", "-n": "-p PREFIX"},
    **{verb: {"-o": PRINTED, "--output": PRINTED} for verb in ("dockerfile", "env", "lock", "sbom")},
}


def meaning(verb: str, option: str) -> str | None:
    """Return the words for an option of another tool, or for a place without an option; None if unknown."""
    if not option.startswith("-"):
        return f"-p {shlex.quote(option)}" if verb == "unpack" else None
    name = option if option.startswith("--") else option[:2]  # a value may stand behind a short one, as in -j4
    return MEANINGS.get(verb, {}).get(name)
