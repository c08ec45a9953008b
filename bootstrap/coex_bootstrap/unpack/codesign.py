"""Sign relocated Mach-O files again: macOS on arm64 ends a process whose code differs from its signature.

Ad-hoc signatures are renewed here, on any system, so the content is known before it is written. The system's `codesign`
signs other files; conda calls it for every relocated binary of osx-arm64 (`core/portability.py`).
"""

import os
import sys

from ..base.compat import path_bytes
from ..base.errors import SigningFailed
from .mach_o import Unrenewable, patches, renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, List, Optional

CODESIGN = b"/usr/bin/codesign"
FORCE = [b"--force", b"--sign", b"-"]
PRESERVE = b"--preserve-metadata=entitlements,flags,runtime"
LONGEST = 200  # characters of codesign's output


class Signer(object):
    """Signs relocated binaries; `uses_codesign` if this system can, and must, sign files that have no ad-hoc signature.

    An osx-64 file needs no signature, and conda does not sign it.
    """

    def __init__(self, platform):
        # type: (str) -> None
        self.uses_codesign = sys.platform == "darwin" and platform == "osx-arm64"

    def sign(self, data, path):
        # type: (bytes, bytes) -> bytes
        """Return the signed content of a file; `path` is its path in the root, if it has one. Raises SigningFailed."""
        try:
            return bytes(renew(data))
        except Unrenewable as error:
            return self._codesign(data, path, error) if self.uses_codesign and path else data

    def sign_file(self, stream, path):
        # type: (BinaryIO, bytes) -> None
        """Sign an open file in its place: only its hashes are written. Raises SigningFailed."""

        def read(first, last):
            # type: (int, int) -> bytes
            stream.seek(first)
            return stream.read(last - first)

        stream.seek(0, os.SEEK_END)  # which also writes its buffer
        try:
            for offset, piece in patches(read, stream.tell()):
                stream.seek(offset)
                stream.write(piece)
        except Unrenewable as error:
            if self.uses_codesign:
                stream.seek(0)
                data = self._codesign(stream.read(), path, error)
                stream.seek(0)
                stream.write(data)
                stream.truncate()

    def _codesign(self, data, path, error):
        # type: (bytes, bytes, Unrenewable) -> bytes
        """Return the content of a file after the system has signed it: alone in a directory, whose name has no effect.

        If the system would load a file and cannot sign it, that is an error. Other files stay as they are, as in conda.
        """
        import shutil
        import tempfile

        directory = tempfile.mkdtemp(prefix="coex-")
        try:
            copy = os.path.join(path_bytes(directory), os.path.basename(path))
            with open(copy, "wb") as stream:
                stream.write(data)
            # The metadata of a signature that cannot be read cannot be preserved.
            output = _run([CODESIGN] + FORCE + [PRESERVE, copy])
            if output is not None:
                output = _run([CODESIGN] + FORCE + [copy])
            if output is None:
                with open(copy, "rb") as stream:
                    return stream.read()
            if error.needed:
                raise SigningFailed("%s, and codesign says: %s" % (error, output[:LONGEST]), path)
            return data
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _run(command):
    # type: (List[bytes]) -> Optional[str]
    """Return the message of a failed command; None if it succeeded."""
    import subprocess

    try:
        with open(os.devnull, "rb") as nothing:
            process = subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.communicate()[0]
    except EnvironmentError as error:
        return error.strerror or str(error)
    if process.returncode == 0:
        return None
    return " ".join(output.decode("utf-8", "replace").split()) or "status %d" % process.returncode
