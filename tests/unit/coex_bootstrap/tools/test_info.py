"""The description of an archive lists Pythons by their versions."""

from coex_bootstrap.tools.info import _bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


def test_bytecode_in_the_order_of_versions():
    # type: () -> None
    """A tag has no dot between the parts of a version."""
    tags = [
        "cpython-27-62211", "cpython-36-3379", "cpython-39-3425", "cpython-310-3439", "cpython-313-3571",
        "cpython-313t-3571", "cpython-314-3627", "other",
    ]
    members = dict(("coex_bytecode/" + tag, b"") for tag in sorted(tags))  # type: Dict[str, bytes]
    members["index"] = b""
    assert _bytecode(members) == tags
