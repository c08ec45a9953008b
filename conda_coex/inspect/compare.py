"""Compare two archives: packages, files of the app, entry points, variables, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coex_bootstrap.tools.info import command_line
from coex_bootstrap.tools.output import human
from coex_bootstrap.tools.owners import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
LISTED = 5  # files of an owner that are named


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], files: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, Any]:
    """Return what differs, by subject: {added|removed|changed: {name: value, or [old, new]}}, and the sizes of both.

    `old` and `new` are descriptions by the verb `info`, whose app files have a sha256; `files` are those of the
    environments that differ, {owner: {added|removed|changed: paths}}. A package of the same version and build with
    other files counts as changed.
    """
    subjects = {
        "packages": [{p["name"]: f"{p['version']} {p['build']}" for p in each["packages"]} for each in (old, new)],
        "pip": [{p["name"]: _pinned(p) for p in each.get("pip") or ()} for each in (old, new)],
        "app": [{f["path"]: f.get("sha256") or f"-> {f.get('target')}" for f in each["app"]} for each in (old, new)],
        "entry_points": [{e["name"]: command_line(e) for e in each["entry_points"]} for each in (old, new)],
        "env": [
            {
                **dict.fromkeys(each.get("keep_env") or (), "the caller's is kept"),
                **{v["name"]: f"{'?' * v['default']}={v['value']}" for v in each["env"]},
            }
            for each in (old, new)
        ],
        "compile": [
            dict.fromkeys((each.get("compile") or {}).get("sources", ()), "") for each in (old, new)
        ],
        "requires": [{name: " and ".join(v) for name, v in each["requires"].items()} for each in (old, new)],
        "archive": [
            {
                "platform": each["platform"], "default entry point": each["entry_points"][0]["name"],
                "made by": str(each.get("builder")),
            }
            for each in (old, new)
        ],
    }  # fmt: skip
    found: dict[str, Any] = {name: _differ(*pair) for name, pair in subjects.items()}
    packages = found["packages"]
    kept = subjects["packages"][0].items() & subjects["packages"][1].items()
    packages["changed"].update({name: [value, value] for name, value in sorted(kept) if name in files})
    packages["changed"] = dict(sorted(packages["changed"].items()))
    known = {*packages["added"], *packages["removed"]}
    found["files"] = {owner: paths for owner, paths in sorted(files.items()) if owner not in known}
    found["sizes"] = {
        "file": [old["size"], new["size"]],
        "unpacked": [old["unpacked"]["content"], new["unpacked"]["content"]],
        "packages": {
            name: [sizes.get(name, 0) for sizes in _package_sizes(old, new)]
            for name in [n for kind in SIGNS for n in found["packages"][kind]]
        },
    }
    found["same"] = old["digest"] == new["digest"]
    return found


def _pinned(package: Mapping[str, Any]) -> str:
    """Return the version of a package of pip's, and what tells it from another of that version."""
    mark = str(package.get("sha256") or package.get("commit") or "")[:12]
    return f"{package['version']} {mark}".strip()


def _package_sizes(*archives: Mapping[str, Any]) -> list[dict[str, int]]:
    return [{p["name"]: p["compressed"] for p in each["packages"]} for each in archives]


def _differ(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, Any]:
    return {
        "added": {name: new[name] for name in sorted(new.keys() - old.keys())},
        "removed": {name: old[name] for name in sorted(old.keys() - new.keys())},
        "changed": {name: [old[name], new[name]] for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
    }


def render(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that a person reads: + what came, - what went, ~ what changed."""
    titles = {
        "packages": "packages", "pip": "pip packages", "app": "app files", "entry_points": "entry points",
        "env": "variables", "compile": "sources that the host compiles", "requires": "needs of the host",
        "archive": "archive",
    }  # fmt: skip
    if found["same"]:
        yield "the archives have the same content"
    elif not (found["files"] or any(found[subject][kind] for subject in titles for kind in SIGNS)):
        yield "the archives hold the same, compressed in another way"
    for subject, title in titles.items():
        differences = found[subject]
        if not any(differences.values()):
            continue
        yield f"{title}: " + ", ".join(f"{len(names)} {kind}" for kind, names in differences.items() if names)
        for kind, names in differences.items():
            for name, value in names.items():
                size = f"  ({_change(*found['sizes']['packages'][name])})" if subject == "packages" else ""
                yield f"  {SIGNS[kind]} {name}{_value(subject, value)}{size}"
                if subject == "packages" and isinstance(value, list) and value[0] == value[1]:
                    yield from _files(found["files"][name])
    if ENVIRONMENT in found["files"]:
        yield "files of no package"
        yield from _files(found["files"][ENVIRONMENT])
    for name in ("file", "unpacked"):
        old, new = found["sizes"][name]
        yield f"{'size' if name == 'file' else name}: {human(old)} -> {human(new)} ({_change(old, new)})"


def _files(differences: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield lines on the files of one owner: compiled Python files by their number, of others the first by name."""
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
    """Return a value as a line shows it; the sha256 of an app file says nothing to a person."""
    if subject in ("app", "compile"):
        return ""
    if isinstance(value, list) and value[0] == value[1]:
        return f"  {value[0]}, other content"
    text = " -> ".join(value) if isinstance(value, list) else value
    return text if text.startswith(("=", "?=")) else f"  {text}"


def _change(old: int, new: int) -> str:
    return ("+" if new >= old else "-") + human(abs(new - old))
