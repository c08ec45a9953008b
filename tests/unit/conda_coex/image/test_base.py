"""Bases of every kind, and all that can be wrong with one."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

import pytest
import zstandard

from conda_coex.errors import BaseRefused, InputError
from conda_coex.image.base import Base, Platform, parse_base
from conda_coex.image.base_docker import read_docker
from conda_coex.image.base_oci import read_oci
from conda_coex.image.base_rootfs import read_rootfs
from conda_coex.image.blobs import TarFiles, open_files
from unit.conda_coex.image.bases import NAMES, Layout, digest, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLATFORM = Platform("linux", "amd64")
BELOW, ABOVE = tar_of(NAMES), tar_of({"etc/x": b"x"})


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with ExitStack() as STACK["of this test"]:
        yield


STACK: dict[str, ExitStack] = {}


def new_file() -> IO[bytes]:
    stack = STACK["of this test"]
    return stack.enter_context(tempfile.TemporaryFile())


def read(text: str, platform: Platform = PLATFORM) -> Base:
    spelled = parse_base(text)
    if spelled.kind == "rootfs":
        return read_rootfs(spelled.path, "gzip", new_file)
    with open_files(spelled.path, in_tar=spelled.kind != "oci") as files:
        reader = read_docker if spelled.kind == "docker-archive" else read_oci
        return reader(files, platform, spelled.reference)


@pytest.mark.parametrize("compress", [True, False])
def test_a_layout(tmp_path: Path, compress: bool) -> None:
    layout = Layout(BELOW, ABOVE, compress=compress)
    base = read(layout.write(tmp_path / "x"))
    assert [(each.digest, each.size) for each in base.layers] == [(digest(each), len(each)) for each in layout.layers]
    assert [each.diff_id for each in base.layers] == [digest(BELOW), digest(ABOVE)]
    assert base.digest == layout.index["manifests"][0]["digest"]
    assert base.tree.has("bin/sh")


def test_a_pipe(tmp_path: Path) -> None:
    """As a shell gives it for `<(...)`."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BaseRefused, match="not a regular file, and it is read more than once; write it"):
        read(str(tmp_path / "pipe"))


def test_a_tar_of_a_layout(tmp_path: Path) -> None:
    Layout(BELOW).write(tmp_path / "x")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(tmp_path / "x", ".")
    with pytest.raises(BaseRefused, match="archive of an image, not of a root"):
        read(str(tmp_path / "x.tar"))
    assert len(read(f"oci-archive:{tmp_path}/x.tar").layers) == 1


def test_the_platform_is_chosen(tmp_path: Path) -> None:
    layout, other = Layout(BELOW), Layout(ABOVE, architecture="arm64")
    other.describe()
    layout.index["manifests"] = other.index["manifests"]
    layout.blobs.update(other.blobs)
    inner = Layout(BELOW)
    inner.describe()
    unknown = {"os": "unknown", "architecture": "unknown"}  # the platform of attestations
    inner.index["manifests"] += [{**other.add("manifest", {}), "platform": unknown}]
    layout.blobs.update({**inner.blobs, **other.blobs})
    layout.index["manifests"] = [*other.index["manifests"], layout.add("index", inner.index)]
    name = layout.write(tmp_path / "x")
    assert read(name).layers[0].diff_id == digest(BELOW)
    assert read(name, Platform("linux", "arm64")).layers[0].diff_id == digest(ABOVE)
    with pytest.raises(BaseRefused, match="no image for linux/s390x; it has: linux/amd64, linux/arm64"):
        read(name, Platform("linux", "s390x"))


def test_the_name_is_chosen(tmp_path: Path) -> None:
    layout, other = Layout(BELOW), Layout(ABOVE)
    for made, name in ((layout, "one"), (other, "two")):
        made.describe(annotations={"org.opencontainers.image.ref.name": name})
    layout.index["manifests"] += other.index["manifests"]
    layout.blobs.update(other.blobs)
    name = layout.write(tmp_path / "a:b")
    assert read(f"{name}:two").layers[0].diff_id == digest(ABOVE)
    with pytest.raises(BaseRefused, match="2 images for linux/amd64; name one as oci:DIR:NAME; it has: one, two"):
        read(name)
    with pytest.raises(BaseRefused, match="no 'three'; it has: one, two"):
        read(f"{name}:three")


def no_size(layout: Layout) -> None:
    layout.manifest["layers"][0].pop("size")


