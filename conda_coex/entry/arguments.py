"""Resolve the words after an entry point's program: files and modules of the app get their place on the host."""

from __future__ import annotations

import os
import posixpath
import re
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.values import is_module

from ..errors import EntryPointNotFound
from .function import directory_of, find_runnable, module_of
from .names import APP, IMAGES, OF_THE_HOST, PLACES, PREFIX, SOURCES, is_bare, is_of_the_builder
from .own_files import CALLERS, NO_MAIN, local_module, refuse_missing
from .script import refuse_line_ends
from .words import CLASS_PATH, Word, family, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .names import Names

LOGIN = re.compile(r"--login|-[a-z]*l[a-z]*")  # of a shell
VARIABLE = re.compile(r"\$(\w+|\{\w+\})")
# A module, or an object in a module, as servers and frameworks take it: `pkg.main:app`, `app:create_app()`.
ATTRIBUTE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(:[^\W\d][\w.]*(?:\(.*\))?)?")
MODULE_OPTIONS = {"--app", "-A", "-m", "--module", "--wsgi", "--pyargs", "--package"}
OPERATORS = {"&&", "||"}


class Arguments:
    """The words of one command after its program, for the manifest, and the directories its modules come from."""

    def __init__(self, name: str, program: str, arguments: Sequence[str], names: Names) -> None:
        self.name = name
        self.program = program
        self.names = names
        self.imports: list[str] = []
        words = words_of(program, arguments)
        own = list(takewhile(lambda word: word.role == "option", words)) if family(program) == "shell" else []
        for login in (word.text for word in own if LOGIN.fullmatch(word.text)):
            self._note(f"{login} has the host's profile read, which may hide the environment's commands; leave it out")
        self.words = [pair for word in words for pair in self._resolved(word)]

    def _resolved(self, word: Word) -> Iterator[list[str]]:
        if word.text in OPERATORS:
            raise EntryPointNotFound(
                f"the entry point is a line of a shell, with {word.text}: it has to be one command",
                remedy="write a script, or sh -c '...'",
            )
        if word.role == "module":
            yield from self._module(word.text)
        elif word.role == "script":
            yield self._script(word.text)
        elif word.role == "code":
            self._look_into(word.text)
            yield ["text", word.text]
        elif word.option in CLASS_PATH and posixpath.basename(self.program) == "java":
            yield _text(":".join(self._of_class_path(word, part) for part in word.text.split(":")))
        else:
            before, value = word.parts
            if self.names.in_app(word.text) is not None:
                before, value = "", word.text
            yield _text(before + (value if word.role == "option" and not before else self._value(word, value)))

    def _module(self, name: str) -> Iterator[list[str]]:
        if not is_module(name):
            raise EntryPointNotFound(f"the entry point runs the module {name!r}, which is not the name of a module")
        path = find_runnable(name, self.names.layout)
        directory = directory_of(name, path)
        if directory is None:
            yield from (["text", "-m"], ["text", name])
            return
        self._import_from(directory)
        place = directory.removeprefix("app").lstrip("/")
        yield ["module", f"{place}:{name}" if place else name]

    def _import_from(self, directory: str) -> None:
        if directory not in self.imports:
            self.imports.append(directory)

    def _script(self, word: str) -> list[str]:
        names = self.names
        for mark, place in ((APP, "app"), (PREFIX, "prefix")):
            path = f"{place}/{posixpath.normpath(word[len(mark) :].lstrip('/'))}"
            if word.startswith(mark + "/") and names.stands(path):
                return [place, path.partition("/")[2]]
            if word.startswith(mark):
                raise EntryPointNotFound(f"the entry point runs {word}, which the archive does not have")
        inside = names.in_prefix(word)
        if inside is not None and names.stands(f"prefix/{inside}"):
            return ["prefix", inside]
        in_app = names.in_app(word)
        if in_app is not None:
            path, kind = posixpath.normpath(f"app/{in_app}"), family(self.program)
            is_main = kind == "python" and f"{path}/__main__.py" in names.layout.entries
            if path in names.layout.directories and kind in ("python", "shell") and not is_main:
                raise EntryPointNotFound(NO_MAIN, os.fsencode(word), "name a file of it")
            if kind == "shell":
                refuse_line_ends(path, names.layout)
            return ["app", in_app] if in_app != "." else ["expanded", APP]
        refuse_missing(self.program, word)
        self._refuse_of_image(word)
        if word.startswith("/") and not word.startswith("/dev/"):
            self._note(f"{word} is a file of the host: the archive does not have it")
        return _text(word)

    def _value(self, word: Word, value: str) -> str:
        """Return a word, or the value of an option, with the place in the archive of the file that it names."""
        names = self.names
        if any(mark in value for mark in PLACES):
            self._check_place(value)
        if any(mark in value for mark in PLACES) or word.is_output or not value.strip("./") or "://" in value:
            return value
        path = names.in_app(value)
        if self._is_module(word, value) and is_bare(value):
            return value
        if path is not None and not is_bare(value):
            return f"{APP}/{path}" if path != "." else APP
        inside = names.in_prefix(value)
        if inside is not None:
            return self._in_prefix(inside)
        if path is not None:
            self._note(f"'{value}' is handed on as it is; write ./{value} if that of the app is meant")
        elif value.startswith("/"):
            self._absolute(value)
        elif os.path.lexists(value) and not is_bare(value):
            remedy = f"name it among the paths of the app, or {CALLERS % value}"
            raise EntryPointNotFound("the entry point names it, and it is not in the app", os.fsencode(value), remedy)
        elif Path(value).is_file() and not value.startswith("-"):
            self._note(f"'{value}' is handed on as it is; write ./{value} if the file here is meant")
        else:
            self._unexpanded(value)
        return value

    def _in_prefix(self, inside: str) -> str:
        place = f"{PREFIX}/{inside}"
        if not self.names.stands(f"prefix/{inside}"):
            self._note(f"{place} is not in the archive")
        return place

    def _of_class_path(self, word: Word, part: str) -> str:
        directory = part.removesuffix("/*")  # of all archives in a directory
        path = self.names.in_app(directory)
        return f"{APP}/{path}{part[len(directory) :]}" if path not in (None, ".") else self._value(word, part)

    def _of_image(self, path: str) -> str | None:
        """Return the file of the app whose path ends a path that is not here, as `/code/app.py` of an image does."""
        parts = path.split("/")[1:] if path.startswith("/") and not os.path.lexists(path) else []
        ends = ("/".join(parts[number:]) for number in range(len(parts)))
        return next((end for end in ends if f"app/{posixpath.normpath(end)}" in self.names.layout.entries), None)

    def _refuse_of_image(self, path: str) -> None:
        end = self._of_image(path)
        if end is not None:
            what = "the entry point runs it, and it is not here"
            raise EntryPointNotFound(what, os.fsencode(path), f"write {end} if the file of the app is meant")

    def _absolute(self, value: str) -> None:
        if posixpath.splitext(value)[1] in SOURCES:
            self._refuse_of_image(value)
        end = self._of_image(value)
        if end is not None:
            self._note(f"{value} is a file of the host; write {end} if that of the app is meant")
        if not os.path.lexists(value):
            if posixpath.normpath(value) in IMAGES:
                self._note(f"{value} is a directory of the host; write {APP} if that of the app is meant")
            return
        if is_of_the_builder(value):
            remedy = "name it among the paths of the app"
            raise EntryPointNotFound("the entry point names it, and it is not in the app", os.fsencode(value), remedy)
        if not any(f"{value}/".startswith(f"{directory}/") for directory in OF_THE_HOST):
            self._note(f"{value} is a path of this machine; another host may not have it")

    def _unexpanded(self, value: str) -> None:
        """Leave a note on words that a shell would expand, and a start does not."""
        paths = [path.removeprefix("app/") for path in self.names.layout.entries if path.startswith("app/")]
        is_pattern = set(value) & set("*?[") and any(fnmatchcase(path, posixpath.normpath(value)) for path in paths)
        if VARIABLE.search(value) or value.startswith("~") or is_pattern:
            self._note(f"'{value}' is handed on as it is: no shell expands it; sh -c '...' has one do so")

    def _check_place(self, value: str) -> None:
        if value.startswith(APP + "/") and not self.names.stands(f"app/{posixpath.normpath(value[len(APP) + 1 :])}"):
            self._note(f"{value} is not in the app now")

    def _is_module(self, word: Word, value: str) -> bool:
        """Let Python import from the app if this may be a module of the app.

        Raise for a module that is here and not in the app.
        """
        layout = self.names.layout
        match = ATTRIBUTE.fullmatch(value)
        if match is None or "prefix/bin/python" not in layout.entries:
            return False
        module, path = match[1], f"app/{match[1].replace('.', '/')}"
        if f"{path}.py" in layout.entries or f"{path}/__init__.py" in layout.entries:
            self._import_from("app")
            return True
        if match[2] or word.option in MODULE_OPTIONS or word.parts[0].rstrip("=") in MODULE_OPTIONS:
            file = module_of(module, layout)
            directory = directory_of(module, file) if file is not None else None
            local = local_module(module) if file is None else None
            if directory is not None:
                self._import_from(directory)
            if local is not None and word.role != "code":
                what = f"the entry point names its module {module}, and it is not in the app"
                raise EntryPointNotFound(what, os.fsencode(local), "name it among the paths of the app")
            return file is not None
        return False

    def _look_into(self, code: str) -> None:
        """Leave a note on files that code looks for elsewhere; let a command in code of a shell import from the app."""
        words = re.split(r"[\s'\"|&;<>]+", code)
        parts = [part for word in words for part in re.split("[=()]", word)]
        paths = [word for word in parts if "." in word and not word.startswith("/")]
        of_app = [word for word in paths if self.names.in_app(word) is not None]
        of_image = [word for word in parts if word in IMAGES or self._of_image(word) is not None]
        if of_app or of_image:
            where = f"{of_app[0]} where the caller is" if of_app else f"{of_image[0]}, which is not here"
            self._note(f"code looks for {where}; in it, COEX_APP is the variable for the app's place")
        if family(self.program) != "shell":
            return
        for word in words:
            self._is_module(Word("code", word), word)

    def _note(self, text: str) -> None:
        note = f"entry point {self.name}: {text}"
        if note not in self.names.layout.notes:
            self.names.layout.notes.append(note)


def _text(word: str) -> list[str]:
    return ["expanded" if any(mark in word for mark in PLACES) else "text", word]
