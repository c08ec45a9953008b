"""Verify every byte of an archive and of its root."""

import os
from contextlib import closing

from ..base.compat import path_bytes, text, visible
from ..base.errors import ArchiveDamaged, CoexError, DecoderMissing
from ..base.pipes import nothing
from ..base.working_directory import absolute
from ..format.manifest import APP, PREFIX
from ..start.activation_files import STATE
from ..store.boot import START
from ..store.refused import looked_at
from ..store.ladder import find_ready, stores
from ..unpack.decoder import load_decoder
from ..unpack.expected_contents import ExpectedContents
from ..unpack.progress import show_progress
from .check_archive import Examined, check_archive, damaged_part
from .check_root import ALTERED, MODE, RootCheck
from .conda_state import differ_only_in
from .output import Outcome, counted, human
from .owners import Owners
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Callable, Dict, Iterator, List, Optional, Tuple, TypedDict

    from ..format.manifest import Manifest
    from ..unpack.zstd import Decoder
    from .check_archive import Damage
    from .check_root import Difference

    DifferenceRow = TypedDict("DifferenceRow", {"what": str, "path": str, "package": str})
    # `by_scripts` are the files that post-link scripts changed, `extra` those that are not of the archive.
    RootReport = TypedDict("RootReport", {
        "path": str, "files": int, "differences": List[DifferenceRow], "by_scripts": List[str], "extra": List[str],
    })

ABOUT = """\
The file: verify checks the prelude, the sha256 and the zstd checksum of every frame, the seal and the tail. It finds
every altered byte, and names the part and the package that it is in. The root, if the archive was unpacked: verify
checks content, mode and kind of every file, link and directory, as unpacking writes them for that place. Other files in
the root, such as compiled Python, are counted and are not damage. Changes that post-link scripts of packages made
before the root was ready are not damage either.

Without an option the file is verified, and its root if there is one in the places where a start looks for it
(COEX_ROOT, or the user's caches). `repair` repairs a root; a damaged file has to be fetched again. The code that
verifies is the archive's own with COEX_TOOLS: for a file that you do not trust, use `conda coex verify`.

examples:
  CALL
  CALL --archive
  CALL --root --json
  COEX_ROOT=/shared/coex CALL --root
"""


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the verb's options."""
    part = parser.add_mutually_exclusive_group()
    # `archive` is the file itself, for conda's parser
    part.add_argument("--archive", dest="archive_alone", action="store_true", help="verify the file alone")
    part.add_argument("--root", action="store_true", help="verify the root alone, which must be there")
    part.add_argument("-p", "--prefix", metavar="PREFIX", help="verify the environment that `unpack -p` made there")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the damages of the archive at `path` and of its root."""
    alone = options.root or options.prefix
    try:
        archive = Examined(path)
    except ArchiveDamaged as error:
        damage = damaged_part(error)
        damage["package"] = ""
        note = "not a complete coex archive, nothing else of it can be looked at; " + error.advice
        return _outcome(path, [damage], None, [note])
    with closing(archive):
        decoder, notes = None, []
        progress = show_progress(archive, environ, "verifying")
        try:
            decoder = progress.counted(load_decoder(archive))
        except DecoderMissing as error:
            if alone:
                raise
            notes.append("frames were not decoded: %s" % error)
        expected = ExpectedContents(archive, b"", decoder) if decoder else None
        place = None if options.archive_alone else _places(archive.manifest, options, environ)
        check = None
        if place is not None and decoder is not None:
            check = RootCheck(ExpectedContents(archive, place[1][PREFIX], decoder), place[1])
        try:
            beat = progress.beating(nothing) if decoder is not None else nothing
            damages, differences = _check(archive, decoder, check, not alone, beat)
        finally:
            progress.stop()
        rows = list(_name_packages(damages, expected))
        root = check_root(check, place[0], differences) if check and place and not damages else None
        checked = None if alone else {"frames": len(archive.index.frames), "size": os.stat(path).st_size}
        return _outcome(path, rows, root, notes, checked)


def _check(archive, decoder, check, whole, beat):
    # type: (Examined, Optional[Decoder], Optional[RootCheck], bool, Callable[[], None]) -> Tuple[List[Damage], List[Difference]]
    """Return the damages of the file, if `whole`, and the differences of the root; each frame is decoded once."""
    if check is None:
        return (check_archive(archive, decoder, beat=beat)[0] if whole else []), []
    if not whole:
        return [], check.differences(beat)
    check.begin()
    damages, results = check_archive(archive, decoder, check.frame, beat)
    return damages, [] if damages else check.finish(results)


def _name_packages(damages, expected):
    # type: (List[Damage], Optional[ExpectedContents]) -> Iterator[Damage]
    """Yield damages, each with its package if that is known."""
    owners = None
    if any(each["frame"] is not None for each in damages) and expected is not None:
        try:
            owners = Owners(expected)
        except CoexError:  # the records are in a damaged frame
            pass
    for each in damages:
        number, row = each["frame"], each.copy()
        row["package"] = owners.of_frame(number) if owners and number is not None else ""
        yield row


def _places(manifest, options, environ):
    # type: (Manifest, Namespace, Dict[bytes, bytes]) -> Optional[Tuple[bytes, Dict[bytes, bytes]]]
    """Return the root or environment to verify, and its `prefix` and `app`; raises CoexError if it has to exist."""
    if options.prefix:
        prefix = absolute(path_bytes(options.prefix))
        if not os.path.isdir(prefix + b"/conda-meta"):
            raise CoexError("no environment is there", prefix)
        return prefix, {PREFIX: prefix}
    root = find_ready(stores(environ), manifest)
    if root is None and options.root:
        looked = looked_at(stores(environ))
        raise CoexError("it has no root that is ready in " + looked, remedy="start it, or name its store in COEX_ROOT")
    if root is None:
        return None
    return root.path, {PREFIX: root.path + b"/prefix", APP: root.path + b"/app"}


def check_root(check, path, all_differences):
    # type: (RootCheck, bytes, List[Difference]) -> RootReport
    """Return the differences as fields of a JSON document."""
    owners = Owners(check.expected)
    differences, scripts = by_cause(check.expected, path, check.places, all_differences)
    return {
        "path": text(path),
        "files": len(check.files),
        "differences": [
            {"what": what, "path": text(inside), "package": owners.of_path(inside)} for what, inside in differences
        ],
        "by_scripts": [text(inside) for _, inside in scripts],
        "extra": [text(inside) for inside in check.extra()],
    }


def by_cause(expected, path, places, differences):
    # type: (ExpectedContents, bytes, Dict[bytes, bytes], List[Difference]) -> Tuple[List[Difference], List[Difference]]
    """Return the damages at `places`, and the files that post-link scripts changed there before the root was ready."""
    pairs = [pair for pair in differences if not _is_set_by_unpack(expected, pair, places)]
    try:
        ready = os.stat(path + START).st_mtime if expected.archive.manifest.post_link else 0.0
    except EnvironmentError:
        ready = 0.0
    scripts = [pair for pair in pairs if pair[0] in (ALTERED, MODE) and _changed(pair[1], places) <= ready]
    return [pair for pair in pairs if pair not in scripts], scripts


def _is_set_by_unpack(expected, difference, places):
    # type: (ExpectedContents, Difference, Dict[bytes, bytes]) -> bool
    """Return whether a file differs only in the archive's own variables, which `unpack -p` put there for conda."""
    variables = expected.archive.manifest.env
    if difference != (ALTERED, b"prefix/" + STATE) or not variables or APP in places:
        return False
    with open(places[PREFIX] + b"/" + STATE, "rb") as stream:
        return differ_only_in(variables, expected.content_of(b"prefix/" + STATE), stream.read())


