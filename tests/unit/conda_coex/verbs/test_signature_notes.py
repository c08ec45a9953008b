"""Which binaries of an archive for macOS a note names, because a build cannot renew their signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.relocation import in_binary

from conda_coex.root.content import Content, relocation_of
from conda_coex.root.layout import Layout
from conda_coex.root.source import InMemory, OnDisk, Patched, Source, Span
from conda_coex.verbs.signature_notes import files_for_codesign
from unit.coex_bootstrap.building import PLACEHOLDER
from unit.coex_bootstrap.mach_o_files import X86_64, blob, fat, mach_o

if TYPE_CHECKING:
    from pathlib import Path

STRING = PLACEHOLDER + b"/lib\0"
CERTIFIED = mach_o(STRING, cms=blob(0xFADE0B01, b"of a company"))
UNSIGNED = mach_o(STRING, [])
UNREADABLE = mach_o(STRING).replace(b"\xfa\xde\x0c\xc0", b"\0\0\0\0")


def layout_of(files: dict[str, bytes | Source], mode: str | None = "binary") -> Layout:
    layout = Layout()
    relocation = relocation_of(PLACEHOLDER.decode(), mode) if mode else None
    for name, data in files.items():
        source = InMemory(data) if isinstance(data, bytes) else data
        content = Content(f"prefix/lib/{name}", 0o755, 0, source, len(source.read()), relocation=relocation)
        layout.place("owner", [content])
    return layout


def notes(files: dict[str, bytes | Source], platform: str = "osx-arm64", mode: str | None = "binary") -> list[str]:
    return list(files_for_codesign(layout_of(files, mode), platform))


def test_files_that_codesign_has_to_sign() -> None:
    (note,) = notes({"b.dylib": CERTIFIED, "a": UNSIGNED, "c": fat([(X86_64, UNSIGNED), (0x0100000C, UNSIGNED)])})
    files = "lib/a (it is not signed), lib/b.dylib (it is signed by a certificate), lib/c (it is not signed)"
    assert f"the first start on a Mac signs these files ({files}) with /usr/bin/codesign. " in note
    assert "that of a certificate is lost" in note
    assert "If codesign fails, so does the start" in note


def test_unreadable_signature() -> None:
    (note,) = notes({"odd": UNREADABLE})
    assert "does not load this file (lib/odd (its signature is not one of known form)), with conda either" in note
    assert "leaves a file as it is" in note


def test_two_notes() -> None:
    assert len(notes({"odd": UNREADABLE, "a": UNSIGNED})) == 2


def test_many_files() -> None:
    (note,) = notes({f"{number}.dylib": UNSIGNED for number in range(8)})
    assert "lib/4.dylib (it is not signed), and 3 more)" in note


@pytest.mark.parametrize("platform", ["osx-64", "linux-64", "linux-aarch64"])
def test_platforms_that_sign_nothing(platform: str) -> None:
    assert notes({"a": UNSIGNED}, platform) == []


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(mach_o(STRING), id="ad-hoc"),
        pytest.param(mach_o(STRING, [], cpu=X86_64), id="for Intel"),
        pytest.param(mach_o(b"no path", []), id="without the placeholder"),
        pytest.param(b"\x7fELF" + STRING, id="ELF"),
        pytest.param(STRING, id="other data"),
        pytest.param(b"", id="empty"),
    ],
)
def test_files_without_a_note(data: bytes) -> None:
    assert notes({"a": data}) == []


@pytest.mark.parametrize("mode", ["text", None])
def test_files_that_are_not_relocated_as_binaries(mode: str | None) -> None:
    assert notes({"a": UNSIGNED}, mode=mode) == []


def test_edits_that_are_known() -> None:
    """A file of a live prefix is not searched: its places are known, and may be none."""
    layout = Layout()
    for name, edits in (("moved", ((0, ((9, 20),)),)), ("stays", ())):
        relocation = in_binary(PLACEHOLDER.decode(), edits)
        content = Content(f"prefix/{name}", 0o755, 0, InMemory(UNSIGNED), len(UNSIGNED), relocation=relocation)
        layout.place("owner", [content])
    (note,) = files_for_codesign(layout, "osx-arm64")
    assert "this file (moved (it is not signed))" in note


def test_sources_of_every_kind(tmp_path: Path) -> None:
    """A large file is mapped, a restored one has other bytes, and a missing one is reported by the payload."""
    large = mach_o(STRING + b"x" * 2_000_000, [])
    (tmp_path / "large").write_bytes(large)
    here = large.index(STRING)
    restored = Patched(OnDisk(tmp_path / "large"), (Span(here, here + 4, STRING[:4]),))
    (note,) = notes({"large": OnDisk(tmp_path / "large"), "restored": restored})
    assert "lib/large (it is not signed), lib/restored (it is not signed)" in note
    layout = layout_of({"large": OnDisk(tmp_path / "large")})
    (tmp_path / "large").unlink()
    assert list(files_for_codesign(layout, "osx-arm64")) == []
