"""Images of small archives: layers, their digests, the documents, and all that is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError
from coex_bootstrap.format.index import Directory, Link
from coex_bootstrap.format.manifest import SBOM

from conda_coex.cli.image import parse_label
from conda_coex.errors import BaseRefused, ImageError, InputError, OutputError
from conda_coex.image import compress, documents
from conda_coex.image.base_rootfs import read_rootfs
from conda_coex.image.beside_output import BesideOutput
from conda_coex.image.root_layers import RootLayers
from conda_coex.verbs.image import ImageRequest, image
from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, write_archive
from unit.conda_coex.image.bases import NAMES, Layout, digest, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conda_coex.image.layer import LayerWriter
    from conda_coex.verbs.outcome import ImageMade

PREFIX = b"/opt/coex/prefix"
SCRIPT = b"#!/bin/sh\necho " + PLACEHOLDER + b"/share\n"
PLACED = SCRIPT.replace(PLACEHOLDER, PREFIX)
RECORD = b"demo,sha256=" + b"0" * 64 + b"\n"
DATE = 1_000_000_000
ROOT = "opt/coex/"


class Make:
    """Makes an archive in a directory, and images of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.app: dict[bytes, bytes] = {b"app/data": b"data\n"}
        self.more: dict[bytes, bytes] = {}  # files of the environment
        self.links: list[Link] = []
        self.fields: dict[str, Any] = {"platform": "linux-64"}
        self.sbom = {"serialNumber": "x", "components": ["y"]}

    def archive(self) -> Path:
        """Write the archive."""
        content = SCRIPT + b"plain\n" + RECORD
        files = [
            file_row(b"prefix/bin/demo", 0, 0, len(SCRIPT), b"t:0:0=15", mode=0o755),
            file_row(b"prefix/share/plain", 0, len(SCRIPT), 6, mode=0o640, mtime_ns=1234567890 * 10**9 + 5),
            file_row(b"prefix/site/RECORD", 0, len(SCRIPT) + 6, len(RECORD), b"h:0@12"),
        ]
        for name, data in {**self.more, **self.app}.items():
            files.append(file_row(name, 0, len(content), len(data)))
            content += data
        index = make_index(files, links=[Link(b"prefix/share/link", b"plain"), *self.links])
        path = self.directory / "demo.coex"
        members = {SBOM: json.dumps(self.sbom).encode()} if self.sbom else {}
        write_archive(os.fsencode(path), index, [content], members=members, **self.fields)
        return path

    def image(self, output: str = "demo.tar", base: str | None = None, **more: Any) -> ImageMade:
        """Make an image."""
        known: dict[str, Any] = {"name": None, "labels": (), "compression": "gzip", "attach_sbom": False}
        path = more.pop("path", None) or self.archive()
        return image(ImageRequest(str(path), self.directory / output, base, **{**known, **more}))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


def blob(output: Path, name: str) -> bytes:
    """Return a file of an image, of a directory or a tar."""
    if output.is_dir():
        return (output / name).read_bytes()
    with tarfile.open(output) as tar:
        found = tar.extractfile(name)
        assert found is not None
        return found.read()


def read(output: Path) -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
    """Return manifest, configuration and the tars of the layers, with every digest compared."""
    index = json.loads(blob(output, "index.json"))

    def get(descriptor: dict[str, Any]) -> bytes:
        data = blob(output, f"blobs/{descriptor['digest'].replace(':', '/')}")
        assert (digest(data), len(data)) == (descriptor["digest"], descriptor["size"])
        return data

    manifest = json.loads(get(index["manifests"][0]))
    config = json.loads(get(manifest["config"]))
    tars = [get(layer) for layer in manifest["layers"]]
    tars = [gzip.decompress(tar) if tar.startswith(b"\x1f\x8b") else tar for tar in tars]
    assert [digest(tar) for tar in tars] == config["rootfs"]["diff_ids"]
    assert len(config["history"]) == len(tars)
    return manifest, config, tars


