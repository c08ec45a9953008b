"""Lock files that contradict themselves, are of another platform or version, or pin missing packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import GOOD, RUN, Case, assert_refused, with_json, written
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from concurrent.futures import Future

    from end_to_end.bad_input.cases import Outcome

HERE = native_subdir()
URL = f"http://127.0.0.1:1/{HERE}/cprog-1.0-0.conda"
PACKAGE = f"""- {{name: cprog, version: '1.0', manager: conda, platform: {HERE}, url: '{URL}', hash: {{}}}}"""
CONDA_LOCK = f"version: 1\nmetadata: {{platforms: [{HERE}]}}\npackage:\n{PACKAGE}\n"
PIXI = f"""\
version: 6
environments:
  default: {{channels: [], packages: {{{HERE}: [{{conda: '{URL}'}}]}}}}
packages:
- {{conda: '{URL}'}}
"""


def case(name: str, file: str, content: str, says: str, *options: str, says_file: bool = True) -> Case:
    shown = f"{file}: the lock file {says}" if says_file else says
    return Case(name, (*GOOD, *RUN, "-f", file, *options), shown, written(content, file))


def explicit(name: str, lines: str, says: str, *options: str) -> Case:
    return case(f"explicit, {name}", "e.txt", f"@EXPLICIT\n{lines}\n", says, *options)


def conda_lock(name: str, old: str, new: str, says: str, *options: str) -> Case:
    assert old in CONDA_LOCK
    return case(f"conda-lock, {name}", "conda-lock.yml", CONDA_LOCK.replace(old, new), says, *options)


def pixi(name: str, old: str, new: str, says: str, *options: str) -> Case:
    assert old in PIXI
    return case(f"pixi, {name}", "pixi.lock", PIXI.replace(old, new), says, *options)


CASES = [
    explicit("empty", "", f"pins no conda package for {HERE}"),
    explicit("no package", "https://example.com/x.zip", "has 'https://example.com/x.zip', which is not the URL of"),
    explicit("short sum", URL + "#abc", "has 'abc' for cprog-1.0-0.conda, which is neither an md5 nor a sha256"),
    explicit("other platform", URL.replace(HERE, "osx-arm64"), f"is for osx-arm64, not for {HERE}; choose with --plat"),
    explicit("twins", URL + "\n" + URL.replace("1.0-0", "2.0-0"), "pins two packages named cprog; keep one"),
    explicit("missing file", f"/no/{HERE}/x-1-0.conda", f"names /no/{HERE}/x-1-0.conda, which does not exist"),
    explicit("not alone", URL, "is a whole environment, and other files or packages", "--package", "zstd"),
    explicit("no categories", URL, "has no categories; leave out --lock-category", "--lock-category", "dev"),
    explicit("no environments", URL, "has no named environments", "--lock-environment", "dev"),
    conda_lock("version", "version: 1", "version: 9", "is of conda-lock's format 9, and 1 can be read"),
    conda_lock("of pixi", "version: 1", "version: 2", "is of pixi's format 2, which is too old; run `pixi lock`"),
    conda_lock("platform", f"[{HERE}]", "[osx-64, win-64]", f"is for osx-64, win-64, not for {HERE}"),
    conda_lock("windows", f"[{HERE}]", "[win-64]", "is for win-64 alone, and archives are for Linux and macOS"),
    conda_lock("nothing", f"platform: {HERE}", "platform: osx-64", f"pins no conda package for {HERE}"),
    conda_lock("no url", f"url: '{URL}', ", "", "has no text `url` in the package 'cprog'"),
    conda_lock("manager", "manager: conda", "manager: npm", "has 'npm' as manager of the package 'cprog'"),
    conda_lock("sum", "hash: {}", "hash: {md5: x}", "has 'x' for cprog-1.0-0.conda, which is not an md5"),
    conda_lock("category", "hash", "hash", "has no category 'dev'; choose among main", "--lock-category", "dev"),
    conda_lock("no YAML", "metadata: {", "metadata: [{", "is not YAML in line"),
    pixi("version", "version: 6", "version: 5", "is of pixi's format 5, which is too old"),
    pixi("platform", f"{{{HERE}:", "{osx-64:", f"is for osx-64, not for {HERE}; choose with --platform osx-64"),
    pixi("environment", "default", "default", "has no environment 'dev'; choose with",
         "--lock-environment", "dev"),
    pixi("undescribed", f"- {{conda: '{URL}'}}", f"- {{conda: '{URL}x'}}", f"lists '{URL}' in the environment 'd"),
    pixi("file", URL, "./here.conda", "names ./here.conda, and there is no"),
    pixi("source", URL, "./here", "has './here', a package that pixi builds from source"),
    case("down", "e.txt", f"@EXPLICIT\n{URL}\n", f"HTTP 000 CONNECTION FAILED for url <{URL}>", says_file=False),
    Case("choice without a lock", (*GOOD, *RUN, "--package", "cprog", "--lock-category", "dev"),
         "--lock-environment and --lock-category choose from a lock file; name it with -f"),
]  # fmt: skip


@pytest.mark.parametrize("case", with_json(CASES[-3:]) + CASES[:-3], ids=str)
def test_lock_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())
