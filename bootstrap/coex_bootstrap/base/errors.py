"""The errors of the bootstrap: raised deep, and rendered once, by the caller of a start or a verb."""

import os

from .compat import one_line, path_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# Exit status of a start that ended before the entry point ran, as for env(1) and timeout(1): entry points rarely use it.
STATUS = 125
LONGEST = 200  # characters of the text of an unexpected exception


class CoexError(Exception):
    """An error with the failure, the file and the remedy. `str()` of it is one line unless it carries a script's output."""

    wording = "%s"
    advice = ""

    def __init__(self, what, path=None, remedy=None):
        # type: (str, Optional[bytes], Optional[str]) -> None
        super(CoexError, self).__init__(what, path, remedy)
        self.what = what
        self.path = path
        self.remedy = remedy

    def __str__(self):
        # type: () -> str
        text = self.wording % one_line(self.what)
        if self.path is not None:
            text = one_line(self.path) + ": " + text
        remedy = self._shown_remedy()
        return text + "; " + remedy if remedy else text

    def _shown_remedy(self):
        # type: () -> str
        return one_line(self.remedy or self.advice)


class ArchiveDamaged(CoexError):
    """The file is truncated, altered, or not an archive."""

    wording = "not a complete coex archive (%s)"
    advice = "get a fresh copy of the file"


class ArchiveUnreadable(CoexError):
    """The system cannot read the file: its medium or its server fails."""

    wording = "the archive cannot be read: %s"


class FormatUnknown(CoexError):
    """The archive has a format version that this code does not read."""

    wording = "coex format %s is not known to this reader"
    advice = "use a newer conda-coex"


class HostUnfit(CoexError):
    """The archive is for another platform, or needs something that this host does not have."""


class StoreUnusable(CoexError):
    """The archive cannot unpack in a store."""


class StoreDisturbed(StoreUnusable):
    """A server that has a store, or another process, made a step fail that may succeed the next time."""


class DecoderMissing(CoexError):
    """The host cannot decode zstd."""


class ScriptFailed(CoexError):
    """A post-link script ended with a status other than zero."""

    def _shown_remedy(self):
        # type: () -> str
        return "\n".join(map(one_line, (self.remedy or "").expandtabs().splitlines()))  # with the output of the script


class SigningFailed(CoexError):
    """A relocated file has no valid code signature, and macOS cannot sign it."""

    wording = "macOS does not load it after its relocation: %s"
    advice = "check that /usr/bin/codesign works, or leave the package out"


class Unreadable(CoexError):
    """The content of a file led to an unexpected error."""

    wording = "not a coex archive that can be read (%s)"
    advice = "get a fresh copy of the file; if it is as it was made, report this with the output of COEX_TRACE=1"


class Misuse(CoexError):
    """The command line of a verb is wrong."""


def unforeseen(error, path=None):
    # type: (Optional[BaseException], Optional[bytes]) -> CoexError
    """Return a CoexError of one line for any other error, which is being handled; COEX_TRACE prints its traceback."""
    if os.environ.get("COEX_TRACE", "0") not in ("", "0"):
        import traceback

        traceback.print_exc()
    if isinstance(error, MemoryError):
        return CoexError("there is not enough memory", path)
    if isinstance(error, EnvironmentError):
        name = getattr(error, "filename", None)
        what = str(error.strerror or error)  # a worker reports only plain text
        return CoexError(what, path_bytes(name) if isinstance(name, (bytes, type(u""))) else path)
    return Unreadable(("%s: %s" % (type(error).__name__, _said(error)))[:LONGEST], path)


def _said(error):
    # type: (Optional[BaseException]) -> str
    try:
        return " ".join(str(error).split())
    except Exception:  # in 2.7 a text may not be ASCII, and the repr of nested values may recurse too deep
        return ""
