"""Many starts at once, on hosts of several names, and the traces that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.survivor import Survivor


def runs(path: Path) -> int:
    """Return how often the post-link script ran: once for each root that was made."""
    return path.read_text().count("run\n")


def assert_no_fault(survivor: Survivor) -> None:
    """Every start went well, and none hung."""
    assert survivor.counts.wrong == []
    assert survivor.counts.hangs == 0


def on_host(name: str) -> tuple[str, ...]:
    """Return the command that runs another one as on a host of this name."""
    return ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name)


def claim_of(store: Path) -> Path:
    """Return the file of the claim that is held."""
    (found,) = store.glob("*.claim/*")
    return found