def other_size(layout: Layout) -> None:
    layout.manifest["layers"][0]["size"] += 1


def other_digest(layout: Layout) -> None:
    layout.blobs[digest(layout.layers[0])] = layout.layers[0] + b"\0"


def other_content(layout: Layout) -> None:
    layout.config["rootfs"]["diff_ids"][0] = digest(b"x")


def other_config(layout: Layout) -> None:
    layout.manifest["config"] = layout.add("config", layout.config)
    layout.blobs[layout.manifest["config"]["digest"]] += b" "


def other_manifest(layout: Layout) -> None:
    layout.blobs[layout.describe()["digest"]] += b" "


def no_sha256(layout: Layout) -> None:
    layout.manifest["layers"][0]["digest"] = "sha256:../../../../etc/passwd"


def no_blob(layout: Layout) -> None:
    del layout.blobs[digest(layout.layers[0])]


def foreign(layout: Layout) -> None:
    layout.manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def elsewhere(layout: Layout) -> None:
    layout.manifest["layers"][0]["urls"] = ["https://example.org/layer"]


def no_gzip(layout: Layout) -> None:
    data = b"x" * 100
    layout.blobs[digest(data)] = data
    layout.manifest["layers"][0].update(digest=digest(data), size=len(data))


def one_too_many(layout: Layout) -> None:
    layout.config["rootfs"]["diff_ids"].append(digest(b""))


def other_platform(layout: Layout) -> None:
    layout.platform, layout.config["architecture"] = None, "riscv64"


def of_no_type(layout: Layout) -> None:
    layout.config["config"] = {"Env": 5}


def of_strange_labels(layout: Layout) -> None:
    layout.config["config"] = {"Labels": {"a": {}}}


def endless(layout: Layout) -> None:
    index = layout.add("index", {"manifests": []})
    for _ in range(9):
        index = layout.add("index", {"manifests": [index]})
    layout.index["manifests"] = [index]


def endless_at_each_level(layout: Layout) -> None:
    """Reading each index as often as it is named would take 100 million readings."""
    index = layout.add("index", {"manifests": []})
    for _ in range(3):
        index = layout.add("index", {"manifests": [index] * 100})
    layout.index["manifests"] = [index] * 100


def many_layers(layout: Layout) -> None:
    for listed in (layout.manifest["layers"], layout.config["rootfs"]["diff_ids"]):
        listed *= 501


def no_manifests(layout: Layout) -> None:
    layout.index["manifests"] = [[]]


@pytest.mark.parametrize("change", [
    no_size, other_size, other_digest, other_content, other_config, other_manifest, no_sha256, no_blob, foreign,
    elsewhere, no_gzip, one_too_many, other_platform, of_no_type, of_strange_labels, endless,
    endless_at_each_level, many_layers, no_manifests,
])  # fmt: skip
def test_layouts_that_are_refused(tmp_path: Path, change: Callable[[Layout], None]) -> None:
    layout = Layout(BELOW)
    change(layout)
    with pytest.raises(BaseRefused) as refused:
        read(layout.write(tmp_path / "x"))
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
@pytest.mark.parametrize("data", [None, b"{", b"[]", b"\xff", b"null", b'{"manifests": null}', b"[" * 100_000])
def test_damaged_documents(tmp_path: Path, name: str, data: bytes | None) -> None:
    base = Layout(BELOW).write(tmp_path / "x")
    (tmp_path / "x" / name).unlink()
    if data is not None:
        (tmp_path / "x" / name).write_bytes(data)
    with pytest.raises(BaseRefused):
        read(base)


def test_a_file_of_docker_save(tmp_path: Path) -> None:
    layout = Layout(BELOW, ABOVE, compress=False)
    base = read(layout.write_docker(tmp_path / "x.tar", ["x:1"]))
    assert [each.digest for each in base.layers] == [digest(BELOW), digest(ABOVE)]
    assert {each.media_type for each in base.layers} == {"application/vnd.oci.image.layer.v1.tar"}
    base = read(Layout(BELOW, ABOVE).write_docker(tmp_path / "z.tar"))
    assert [each.diff_id for each in base.layers] == [digest(BELOW), digest(ABOVE)]
    assert {each.media_type for each in base.layers} == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    with pytest.raises(BaseRefused, match="it has 0 such images"):
        read(f"docker-archive:{tmp_path}/x.tar:y:1")
    with pytest.raises(BaseRefused, match="it is for linux/amd64, and the archive for linux/arm64"):
        read(f"docker-archive:{tmp_path}/x.tar", Platform("linux", "arm64"))


