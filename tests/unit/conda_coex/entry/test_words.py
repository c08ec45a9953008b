"""The words of a command: their roles, as the interpreters themselves take them, and the files that they name."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conda_coex.entry.command import parse_command
from conda_coex.entry.names import Names, notes_on_variables
from conda_coex.entry.resolve import own_sources, resolve_all
from conda_coex.entry.resolve import resolve as resolve_command
from conda_coex.entry.words import words_of
from conda_coex.errors import EntryPointNotFound
from conda_coex.inputs.variables import parse_env
from conda_coex.root.app import App
from conda_coex.root.content import Content
from conda_coex.root.layout import Layout
from conda_coex.root.source import InMemory, OnDisk


@pytest.mark.parametrize(
    ("command", "roles"),
    [
        ("python app.py --x y", "script:app.py option:--x word:y"),
        ("python3.11 -um pkg.mod -v", "option:-u module:pkg.mod option:-v"),
        ("python -mpkg", "module:pkg"),
        ("python -W error -X dev -Wignore a.py", "option:-W word:error option:-X word:dev option:-Wignore script:a.py"),
        ("python -c 'import x' a.py", "option:-c code:import+x word:a.py"),
        ("python - a.py", "option:- word:a.py"),
        ("python -- -a.py b", "option:-- script:-a.py word:b"),
        ("python", ""),
        ("python -m", "module:"),
        ("bash -euo pipefail run.sh -c x", "option:-euo word:pipefail script:run.sh option:-c word:x"),
        ("sh -ec 'a b' sh c", "option:-ec code:a+b word:sh word:c"),
        ("bash -lc -x 'a'", "option:-lc option:-x code:a"),
        ("node -r x/config --inspect app.js x", "option:-r word:x/config option:--inspect script:app.js word:x"),
        ("node -e 'a()' x", "option:-e code:a() word:x"),
        ("perl -MData::Dumper -ne 'print' x.txt", "option:-MData::Dumper option:-ne code:print word:x.txt"),
        ("ruby -rjson -Ilib a.rb", "option:-rjson option:-Ilib script:a.rb"),
        ("Rscript --vanilla x.R data.csv", "option:--vanilla script:x.R word:data.csv"),
        ("julia -t 4 --project=. a.jl", "option:-t word:4 option:--project=. script:a.jl"),
        ("gunicorn -w 4 app:app", "option:-w word:4 word:app:app"),
    ],
)
def test_roles(command: str, roles: str) -> None:
    program, *arguments = shlex.split(command)
    found = words_of(program, arguments)
    assert " ".join(f"{word.role}:{word.text.replace(' ', '+')}" for word in found) == roles


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return the root of an app, part of whose files are here, in the current directory."""
    layout = Layout()
    for command in ("python", "tool", "java", "node"):
        layout.place("all", [Content(f"prefix/bin/{command}", 0o755, 0, InMemory(b""), 0)])
    here = tmp_path / "here"
    for name in (
        "app.py", "conf/a.yml", "conf/deep/b.yml", "pkg/__init__.py", "pkg/main.py", "run/x.txt", "a b/c=d.txt",
        "Makefile", "lib/a.jar", "old/c.csv", "two.sh", "é.yml",
    ):  # fmt: skip
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("text")
        target = {"old/c.csv": "new/c.csv", "two.sh": "bin/two"}.get(name, name)
        layout.place("app", [Content(f"app/{target}", 0o644, 0, OnDisk(here / name), 4)])
    for name in ("other.yml", "local.py", "notin/__init__.py", "out.csv", "lone"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("text")
    monkeypatch.chdir(here)
    return layout


def resolve(value: str, names: Names) -> dict[str, Any]:
    return resolve_command(parse_command(value), names)


def own_files(sources: list[str], values: list[str], layout: Layout, prefix: str | None = None) -> list[str]:
    return own_sources(App(sources, Path("x.coex")), map(parse_command, values), layout, prefix)


A = "${COEX_APP}/"
CODE = "code looks for app.py where the caller is; in it, COEX_APP is the variable for the app's place"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("tool conf/a.yml ./conf/deep/b.yml é.yml", [A + "conf/a.yml", A + "conf/deep/b.yml", A + "é.yml"]),
        ("tool --c=conf/a.yml key=conf/a.yml @conf/a.yml", [f"{n}{A}conf/a.yml" for n in ("--c=", "key=", "@")]),
        ("tool conf/ conf/deep", [A + "conf", A + "conf/deep"]),
        ("tool {here}/conf/a.yml ../here/conf/deep", [A + "conf/a.yml", A + "conf/deep"]),
        ("tool old/c.csv two.sh new/c.csv bin/two", [A + p for p in ("new/c.csv", "bin/two", "new/c.csv", "bin/two")]),
        ("tool 'a b/c=d.txt' '--x=a b/c=d.txt'", [f"{A}a b/c=d.txt", f"--x={A}a b/c=d.txt"]),
        ("tool ./Makefile ./run", [A + "Makefile", A + "run"]),
        ("java -cp lib/a.jar:other:lib/* x.Main", ["-cp", f"{A}lib/a.jar:other:{A}lib/*", "x.Main"]),
        ("java -jar lib/a.jar", ["-jar", A + "lib/a.jar"]),
        # left as they are
        ("tool 8000 --port - . .. '' / http://x/app.py sqlite:///x.db 0.0.0.0:80", None),
        ("tool -o conf/a.yml --output=out.csv --out-file out.csv --pidfile conf/a.yml", None),
        ("tool out/new.csv new.txt 'a c' /dev/stdin /etc/passwd /tmp /no/such/file 3.11 --x=", None),
        ("tool '${PWD}/other.yml' '${COEX_PREFIX}/share' '${COEX_APP}/conf/a.yml'", None),
    ],
)  # fmt: skip
def test_files(layout: Layout, tmp_path: Path, value: str, words: list[str] | None) -> None:
    """Files of the app are found by every way to name them.

    Words that only look like files are not refused or noted.
    """
    value = value.replace("{here}", str(tmp_path / "here"))
    found = resolve(value, Names(layout, None))
    assert [word for _, word in found["command"][1:]] == (words if words is not None else shlex.split(value)[1:])
    assert all((kind == "expanded") == ("${" in word) for kind, word in found["command"][1:])
    assert layout.notes == []


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ("tool run app.py", "'run' is handed on as it is; write ./run if that of the app is meant"),
        ("tool -f Makefile", "'Makefile' is handed on as it is; write ./Makefile if that of the app is meant"),
        ("tool lone", "'lone' is handed on as it is; write ./lone if the file here is meant"),
        ("tool ~/x", "'~/x' is handed on as it is: no shell expands it; sh -c '...' has one do so"),
        ("tool --port $PORT", "'$PORT' is handed on as it is: no shell expands it; sh -c '...' has one do so"),
        ("tool conf/*.yml", "'conf/*.yml' is handed on as it is: no shell expands it; sh -c '...' has one do so"),
        ("tool ${COEX_APP}/nothing", "${COEX_APP}/nothing is not in the app now"),
        ("python /x/other.py", "/x/other.py is a file of the host: the archive does not have it"),
        ("tool --c=/x/conf/a.yml", "/x/conf/a.yml is a file of the host; write conf/a.yml if that of the app is meant"),
        ("sh -c 'cat app.py|x'", CODE),
        ("node -e 'require(\"./app.py\")'", CODE.replace("app.py", "./app.py")),
        ("sh -c 'PYTHONPATH=/app exec x'", CODE.replace("app.py where the caller is", "/app, which is not here")),
        ("sh -c 'x /code/app.py'", CODE.replace("app.py where the caller is", "/code/app.py, which is not here")),
        ("bash -lc tool", "-lc has the host's profile read, which may hide the environment's commands; leave it out"),
        ("tool --chdir /app", "/app is a directory of the host; write ${COEX_APP} if that of the app is meant"),
    ],
)  # fmt: skip
def test_notes(layout: Layout, value: str, note: str) -> None:
    found = resolve(value, Names(layout, None))
    assert [word for _, word in found["command"][1:] if word != A + "app.py"] == [
        word for word in shlex.split(value)[1:] if word != "app.py"
    ]
    assert layout.notes == [f"entry point {parse_command(value).name}: {note}"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("tool other.yml", r"other.yml: the entry point names it, and it is not in the app; name it among the paths"),
        ("tool --x=./other.yml", r"\./other.yml: the entry point names it"),
        ("tool notin/", r"notin/: the entry point names it"),
        ("tool {here}/other.yml", r"/other.yml: the entry point names it, and it is not in the app"),
        ("tool notin:main", r"notin: the entry point names its module notin, and it is not in the app"),
        ("java -jar /x/lib/a.jar", r"/x/lib/a.jar: the entry point runs it, and it is not here; write lib/a.jar if"),
        ("tool --app local", r"local.py: the entry point names its module local"),
        ("python nothing.py", r"nothing.py: no such file here or in the app"),
        ("bash nothing", r"nothing: no such file here or in the app"),
        ("python ap.py", r"ap.py: no such file here or in the app, for the entry point; did you mean app.py\?"),
        ("node nothing.js", r"nothing.js: no such file here or in the app"),
        ("python ${COEX_APP}/nothing.py", r"runs \${COEX_APP}/nothing.py, which the archive does not have"),
        ("python -m nothing", r"the module nothing, which is neither in the environment nor in the app"),
        ("python -m a/b", r"the module 'a/b', which is not the name of a module"),
        ("tool a && tool b", r"a line of a shell, with &&"),
        ("python run", r"run: is a directory without a __main__.py"),
        ("MY_PATH=src python app.py", r"if MY_PATH is a variable: --env MY_PATH=src"),
        ("exec tool", r"leave out exec"),
        ("conda run -n x python app.py", r"leave out words that enter an environment: that of the archive is active"),
        ("python /x/pkg/main.py", r"/x/pkg/main.py: the entry point runs it, and it is not here; write pkg/main.py"),
        ("app.py:main", r"write app:main"),
        ("pkg/main.py:run", r"write pkg.main:run"),
    ],
)  # fmt: skip
def test_refused(layout: Layout, tmp_path: Path, value: str, says: str) -> None:
    with pytest.raises(EntryPointNotFound, match=says):
        resolve(value.replace("{here}", str(tmp_path / "here")), Names(layout, None))


