"""Files that lead Python out of a live prefix are found, rewritten, and refused if they cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.prefix.filters import Selection
from conda_coex.prefix.unmanaged import Unmanaged, collect_unmanaged, names_of
from conda_coex.pypi import editable, import_paths
from conda_coex.root.content import Content

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.11/site-packages"


@dataclass
class Prefix:
    """A prefix in a project, as it may be: with modules to import from outside of it."""

    project: Path
    path: Path

    def read(self, **files: str) -> Unmanaged:
        """Return the files of the prefix, with these files in site-packages.

        `{}` is the project, `_` before a suffix.
        """
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            place = self.path / SITE / f"{stem}.{suffix}"
            place.write_text(text.replace("{}", str(self.project)))
        return collect_unmanaged(self.path, ())

    def bring(self, found: Unmanaged, *words: str) -> list[str]:
        """Bring sources along; return the paths in the root that were not there."""
        before = {item.path for item in found.items}
        editable.bring(found, names_of(self.path), Selection(words), self.project / "x.coex")
        import_paths.refuse(found.items, names_of(self.path), brought=True)
        return sorted({item.path.removeprefix(f"prefix/{editable.HOME}/") for item in found.items} - before)

    def text(self, found: Unmanaged, name: str) -> str:
        """Return a file of site-packages as it will be, `@` for the prefix."""
        (data,) = [item.read() for item in found.contents if item.path == f"prefix/{SITE}/{name}"]
        assert isinstance(data, bytes)
        return data.decode().replace(str(self.path), "@")


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    found = Prefix(tmp_path / "project", tmp_path / "project/env")
    (found.path / SITE).mkdir(parents=True)
    (found.path / "conda-meta").mkdir()
    (found.path / "conda-meta/history").write_text("")
    for name in ("one", "two", "lib/one", "other/lib/one"):
        (found.project / name).mkdir(parents=True, exist_ok=True)
        (found.project / name / "__init__.py").write_text("")
    (found.project / "alone.py").write_text("")
    return found


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ({"a_pth": "# {}/one\n\n{}/none\n{}/lib\n"}, ["lib"]),
        ({"a_pth": "import sys; sys.path.insert(0, '{}/lib'); x = '/etc/passwd', '/'\n"}, ["lib"]),
        ({"a_pth": "import m\n", "m_py": "A = {'one': '{}/one', 'alone': '{}/alone', 'x': '/etc'}"}, ["one"]),
        ({"__editable__m_pth": "import __editable__m\n", "__editable__m_py": "A = {'alone': '{}/alone'}"}, ["alone"]),
        ({"__editable__m_py": "A = {'alone': '{}/alone'}"}, []),  # imported by nothing
        ({"a_start": "m:main\n", "m_py": "A = '{}/one/__init__.py'"}, ["one/__init__.py"]),
        ({"a_pth": "../../../../one\n"}, ["one"]),
        ({"a_pth": "{}/env/lib\n"}, []),
    ],
)  # fmt: skip
def test_finds(prefix: Prefix, files: dict[str, str], places: list[str]) -> None:
    found = prefix.read(**files)
    led_to = [pointer.place for pointer in import_paths.outside(found.items, names_of(prefix.path))]
    assert led_to == [f"{prefix.project}/{place}" for place in places]


def test_project_around_the_prefix(prefix: Prefix) -> None:
    found = prefix.read(a_pth="{}\n{}/env/lib\n")
    assert prefix.bring(found, "other") == [f"project/{name}" for name in (
        "alone.py", "lib/one/__init__.py", "one/__init__.py", "two/__init__.py",
    )]  # fmt: skip
    assert prefix.text(found, "a.pth") == f"@/{editable.HOME}/project\n@/env/lib\n".replace("@/env", "@")


def test_projects_of_one_name(prefix: Prefix) -> None:
    found = prefix.read(a_pth="{}/other/lib\n{}/lib\n")
    assert prefix.bring(found) == ["lib-2/one/__init__.py", "lib/one/__init__.py"]
    assert prefix.text(found, "a.pth") == f"@/{editable.HOME}/lib-2\n@/{editable.HOME}/lib\n"


def test_module_named_without_suffix(prefix: Prefix) -> None:
    text = "A: dict = {'é': '{}/alone', 'one': '{}/one'}; B = f'{A}/one'\n"
    found = prefix.read(__editable__m_pth="import __editable__m", __editable__m_py=text)
    assert prefix.bring(found) == ["project/alone.py", "project/one/__init__.py"]
    assert prefix.text(found, "__editable__m.py") == text.replace("{}", f"@/{editable.HOME}/project")


def test_code_in_several_lines_is_refused(prefix: Prefix) -> None:
    found = prefix.read(a_pth="import m", m_py="A = ('{}/'\n     'one')\n")
    with pytest.raises(InputError, match=r"cannot be brought along.*a\.pth -> .*/one"):
        prefix.bring(found)


def test_link_to_lines_outside_is_refused(prefix: Prefix) -> None:
    (prefix.project / "far.pth").write_text(f"{prefix.project}/one\n")
    (prefix.path / SITE / "far.pth").symlink_to(prefix.project / "far.pth")
    with pytest.raises(InputError, match=r"cannot be brought along.*far\.pth -> .*/far\.pth"):
        prefix.bring(prefix.read())


def test_sources_are_compiled_and_others_kept(prefix: Prefix) -> None:
    found = prefix.read(a_pth="{}/one\n")
    prefix.bring(found)
    assert [source.path for source in found.sources] == [f"prefix/{editable.HOME}/one/__init__.py"]
    assert all(isinstance(item, Content) for item in found.items)
