"""Build small archives by plain code: zstd frames of raw blocks, an index, a manifest, a tail."""

import hashlib
import io
import os
import struct
import subprocess
import sys
import time
import zipfile

import coex_bootstrap
from coex_bootstrap.format.index import Directory, File, Frame
from coex_bootstrap.format.index_write import IndexDraft, dump_index
from coex_bootstrap.format.manifest import (
    FORMAT_VERSION, ID_LENGTH, INDEX, MAIN, MANIFEST, PACKAGE, PRELUDE, PYTHON, Manifest, digest, fill_prelude,
    python_id, python_mark, seal,
)
from coex_bootstrap.start.host import host_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Sequence

    from coex_bootstrap.format.index import Link

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK = 1 << 17  # the most that a block of a frame holds
PLACEHOLDER = b"/opt/build/placehold_placehold_placehold_placehold_placehold_placehold_placehold"


def raw_frame(content):
    # type: (bytes) -> bytes
    """Return a zstd frame (RFC 8878) whose blocks are raw: one segment, size of content in 4 bytes, no checksum."""
    pieces = [MAGIC + b"\xa0", struct.pack("<I", len(content))]
    for start in range(0, max(len(content), 1), BLOCK):
        block = content[start : start + BLOCK]
        last = int(start + BLOCK >= len(content))
        pieces += [struct.pack("<I", last | len(block) << 3)[:3], block]
    return b"".join(pieces)


def decode_raw(frame, size):
    # type: (bytes, int) -> bytes
    """Decode a frame of `raw_frame`: the decoder for tests of other modules."""
    pieces, offset, last = [], len(MAGIC) + 5, 0
    while not last:
        header = struct.unpack("<I", frame[offset : offset + 3] + b"\0")[0]
        last, length = header & 1, header >> 3
        pieces.append(frame[offset + 3 : offset + 3 + length])
        offset += 3 + length
    content = b"".join(pieces)
    assert len(content) == size
    return content


def file_row(path, frame=0, offset=0, size=0, relocation=b"-", mode=0o644, mtime_ns=10**18):
    # type: (bytes, int, int, int, bytes, int, int) -> File
    return File(mode, mtime_ns, frame, offset, size, relocation, path)


def make_index(files=(), directories=(), links=(), placeholders=(PLACEHOLDER,)):
    # type: (Iterable[File], Iterable[bytes], Iterable[Link], Iterable[bytes]) -> IndexDraft
    """Return an index without frames, with the directories that its paths need."""
    index = IndexDraft()
    index.files, index.links, index.placeholders = list(files), list(links), list(placeholders)
    named = [row.path for row in index.files] + [link.path for link in index.links] + [b"prefix/x", b"app/x"]
    named += [path + b"/x" for path in directories]
    index.directories = [Directory(0o755, path) for path in parents(named)]
    return index


def parents(paths):
    # type: (Iterable[bytes]) -> List[bytes]
    """Return every directory that paths need, parents first."""
    found = set()
    for path in paths:
        parent = path.rpartition(b"/")[0]
        while parent:
            found.add(parent)
            parent = parent.rpartition(b"/")[0]
    return sorted(found)


def add_frames(index, contents):
    # type: (IndexDraft, Sequence[bytes]) -> List[bytes]
    """Give an index a frame for each content, and return the frames' bytes."""
    frames = [raw_frame(content) for content in contents]
    offset = 0
    for content, frame in zip(contents, frames):
        sha256 = hashlib.sha256(frame).hexdigest().encode("ascii")
        index.frames.append(Frame(offset, len(frame), len(content), sha256))
        offset += len(frame)
    return frames