@pytest.mark.parametrize(
    ("value", "words", "imports"),
    [
        ("python -m pkg.main x", [["module", "pkg.main"], ["text", "x"]], ["app"]),
        ("tool pkg.main:app", [["text", "pkg.main:app"]], ["app"]),
        ("tool pkg.main:make()", [["text", "pkg.main:make()"]], ["app"]),
        ("tool -A pkg worker", [["text", "-A"], ["text", "pkg"], ["text", "worker"]], ["app"]),
        ("tool --app=app run.x", [["text", "--app=app"], ["text", "run.x"]], ["app"]),
        ("tool other:app json", [["text", "other:app"], ["text", "json"]], None),
        ("sh -c 'exec tool $PORT app:app'", [["text", "-c"], ["text", "exec tool $PORT app:app"]], ["app"]),
        ('["tool", "-A pkg", "pkg.main:app"]', [["text", "-A pkg"], ["text", "pkg.main:app"]], ["app"]),
    ],
)
def test_modules(layout: Layout, value: str, words: list[list[str]], imports: list[str] | None) -> None:
    found = resolve(value, Names(layout, None))
    assert (found["command"][1:], found.get("imports")) == (words, imports)
    assert layout.notes == []


def test_added_by_itself(layout: Layout) -> None:
    """The work of a program, not its data, not its output, and not files that the app has by another name."""
    values = ["python local.py other.yml", "tool --file=local.py", "python -m notin x", "tool -o app.py"]
    values.append("python two.sh")
    assert own_files(["two.sh=bin/two"], values, layout) == ["local.py", "notin"]
    assert own_files([], ["tool notin:main", "tool notin", "python -m json.tool"], layout) == []


