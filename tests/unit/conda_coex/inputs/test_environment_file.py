"""The content of an environment.yml, as from conda's own reader; its faults, each with the line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from conda.env.env import from_file
from conda.env.specs.requirements import RequirementsSpec
from conda.models.match_spec import MatchSpec

from conda_coex.conda_api.merged_inputs import merge_inputs
from conda_coex.errors import InputError
from conda_coex.inputs.document import read_document
from conda_coex.inputs.environment_file import EnvironmentFile, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["PyYAML", "ruamel.yaml"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by each of the parsers: the fast one, and the one that conda has when the first was not installed."""
    if request.param == "ruamel.yaml":
        monkeypatch.setitem(sys.modules, "yaml", None)


def taken(directory: Path, content: bytes | str, name: str = "environment.yml") -> EnvironmentFile | None:
    file = directory / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(read_document(str(file)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"name: x\ndependencies: [cprog\n", "is not YAML in line 3: ", id="open list"),
        pytest.param(b"dependencies:\n\t- cprog\n", "is not YAML in line 2: found character", id="tab"),
        pytest.param(b"channels: []\nchannels: []\n", "has `channels` twice, again in line 2; keep one", id="twice"),
        pytest.param(b"dependencies: [x, {pip: [a], pip: [b]}]\n", "has `pip` twice, again in line 1", id="pip"),
        pytest.param(b"dependencies: [x]\nvariables: {A: 1, A: 2}\n", "has `A` twice, again in line 2", id="variable"),
        pytest.param(b"\0\1\2", "is not YAML", id="control characters"),
        pytest.param(b"a: 1\n# caf\xe9\n", "is not UTF-8 text in line 2; save it as UTF-8", id="other encoding"),
        pytest.param(b"- cprog\n", "is not a mapping; list packages under `dependencies:`", id="list"),
        pytest.param(
            b"cprog=1\nx\n",
            "is not a mapping; list packages under `dependencies:`, or name it `.txt` if it is a list of specs",
            id="specs",
        ),
        pytest.param(b"", "is empty; list packages under `dependencies:`", id="empty"),
        pytest.param(b"# nothing\n", "is empty; list packages under `dependencies:`", id="comment"),
        pytest.param(b"a: 1\n---\nb: 1\n", "is not YAML in line 2: a second document begins there", id="documents"),
        pytest.param(b"a: !x 1\n", "is not YAML in line 1: the tag '!x' is not read; leave it out", id="tag"),
        pytest.param(b"a: !!null x\n", "is not YAML in line 1: the tag 'tag:yaml.org,2002:null' is", id="tag of YAML"),
        pytest.param(b"a: !!set {x}\n", "is not YAML in line 1: the tag 'tag:yaml.org,2002:set' is", id="set"),
        pytest.param(b"a: *x\n", "is not YAML in line 1: nothing before has the anchor 'x'", id="alias"),
        pytest.param(b"a: &x [*x]\n", "is not YAML in line 1: nothing before has the anchor 'x'", id="alias of itself"),
        pytest.param(b"dependencies:\n", "asks for no package; list some under `dependencies:`", id="nothing"),
        pytest.param(b"dependencies: x\n", "has `dependencies` that are not a list, in line 1; begin each", id="text"),
        pytest.param(b"dependencies:\n  x: 1\n", "has `dependencies` that are not a list, in line 2", id="mapping"),
        pytest.param(b"dependencies: [x, null]\n", "has an empty item in `dependencies`, which is not text", id="gap"),
        pytest.param(b"dependencies:\n- x\n-\n", "has an empty item in `dependencies`, which is not text", id="dash"),
        pytest.param(b"dependencies: [[x]]\n", "has ['x'] in `dependencies`, which is not text", id="list in it"),
        pytest.param(
            b"dependencies:\n- python: 3.10\n",
            "has the mapping 'python' in `dependencies`, in line 2; `pip:` alone is one; write `- python=3.10`",
            id="colon",
        ),
        pytest.param(b'dependencies: ["x\\0"]\n', r"has 'x\x00' in `dependencies`, which is not text", id="zero in it"),
        pytest.param(b"dependencies: [{pip: x}]\n", "has a `pip:` that is not a list of texts", id="pip as text"),
        pytest.param(b"dependencies: [x, {pip: [{a: b}]}]\n", "has {'a': 'b'} in `pip`", id="mapping in pip"),
        pytest.param(b"dependencies: [x]\nchannels: x\n", "has `channels` that are not a list", id="channel as text"),
        pytest.param(b"dependencies: [x]\nchannels: [[1]]\n", "has ['1'] in `channels`", id="list as channel"),
        pytest.param(
            b"dependencies: [x]\nvariables: [A]\n",
            "has `variables` that are not a mapping; write them as `NAME: value`",
            id="variables",
        ),
        pytest.param(
            b"dependencies: [x]\nvariables: {A-B: x}\n", "has the variable 'A-B', and no shell can set", id="dash in it"
        ),
        pytest.param(b"dependencies: [x]\nvariables: {1: x}\n", "has the variable '1', and no shell", id="number"),
        pytest.param(
            "dependencies: [x]\nvariables: {\u017c: x}\n".encode(), "has the variable '\u017c', and no", id="letter"
        ),
        pytest.param(b"dependencies: [x]\nvariables: {'': x}\n", "has the variable '', and no shell", id="no name"),
        pytest.param(b"dependencies: [x]\nvariables: {A: [1]}\n", "has a value of A that is not text", id="a list"),
        pytest.param(
            b'dependencies: [x]\nvariables: {A: "x\\0"}\n', r"has a value of A that no variable can have", id="zero"
        ),
        pytest.param(
            b"name: x\ndependencies:\n- x={{ v }}\n", "is a template, as 'x={{ v }}' shows, in line 3", id="template"
        ),
        pytest.param(b"{% set v = 1 %}\ndependencies: [x]\n", "is a template, as line 1 shows", id="jinja"),
        pytest.param(b"name: {{ x }}\ndependencies: [x]\n", "is a template, as line 1 shows", id="name of jinja"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "is", id="deep"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        taken(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'environment.yml'}: the environment file {says}")


# Values of variables that versions of YAML read in two ways, and some that they do not.
DIFFER = """\
dependencies: [x]
variables:
  {A: yes, B: 010, C: 1:30, D: y, E: 0o17, F: on, G: 1_0, H: 1e3, I: '010', J: 0b11, K: Off, L: ~, M: x, N1: 1.10,
   O: "no", P: NO, Q: True, R: 0x1F, S: 09, T: +.INF, U: 1:2:3.5, V: name}
"""
ANCHORS = """\
x: &common [python, "zlib >=1"]
dependencies: *common
variables: &v {A: b}
"""


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("dependencies: [x >=1, {pip: [y]}]\nchannels: [c]\nvariables: {A: 1}\n", id="everything"),
        pytest.param("dependencies: [{pip: [y]}]\n", id="nothing but pip"),
        pytest.param("dependencies: [x, {pip: }]\n", id="null for pip"),
        pytest.param("dependencies: [x, {pip: []}]\n", id="no line for pip"),
        pytest.param("dependencies: [!!str x, ! y]\nvariables: !!map {A: !!str 1.10}\n", id="tags"),
        pytest.param("name: 3\nprefix: 4\ndependencies: [x]\n", id="a number as name"),
        pytest.param("dependencies: [x]\nvariables:\nother: [1]\n", id="empty and unknown keys"),
        pytest.param("dependencies: ['x=1.10', y=012, z=2023e1, 'w 1:30']\n", id="versions"),
        pytest.param("dependencies: [on, off, yes, no, y]\n", id="words of YAML 1.1"),
        pytest.param("dependencies:\n- x  # [linux]\n- y # of mine\n- pip\n- pip:\n  - a==1 # b\n", id="comments"),
        pytest.param(
            "dependencies: [x]\nvariables: {A: , B: '', C: true, D: 2020-01-01, E: \"\\n'\", F: 1.10, G: 012, H: off,\n"
            " I: 1:30, J: 1e3, K: 0o17, L: 1_0, M: '1.10', N: 0x10, O: .inf, P: 'null'}\n",
            id="values",
        ),
        *(pytest.param(f"%YAML 1.{number}\n---\n{DIFFER}", id=f"version 1.{number}") for number in (1, 2)),
        pytest.param(DIFFER, id="no version"),
        pytest.param(ANCHORS, id="anchors"),
        pytest.param("base: &b {A: x, C: z}\ndependencies: [x]\nvariables: {<<: *b, A: y}\n", id="merged"),
        pytest.param('{"dependencies": ["x", {"pip": ["y"]}], "channels": ["c"], "variables": {"A": true}}', id="JSON"),
        pytest.param("\ufeffdependencies:\r\n- x\r\n- y >=1\r\n", id="of another editor"),
        pytest.param("--- # first\ndependencies: [x]\n...\n", id="marks of a document"),
        pytest.param("dependencies: [c::x, 'c/linux-64::y=1']\nchannels: [$CHANNEL/a, '${CHANNEL}']\n", id="channels"),
    ],
)
@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.MantissaNoDotYAML1_1Warning")  # of the oracle
def test_as_conda_reads_it(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANNEL", "https://example.com")
    found = taken(tmp_path, content)
    assert found is not None
    oracle = from_file(str(tmp_path / "environment.yml"))
    specs = ["pip"] * found.lacks_pip + [str(MatchSpec(spec)) for spec in found.specs]
    assert sorted(specs) == sorted(oracle.dependencies["conda"])
    assert list(found.pip) == oracle.dependencies.get("pip", [])
    assert list(found.channels) == oracle.channels
    expected = {name: None if value is None else str(value) for name, value in (oracle.variables or {}).items()}
    assert found.variables == expected


def test_more_than_conda_reads(tmp_path: Path) -> None:
    """Channels that are null, UTF-16, escapes of JSON, `pip:` twice: both count."""
    content = "channels:\nplatforms: [a]\ndependencies: [pip, {pip: [a]}, {pip: [b]}]\nvariables: {V: 1.10}\n"
    found = taken(tmp_path, content.encode("utf-16"))
    assert found is not None
    assert (found.channels, found.specs, found.pip) == ((), ("pip",), ("a", "b"))
    file = tmp_path / "environment.yml"
    assert found.notes == (
        f"{file}: keys that neither conda nor conda-coex reads: platforms",
        f"{file}: `pip:` is there 2 times; all are taken (conda takes the last)",
        f"{file}: the variable V is '1.1', as conda reads '1.10' without quotes",
    )
    found = taken(tmp_path, '{"dependencies": ["x"], "variables": {"A": "\\ud83d\\ude00"}}', "any.name")
    assert found is not None
    assert found.variables == {"A": "\U0001f600"}
    digits = "0x" + "f" * 50000  # Python does not write this number in decimals
    found = taken(tmp_path, f"dependencies: [x]\nvariables: {{A: {digits}}}\n")
    assert found is not None
    assert found.variables == {"A": digits}


def test_tags_of_old_exports(tmp_path: Path) -> None:
    """As conda wrote them with Python 2; conda 26 reads them."""
    content = "channels: !!python/tuple\n- !!python/unicode 'c'\n- d\ndependencies: !!python/list [!!python/str 'x']\n"
    found = taken(tmp_path, content)
    assert found is not None
    assert (found.channels, found.specs) == (("c", "d"), ("x",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("conda-lock.yml", b"version: 1\nmetadata: {}\npackage: []\n", id="lock file, for a plugin"),
        pytest.param("some.file", b"\xff\0 @EXPLICIT [", id="neither YAML nor text"),
        pytest.param("some.file", b"numpy\n", id="text"),
    ],
)
def test_other_formats(tmp_path: Path, name: str, content: bytes) -> None:
    assert taken(tmp_path, content, name) is None


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param("p[all]", r"is a line for pip, .*, in line 3; list it below.* or leave out \[all\]$", id="extra"),
        pytest.param("x==", r"environment.yml: .*x==.*, in line 3", id="no version"),
        pytest.param("*", r"environment.yml: the specification '\*' names no package, in line 3", id="no name"),
        pytest.param("x,y", r"environment.yml: the specification 'x,y' names no package, in line 3", id="two names"),
        pytest.param("p=1 -c there", "'p=1 -c there' has an option of conda.*, in line 3; write `there", id="channel"),
        pytest.param("p q --channel=there", "has an option of conda.*, in line 3; write `there::NAME`", id="long"),
        pytest.param("https://h/c/noarch/x-1-0.conda", r"'https.*conda' is one package, .*`@EXPLICIT`", id="package"),
    ],
)
def test_specs_that_are_none(tmp_path: Path, spec: str, says: str) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(f"dependencies:\n- python\n- '{spec}'\n")
    with pytest.raises(InputError, match=says):
        merge_inputs([read_document(str(file))], [])


