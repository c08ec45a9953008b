"""JSON documents have the values, and the errors, that Python's json has for them."""

import json
import sys

import pytest
from coex_bootstrap.base.untrusted import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TEXTS = (
    u'{"a": [1, -2, 1.5e3, true, false, null, "\\u00e9\\n\\ud83d\\ude00"], "a": 2}', u"[]", u" \n[1]\t\r\n", u"NaN",
    u"[Infinity, -Infinity]",
    u'"\u017e"', u"12345678901234567890123", u"[1] 2", u"[1,]", u"{'a': 1}", u'{"a" 1}', u'"\t"', u'"', u"", u" ",
    u"\ufeff[]", u"nul",
    u"[1\u00a0]", u'{"b": 1, "a": {"d": 1, "c": 2}}',
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("pairs", [None, list])
def test_as_json(text, pairs):
    # type: (str, type) -> None
    try:
        expected = repr(json.loads(text, object_pairs_hook=pairs))
    except ValueError as error:
        with pytest.raises(ValueError) as caught:
            parse_json(text.encode("utf-8"), pairs)
        assert str(caught.value) == str(error)
    else:
        assert repr(parse_json(text.encode("utf-8"), pairs)) == expected


def test_without_loading_json(monkeypatch):
    # type: (Any) -> None
    """A first start reads the manifest so; newer Pythons may ask their scanner for more settings."""
    pytest.importorskip("_json")
    monkeypatch.setitem(sys.modules, "json", None)
    assert parse_json(b'{"a": [1, 2.5, "b", {}], "c": NaN}', list)