def test_links_in_a_file_of_docker_save(tmp_path: Path) -> None:
    """As old versions of docker have for a layer that occurs twice; one that leads outside leads nowhere."""
    layout = Layout(BELOW, BELOW, compress=False)
    documents = {"c.json": json.dumps(layout.config).encode(), "a/layer.tar": BELOW}
    for target, works in (("../a/layer.tar", True), ("/etc/passwd", False), ("layer.tar", False)):
        images = [{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"]}]
        files = {**documents, "manifest.json": json.dumps(images).encode()}
        (tmp_path / "x.tar").write_bytes(tar_of(files, {"b/layer.tar": target}))
        if works:
            assert len(read(f"docker-archive:{tmp_path}/x.tar").layers) == 2
            continue
        with pytest.raises(BaseRefused, match=r"has no b/layer\.tar"):
            read(f"docker-archive:{tmp_path}/x.tar")


@pytest.mark.parametrize("change", [other_content, one_too_many, of_no_type])
def test_files_of_docker_save_that_are_refused(tmp_path: Path, change: Callable[[Layout], None]) -> None:
    layout = Layout(BELOW)
    change(layout)
    with pytest.raises(BaseRefused):
        read(layout.write_docker(tmp_path / "x.tar"))


@pytest.mark.parametrize("data", [b"", b"x", tar_of({}), tar_of({"manifest.json": b"[{}]"}), gzip.compress(BELOW)])
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_files_of_another_kind(tmp_path: Path, kind: str, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(BaseRefused):
        read(f"{kind}:{tmp_path}/x")


def header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def test_tars_with_odd_sizes(tmp_path: Path) -> None:
    """A size below zero leads back to an entry before; one of a terabyte goes far beyond the end."""
    begin = header("a", 0)
    for size in (-1024, 1 << 40):
        (tmp_path / "x").write_bytes(begin + header("b", size) + tar_of({}))
        with pytest.raises(BaseRefused, match="not a whole tar"):
            read(f"docker-archive:{tmp_path}/x")


def test_a_configuration_that_is_named_often_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.dumps(Layout(BELOW).config).encode()
    images = json.dumps([{"Config": "c.json", "Layers": ["x"]}] * 100).encode()
    (tmp_path / "x").write_bytes(tar_of({"manifest.json": images, "c.json": config}))
    opened: list[str] = []
    original = TarFiles.open
    monkeypatch.setattr(TarFiles, "open", lambda files, name: opened.append(name) or original(files, name))
    with pytest.raises(BaseRefused, match="it has 100 such images"):
        read(f"docker-archive:{tmp_path}/x")
    assert opened == ["manifest.json", "c.json"]


PACKED = {"gzip": gzip.compress(BELOW), "zstd": zstandard.compress(BELOW), "xz": lzma.compress(BELOW)}
PACKED |= {"bz2": bz2.compress(BELOW), "plain": BELOW}


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_a_root_file_system(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(PACKED[kind])
    (layer,) = read(str(tmp_path / "x")).layers
    assert layer.diff_id == digest(BELOW)
    with layer.open() as stream:
        data = stream.read()
    assert (layer.digest, layer.size) == (digest(data), len(data))
    assert layer.media_type.endswith("+zstd" if kind == "zstd" else "+gzip")
    assert (data == PACKED[kind]) is (kind in ("gzip", "zstd"))  # as it is, if a layer may be so
    if kind != "zstd":
        assert gzip.GzipFile(fileobj=io.BytesIO(data)).read() == BELOW


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_a_root_file_system_that_is_cut(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(PACKED[kind][: len(PACKED[kind]) // 2 - 5000 * (kind == "plain")][:600])
    with pytest.raises(BaseRefused):
        read(str(tmp_path / "x"))


@pytest.mark.parametrize("text", ["docker:debian", "docker-daemon:x", "dir:x"])
def test_kinds_that_are_not_read(text: str) -> None:
    with pytest.raises(InputError, match="skopeo copy"):
        parse_base(text)


@pytest.mark.parametrize("text", ["oci:{}/none", "docker-archive:{}/none", "{}/none", "{}", "oci-archive:{}"])
def test_paths_that_are_not_there(tmp_path: Path, text: str) -> None:
    with pytest.raises(BaseRefused) as refused:
        read(text.format(tmp_path))
    assert str(tmp_path) in str(refused.value)
