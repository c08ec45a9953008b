"""The bill of materials is shown as ASCII, and says the same."""

import json

from coex_bootstrap.tools.sbom import in_ascii


def test_any_text_in_ascii():
    # type: () -> None
    document = {u"name": u"\xe9 \u20ac \u2028 \U0001f40d \U0010ffff \x7f", u"list": [u"\ud7ff\ue000"]}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    shown = in_ascii(text)
    assert json.loads(shown) == document
    assert shown.encode("ascii").count(b"\n") == text.encode("utf-8").count(b"\n")
    assert shown == json.dumps(document, indent=1).replace(u"\x7f", u"\\u007f")
