"""Any bit flipped, and any part cut away: a start prints the right output, or one line, and never anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import MakeArchive

DAMAGES = 2000


@pytest.fixture(scope="module")
def small(make_archive: MakeArchive) -> Path:
    """Return an archive of two small packages with a placeholder in text and program."""
    return make_archive("cprog", packages=("cprog",)).path


def test_2000_damaged_copies(small: Path) -> None:
    """Each is verified: the alteration is always found.

    Two processes, as there are hardly fewer cores; the session `stress` does more.
    """
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}/tests:{REPOSITORY}/bootstrap"}
    command = [sys.executable, "-m", "testbed.flipper", small, "--count", str(DAMAGES // 2)]
    both = [
        subprocess.Popen([*command, "--seed", seed], env=environment, stdout=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    for process in both:
        said, _ = process.communicate()
        assert process.returncode == 0, said
        ran, refused = (int(said.split(word)[0].split()[-1]) for word in (" ran,", " refused;"))
        assert ran + refused >= DAMAGES // 2
        assert min(ran, refused) > 0
        assert f"{DAMAGES // 2 + 1} verified" in said
        assert "0 wrong results, 0 hangs" in said
