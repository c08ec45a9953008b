"""Compare two archives: packages, files of the app, entry points, variables, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coex_bootstrap.report import human
from coex_bootstrap.tool_info import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, by subject: {added|removed|changed: {name: value, or [old, new]}}, and the sizes of both.

    `old` and `new` are descriptions of `tool_info`, whose app files have a sha256.
    """
    subjects = {
        "packages": [{p["name"]: f"{p['version']} {p['build']}" for p in each["packages"]} for each in (old, new)],
        "app": [{f["path"]: f.get("sha256") or f"-> {f.get('target')}" for f in each["app"]} for each in (old, new)],
        "entry_points": [{e["name"]: command_line(e) for e in each["entry_points"]} for each in (old, new)],
        "env": [
            {v["name"]: f"{'?' * v['default']}={v['value']}" for v in each["env"]} for each in (old, new)
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
    found["sizes"] = {
        "file": [old["size"], new["size"]],
        "unpacked": [old["unpacked"]["bytes"], new["unpacked"]["bytes"]],
        "packages": {
            name: [sizes.get(name, 0) for sizes in _package_sizes(old, new)]
            for name in [n for kind in SIGNS for n in found["packages"][kind]]
        },
    }
    found["same"] = old["digest"] == new["digest"]
    return found


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
        "packages": "packages", "app": "app files", "entry_points": "entry points", "env": "variables",
        "requires": "needs of the host", "archive": "archive",
    }  # fmt: skip
    if found["same"]:
        yield "the archives have the same content"
    for subject, title in titles.items():
        differences = found[subject]
        if not any(differences.values()):
            continue
        yield f"{title}: " + ", ".join(f"{len(names)} {kind}" for kind, names in differences.items() if names)
        for kind, names in differences.items():
            for name, value in names.items():
                size = f"  ({_change(*found['sizes']['packages'][name])})" if subject == "packages" else ""
                yield f"  {SIGNS[kind]} {name}{_value(subject, value)}{size}"
    for name in ("file", "unpacked"):
        old, new = found["sizes"][name]
        yield f"{'size' if name == 'file' else name}: {human(old)} -> {human(new)} ({_change(old, new)})"


def _value(subject: str, value: str | list[str]) -> str:
    """Return a value as a line shows it; the sha256 of an app file says nothing to a person."""
    if subject == "app":
        return ""
    text = " -> ".join(value) if isinstance(value, list) else value
    return text if text.startswith(("=", "?=")) else f"  {text}"


def _change(old: int, new: int) -> str:
    return ("+" if new >= old else "-") + human(abs(new - old))
