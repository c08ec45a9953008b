"""Compare two archives: packages, files of the app, entry points, variables, sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coex_bootstrap.tools.info import command_line
from coex_bootstrap.tools.output import human
from coex_bootstrap.tools.owners import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coex_bootstrap.format.manifest import PipPackage
    from coex_bootstrap.tools.info import AppFile, Described

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
LISTED = 5  # files of an owner that are named


@dataclass(frozen=True)
class Changes:
    """The differences in one subject: names with their value, or with [old, new]."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, list[str]]

    @property
    def kinds(self) -> dict[str, Mapping[str, str | list[str]]]:
        """The changes by kind."""
        return {"added": self.added, "removed": self.removed, "changed": self.changed}


@dataclass(frozen=True)
class Comparison:
    """The differences of two archives; sizes are [old, new] in bytes."""

    subjects: dict[str, Changes]
    files: Mapping[str, Mapping[str, list[str]]]  # of the environments: {owner: {added|removed|changed: paths}}
    file_size: list[int]
    unpacked_size: list[int]
    package_sizes: dict[str, list[int]]  # as they are compressed, of those that differ
    same: bool  # the same content, byte for byte

    @property
    def fields(self) -> dict[str, object]:
        """The fields of the JSON document."""
        sizes = {"file": self.file_size, "unpacked": self.unpacked_size, "packages": self.package_sizes}
        by_subject = {name: changes.kinds for name, changes in self.subjects.items()}
        return {**by_subject, "files": self.files, "sizes": sizes, "same": self.same}


def compare(old: Described, new: Described, files: Mapping[str, Mapping[str, list[str]]]) -> Comparison:
    """Return the differences of two archives.

    `old` and `new` are descriptions by the verb `info`, whose app files have a sha256; `files` are those of the
    environments that differ, {owner: {added|removed|changed: paths}}. A package of the same version and build with
    other files counts as changed.
    """
    subjects = {
        "packages": [{p["name"]: f"{p['version']} {p['build']}" for p in each["packages"]} for each in (old, new)],
        "pip": [{p["name"]: _pinned(p) for p in each.get("pip") or ()} for each in (old, new)],
        "app": [{file["path"]: _content(file) for file in each["app"]} for each in (old, new)],
        "entry_points": [{e["name"]: command_line(e) for e in each["entry_points"]} for each in (old, new)],
        "env": [
            {
                **dict.fromkeys(each.get("keep_env") or (), "the caller's is kept"),
                **{v["name"]: f"{'?' * v['default']}={v['value']}" for v in each["env"]},
            }
            for each in (old, new)
        ],
        "compile": [dict.fromkeys(_compiled(each), "") for each in (old, new)],
        "requires": [{name: " and ".join(v) for name, v in each["requires"].items()} for each in (old, new)],
        "archive": [
            {
                "platform": each["platform"], "default entry point": each["entry_points"][0]["name"],
                "made by": str(each.get("builder")), **_carried_python(each),
                **{f"bytecode {name}": "" for name in each.get("bytecode") or ()},
            }
            for each in (old, new)
        ],
    }  # fmt: skip
    changes = {name: _differ(*pair) for name, pair in subjects.items()}
    packages, (before, after) = changes["packages"], subjects["packages"]
    altered = {name: [value, value] for name, value in before.items() & after.items() if name in files}
    changed = dict(sorted((packages.changed | altered).items()))
    changes["packages"] = replace(packages, changed=changed)
    alone = packages.added | packages.removed
    old_sizes, new_sizes = ({p["name"]: p["compressed"] for p in each["packages"]} for each in (old, new))
    return Comparison(
        subjects=changes,
        files={owner: paths for owner, paths in sorted(files.items()) if owner not in alone},
        file_size=[old["size"], new["size"]],
        unpacked_size=[old["unpacked"]["content"], new["unpacked"]["content"]],
        package_sizes={name: [old_sizes.get(name, 0), new_sizes.get(name, 0)] for name in [*alone, *changed]},
        same=old["digest"] == new["digest"],
    )


