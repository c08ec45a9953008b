"""Files below conda-meta: records, history and state are as conda writes them, and conda reads them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coex_bootstrap.format.relocation import HASHES
from conda.core.prefix_data import PrefixData
from conda.gateways.disk.create import write_as_json_to_file
from conda.history import History
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conda_coex.root.conda_meta import SLOT, dump_record, identity, kept_records, plan_history, plan_records, plan_state
from conda_coex.root.content import Content, Link, relocation_of
from conda_coex.root.link_rules import PackagePlan
from conda_coex.root.package import Package, PackagePath
from conda_coex.root.source import InMemory

DATE = 1_700_000_000
RECORD = {
    "name": "demo", "version": "1.0", "build": "h1_0", "build_number": 0, "fn": "demo-1.0-h1_0.conda",
    "channel": "https://host/channel/linux-64", "subdir": "linux-64", "url": "https://host/channel/linux-64/x",
}  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3))
rows = st.dictionaries(st.text(), values, max_size=4)
records = st.fixed_dictionaries(
    {"files": st.lists(st.text(), max_size=4),
     "paths_data": st.fixed_dictionaries({"paths": st.lists(rows, max_size=4), "paths_version": st.just(1)})},
    optional={"name": st.text(), "depends": st.lists(st.text(), max_size=3), "link": values, "zzz": values},
)  # fmt: skip


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(records)
@example({"files": [], "paths_data": {"paths": [], "paths_version": 1}})
@example({"files": ["a\nb", '"'], "paths_data": {"paths": [{}, {"a": []}, {"a": {}}], "paths_version": 1}})
def test_dumped_as_conda_does(tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]) -> None:
    # conda's versions differ in indentation and in letters beyond ASCII
    path = tmp_path_factory.getbasetemp() / "record.json"
    write_as_json_to_file(str(path), fields)
    assert json.loads(dump_record(fields)) == json.loads(path.read_text("utf-8")) == fields
    assert dump_record(fields) == json.dumps(fields, indent=2, sort_keys=True)


def row(path: str, holder: str | None = None, sha256: str = "1" * 64, kind: str = "hardlink") -> PackagePath:
    fields = {"_path": path, "path_type": kind, "sha256": sha256, "prefix_placeholder": holder, "size_in_bytes": 1}
    return PackagePath(path, kind, holder, "text" if holder else None, sha256, 1, 0o644, 0, fields)


def plan(*paths: PackagePath, **compiled: str) -> PackagePlan:
    def item(path: PackagePath) -> Content | Link:
        if path.kind == "softlink":
            return Link(f"prefix/{path.path}", "a")
        relocation = relocation_of(path.placeholder, path.file_mode) if path.placeholder else None
        return Content(
            f"prefix/{path.path}", 0o644, 0, InMemory(b"x"), 1, path.sha256,
            relocation=relocation, package_path=path.path,
        )  # fmt: skip

    package = Package(dict(RECORD), Path(), None, (), paths, None, None)
    return PackagePlan(package, tuple(item(path) for path in paths), (), compiled)


def dumped(content: Content) -> dict[str, Any]:
    data = content.read()
    assert data is not None
    assert len(data) == content.size
    assert content.mtime_ns == DATE * 10**9
    found: dict[str, Any] = json.loads(data)
    return found


ODD = ["a", 'with "quotes" and \\', '"_path": "a"', SLOT, "letters \u017c"]


@pytest.mark.parametrize("gone", [(), ("prefix/a",)])
def test_sums_go_where_their_files_are_named(gone: tuple[str, ...]) -> None:
    """For any names of files: each slot that a host fills is that of the row with the file's name."""
    (content,) = plan_records([plan(*(row(path, "/holder") for path in ODD), row("plain"))], DATE, gone)
    assert content.relocation is not None
    assert content.relocation.kind == HASHES
    data = content.read()
    assert data is not None
    filled = bytearray(data)
    for (owner, origin), offset in content.relocation.slots:
        assert (owner, filled[offset : offset + 64]) == ("demo-1.0-h1_0", SLOT.encode())
        filled[offset : offset + 64] = hashlib.sha256(str(origin).encode()).hexdigest().encode()
    found = {each["_path"]: each.get("sha256_in_prefix") for each in json.loads(filled)["paths_data"]["paths"]}
    expected = {path: hashlib.sha256(path.encode()).hexdigest() for path in ODD if f"prefix/{path}" not in gone}
    assert found == {"plain": "1" * 64, **dict.fromkeys(ODD), **expected}


def test_sum_that_a_package_claims() -> None:
    odd = row("l", kind="softlink")
    odd.fields["sha256_in_prefix"] = SLOT
    (content,) = plan_records([plan(odd, row("plain"))], DATE)
    assert content.relocation is None


def test_files_of_a_record() -> None:
    planned = plan(row("x.py"), row("l", kind="softlink"), **{"prefix/x.py": "__pycache__/x.cpython-311.pyc"})
    found = dumped(plan_records([planned], DATE)[0])
    assert found["files"] == ["x.py", "l", "__pycache__/x.cpython-311.pyc"]
    kinds = [(each["_path"], each["path_type"]) for each in found["paths_data"]["paths"]]
    assert kinds == [("x.py", "hardlink"), ("l", "softlink"), ("__pycache__/x.cpython-311.pyc", "pyc_file")]


def write(prefix: Path, *contents: Content) -> None:
    for content in contents:
        path = prefix.parent / content.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read() or b"")


def test_conda_reads_records(tmp_path: Path) -> None:
    write(tmp_path / "prefix", *plan_records([plan(row("x"))], DATE), plan_history([], [], "24.7.1", DATE))
    (found,) = PrefixData(str(tmp_path / "prefix")).iter_records()
    assert (found.name, found.version, found.files) == ("demo", "1.0", ("x",))
    assert found.link.type.name == "copy"