def test_directories_that_run(layout: Layout, tmp_path: Path) -> None:
    for name in ("run/__main__.py", "__main__.py"):
        (tmp_path / "here" / name).touch()
        layout.place("app", [Content(f"app/{name}", 0o644, 0, OnDisk(tmp_path / "here" / name), 0)])
    names = Names(layout, None)
    values = ("python run", "python ./run/", "python .", "node conf")
    commands = [resolve(value, names)["command"][-1] for value in values]
    assert commands == [["app", "run"], ["app", "run"], ["expanded", "${COEX_APP}"], ["app", "conf"]]
    with pytest.raises(EntryPointNotFound, match="is a directory without"):
        resolve("bash run", names)


def resolve_script(value: str, layout: Layout, *variables: str) -> list[str]:
    resolve_all([parse_command(value)], layout, None, parse_env(variables))
    return layout.notes


def test_imports_of_a_script(layout: Layout, tmp_path: Path) -> None:
    """Modules beside it here, in neither the app nor the environment, are named if it always imports them."""
    layout.place("all", [Content("prefix/lib/python3.11/lone2.py", 0o644, 0, InMemory(b""), 0)])
    source = "import os, local, lone2.x, nothing\nfrom notin.sub import x\nfrom . import run\nimport pkg.main\n"
    (tmp_path / "here/app.py").write_text(source + "def f():\n    import other\n")
    for name in ("lone2.py", "other.py"):
        (tmp_path / "here" / name).touch()
    here = tmp_path / "here"
    assert [note.replace(str(here), "") for note in resolve_script("python app.py", layout)] == [
        f"app.py imports /{name}, which is not in the app; name it among the paths of the app"
        for name in ("local.py", "notin")
    ]