def entries(tar: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Return the entries of a tar with their content."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as found:
        contents = {member.name: found.extractfile(member) if member.isreg() else None for member in found}
        return {name: (found.getmember(name), data.read() if data else b"") for name, data in contents.items()}


def with_hash(record: bytes, content: bytes) -> bytes:
    return record.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode())


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_environment(make: Make) -> None:
    make.image()
    environment, _, app = (entries(tar) for tar in read(make.directory / "demo.tar")[2])
    contents = {name: content for name, (_, content) in environment.items()}
    assert contents[ROOT + "prefix/bin/demo"] == PLACED
    assert contents[ROOT + "prefix/site/RECORD"] == with_hash(RECORD, PLACED)
    facts = {name: (member.mode, member.mtime) for name, (member, _) in environment.items()}
    assert facts["opt"] == facts["opt/coex"] == facts[ROOT + "prefix"] == (0o755, DATE)
    assert facts[ROOT + "prefix/bin/demo"] == (0o755, DATE + 1)  # not the time of its file: a .pyc is stale now
    assert facts[ROOT + "prefix/share/plain"] == (0o640, 1234567890)
    assert environment[ROOT + "prefix/share/link"][0].linkname == "plain"
    assert all((member.uid, member.gid, member.uname) == (0, 0, "") for member, _ in environment.values())
    assert {name for name in app if name.startswith("opt")} == {ROOT + "app", ROOT + "app/data"}


def app_changed(make: Make) -> None:
    make.app[b"app/data"] = b"other\n"


def app_added(make: Make) -> None:
    make.app[b"app/more"] = os.urandom(5000)


def app_gone(make: Make) -> None:
    make.app = {}


@pytest.mark.parametrize("change", [app_changed, app_added, app_gone])
def test_another_app_is_one_layer_of_its_own_bytes(make: Make, change: Callable[[Make], None]) -> None:
    before = make.image()
    change(make)
    after = make.image()
    assert [name for name, _, _ in after.layers] == ["environment", "start", "app"]
    assert before.layers[:2] == after.layers[:2]
    assert before.layers[2] != after.layers[2]
    own = sum(len(gzip.compress(data)) for data in make.app.values())
    assert after.layers[2][1] - own < 1000
    assert before.digest != after.digest


def entry_points_changed(make: Make) -> None:
    make.fields["entry_points"] = [{"name": "other", "command": [["app", "data"]]}]


def variables_changed(make: Make) -> None:
    make.fields["env"] = [{"name": "A", "value": "1", "default": False}]


def name_changed(make: Make) -> None:
    make.fields["name"] = "other"


@pytest.mark.parametrize("change", [entry_points_changed, variables_changed, name_changed])
def test_the_environment_stays(make: Make, change: Callable[[Make], None]) -> None:
    before = make.image()
    change(make)
    base = Layout(tar_of(NAMES)).write(make.directory / "base")
    after = make.image(base=base)
    assert before.layers[0] == after.layers[0]
    assert (before.layers[1] == after.layers[1]) is (change is name_changed)


