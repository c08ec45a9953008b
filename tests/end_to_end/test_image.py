"""Images of real archives, read, copied and run by the programs of others: skopeo, umoci, buildah."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from end_to_end.archives import Archive, MakeArchive

PACKAGES = ("cprog", "hello-noarch", "activate-demo", "python")
REPORT = """#!/bin/sh
printf '%s\\n' "report $COEX_FILE $COEX_APP $CONDA_PREFIX $MODE $*"
cat "$COEX_APP/data.sh"
"""
IN_ROOT = """
mkdir -p "$0/proc" "$0/dev" && mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"
"""

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to run programs in a root file system"),
    pytest.mark.skipif(not native_subdir().startswith("linux"), reason="containers are of Linux"),
]


def needed(program: str) -> str:
    """Return the path of a program; the test is left out if this machine does not have it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"this machine has no {program}")
    return found


def run(*words: str | Path, **options: Any) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Archive:
    points = ("--entrypoint", "python", "--entrypoint", "cprog", "--entrypoint", "hello=hello-noarch")
    return make_archive("./report.sh", *points, "--env", "MODE=quick", packages=PACKAGES, report=REPORT, data="one\n")


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory, archive: Archive) -> Path:
    """Return the tar of a root file system: busybox, and the C library of this machine, with all that python needs."""
    root = tmp_path_factory.mktemp("rootfs") / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(needed("busybox"), root / "bin" / "busybox")
    for name in ("sh", "env", "ls", "cat"):
        (root / "bin" / name).symlink_to("busybox")
    place = root.parent / "env"
    run(archive.path, "unpack", "-p", place, env={**os.environ, "COEX_TOOLS": "1"})
    for line in run("ldd", place / "bin" / "python").splitlines():
        for word in line.split():
            if word.startswith("/") and not word.startswith(str(place)):
                (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, root / word[1:])
    with tarfile.open(root.parent / "root.tar", "w") as tar:
        tar.add(root, ".", filter=owned_by_root)
    return root.parent / "root.tar"


def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, rootfs: Path) -> Path:
    """Return an OCI layout that umoci made of that root file system."""
    umoci, place = needed("umoci"), tmp_path_factory.mktemp("base")
    layout, bundle = place / "layout", place / "bundle"
    run(umoci, "init", "--layout", layout)
    run(umoci, "new", "--image", f"{layout}:base")
    run(umoci, "unpack", "--image", f"{layout}:base", bundle)
    run("tar", "-C", bundle / "rootfs", "-xf", rootfs)
    run(umoci, "repack", "--image", f"{layout}:base", bundle)
    run(umoci, "config", "--image", f"{layout}:base", "--config.env", "OF_BASE=yes", "--config.cmd", "/bin/sh")
    return layout


@pytest.fixture(scope="module")
def image(conda: Conda, archive: Archive, base: Path) -> Path:
    """Return the tar of an image on that base."""
    output = archive.path.with_name("image.tar")
    conda("coex", "image", archive.path, "-o", output, "--base", f"oci:{base}", "--name", "example.org/report:1")
    return output


def unpacked(layout: Path, name: str, place: Path) -> Path:
    """Return the root file system of an image, as umoci unpacks it."""
    run(needed("umoci"), "unpack", "--image", f"{layout}:{name}", place)
    return place / "rootfs"