def test_list_without_specs(tmp_path: Path) -> None:
    (tmp_path / "specs.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"specs.txt: .* asks for no package; list some, one in each line$"):
        merge_inputs([read_document(str(tmp_path / "specs.txt"))], [])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pixi.toml", "this is the manifest of pixi, not an environment file or a lock file; run `pixi lock`"),
        ("pyproject.toml", "this is the project file of a Python package"),
        ("uv.lock", "this is a lock file of uv.*uv export > requirements.txt.*-r requirements.txt"),
        ("poetry.lock", "this is a lock file of Poetry"),
        ("Pipfile", "this is a file of pipenv"),
        ("meta.yaml", "this is the recipe of a package"),
        ("anaconda-project-lock.yml", "this is a file of anaconda-project"),
        ("x-1.0-0.conda", "this is an archive"),
    ],
)
def test_other_files_by_mistake(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_text("[x]\ny = 1\n")
    with pytest.raises(InputError, match=says):
        merge_inputs([read_document(str(tmp_path / name))], [])


@pytest.mark.parametrize(
    "spec",
    [
        "https://u:p@h/t/tk-1/ch::x", "/tmp/ch::x", "./ch::x", "c/label/dev::a+b", "c/linux-64::_x.y >=1,<2  # why",
        "x~=1.0", "x=1|2", "x=1=*_cpython", "x[version='>=1', build=*cuda*]", "x 1.0 py_0",
    ],
)  # fmt: skip
def test_specs_of_conda(tmp_path: Path, spec: str) -> None:
    (tmp_path / "list.txt").write_text(f"{spec}\n")
    (found,) = merge_inputs([read_document(str(tmp_path / "list.txt"))], []).specs
    assert MatchSpec(found) == MatchSpec(spec)


def requirements_of_conda(path: Path) -> list[str]:
    """Return the specs that conda reads in a list: 25.9 and newer make an `env` of it, older ones an `environment`."""
    spec = RequirementsSpec(str(path), name="x")
    if hasattr(type(spec), "env"):
        return [str(each) for each in spec.env.requested_packages]
    found: list[str] = spec.environment.dependencies["conda"]
    return found


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_rare_ends_of_lines(tmp_path: Path, mark: str) -> None:
    """They end a line in YAML 1.1. So a package could hide in a comment, where editors show it."""
    for hiding in (f"- x\n# why{mark}- y\n", f"- x # why{mark}- y\n"):
        with pytest.raises(InputError, match=rf"line [23]: some readers end a line at U\+{ord(mark):04X}; remove it"):
            taken(tmp_path, f"dependencies:\n{hiding}")
    text = f"dependencies:\n- x\n- pip:\n  - ./a{mark}b\n  - 'c{mark}d'\n  - \"e\\L\"\n"
    if mark == "\x85":  # of which conda makes a blank
        with pytest.raises(InputError, match="remove it"):
            taken(tmp_path, text)
        return
    found = taken(tmp_path, text)
    assert found is not None
    assert list(found.pip) == from_file(str(tmp_path / "environment.yml")).dependencies["pip"]


def test_list_of_specs(tmp_path: Path) -> None:
    """As read by `conda create --file` and written by `conda list --export`."""
    content = "# platform: linux-64\r\nx=1.10=0\r\n\r\n  y >=2 # why\n"
    found = taken(tmp_path, content, "spec.txt")
    assert found is not None
    assert found.specs == ("x=1.10=0", "y >=2 # why")
    assert [str(MatchSpec(spec)) for spec in found.specs] == requirements_of_conda(tmp_path / "spec.txt")
    assert merge_inputs([read_document(str(tmp_path / "spec.txt"))], []).specs == found.specs
    for mark in "\v\f\x1c\x1d\x1e\x85\u2028\u2029":  # which end no line of a file
        found = taken(tmp_path, f"x # why{mark}y\rz\n", "spec.txt")
        assert found is not None
        specs = [str(MatchSpec(spec)) for spec in found.specs]
        assert specs == requirements_of_conda(tmp_path / "spec.txt") == ["x", "z"]
    found = taken(tmp_path, "x=1.10\r\ny\r\n".encode("utf-16"), "spec.txt")  # as PowerShell's `>` writes it
    assert found is not None
    assert found.specs == ("x=1.10", "y")
    (tmp_path / "spec.txt").write_text("x=1.0=pypi_0\n")
    with pytest.raises(InputError, match=r"'x=1.0=pypi_0' was installed by pip, in line 1; list it below `- pip:`"):
        merge_inputs([read_document(str(tmp_path / "spec.txt"))], [])
    (tmp_path / "spec").write_text("x\n")
    with pytest.raises(InputError, match=r"is of an unknown format; name it"):
        merge_inputs([read_document(str(tmp_path / "spec"))], [])


@pytest.mark.parametrize(
    "text",
    [
        "x==1 \\\n --hash=sha256:ab",
        "x @ file:///tmp/build/x_1/work",  # written by `pip freeze` in an environment of conda
        "x@https://h/x.zip",
        "https://h/x-1.0.tar.gz",
        "./x",
        ".",
        "../x",
        "/x/y",
        "x-1.0-py3-none-any.whl",
        'x==1; python_version > "3.7"',
        'x >=1 ; (sys_platform == "win32")',
    ],
)
def test_requirements_of_pip(tmp_path: Path, text: str) -> None:
    """pip's own parser takes all of them; MatchSpec takes most, as packages of odd names."""
    (tmp_path / "requirements.txt").write_text(f"{text}\n")
    with pytest.raises(InputError, match=r"requirements.txt: .* is a line for pip, .*by `-r FILE`"):
        merge_inputs([read_document(str(tmp_path / "requirements.txt"))], [])
