"""The manifest and the digest: a written one is read, and nothing else."""

import json

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged, FormatUnknown
from coex_bootstrap.format.manifest import MANIFEST, NEEDED, Manifest, digest, fill_prelude, found_digest, load_manifest

from unit.coex_bootstrap.building import make_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def test_manifest_round_trip():
    # type: () -> None
    manifest = make_manifest(name=u"d\xe9mo")
    loaded = load_manifest(manifest.dumps())
    assert loaded.fields == manifest.fields
    assert loaded.dumps() == manifest.dumps()
    assert loaded.name == u"d\xe9mo"
    assert loaded.root_name == b"0" * 24
    assert not hasattr(loaded, "something")


BAD_JSON = [b"", b"{", b"[]", b"1", b"{}", b"\xff", b"null", b'{"format": 1}', b"[" * 100000]


@pytest.mark.parametrize("data", BAD_JSON, ids=[str(number) for number in range(len(BAD_JSON))])
def test_manifest_damaged(data):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        load_manifest(data)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_manifest_without_a_field(name):
    # type: (str) -> None
    fields = make_manifest().fields
    del fields[name]
    with pytest.raises(ArchiveDamaged, match=name):
        load_manifest(Manifest(fields).dumps())


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": 5}, {"prelude": "1"}, {"payload": None}, {"platform": 1}, {"entry_points": {}}, {"requires": []},
        {"prefix_limit": "x"}, {"post_link": {}}, {"compile": []}, {"unpacked": 1}, {"packages": 1}, {"name": None},
    ],
    ids=json.dumps,
)
def test_manifest_with_another_kind_of_field(wrong):
    # type: (Dict[str, Any]) -> None
    with pytest.raises(ArchiveDamaged):
        load_manifest(make_manifest(**wrong).dumps())


POINTS = [
    {}, {"name": "x"}, {"name": 1, "command": [["prefix", "x"]]}, {"name": "x", "command": []},
    {"name": "x", "command": [["text", "x"]]},
    {"name": "x", "command": [["prefix", "../x"]]}, {"name": "x", "command": [["app", "/x"]]},
    {"name": "x", "command": [["app"]]},
    {"name": "x", "command": [["app", "x"], ["text", "a\0"]]}, {"name": "x", "command": [["app", "x"], ["other", "a"]]},
    {"name": "x/y", "command": [["app", "x"]]}, {"name": "x", "command": [["app", "x"], ["function", "a:b;c"]]}, "x", None,
    {"name": "x", "command": [["app", "x"], ["module", "a;b"]]}, {"name": "x", "command": [["app", "x"], ["module", "../x:a"]]},
    {"name": "x", "command": [["app", "x"], ["host", "sh"]]}, {"name": "x", "command": [["host", "ls"]]},
    {"name": "x", "command": [["expanded", "x"]]}, {"name": "x", "command": [["app", "x"], ["expanded", "a\0"]]},
    {"name": "x", "command": [["app", "x"]], "imports": ["../x"]}, {"name": "x", "command": [["app", "x"]], "imports": ["lib"]},
    {"name": "x", "command": [["app", "x"]], "imports": "app"}, {"name": "x", "command": [["app", "x"], ["module", ":a"]]},
]
VARIABLES = [
    {}, {"name": "A", "value": "b"}, {"name": "A-B", "value": "", "default": True}, {"name": "A", "value": 1, "default": True}, 1,
    {"name": "A;B", "value": "", "default": True}, {"name": "A\n", "value": "", "default": True},
]


WRONG = [{"entry_points": []}] + [{"entry_points": [x]} for x in POINTS] + [{"env": [x]} for x in VARIABLES]


@pytest.mark.parametrize("wrong", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_manifest_with_commands_that_cannot_start(wrong):
    # type: (Dict[str, Any]) -> None
    with pytest.raises(ArchiveDamaged):
        load_manifest(make_manifest(**wrong).dumps())


PYTHON = {"id": "0" * 24, "version": "3.12.0", "size": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "0" * 23}, {"id": "../" + "0" * 21}, {"id": "0" * 24 + "\n"}, {"id": None}, {"version": "3\n"}, {"size": -1},
        {"size": "1"}, {"packages": {}}, {"packages": [{"name": "python"}]}, {"packages": ["python"]},
        {"packages": [{"name": "python", "version": "3", "build": "0", "url": ["x"]}]},
        {"packages": [{"name": "python", "version": "3", "build": "0\n"}]},
    ],
    ids=json.dumps,
)
def test_manifest_with_an_impossible_python(wrong):
    # type: (Dict[str, Any]) -> None
    """Its id is a part of paths that the prelude and `cache` handle."""
    assert load_manifest(make_manifest(python=PYTHON).dumps()).python == PYTHON
    for python in (dict(PYTHON, **wrong), [], None):
        with pytest.raises(ArchiveDamaged, match="impossible Python"):
            load_manifest(make_manifest(python=python).dumps())


@pytest.mark.parametrize("version", [0, 2, 99, "1", None])
def test_manifest_of_another_version(version):
    # type: (object) -> None
    with pytest.raises(FormatUnknown) as caught:
        load_manifest(make_manifest(format=version).dumps())
    assert "use a newer conda-coex" in str(caught.value)


def test_digest_covers_everything_but_itself():
    # type: () -> None
    members = {"index": b"i", "libzstd": b"z"}
    known = digest(make_manifest(), members)
    assert digest(make_manifest(digest="f" * 64), members) == known
    assert digest(make_manifest(name="other"), members) != known
    assert digest(make_manifest(), dict(members, index=b"j")) != known
    assert digest(make_manifest(), dict(members, more=b"")) != known
    assert digest(make_manifest(), {"index": b"i"}) != known


@pytest.mark.parametrize("fields", [{}, {"digest": "0" * 64}, {"name": u'\n "digest": "%s",' % ("0" * 64), "digest": "0" * 64}])
def test_digest_is_found_in_the_document(fields):
    # type: (Dict[str, Any]) -> None
    members, manifest = {"index": b"i", "libzstd": b"z"}, make_manifest(**fields)
    whole = dict(members, **{MANIFEST: manifest.dumps()})
    assert found_digest(manifest, whole) == digest(manifest, members)
    more = manifest.dumps().replace(b'"digest": "', b'"date": 1, "digest": "')
    assert found_digest(manifest, dict(whole, **{MANIFEST: more})) != digest(manifest, members)


@pytest.mark.parametrize(("platform", "caches"), [("linux-64", b".cache"), ("osx-arm64", b"Library/Caches")])
def test_fill_prelude(platform, caches):
    # type: (str, bytes) -> None
    assert fill_prelude(b"@CACHES@/@ROOT@/start", b"abc", platform) == caches + b"/abc/start"