def _changed(inside, places):
    # type: (bytes, Dict[bytes, bytes]) -> float
    top, _, rest = inside.partition(b"/")
    return os.lstat(places[top] + b"/" + rest).st_ctime


def _outcome(path, damages, root, notes, checked=None):
    # type: (bytes, List[Damage], Optional[RootReport], List[str], Optional[Dict[str, int]]) -> Outcome
    fields = {"archive": text(path), "damages": damages, "root": root, "notes": notes}
    lines = []
    if damages:
        lines.append("%s: damaged" % visible(path))
        lines += ["  " + _sentence(each) for each in damages]
    elif checked:
        parts = (counted(checked["frames"], "frame"), human(checked["size"]))
        lines.append("%s: whole: prelude, %s, seal and tail, %s" % ((visible(path),) + parts))
    lines += ["  note: " + note for note in notes]
    if root is not None:
        lines += _root_lines(root)
    damaged = [visible(path)] if damages else []
    if root is not None and root["differences"]:
        damaged.append(visible(root["path"]))
    if damaged:
        fields["error"] = "%s: damaged" % ", ".join(damaged)
    return Outcome(fields, lines, int(bool(damaged)))


def _sentence(each):
    # type: (Damage) -> str
    words = each["part"]
    if each["frame"] is not None:
        words += ", frame %d" % each["frame"]
    if each["package"]:
        words += " of " + each["package"]
    if each["offset"] is not None and each["size"] is not None:
        words += " (%d bytes at %d)" % (each["size"], each["offset"])
    return "%s: %s" % (words, each["what"])


def _root_lines(root):
    # type: (RootReport) -> Iterator[str]
    differences, extra = root["differences"], len(root["extra"])
    what = "damaged" if differences else "whole: %s as the archive writes them" % counted(root["files"], "file")
    yield "%s: %s%s" % (visible(root["path"]), what, "; %d more" % extra if extra else "")
    for each in differences:
        yield "  %s (%s): %s" % (visible(each["path"]), each["package"], each["what"])


VERB = Verb("verify", "Verify every byte of an archive and of its unpacked files.", ABOUT, configure, execute)