@pytest.mark.parametrize(
    "source",
    [
        b"x = " + b"1 + " * 100_000 + b"1\nimport local",
        b"if x: pass\n" + b"elif x: pass\n" * 20_000,
        b"import " + b"a" * 300,
        b"import local\n" + b"#" * (1 << 20),
    ],
    ids=["long expression", "many branches", "long name", "large"],
)
def test_no_imports_are_sought(source: bytes, layout: Layout, tmp_path: Path) -> None:
    """Python cannot read it, or its parser takes several hundred times the memory that a table of numbers has."""
    script = tmp_path / "here/app.py"
    script.write_bytes(source)
    layout.place("app", [Content("app/app.py", 0o644, 0, OnDisk(script), len(source))])
    assert resolve_script("python app.py", layout) == []


@pytest.mark.parametrize(
    ("source", "script", "notes"),
    [
        ("import top", "jobs/run.py", ["write 'python -m jobs.run'"]),
        ("import top", "jobs/run-it.py", ["add --env 'PYTHONPATH=${COEX_APP}'"]),
        ("import lost.x", "jobs/run.py", ["write 'python -m jobs.run', and name lost among the paths of the app"]),
        ("import beside, os, of_env, nowhere\ndef f():\n    import top", "jobs/run.py", []),
        ("import sys\nsys.path.append('..')\nimport top", "jobs/run.py", []),
    ],
)
def test_imports_of_a_script_below_a_directory(
    source: str, script: str, notes: list[str], layout: Layout, tmp_path: Path
) -> None:
    """Python itself shows that the note is right: the script fails, and does not as the note says."""
    here = tmp_path / "project"
    for name in ("top.py", "lost/__init__.py", "lost/x.py", "jobs/beside.py", "of_env.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("y = 1\n")
    (here / script).write_text(source)
    files = ["top.py", "jobs/beside.py", "of_env.py", script]
    layout.place("app", [Content(f"app/{name}", 0o644, 0, OnDisk(here / name), 0) for name in files])
    layout.place("all", [Content("prefix/lib/python3.11/site-packages/of_env.py", 0o644, 0, InMemory(b""), 0)])
    found = [note.partition("beside it; ")[2] for note in resolve_script(f"python {script}", layout)]
    assert found == notes
    if notes:
        run, path = [sys.executable, script], ""
        assert subprocess.run(run, cwd=here, capture_output=True, check=False).returncode == 1
        if "-m" in notes[0]:
            run = [sys.executable, "-m", "jobs.run"]
        else:
            path = str(here)
        subprocess.run(run, cwd=here, check=True, env={**os.environ, "PYTHONPATH": path})
    layout.notes.clear()
    assert resolve_script(f"python {script}", layout, "PYTHONPATH=${COEX_APP}") == []


@pytest.mark.parametrize(
    ("name", "text", "notes"),
    [
        ("a.sh", "set -e\nsource activate work\nconda activate other\n", ["enters an environment in line 2, source"]),
        ("a", "#!/usr/bin/env bash\n  conda activate work # x\n", ["enters an environment in line 2, conda activate"]),
        ("a.sh", "echo a\fb\nsource activate work\n", ["enters an environment in line 2, source"]),
        ("a.sh", "conda run -n work python x.py\ncd /home/me/p && ls\n", ["in line 1, conda run -n", "/home/me/p "]),
        ("a.sh", f"conda activate {'x' * 99}\n", [f"conda activate {'x' * 45}…: that of the archive"]),
        ("a.sh", "exec poetry run python x.py\n", ["archive is active already; leave out the words of poetry run"]),
        ("a.sh", '# conda activate work\ncd /tmp/x\ncd "$COEX_APP"\necho conda activate\ncd data\n', []),
        ("a.py", "#!/usr/bin/env python\nconda activate work\n", []),
    ],
)
def test_lines_of_a_shell_script(name: str, text: str, notes: list[str], layout: Layout) -> None:
    layout.place("app", [Content(f"app/{name}", 0o644, 0, InMemory(text.encode()), len(text))])
    found = resolve_script(f"./{name}", layout)
    assert len(found) == len(notes)
    assert all(part in note for part, note in zip(notes, found, strict=True))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("f = 'data/a.csv'\nopen(f)\nopen('./data/a.csv')\nopen('out.csv')", "data/a.csv, ./data/a.csv"),
        ("from pathlib import Path\nopen(Path(__file__).parent / 'data/a.csv')", None),
        ("import os\nos.chdir(os.environ['COEX_APP'])\nopen('data/a.csv')", None),
        ("print('data', 'a.csv')", None),
    ],
)
def test_data_of_a_script(source: str, names: str | None, layout: Layout) -> None:
    """By a relative path, a script finds a file of the caller, not of the app."""
    files = {"get.py": source.encode(), "data/a.csv": b"1"}
    layout.place("app", [Content(f"app/{name}", 0o644, 0, InMemory(data), 1) for name, data in files.items()])
    end = "where the caller is; in it, os.environ['COEX_APP'] is the place of the app"
    assert resolve_script("python get.py", layout) == ([f"get.py looks for {names} {end}"] if names else [])