def test_no_fact_of_the_machine(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make.archive()
    make.image("one.tar", path=path)
    make.image("one", path=path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr(compress, "usable_cores", lambda: 7)
    umask = os.umask(0o077)
    try:
        make.image("two.tar", path=path)
        make.image("two", path=path)
    finally:
        os.umask(umask)
    assert (make.directory / "one.tar").read_bytes() == (make.directory / "two.tar").read_bytes()
    subprocess.run(["diff", "-r", make.directory / "one", make.directory / "two"], check=True)
    assert (make.directory / "one.tar").stat().st_mode & 0o777 == 0o644
    assert (make.directory / "two.tar").stat().st_mode & 0o777 == 0o600


def test_the_tar_is_the_layout(make: Make) -> None:
    path = make.archive()
    make.image("one.tar", path=path)
    make.image("one", path=path)
    with tarfile.open(make.directory / "one.tar") as tar:
        names = tar.getnames()
        assert names[0] == "oci-layout"
        tar.extractall(make.directory / "tar", filter="data")
    files = {str(p.relative_to(make.directory / "one")) for p in (make.directory / "one").rglob("*") if p.is_file()}
    assert {*files, "manifest.json"} == set(names)
    assert all(blob(make.directory / "one", name) == blob(make.directory / "tar", name) for name in files)
    (docker,) = json.loads((make.directory / "tar" / "manifest.json").read_text())
    assert docker["RepoTags"] == ["demo:latest"]
    assert {docker["Config"], *docker["Layers"]} < set(names)


def test_another_platform(make: Make) -> None:
    make.fields["platform"] = "linux-aarch64"
    made = make.image(name="example.org/x/y:1")
    _, config, _ = read(make.directory / "demo.tar")
    index = json.loads(blob(make.directory / "demo.tar", "index.json"))["manifests"][0]
    assert (config["os"], config["architecture"], made.platform) == ("linux", "arm64", "linux/arm64")
    assert index["platform"] == {"os": "linux", "architecture": "arm64"}
    assert index["annotations"]["org.opencontainers.image.ref.name"] == "1"
    assert index["annotations"]["io.containerd.image.name"] == "example.org/x/y:1"
    with pytest.raises(BaseRefused, match="no image for linux/arm64; it has: linux/amd64"):
        make.image("x", base=Layout(tar_of(NAMES)).write(make.directory / "base"))


@pytest.mark.parametrize("kind", ["oci", "docker", "tar"])
def test_the_base_is_as_it_was(make: Make, kind: str) -> None:
    below, above = tar_of(NAMES), tar_of({"etc/x": b"y"})
    layout = Layout(below, above)
    layout.config["config"].update(User="1000", Labels={"a": "b"}, WorkingDir="/srv", OnBuild=["RUN x"])
    layout.config["variant"] = "v8"
    (make.directory / "base.tar").write_bytes(gzip.compress(below, mtime=0))
    base = {
        "oci": lambda: layout.write(make.directory / "base"),
        "docker": lambda: layout.write_docker(make.directory / "d.tar"),
        "tar": lambda: str(make.directory / "base.tar"),
    }[kind]()  # fmt: skip
    made = make.image(base=base, labels=(("a", "c"), ("org.opencontainers.image.source", "https://x")))
    manifest, config, tars = read(make.directory / "demo.tar")
    assert made.notes == ()
    assert config["config"]["Entrypoint"] == ["/opt/coex/bin/demo"]
    labels = config["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "demo"
    assert labels["org.opencontainers.image.created"] == config["created"] == "2001-09-09T01:46:40Z"
    assert manifest["annotations"]["org.opencontainers.image.source"] == "https://x"
    assert labels["a"] == "c"
    if kind == "tar":
        assert [digest(tar) for tar in tars[:1]] == [digest(below)]
        assert manifest["layers"][0]["digest"] == digest(gzip.compress(below, mtime=0))
        assert config["config"]["Env"] == [documents.PATH]
        return
    assert [layer["digest"] for layer in manifest["layers"][:2]] == [digest(each) for each in layout.layers]
    assert (config["config"]["User"], config["config"]["WorkingDir"]) == ("1000", "/srv")
    assert config["config"]["Env"] == ["A=b", documents.PATH]
    assert not {"Cmd", "OnBuild"} & config["config"].keys()
    assert config["variant"] == "v8"
    assert labels.get("org.opencontainers.image.base.digest") == (
        layout.index["manifests"][0]["digest"] if kind == "oci" else None
    )


def test_zstd(make: Make) -> None:
    made = make.image("demo", compression="zstd")
    manifest = json.loads(blob(make.directory / "demo", f"blobs/{made.digest.replace(':', '/')}"))
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar+zstd"}


def test_bill_of_materials(make: Make) -> None:
    make.image("demo", attach_sbom=True)
    output = make.directory / "demo"
    _, config, tars = read(output)
    file = entries(tars[1])[ROOT + "sbom.cdx.json"][1]
    assert json.loads(file) == {"components": ["y"]}  # its number changes with the app
    assert config["config"]["Labels"]["io.github.conda-coex.sbom"] == "/opt/coex/sbom.cdx.json"
    first, second = json.loads(blob(output, "index.json"))["manifests"]
    assert second["artifactType"] == "application/vnd.cyclonedx+json"
    artifact = json.loads(blob(output, f"blobs/{second['digest'].replace(':', '/')}"))
    assert artifact["subject"] == {name: first[name] for name in ("mediaType", "digest", "size")}
    (layer,) = artifact["layers"]
    assert json.loads(blob(output, f"blobs/{layer['digest'].replace(':', '/')}")) == make.sbom
    assert blob(output, f"blobs/{artifact['config']['digest'].replace(':', '/')}") == b"{}"


def test_a_bill_that_cannot_be_read(make: Make) -> None:
    path = make.archive()
    content = b"plain\n"
    index = make_index([file_row(b"prefix/bin/demo", 0, 0, len(content))])
    write_archive(os.fsencode(path), index, [content], members={SBOM: b"\xef\xbb\xbf{}"}, platform="linux-64")
    with pytest.raises(ImageError, match="the bill of materials of the archive cannot be read"):
        make.image(path=path)


def test_an_archive_without_a_bill(make: Make) -> None:
    make.sbom = {}
    make.image()
    _, config, tars = read(make.directory / "demo.tar")
    assert "io.github.conda-coex.sbom" not in config["config"]["Labels"]
    assert ROOT + "sbom.cdx.json" not in entries(tars[1])


def test_programs(make: Make) -> None:
    command = [["app", "data"]]
    make.fields["entry_points"] = [{"name": name, "command": command} for name in ("serve", "it's", "serve")]
    make.image()
    _, config, tars = read(make.directory / "demo.tar")
    found = entries(tars[1])
    assert config["config"]["Entrypoint"] == ["/opt/coex/bin/serve"]
    links = {name: member.linkname for name, (member, _) in found.items() if member.issym()}
    assert links == {ROOT + "bin/serve": "../run", ROOT + "bin/it's": "../run"}
    assert found[ROOT + "run"][0].mode == 0o755


def test_the_activation(make: Make) -> None:
    make.more = {
        b"prefix/etc/conda/activate.d/b.sh": b"export B=1\n",
        b"prefix/share/a.sh": b"export A=1\n",
        b"prefix/etc/conda/env_vars.d/x.json": b'{"OWN": "it\'s"}',
        b"prefix/conda-meta/state": b'{"env_vars": {"STATE": "s"}}',
        b"prefix/bin/R": b"",
    }
    make.links = [Link(b"prefix/etc/conda/activate.d/a.sh", b"../../../share/a.sh")]
    make.fields["portable"] = {"a.sh": 11, "b.sh": 11}
    make.image()
    found = entries(read(make.directory / "demo.tar")[2][1])
    text = found[ROOT + "activate.sh"][1].decode()
    directory = "/opt/coex/prefix/etc/conda/activate.d"
    assert f". '{directory}/a.sh'\n. '{directory}/b.sh'" in text
    assert "export OWN='it'\\''s'" in text
    assert "export STATE='s'" in text
    assert "R_HOME" in text
    assert str(make.directory) not in text
    assert "bash" not in found[ROOT + "start"][1].decode()


@pytest.mark.parametrize(
    ("base", "own", "bash"),
    [({}, False, None), ({"usr/bin/bash": b""}, True, "/usr/bin/bash"), ({}, True, "/opt/coex/prefix/bin/bash")],
)
def test_scripts_for_bash(make: Make, base: dict[str, bytes], own: bool, bash: str | None) -> None:
    make.more = {b"prefix/etc/conda/activate.d/b.sh": b"export B=1\n", **({b"prefix/bin/bash": b""} if own else {})}
    made = make.image(base=Layout(tar_of({**NAMES, **base})).write(make.directory / "base"))
    start = entries(read(make.directory / "demo.tar")[2][-2])[ROOT + "start"][1].decode()
    assert [note[:21] for note in made.notes] == ([] if bash else ["the image has no bash"])
    assert ("exec '" in start) is bool(bash)
    assert f"exec '{bash}' -p" in start or not bash


@pytest.mark.parametrize("link", [
    Link(b"prefix/etc/conda/activate.d/x.sh", b"/etc/passwd"), Link(b"prefix/etc/conda/activate.d/x.sh", b"x.sh"),
    Link(b"prefix/etc/conda/activate.d/x.sh", b"../../../../../../../etc/passwd"), Link(b"prefix/etc", b"/etc"),
    Link(b"prefix/conda-meta/state", b"../share"),
])  # fmt: skip
def test_links_that_decide_about_the_activation(make: Make, link: Link) -> None:
    make.links = [link]
    with pytest.raises(ImageError, match="is a link to no file of the archive"):
        make.image()
    assert names_in(make.directory) == ["demo.coex"]


def test_notes(make: Make) -> None:
    make.fields.update(requires={"__glibc": [">=2.17"]}, compile={"python": "bin/python", "sources": ["x.py"]})
    assert [note.split(":")[0].split(",")[0] for note in make.image().notes] == [
        "the image has its environment and its app alone", "the builder could not compile 1 Python module",
    ]  # fmt: skip
    notes = make.image(base=Layout(tar_of({"bin/busybox": b""})).write(make.directory / "base")).notes
    assert notes[0] == "the base has no /bin/sh, which starts the entry points"
    assert notes[1].startswith("the base has no GNU C library")


def post_link(make: Make) -> None:
    make.fields["post_link"] = [{"name": "pkg", "version": "1", "build_number": 0}]


def of_macos(make: Make) -> None:
    make.fields["platform"] = "osx-arm64"


def short_prefix(make: Make) -> None:
    make.fields["prefix_limit"] = 15


def removing(make: Make) -> None:
    make.more = {b"prefix/.wh.x": b""}


@pytest.mark.parametrize(("change", "what"), [
    (post_link, "post-link scripts have to run.*: pkg; pack an environment"),
    (of_macos, "cannot run an archive for osx-arm64"),
    (short_prefix, "path has 16 bytes, the packages allow 15"), (removing, "names that begin with .wh. remove files"),
])  # fmt: skip
def test_archives_that_are_refused(make: Make, change: Callable[[Make], None], what: str) -> None:
    change(make)
    for output in ("demo.tar", "demo"):
        with pytest.raises(ImageError, match=what):
            make.image(output)
    assert names_in(make.directory) == ["demo.coex"]


def test_a_damaged_archive(make: Make) -> None:
    path = make.archive()
    path.write_bytes(path.read_bytes().replace(b"plain\n", b"plane\n"))
    with pytest.raises(ArchiveDamaged, match="a frame of it was altered"):
        make.image(path=path)
    assert names_in(make.directory) == ["demo.coex"]


@pytest.mark.parametrize("files", [{"opt/coex/x": b""}, {"opt": b""}])
def test_a_base_that_is_in_the_way(make: Make, files: dict[str, bytes]) -> None:
    base = Layout(tar_of(files)).write(make.directory / "base")
    with pytest.raises(BaseRefused, match="/opt"):
        make.image(base=base)
    links = Layout(tar_of({}, {"opt": "usr/opt"})).write(make.directory / "links")
    with pytest.raises(BaseRefused, match="/opt is not a directory in it"):
        make.image(base=links)


def test_outputs(make: Make) -> None:
    path = make.archive()
    (make.directory / "full").mkdir()
    (make.directory / "full" / "x").write_text("x")
    (make.directory / "mine.tar").write_text("x")
    (make.directory / "empty").mkdir()
    for output in ("full", "mine.tar", "no/where", "no/where.tar"):
        with pytest.raises(OutputError):
            make.image(output, path=path)
    assert (make.directory / "mine.tar").read_text() == "x"
    make.image("empty", path=path)
    for _ in range(2):  # its own are replaced
        make.image("demo.tar", path=path)
    with pytest.raises(OutputError, match="is there already"):
        make.image("empty", path=path)
    assert names_in(make.directory) == ["demo.coex", "demo.tar", "empty", "full", "mine.tar"]


def test_a_full_disk(make: Make) -> None:
    """The error names the output, also while the base is compressed."""
    full = io.FileIO("/dev/full", "r+")
    stream = BesideOutput(full, make.directory / "x.tar")
    with pytest.raises(OutputError, match=r"x\.tar: a layer cannot be written beside it: No space left"):
        stream.write(b"x" * (1 << 20))
    with pytest.raises(OutputError, match=r"x\.tar"):
        read_rootfs(write_tar(make), "gzip", lambda: stream)
    full.close()


def write_tar(make: Make) -> str:
    path = make.directory / "base.tar"
    path.write_bytes(tar_of({"bin/sh": os.urandom(1 << 20)}))
    return str(path)


def test_an_empty_base(make: Make) -> None:
    with pytest.raises(InputError, match="--base is empty"):
        make.image(base="")


def test_labels() -> None:
    assert parse_label("a=b=c") == ("a", "b=c")
    for text in ("a", "=b", os.fsdecode(b"a=\xff")):
        with pytest.raises(InputError, match="--label"):
            parse_label(text)


def test_a_base_that_changes_meanwhile(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Layout(tar_of(NAMES), compress=False)
    name, real = base.write(make.directory / "base"), documents.make_config
    path = make.directory / "base" / "blobs" / digest(base.layers[0]).replace(":", "/")
    for data, what in ((b"x" * len(base.layers[0]), "was changed meanwhile"), (b"x", "became shorter meanwhile")):
        for output in ("demo.tar", "demo"):
            path.write_bytes(base.layers[0])

            def change(*words: Any, data: bytes = data) -> Any:
                path.write_bytes(data)
                return real(*words)

            monkeypatch.setattr("conda_coex.verbs.image.make_config", change)
            with pytest.raises(BaseRefused, match=what):
                make.image(output, base=name)
    assert names_in(make.directory) == ["base", "demo.coex"]


def test_large_files(make: Make) -> None:
    """They are in several frames: plain, relocated as text, which changes their size, and with hashes of others."""
    text = SCRIPT + b"x" * 500
    record = b"y" * 400 + b"0" * 64 + b"z" * 100
    frames = [text[:300], text[300:], record[:430], record[430:], b"p" * 300, b"q" * 7]
    index = make_index([
        file_row(b"prefix/text", 0, 0, len(text), b"t:0:0=15"),
        file_row(b"prefix/record", 2, 0, len(record), b"h:0@400"),
        file_row(b"prefix/plain", 4, 0, 307), file_row(b"prefix/empty", 5, 0, 0),
    ])  # fmt: skip
    index.directories = [Directory(0o755, each.path) for each in index.directories]
    path = make.directory / "large.coex"
    write_archive(os.fsencode(path), index, frames, platform="linux-64")
    make.image(path=path)
    found = {name: content for name, (_, content) in entries(read(make.directory / "demo.tar")[2][0]).items()}
    placed = text.replace(PLACEHOLDER, PREFIX)
    assert found[ROOT + "prefix/text"] == placed
    assert found[ROOT + "prefix/record"] == with_hash(record, placed)
    assert found[ROOT + "prefix/plain"] == b"p" * 300 + b"q" * 7
    assert found[ROOT + "prefix/empty"] == b""


@pytest.mark.parametrize("how", ["other app", "shorter", "touched"])
def test_archive_that_is_written_meanwhile(make: Make, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """`cp` of another version writes into the file while it is read."""
    path, real = make.archive(), RootLayers.add_app

    def and_write(layers: RootLayers, writer: LayerWriter) -> None:
        if how == "other app":
            path.write_bytes(path.read_bytes().replace(b"data\n", b"DATA\n"))
        elif how == "shorter":
            os.truncate(path, 20000)
        os.utime(path, (1, 1))
        real(layers, writer)

    monkeypatch.setattr(RootLayers, "add_app", and_write)
    if how == "touched":
        make.image(path=path)
        return
    with pytest.raises(CoexError, match="the archive was changed while it was unpacked; run the command again"):
        make.image(path=path)
    assert sorted(each.name for each in make.directory.iterdir()) == ["demo.coex"]
