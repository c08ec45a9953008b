"""A pip that runs for a build ends with it, and with all that it started."""

from __future__ import annotations

import os
import select
import subprocess
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import PipFailed
from conda_coex.inputs.environment import PipSection
from conda_coex.pypi.pip import Pip, Program

if TYPE_CHECKING:
    from pathlib import Path

# `pip install` starts a compiler, which holds the pipe until it ends; other commands print nothing.
SCRIPT = """\
#!/bin/sh
case "$*" in *install*) sh -c 'echo begun >&3; exec sleep 600' 3>"{pipe}" & wait ;; esac
"""


@pytest.fixture
def pip(tmp_path: Path) -> Pip:
    """Return the pip of an environment whose Python is a script."""
    program = tmp_path / "prefix/bin/python"
    program.parent.mkdir(parents=True)
    (tmp_path / "prefix/conda-meta").mkdir()
    program.write_text(SCRIPT.format(pipe=tmp_path / "pipe"))
    program.chmod(0o755)
    return Pip(tmp_path / "prefix", Program("20.0"), 0, offline=True)


def test_interrupted_pip_leaves_no_process(pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal interrupts only its own group of processes, which pip is not in."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    def interrupted(*_: object) -> None:
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 100) == b"begun\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            pip.install([PipSection(str(tmp_path), ("demo",))])
        assert select.select([reader], [], [], 60)[0], "the compiler goes on"
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_status_and_output_of_pip(pip: Pip, tmp_path: Path) -> None:
    (tmp_path / "prefix/bin/python").write_text("#!/bin/sh\necho no such package; exit 3\n")
    with pytest.raises(PipFailed, match=r"pip ended with status 3 and said:\nno such package"):
        pip.install([PipSection(str(tmp_path), ("demo",))])