def test_variables(layout: Layout) -> None:
    variables = ["A=app.py", "B?=conf", "C=./conf", "D=${COEX_APP}/app.py", "E=/app", "F=.", "G=no.py", "H="]
    assert list(notes_on_variables(parse_env(variables), Names(layout, None))) == [
        "A=app.py is not a path of the app on a host; write ${COEX_APP}/app.py if that is meant",
        "C=./conf is not a path of the app on a host; write ${COEX_APP}/conf if that is meant",
        "E=/app is not a path of the app on a host; write ${COEX_APP} if that is meant",
    ]


def test_words_in_the_existing_environment(layout: Layout, tmp_path: Path) -> None:
    prefix = str(tmp_path / "here/env")
    value = f"tool {prefix}/bin/tool --x=env/bin/tool {prefix}/bin"
    (tmp_path / "here/env/bin").mkdir(parents=True)
    (tmp_path / "here/env/bin/tool").touch()
    found = resolve(value, Names(layout, prefix))
    assert [word for _, word in found["command"][1:]] == [
        "${COEX_PREFIX}/bin/tool", "--x=${COEX_PREFIX}/bin/tool", "${COEX_PREFIX}/bin"
    ]  # fmt: skip
    assert resolve(f"python {prefix}/bin/tool", Names(layout, prefix))["command"] == [
        ["prefix", "bin/python"], ["prefix", "bin/tool"]
    ]  # fmt: skip
    assert own_files([], [f"python {prefix}/bin/tool"], layout, prefix) == []
    assert layout.notes == []
    found = resolve(f"tool {prefix}/var/log", Names(layout, prefix))
    assert found["command"][1:] == [["expanded", "${COEX_PREFIX}/var/log"]]
    assert layout.notes == ["entry point tool: ${COEX_PREFIX}/var/log is not in the archive"]