@pytest.mark.parametrize("specs", [["demo >=1", "other[build='x*']"], []])
def test_conda_reads_the_history(specs: list[str], tmp_path: Path) -> None:
    write(tmp_path / "prefix", plan_history([plan()], specs, "24.7.1", DATE))
    (request,) = History(str(tmp_path / "prefix")).get_user_requests()
    assert request.get("update_specs", []) == specs
    assert request["date"] == "2023-11-14 22:13:20"
    assert request["link_dists"] == ["+https://host/channel/linux-64::demo-1.0-h1_0"]


@pytest.mark.parametrize("specs", [["demo"], []])
def test_conda_goes_on_with_the_history(specs: list[str], tmp_path: Path) -> None:
    """Its next transaction begins a line, which the last one has to end."""
    write(tmp_path / "prefix", plan_history([plan()], specs, "24.7.1", DATE))
    history = History(str(tmp_path / "prefix"))
    history.write_changes(set(), {"channel::new-1-0"})
    first, second = history.parse()
    assert first[1] == {"+https://host/channel/linux-64::demo-1.0-h1_0"}
    assert second[1] == {"+channel::new-1-0"}


def test_conda_reads_the_state(tmp_path: Path) -> None:
    variables = {"A": "1", "\u017b": 'it\'s "\n$x', "EMPTY": ""}
    write(tmp_path / "prefix", *plan_state({**variables}, DATE))
    assert PrefixData(str(tmp_path / "prefix")).get_environment_env_vars() == variables
    assert plan_state({}, DATE) == []


def listed(**changed: Any) -> PackagePlan:
    """Return the plan of a package whose list of files has a hash."""
    planned = plan(row("a"), row("b", "/holder"), row("c", kind="softlink"))
    return replace(planned, package=replace(planned.package, **{"listing": "5" * 64, **changed}))


def moved(planned: PackagePlan) -> PackagePlan:
    """Return the plan with another path of the first file, as another Python gives it."""
    first, *others = planned.files
    return replace(planned, files=(replace(first, path="prefix/lib/a"), *others))


def as_file(planned: PackagePlan) -> PackagePlan:
    """Return the plan with a file in the place of the link."""
    return replace(planned, files=(*planned.files[:2], Content("prefix/c", 0o644, 0, None, 1)))


HISTORY = plan_history([], ["demo"], "24.7.1", DATE)
OTHER_INPUTS = {
    "record": (([listed(record={**RECORD, "requested_spec": "demo"})], DATE, (), HISTORY)),
    "list of files": ([listed(listing="6" * 64)], DATE, (), HISTORY),
    "path in the prefix": ([moved(listed())], DATE, (), HISTORY),
    "kind": ([as_file(listed())], DATE, (), HISTORY),
    "name of a .pyc": ([replace(listed(), compiled={"prefix/a": "a.pyc"})], DATE, (), HISTORY),
    "console script": ([replace(listed(), scripts=(Content("prefix/bin/x", 0, 0, None, 1),))], DATE, (), HISTORY),
    "one more package": ([listed(), listed()], DATE, (), HISTORY),
    "date": ([listed()], DATE + 1, (), HISTORY),
    "removed files": ([listed()], DATE, ("prefix/b",), HISTORY),
    "history": ([listed()], DATE, (), plan_history([], ["demo=1"], "24.7.1", DATE)),
}


@pytest.mark.parametrize("what", OTHER_INPUTS)
def test_identity_of_other_records(what: str) -> None:
    own = identity([listed()], DATE, (), HISTORY)
    assert own is not None
    assert own == identity([listed()], DATE, (), HISTORY)
    assert identity(*OTHER_INPUTS[what]) not in (None, own)


def test_identity_without_paths_of_the_builder() -> None:
    """A record has them if conda's cache had the package before: its text is the same."""
    own = identity([listed()], DATE, (), HISTORY)
    assert own == identity([listed(record={**RECORD, "extracted_package_dir": "/pkgs/demo"})], DATE, (), HISTORY)


@pytest.mark.parametrize("changed", [{"listing": None}, {"altered": True}])
def test_no_identity(changed: dict[str, Any]) -> None:
    assert identity([listed(**changed)], DATE, (), HISTORY) is None


def kept(planned: PackagePlan, *, gone: tuple[str, ...] = ()) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the sizes and slots of the records and the history of a package, by path."""
    made = [*plan_records([planned], DATE, gone), HISTORY]
    slots = {item.path: item.relocation.slots for item in made if item.relocation is not None}
    return {item.path: item.size for item in made}, slots


@pytest.mark.parametrize("gone", [(), ("prefix/b",)])
def test_kept_records(gone: tuple[str, ...]) -> None:
    sizes, slots = kept(listed(), gone=gone)
    made = [*plan_records([listed()], DATE, gone), HISTORY]
    assert kept_records([listed()], DATE, gone, sizes, slots) == [replace(item, source=None) for item in made]


def test_kept_records_of_other_files() -> None:
    sizes, slots = kept(listed())
    assert kept_records([listed()], DATE, (), {**sizes, "prefix/conda-meta/x.json": 1}, slots) is None
    assert kept_records([listed()], DATE, (), {HISTORY.path: 1}, slots) is None
    assert kept_records([listed()], DATE, (), sizes, {}) is None
    assert kept_records([listed()], DATE, ("prefix/b",), sizes, slots) is None
    others = {path: [(("other", "b"), offset) for _, offset in rows] for path, rows in slots.items()}
    assert kept_records([listed()], DATE, (), sizes, others) is None
