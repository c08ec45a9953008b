"""Rows are tuples with named fields, as those of collections."""

from collections import namedtuple

import pytest
from coex_bootstrap.base.row_type import row_type

Own, Oracle = row_type("Row", "path size"), namedtuple("Oracle", "path size")


def test_rows():
    # type: () -> None
    own, oracle = Own(b"a", 1), Oracle(b"a", 1)
    assert own == oracle and hash(own) == hash(oracle)
    assert (own.path, own.size, own[0], len(own)) == (oracle.path, oracle.size, oracle[0], len(oracle))
    changed = own._replace(size=2)
    assert changed == oracle._replace(size=2) and type(changed) is Own
    assert own.size == 1


@pytest.mark.parametrize("kind", [Own, Oracle])
def test_refuses_other_fields(kind):
    # type: (type) -> None
    for values in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError):
            kind(*values)
    with pytest.raises((TypeError, ValueError)):
        kind(1, 2)._replace(other=3)
    with pytest.raises(AttributeError):
        kind(1, 2).path = 3