def test_programs_by_their_place_in_an_image(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    for place in ("/opt/conda/bin/python", "/usr/bin/python", f"{tmp_path}/bin/python"):
        found = resolve(f"{place} app.py", Names(layout, None))
        assert found["command"] == [["prefix", "bin/python"], ["app", "app.py"]]
        assert layout.notes.pop() == f"the entry point {place} is python of the environment"
        assert own_files([], [f"{place} app.py"], layout) == ["app.py"]
    assert resolve("/bin/bash two.sh", Names(layout, None))["command"][0] == ["host", "bash"]
    assert own_files([], ["/bin/sh two.sh"], layout) == ["two.sh"]
    assert resolve("/x/bin/python app.py", Names(layout, "/x"))["command"][0] == ["prefix", "bin/python"]
    assert layout.notes == []


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("python -u report.py x", "report"), ("python -m pkg.cli", "pkg"), ("python -c x", "python"),
        ("python", "python"), ("python -X dev", "python"),
        ("python .", "python"), ("python - x.py", "python"), ("bash bin/run", "run"), ("Rscript a/b.R", "b"),
        ("./x.py", "x"), ("gunicorn app:app", "gunicorn"), ("pkg.cli:main", "pkg"), ("a=python b.py", "a"),
    ],
)  # fmt: skip
def test_name(value: str, name: str) -> None:
    assert parse_command(value).name == name


def test_scripts_with_line_ends_of_windows(layout: Layout, tmp_path: Path) -> None:
    for name in ("two.sh", "app.py"):
        (tmp_path / "here" / name).write_bytes(b"echo\r\n")
    for value in ("bash two.sh", "./bin/two.sh"):
        layout.place("app", [Content("app/bin/two.sh", 0o644, 0, OnDisk(tmp_path / "here/two.sh"), 6)])
        with pytest.raises(EntryPointNotFound, match=r"is a script of a shell whose lines end with CR"):
            resolve(value, Names(layout, None))
    assert resolve("python app.py", Names(layout, None))["command"][1] == ["app", "app.py"]


def test_names_as_in_metadata_of_packages() -> None:
    assert parse_command("tool = pkg.cli:main x") == parse_command("tool=pkg.cli:main x")


def test_program_that_may_not_be_executed(layout: Layout) -> None:
    layout.place("all", [Content("prefix/share/tool.py", 0o644, 0, InMemory(b""), 0)])
    with pytest.raises(EntryPointNotFound, match="not executable"):
        resolve("share/tool.py", Names(layout, None))
    assert resolve("python ${COEX_PREFIX}/share/tool.py", Names(layout, None))["command"][1][0] != "text"
