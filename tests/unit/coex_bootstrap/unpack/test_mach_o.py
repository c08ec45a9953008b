"""Ad-hoc signatures of Mach-O files: valid before and after a relocation, and never more than an error for others."""

import random
import struct

import pytest
from coex_bootstrap.format.relocation import parse
from coex_bootstrap.unpack.codesign import Signer
from coex_bootstrap.unpack.expected import load_signer
from coex_bootstrap.unpack.mach_o import Unrenewable, patches, renew
from coex_bootstrap.unpack.relocate import apply

from unit.coex_bootstrap.building import PLACEHOLDER
from unit.coex_bootstrap.mach_o_files import (
    ARM64,
    ENTITLEMENTS,
    HEAD,
    OBJECT,
    X86_64,
    blob,
    code_directories,
    fat,
    mach_o,
    wrong_hashes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Set

PREFIX = b"/home/you/x"
AT = 5000  # where the content has the placeholder


def content(size=40000):
    # type: (int) -> bytes
    data = bytes(bytearray(number % 251 + 1 for number in range(1000))) * (size // 1000)
    string = PLACEHOLDER + b"/lib\0"
    return data[:AT] + string + data[AT + len(string) :]


def relocated(data):
    # type: (bytes) -> bytes
    """Return a file with each placeholder relocated, not signed."""
    at, items = data.find(PLACEHOLDER), []  # type: int, List[str]
    while at >= 0:
        items.append("%d.%d" % (at, data.index(b"\0", at)))
        at = data.find(PLACEHOLDER, at + 1)
    text = "b:0:0=" + "+".join(items)
    return apply(parse(text.encode("ascii"), [PLACEHOLDER]), data, PREFIX)


THIN = {
    "as ldid signs": mach_o(content()),
    "as a linker signs": mach_o(content(), ["sha256"]),
    "pages of 16 KiB": mach_o(content(), ["sha256"], page=14),
    "entitlements": mach_o(content(), entitlements=ENTITLEMENTS),
    "three directories": mach_o(content(), ["sha256", "sha1", "sha384"]),
    "a limit of 64 bits": mach_o(content(), limit_64=True),
    "over 4 MiB": mach_o(content(4500000)),
    "for Intel": mach_o(content(), cpu=X86_64),
    "an object file": mach_o(content(), kind=OBJECT),
}
FILES = dict(THIN)
FILES["fat"] = fat([(X86_64, mach_o(content(), cpu=X86_64)), (ARM64, mach_o(content(), entitlements=ENTITLEMENTS))])
FILES["fat, Intel unsigned"] = fat([(X86_64, mach_o(b"x", [], cpu=X86_64)), (ARM64, mach_o(content()))])


@pytest.mark.parametrize("name", sorted(FILES))
def test_valid_before_and_after(name):
    # type: (str) -> None
    data = FILES[name]
    assert wrong_hashes(data) == []
    moved = relocated(data)
    assert wrong_hashes(moved) and PREFIX + b"/lib" in moved
    signed = renew(moved)
    assert wrong_hashes(signed) == []
    assert renew(signed) == signed
    for at in (signed.index(PREFIX), signed.rindex(PREFIX), signed.rindex(b"linkedit")):
        flipped = bytearray(signed)
        flipped[at] ^= 1
        assert wrong_hashes(bytes(flipped))


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_valid_signature_stays_as_it_is(name):
    # type: (str) -> None
    assert renew(FILES[name]) == FILES[name]


@pytest.mark.parametrize("name", sorted(THIN))
def test_only_hashes_of_changed_pages_change(name):
    # type: (str) -> None
    data = THIN[name]
    moved = relocated(data)
    signed = renew(moved)
    altered = [at for at in range(len(data)) if signed[at] != moved[at]]
    expected = set()  # type: Set[int]
    for directory in code_directories(data):
        start = data.index(directory[:500])
        table, size, page = struct.unpack(">I", directory[16:20])[0], ord(directory[36:37]), ord(directory[39:40])
        for number in set([(AT + HEAD) >> page, (AT + HEAD + len(PLACEHOLDER) + 4) >> page]):
            expected.update(range(start + table + number * size, start + table + (number + 1) * size))
    assert altered and set(altered) <= expected


def test_a_signature_that_the_package_broke_is_made_valid():
    # type: () -> None
    """As in conda, whose codesign signs all of a file: real packages have pages that were changed after they were signed."""
    data = bytearray(mach_o(content()))
    data[HEAD + 20000] ^= 1
    assert wrong_hashes(bytes(data)) == [("sha1", 5), ("sha256", 5)]
    assert wrong_hashes(renew(bytes(data))) == []


OTHERS = {
    "empty": b"",
    "four bytes": b"\xcf\xfa\xed\xfe"[:3],
    "text": b"#!/bin/sh\n",
    "ELF": b"\x7fELF" + b"\0" * 60,
    "a Java class": b"\xca\xfe\xba\xbe\0\0\0\x34" + b"\0" * 100,
    "an archive of object files": b"!<arch>\n" + b"x" * 100,
    "an object file": mach_o(content(), [], kind=OBJECT),
    "unsigned for Intel": mach_o(content(), [], cpu=X86_64),
    "fat archive": fat([(X86_64, b"!<arch>\n"), (ARM64, b"!<arch>\n")]),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_files_that_need_no_signature(name):
    # type: (str) -> None
    assert renew(OTHERS[name]) == OTHERS[name]


def changed(data, *pieces):
    # type: (bytes, *Any) -> bytes
    """Return data with bytes replaced, by (offset, bytes)."""
    result = bytearray(data)
    for offset, piece in pieces:
        result[offset : offset + len(piece)] = piece
    return bytes(result)


DATA = mach_o(content(), ["sha256"], entitlements=ENTITLEMENTS)
COMMAND = 32 + 2 * 72  # of the signature
SIGNED = struct.unpack("<I", DATA[COMMAND + 8 : COMMAND + 12])[0]
DIRECTORY = SIGNED + 12 + 8 * 4


def big(number):
    # type: (int) -> bytes
    return struct.pack(">I", number)


BROKEN = {
    "unsigned": (mach_o(content(), []), "not signed", True),
    "a certificate": (mach_o(content(), cms=blob(0xFADE0B01, b"CMS")), "signed by a certificate", True),
    "a certificate for Intel": (mach_o(content(), cms=blob(0xFADE0B01, b"CMS"), cpu=X86_64), "by a certificate", False),
    "an unsigned slice": (fat([(X86_64, OTHERS["unsigned for Intel"]), (ARM64, mach_o(b"", []))]), "not signed", True),
    "truncated header": (DATA[:20], "its header is not whole", False),
    "truncated commands": (DATA[:100], "its load commands are not whole", False),
    "truncated signature": (DATA[:-1], "its signature lies outside", False),
    "commands without end": (changed(DATA, (20, b"\xff\xff\xff\xff")), "load commands are not whole", False),
    "more commands than there are": (changed(DATA, (16, b"\xff\xff\xff\xff")), "fewer load commands", False),
    "command of no size": (changed(DATA, (36, b"\0\0\0\0")), "a load command is not whole", False),
    "signature over the header": (changed(DATA, (COMMAND + 8, b"\0\0\0\0")), "its signature lies outside", False),
    "two signatures": (changed(DATA, (16, b"\4"), (20, struct.pack("<I", 176)), (COMMAND + 16, DATA[COMMAND : COMMAND + 16])),
                       "several signatures", False),
    "other magic": (changed(DATA, (SIGNED, b"\0")), "not one of known form", False),
    "blobs without end": (changed(DATA, (SIGNED + 8, b"\xff\xff\xff\xff")), "not one of known form", False),
    "a blob outside": (changed(DATA, (SIGNED + 16, b"\0\xff\xff\xff")), "lies outside", False),
    "a blob twice": (changed(DATA, (SIGNED + 20, b"\0\0\0\0")), "a part twice", False),
    "a blob in another": (changed(DATA, (SIGNED + 24, big(12 + 8 * 4 + 4))), "in another", False),
    "no CodeDirectory": (changed(DATA, (SIGNED + 12, b"\0\0\0\6")), "no CodeDirectory", False),
    "scattered": (changed(DATA, (DIRECTORY + 44, big(88))), "scattered", False),
    "scattered, of the first version with that": (
        changed(DATA, (DIRECTORY + 44, big(88)), (DIRECTORY + 8, big(0x20100))), "scattered", False,
    ),
    "more pages": (changed(DATA, (DIRECTORY + 28, big(13))), "of another size", False),
    "pages without end": (changed(DATA, (DIRECTORY + 28, big(0xFFFFFFFF))), "of another size", False),
    "code behind its end": (changed(DATA, (DIRECTORY + 32, big(SIGNED + 1))), "of another size", False),
    "hashes outside": (changed(DATA, (DIRECTORY + 16, big(0xFFFFFF00))), "hashes outside", False),
    "hashes over the head": (changed(DATA, (DIRECTORY + 16, big(44))), "hashes outside", False),
    "special hashes without end": (changed(DATA, (DIRECTORY + 24, big(0xFFFFFFFF))), "hashes outside", False),
    "unknown hash": (changed(DATA, (DIRECTORY + 37, b"\x09")), "of another kind", False),
    "pages of one byte": (changed(DATA, (DIRECTORY + 39, b"\0")), "of another kind", False),
    "huge pages": (changed(DATA, (DIRECTORY + 39, b"\xff")), "of another kind", False),
    "other entitlements": (DATA.replace(b"allow-jit", b"allow-all"), "part of its signature was changed", False),
    "slice outside": (changed(FILES["fat"], (16, b"\0\xff")), "a slice lies outside", False),
    "slice in another": (changed(FILES["fat"], (36, FILES["fat"][16:20])), "in another", False),
    "truncated table": (b"\xca\xfe\xba\xbe\0\0\0\x02" + b"\0" * 30, "table of slices is not whole", False),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_signatures_that_cannot_be_renewed(name):
    # type: (str) -> None
    data, words, needed = BROKEN[name]
    with pytest.raises(Unrenewable) as caught:
        renew(data)
    assert words in str(caught.value)
    assert caught.value.needed == needed


@pytest.mark.parametrize("seed", range(40))
def test_damaged_headers_and_signatures_are_only_errors(seed):
    # type: (int) -> None
    """Any number in a header or a signature may be any other: each place is checked before it is read or written."""
    source = random.Random(seed)
    for name in ("as ldid signs", "entitlements", "fat"):
        data = bytearray(FILES[name])
        places = list(range(300)) + list(range(16384, 16384 + 300))
        start = bytes(data).index(b"\xfa\xde\x0c\xc0")
        places += list(range(start, start + 400))
        for _ in range(source.randint(1, 4)):
            at = source.choice(places)
            data[at] = source.choice([0, 1, 0x7F, 0x80, 0xFF, source.randint(0, 255)])
        del data[source.choice([len(data), len(data), source.randint(0, len(data))]) :]
        longest = []

        def read(first, last, data=bytes(data), longest=longest):
            # type: (int, int, bytes, List[int]) -> bytes
            longest.append(last - first)
            return data[first:last]

        try:
            for offset, piece in patches(read, len(data)):
                assert 0 <= offset and offset + len(piece) <= len(data)
        except Unrenewable:
            pass
        assert max(longest) <= max(1 << 20, len(data)) and sum(longest) <= 8 * len(data) + (1 << 20)


def test_signers():
    # type: () -> None
    assert load_signer("linux-64") is None
    assert isinstance(load_signer("osx-arm64"), Signer)
    assert isinstance(load_signer("osx-64"), Signer)
