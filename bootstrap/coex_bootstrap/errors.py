"""The errors of a start, raised where they are seen and rendered once, by `run`."""

from .compat import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# Status of a start that ended before the entry point ran: as env(1) and timeout(1) use it, so that it
# can be told from a status of the entry point.
STATUS = 125


class CoexError(Exception):
    """What failed, on which file, and what to do: `str()` of it is one line unless it carries a script's output."""

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
        text = self.wording % self.what
        if self.path is not None:
            text = one_line(self.path) + ": " + text
        remedy = self.remedy or self.advice
        return text + "; " + remedy if remedy else text


class ArchiveDamaged(CoexError):
    """The file is truncated, altered, or no archive at all."""

    wording = "not a complete coex archive (%s)"
    advice = "get a fresh copy of the file"


class ArchiveUnreadable(CoexError):
    """The system does not give the bytes of the file: its medium, or the server that has it."""

    wording = "the archive cannot be read: %s"


class FormatUnknown(CoexError):
    """The archive is of a format version that this code does not read."""

    wording = "coex format %s is not known to this reader"
    advice = "use a newer conda-coex"


class HostUnfit(CoexError):
    """The archive is for another platform, or needs what this host does not have."""


class StoreUnusable(CoexError):
    """No place was found where the archive can unpack."""


class DecoderMissing(CoexError):
    """No way to decode zstd was found on this host."""


class ScriptFailed(CoexError):
    """A post-link script ended with a status other than zero."""


class Misuse(CoexError):
    """A command line of a tool that is wrong."""