def make_manifest(**fields):
    # type: (**Any) -> Manifest
    """Return a manifest that fits this host, with `fields` replaced."""
    known = {
        "format": FORMAT_VERSION, "digest": "0" * 64, "builder": "tests", "name": "demo", "platform": host_platform(),
        "date": 1000000000, "entry_points": [{"name": "demo", "command": [["prefix", "bin/demo"]]}], "packages": [], "env": [],
        "requires": {}, "prefix_limit": None, "libzstd": None, "post_link": [], "compile": None, "prelude": 0,
        "payload": 0, "unpacked": {"files": 0, "bytes": 0}, "reported": [],
    }  # type: Dict[str, Any]
    known.update(fields)
    return Manifest(known)


def read_bootstrap():
    # type: () -> Dict[str, bytes]
    """Return the bootstrap as an archive carries it, by the names in the tail."""
    folder = os.path.dirname(os.path.abspath(coex_bootstrap.__file__))
    members = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".py", ".sh")):
                path = os.path.join(directory, name)
                with open(path, "rb") as stream:
                    members[PACKAGE + path[len(folder) :]] = stream.read()
    members[MAIN] = members[PACKAGE + "/" + MAIN]
    return members


CARRIED = read_bootstrap()  # once: tests replace functions of `os`


def bootstrap_members():
    # type: () -> Dict[str, bytes]
    """Return the bootstrap as an archive carries it, by the names in the tail."""
    return dict(CARRIED)


def zip_bytes(members):
    # type: (Dict[str, bytes]) -> bytes
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as tail:
        for name in sorted(members):
            tail.writestr(zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40)), members[name])
    return buffer.getvalue()


def write_archive(path, index, contents=(), members=None, **fields):
    # type: (bytes, IndexDraft, Sequence[bytes], Optional[Dict[str, bytes]], **Any) -> Manifest
    """Write an archive of `index`, whose frames hold `contents`, and return its manifest."""
    payload = b"".join(add_frames(index, contents))
    unpacked = {"files": len(index.files), "bytes": sum(row.size for row in index.files)}
    manifest = make_manifest(**dict({"payload": len(payload), "unpacked": unpacked}, **fields))
    sign(path, manifest, payload, dump_index(index), members)
    return manifest


def sign(path, manifest, payload, index, members=None):
    # type: (bytes, Manifest, bytes, bytes, Optional[Dict[str, bytes]]) -> None
    """Write an archive of these parts, with any content, and the digest that fits."""
    carried = dict(bootstrap_members(), **(members or {}))
    carried[INDEX] = index
    text = carried[PACKAGE + "/" + PRELUDE]
    manifest.fields["prelude"] = len(fill_prelude(text, b"0" * ID_LENGTH, manifest.platform))
    if PYTHON in carried:
        about = {"id": python_id(carried[PYTHON]), "version": "3.12.0", "size": 1}
        manifest.fields["python"] = dict(about, **manifest.fields.get("python") or {})
    manifest.fields["digest"] = digest(manifest, carried)
    carried[MANIFEST] = manifest.dumps()
    with open(path, "wb") as stream:
        mark = python_mark(manifest, carried)
        prelude, tail = fill_prelude(text, manifest.root_name, manifest.platform, mark), zip_bytes(carried)
        stream.write(prelude + payload + seal(prelude, tail) + tail)


def read(path):
    # type: (bytes) -> bytes
    with open(path, "rb") as stream:
        return stream.read()


def write(path, content, mode=0o644):
    # type: (bytes, bytes, int) -> bytes
    """Write a file, with the directories that lead to it; return its path."""
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path, "wb") as stream:
        stream.write(content)
    os.chmod(path, mode)
    return path


def dead_process():
    # type: () -> bytes
    """Return the words that named a process of this host which has ended."""
    code = "from coex_bootstrap.store.identity import this_process; print(this_process().decode())"
    folder = os.path.dirname(os.path.dirname(os.path.abspath(coex_bootstrap.__file__)))
    return subprocess.check_output([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=folder)).strip()


def wait_until(condition, what, seconds=60):
    # type: (Any, str, float) -> None
    """Return when `condition()` is true; fail if that takes longer than so many seconds."""
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "%s: not after %s s" % (what, seconds)
        time.sleep(0.001)
