"""Write the start of a root, and hand this process over to it."""

import os

from ..base import compat
from ..base.shell import OPTIONS, check_line, fill, is_filled, quote
from ..format.manifest import entry_files
from ..store.boot import START, USED, boot_line
from ..store.directory import write_file
from .activation_files import scripts
from .entry_choice import choose_by_file, choose_by_variable, imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    from ..format.manifest import Manifest

# Sourced by the prelude, and by `start` below: $_coex_file is the archive, "$@" the caller's arguments.
TEMPLATE = b"""\
# Start of a coex root, sourced with $_coex_file and the caller's arguments set.
[ -f %(start)s ] || return 0
%(checks)s%(shell)s%(used)s_coex_begun=1
export COEX_FILE="$_coex_file"
%(no_imports)sif [ -z "${COEX_ENTRYPOINT-}" ]; then
%(by_file)s
. %(activation)s
%(imports)sexec "$@"
fi
%(by_variable)s
. %(activation)s
%(imports)sexec "$@"
"""
# bash with -p does not read the caller's BASH_ENV and functions. Before it reads anything, it warns if the host lacks a
# locale. So descriptor 9 is standard error meanwhile, if it is free.
OTHER_SHELL = b"""\
if [ "${_coex_shell-}" != $$ ] && [ -x %(shell)s ]; then
  if [ -n "${LC_ALL-}${LC_CTYPE-}${LC_COLLATE-}${LC_MESSAGES-}${LC_NUMERIC-}${LC_TIME-}" ] \\
    && [ -d /dev/fd/ ] && [ ! -e /dev/fd/9 ] && true >&2; then
    exec %(shell)s -p -c %(quiet)s "$_coex_file" "$@" 9>&2 2>/dev/null
  fi
  exec %(shell)s -p -c %(again)s "$_coex_file" "$@"
fi
"""
QUIET = b"exec 2>&9 9>&-; "
AGAIN = b"set +p; _coex_shell=$$; _coex_kept=1; _coex_file=$0; . "
# If the root vanished a moment ago, `start` returns to these lines.
LOST = b"""
echo "coex: $_coex_file: its unpacked files were removed while it started; start it again" >&2
exit 125"""
BECOME = b'[ -r "$_coex_start" ] && command . "$_coex_start"; _coex_status=$?'
BECOME += b'; [ -z "$_coex_begun" ] || exit "$_coex_status"'
BEGIN = BECOME + LOST
HAND_OVER = OPTIONS + b'; _coex_kept=1; _coex_begun=; _coex_file=$1; _coex_start=$2; shift 2; '
HAND_OVER += b"for _coex_try in 1 2; do " + BECOME + b"; done" + LOST  # an error of a server may not come again


def write_start(manifest, root, activation, shell, write=write_file):
    # type: (Manifest, bytes, bytes, Optional[bytes], Callable[[bytes, bytes], None]) -> None
    """Write `start`, which makes the root ready: it has to be the last step.

    `shell` has to source the activation, if the prelude's shell would read it in another way.
    """
    needs = [activation] + scripts(root + b"/prefix") + [root + b"/" + name for name in entry_files(manifest)]
    checks = boot_line(root, write) + b"".join(check_line(path) for path in needs if is_filled(path))
    used = b"[ ! -c /dev/null ] || { true >|" + quote(root + USED) + b"; } 2>/dev/null\n"
    write(root + START, start_text(manifest, root, activation, shell, checks, used))


def start_text(manifest, root, activation, shell, checks=b"", used=b""):
    # type: (Manifest, bytes, bytes, Optional[bytes], bytes, bytes) -> bytes
    """Return the content of `start`, with lines that look whether all is there, and one that notes the time."""
    start = root + START
    again = AGAIN + quote(start) + LOST
    shell_fields = {b"shell": quote(shell), b"again": quote(again), b"quiet": quote(QUIET + again)} if shell else None
    fields = {
        b"start": quote(start),
        b"checks": checks,
        b"used": used,
        b"shell": fill(OTHER_SHELL, shell_fields) if shell_fields else b"",
        b"activation": quote(activation),
        b"by_file": choose_by_file(manifest, root),
        b"by_variable": choose_by_variable(manifest, root),
    }
    fields.update(imports(manifest))
    return fill(TEMPLATE, fields)


def from_root(path):
    # type: (bytes) -> bytes
    """Return the absolute path of the archive; the path as it is if the working directory was removed."""
    if path.startswith(b"/"):
        return path
    try:
        return os.path.join(compat.path_bytes(os.getcwd()), path[2:] if path.startswith(b"./") else path)
    except EnvironmentError:
        return path


def start(root, path, arguments, environ):
    # type: (bytes, bytes, List[bytes], Dict[bytes, bytes]) -> None
    """Replace this process by the entry point: same pid, arguments, standard streams; does not return."""
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):  # Python ignores these; a program expects the default
        if hasattr(compat.signal, name):
            compat.signal.signal(getattr(compat.signal, name), compat.signal.SIG_DFL)
    words = [b"sh", b"-c", HAND_OVER, b"sh", from_root(path), root + START]
    os.execve(b"/bin/sh", words + arguments, environ)