def in_root(root: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """Run a program in a root file system; return its output."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return run("unshare", "-m", "sh", "-c", IN_ROOT, root, *words, env={"PATH": path, **(env or {})})


@pytest.fixture(scope="module")
def root(image: Path) -> Path:
    """Return the image's root file system."""
    layout = image.with_name("copied")
    run(needed("skopeo"), "copy", "-q", f"oci-archive:{image}", f"oci:{layout}:1")
    return unpacked(layout, "1", image.with_name("bundle"))


def test_skopeo_reads_it_as_both(image: Path, base: Path) -> None:
    skopeo = needed("skopeo")
    found = json.loads(run(skopeo, "inspect", f"oci-archive:{image}"))
    below = json.loads(run(skopeo, "inspect", f"oci:{base}"))
    assert found["Layers"][:-3] == below["Layers"]
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    assert found["Architecture"] == names.get(platform.machine(), found["Architecture"])
    config = json.loads(run(skopeo, "inspect", "--config", f"docker-archive:{image}:example.org/report:1"))
    assert config["config"]["Entrypoint"] == ["/opt/coex/bin/report"]
    assert "OF_BASE=yes" in config["config"]["Env"]
    assert "Cmd" not in config["config"]


def test_skopeo_copies_it_there_and_back(image: Path, tmp_path: Path) -> None:
    """Every program that copies an image compares all digests."""
    skopeo = needed("skopeo")
    names = [f"docker-archive:{image}", f"oci:{tmp_path}/a:x", f"docker-archive:{tmp_path}/b.tar:x:1"]
    names.append(f"oci:{tmp_path}/c:x")
    for source, target in pairwise(names):
        run(skopeo, "copy", "-q", source, target)
    first, last = (json.loads(run(skopeo, "inspect", "--config", name)) for name in (names[0], names[-1]))
    assert first["rootfs"] == last["rootfs"]
    assert first["config"] == last["config"]


def test_it_runs(root: Path) -> None:
    out = in_root(root, "/opt/coex/bin/report", "a b", env={"OF_BASE": "yes"})
    assert out == "report /opt/coex/bin/report /opt/coex/app /opt/coex/prefix quick a b\none\n"
    assert "prefix=/opt/coex/prefix\n" in in_root(root, "/opt/coex/bin/cprog")
    code = "import os, sys; print(sys.prefix, os.environ['CONDA_PREFIX'], os.environ['PATH'].split(':')[0])"
    found = in_root(root, "/opt/coex/bin/python", "-c", code)
    assert found == "/opt/coex/prefix /opt/coex/prefix /opt/coex/prefix/bin\n"
    asked = in_root(root, "/opt/coex/bin/report", env={"COEX_ENTRYPOINT": "python -c 'print(6 * 7)'"})
    assert asked == "42\n"


def test_it_is_activated_as_the_archive(root: Path, archive: Archive, store: Path) -> None:
    """The variables of an entry point are those of a start of the archive, at another place."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    words = ("-c", code)
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    ours = json.loads(in_root(root, "/opt/coex/bin/python", *words))
    wanted = archive.start(*words, store=store, env={"COEX_ENTRYPOINT": "python", "PATH": path})
    (place,) = store.glob("*/prefix")
    theirs = json.loads(wanted.replace(str(place.parent), "/opt/coex"))
    for variables in (ours, theirs):
        for name in ("COEX_FILE", "COEX_ROOT", "HOME", "SHLVL", "PWD", "_", "OLDPWD", "LC_CTYPE"):
            variables.pop(name, None)
    assert ours == theirs


def test_it_has_the_files_that_unpack_writes(root: Path, archive: Archive, tmp_path: Path) -> None:
    """The archive's own verb, in a /opt of its own, says which files the image has, with modes and times."""
    words = f"mount -t tmpfs none /opt && ./app.coex unpack --root /opt/coex && cp -a /opt/coex {tmp_path}/there"
    run("unshare", "-m", "sh", "-c", words, cwd=archive.path.parent, env={**os.environ, "COEX_TOOLS": "1"})
    there, ours = tmp_path / "there", root / "opt" / "coex"
    left_to_host = {"__pycache__/settings.cpython-311.pyc"}  # of a source that is relocated: each host compiles it
    wanted = {p.relative_to(there): p.lstat() for p in there.rglob("*") if not str(p).endswith(tuple(left_to_host))}
    found = {p.relative_to(ours): p.lstat() for p in ours.rglob("*")}
    assert {str(path) for path in found.keys() ^ wanted.keys()} == {"sbom.cdx.json"}
    assert [path for path, state in wanted.items() if state.st_mode != found[path].st_mode] == []
    files = [path for path in wanted if (there / path).is_file() and not (there / path).is_symlink()]
    assert [path for path in files if (there / path).read_bytes() != (ours / path).read_bytes()] == []
    yesterday = there.lstat().st_ctime - 86400
    old = [path for path in files if wanted[path].st_mtime < yesterday]  # those with a time of their own
    assert len(old) > 100
    assert [path for path in old if int(wanted[path].st_mtime) != found[path].st_mtime] == []


def test_conda_reads_the_environment(root: Path, conda: Conda, archive: Archive) -> None:
    found = json.loads(conda("list", "--json", "-p", root / "opt" / "coex" / "prefix").stdout)
    assert {package["name"] for package in found} >= set(PACKAGES)
    assert str(archive.path.parent) not in (root / "opt/coex/prefix/conda-meta/history").read_text()


def test_buildah_runs_it(image: Path, tmp_path: Path) -> None:
    places = ("--root", tmp_path / "graph", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    buildah = [needed("buildah"), *places]
    try:
        name = run(*buildah, "from", f"oci-archive:{image}").split()[-1]
        done = subprocess.run(
            [*map(str, buildah), "run", "--isolation", "chroot", name, "/opt/coex/bin/report", "x"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "not permitted" in done.stderr:
            pytest.skip(f"this machine lets no container run: {done.stderr.strip()}")
        first = "report /opt/coex/bin/report /opt/coex/app /opt/coex/prefix quick x\n"
        assert done.stdout.startswith(first), done.stderr
    finally:
        subprocess.run(["umount", tmp_path / "graph" / "overlay"], capture_output=True, check=False)


def test_every_base_gives_the_same_layers(
    conda: Conda, archive: Archive, base: Path, rootfs: Path, tmp_path: Path
) -> None:
    skopeo = needed("skopeo")
    run(skopeo, "copy", "-q", f"oci:{base}", f"docker-archive:{tmp_path}/base.tar:base:1")
    run(skopeo, "copy", "-q", f"oci:{base}", f"oci-archive:{tmp_path}/oci.tar")
    bases = [f"docker-archive:{tmp_path}/base.tar", f"oci-archive:{tmp_path}/oci.tar", str(rootfs)]
    found = []
    for number, name in enumerate(bases):
        output = tmp_path / f"image-{number}"
        words = ("--base", name, "--compression", "gzip", "--json")
        found.append(json.loads(conda("coex", "image", archive.path, "-o", output, *words).stdout)["layers"])
        assert in_root(unpacked(output, "latest", tmp_path / f"bundle-{number}"), "/opt/coex/bin/hello")
    assert found[0] == found[1] == found[2]


def test_another_app(conda: Conda, archive: Archive, tmp_path: Path) -> None:
    """It changes one layer, by its own bytes."""
    other = tmp_path / "other.coex"
    (tmp_path / "data.sh").write_text("two\n")
    conda("coex", "repack", archive.path, "--keep-app", "data.sh", "-o", other, cwd=tmp_path)
    made = [
        json.loads(conda("coex", "image", path, "-o", tmp_path / f"{path.stem}-image", "--json").stdout)
        for path in (archive.path, other)
    ]
    before, after = ({layer["content"]: layer for layer in each["layers"]} for each in made)
    assert before["environment"] == after["environment"]
    assert before["start"] == after["start"]
    assert before["app"]["digest"] != after["app"]["digest"]
    assert after["app"]["size"] < 1000


def test_zstd_and_an_attached_bill(conda: Conda, archive: Archive, rootfs: Path, tmp_path: Path) -> None:
    skopeo = needed("skopeo")
    words = ("-o", tmp_path / "image", "--base", rootfs, "--compression", "zstd", "--attach-sbom")
    conda("coex", "image", archive.path, *words)
    run(skopeo, "copy", "-q", f"oci:{tmp_path}/image:latest", f"dir:{tmp_path}/copied")
    index = json.loads((tmp_path / "image" / "index.json").read_text())
    assert [each.get("artifactType") for each in index["manifests"]] == [None, "application/vnd.cyclonedx+json"]


def test_post_link_scripts_are_refused(conda: Conda, make_archive: MakeArchive, tmp_path: Path) -> None:
    archive = make_archive("cprog", packages=("cprog", "post-link-demo"))
    done = conda("coex", "image", archive.path, "-o", tmp_path / "image.tar", check=False)
    assert done.returncode == 1
    assert "post-link scripts have to run, and no program of an image is run here: post-link-demo; pack" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_output_is_a_document(conda: Conda, archive: Archive, tmp_path: Path) -> None:
    done = conda("coex", "image", archive.path, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["image"], found["name"], found["success"]) == ("app.tar", "report:latest", True)
    assert found["warnings"][0].startswith("the image has its environment and its app alone")
    assert [layer["content"] for layer in found["layers"]] == ["environment", "start", "app"]