def _content(file: AppFile) -> str:
    """Return the content of a file of the app, or the target of a link."""
    return file.get("sha256") or f"-> {file.get('target')}"


def _compiled(archive: Described) -> list[str]:
    """Return the sources that the host compiles."""
    left = archive.get("compile")
    return left["sources"] if left else []


def _pinned(package: PipPackage) -> str:
    """Return the version of a package of pip, and its source, which may differ for the same version."""
    mark = str(package.get("sha256") or package.get("commit") or "")[:12]
    return f"{package['version']} {mark}".strip()


def _differ(old: Mapping[str, str], new: Mapping[str, str]) -> Changes:
    return Changes(
        added={name: new[name] for name in sorted(new.keys() - old.keys())},
        removed={name: old[name] for name in sorted(old.keys() - new.keys())},
        changed={name: [old[name], new[name]] for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
    )


def _carried_python(described: Described) -> dict[str, str]:
    """Return version and name of the Python that an archive carries."""
    python = described.get("python")
    return {"carried Python": f"{python['version']} {python['id']}"} if python else {}


def render(comparison: Comparison) -> Iterator[str]:
    """Yield the lines for a person: + added, - removed, ~ changed."""
    titles = {
        "packages": "packages", "pip": "pip packages", "app": "app files", "entry_points": "entry points",
        "env": "variables", "compile": "sources that the host compiles", "requires": "needs of the host",
        "archive": "archive",
    }  # fmt: skip
    if comparison.same:
        yield "the archives have the same content"
    elif not (comparison.files or any(any(changes.kinds.values()) for changes in comparison.subjects.values())):
        yield "the archives hold the same, compressed in another way"
    for subject, title in titles.items():
        differences = comparison.subjects[subject].kinds
        if not any(differences.values()):
            continue
        yield f"{title}: " + ", ".join(f"{len(names)} {kind}" for kind, names in differences.items() if names)
        for kind, names in differences.items():
            for name, value in names.items():
                size = f"  ({_change(*comparison.package_sizes[name])})" if subject == "packages" else ""
                yield f"  {SIGNS[kind]} {name}{_value(subject, value)}{size}"
                if subject == "packages" and isinstance(value, list) and value[0] == value[1]:
                    yield from _files(comparison.files[name])
    if ENVIRONMENT in comparison.files:
        yield "files of no package"
        yield from _files(comparison.files[ENVIRONMENT])
    for name, (old, new) in (("size", comparison.file_size), ("unpacked", comparison.unpacked_size)):
        yield f"{name}: {human(old)} -> {human(new)} ({_change(old, new)})"


def _files(differences: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield lines on the files of one owner: compiled Python files by number; of others, the first ones by name."""
    for kind, paths in differences.items():
        compiled = [path for path in paths if path.endswith(".pyc")]
        named = [path for path in paths if not path.endswith(".pyc")]
        for path in named[:LISTED]:
            yield f"      {SIGNS[kind]} {path}"
        if named[LISTED:]:
            yield f"      {SIGNS[kind]} {len(named) - LISTED} more files"
        if compiled:
            yield f"      {SIGNS[kind]} {len(compiled)} compiled Python file{'s' * (len(compiled) != 1)}"


def _value(subject: str, value: str | list[str]) -> str:
    """Return a value as a line shows it; the sha256 of an app file is not shown."""
    if subject in ("app", "compile") or not value:
        return ""
    if isinstance(value, list) and value[0] == value[1]:
        return f"  {value[0]}, other content"
    text = " -> ".join(each or "any" for each in value) if isinstance(value, list) else value
    return text if text.startswith(("=", "?=")) else f"  {text}"


def _change(old: int, new: int) -> str:
    return ("+" if new >= old else "-") + human(abs(new - old))
