"""The setting of a site: its syntax, its errors, and the order that it gives."""

import os
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.store import ladder
from coex_bootstrap.store.ladder import reason, setting_of_site, stores
from coex_bootstrap.store.memory import MemoryStore
from coex_bootstrap.store.site import SettingWrong, expand

from unit.coex_bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

OWN = b"/coex-" + str(os.geteuid()).encode("ascii")
CACHES = b"/Library/Caches" if sys.platform == "darwin" else b"/.cache"


@pytest.fixture
def environ(place, monkeypatch):
    # type: (bytes, Any) -> Dict[bytes, bytes]
    """Return an environment that names a file of this user."""
    monkeypatch.setattr(ladder, "SITE", place + b"/none")
    return {b"COEX_CONFIG": place + b"/coex.conf", b"HOME": b"/h", b"USER": b"me", b"EMPTY": b""}


def paths(environ, text):
    # type: (Dict[bytes, bytes], bytes) -> List[bytes]
    os.chmod(write(environ[b"COEX_CONFIG"], text), 0o644)
    return [store.path for store in stores(environ)]


REST = [b"/h" + CACHES + b"/coex", b"/tmp" + OWN, b"/var/tmp" + OWN]


@pytest.mark.parametrize(("text", "expected"), [
    (b"", REST),
    (b"# store = /x\n\n  # more\n", REST),
    (b"store = /x\n", [b"/x"] + REST),
    (b"  store=/x/\nstore =\t/a b/$USER", [b"/x", b"/a b/me"] + REST),
    (b"store = $JOB/coex\nstore = $EMPTY/coex\nstore = /x\n", [b"/x"] + REST),
    (b"store = /x\norder = store\n", [b"/x"]),
    (b"order = temporary store\nstore = /x\n", REST[1:] + [b"/x"]),
    (b"order = cache", REST[:1]),
])
def test_places(environ, text, expected):
    # type: (Dict[bytes, bytes], bytes, List[bytes]) -> None
    assert paths(environ, text) == expected


def test_memory_is_in_the_order_only_if_it_is_named(environ, monkeypatch, place):
    # type: (Dict[bytes, bytes], Any, bytes) -> None
    monkeypatch.setattr("coex_bootstrap.store.ladder.IN_MEMORY", place)
    assert paths(environ, b"order = memory temporary") == [place + OWN] + REST[1:]
    assert isinstance(stores(environ)[0], MemoryStore)


def test_stores_are_named_and_the_variable_wins(environ):
    # type: (Dict[bytes, bytes]) -> None
    paths(environ, b"store = /x\n")
    places = stores(environ)
    assert [(place.explicit, place.of_site) for place in places] == [(False, True)] + [(False, False)] * 3
    name = compat.native(environ[b"COEX_CONFIG"])
    assert reason(places, places[0]) == "named by " + name
    assert reason(places, places[1], ["/x: full"]) == "/x: full"
    environ[b"COEX_ROOT"] = b"/y"
    assert [store.path for store in stores(environ)] == [b"/y"]


@pytest.mark.parametrize(("value", "expected"), [
    (b"/x", b"/x"), (b"$HOME/$USER", b"/h/me"), (b"/${USER}s/$$USER", b"/mes/$USER"), (b"/$USER_$USER", None), (b"$NONE", None),
    (b"/`id`;$USER*", b"/`id`;me*"),
])
def test_variables(environ, value, expected):
    # type: (Dict[bytes, bytes], bytes, Optional[bytes]) -> None
    assert expand(value, environ) == (expected, None)


@pytest.mark.parametrize(("text", "said"), [
    (b"\nstores = /x\n", "line 2: the key stores is not known: store, order"),
    (b"/x", "line 1: not KEY = VALUE"), (b"store =\n", "line 1: not KEY = VALUE"),
    (b"store = x", "line 1: x does not begin with /"), (b"store = $USER/x", "line 1: me/x does not begin with /"),
    (b"store = $NONE/$(id)", "line 1: a $ without the name of a variable: write $NAME, ${NAME}, or $$ for a dollar"),
    (b"store = /x$", "line 1: a $ without"), (b"store = /${A-b}", "line 1: a $ without"), (b"store = /$1", "line 1: a $ without"),
    (b"store = /x\nstore = /a:b", "line 2: a colon, which PATH cannot hold"),
    (b"store = /x\r\n", "line 1: a character that a path cannot have"),
    (b"order = cache home", "line 1: home: an order has some of these words, each once: store, cache, temporary, memory"),
    (b"order = cache cache", "line 1: cache: an order"), (b"order = cache\norder = store", "line 2: a second order"),
    (b"store = $NONE\norder = store", "none of its places is there: variables in its stores are not set"),
    (b"#" * 70000, "more than 65536 bytes"),
])
def test_errors(environ, text, said):
    # type: (Dict[bytes, bytes], bytes, str) -> None
    with pytest.raises(SettingWrong) as caught:
        paths(environ, text)
    assert str(caught.value).startswith(compat.native(environ[b"COEX_CONFIG"]) + ": " + said)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_file_that_others_may_write(environ, mode):
    # type: (Dict[bytes, bytes], int) -> None
    os.chmod(write(environ[b"COEX_CONFIG"], b"store = /x"), mode)
    with pytest.raises(SettingWrong) as caught:
        setting_of_site(environ)
    assert ": not used: writable by others (mode %o); it has to belong to you or root" % mode in str(caught.value)


def test_directory_that_others_may_write(environ, place):
    # type: (Dict[bytes, bytes], bytes) -> None
    paths(environ, b"store = /x")
    os.chmod(place, 0o777)
    with pytest.raises(SettingWrong):
        setting_of_site(environ)


def test_file_of_another_user(environ):
    # type: (Dict[bytes, bytes]) -> None
    if os.geteuid():
        pytest.skip("only root can give a file away")
    paths(environ, b"store = /x")
    os.chown(environ[b"COEX_CONFIG"], 12345, -1)
    with pytest.raises(SettingWrong) as caught:
        setting_of_site(environ)
    assert "owned by another user (uid 12345)" in str(caught.value)


def test_no_file(environ, place):
    # type: (Dict[bytes, bytes], bytes) -> None
    with pytest.raises(SettingWrong) as caught:
        setting_of_site(environ)
    assert "coex.conf: cannot be read: No such file" in str(caught.value)
    del environ[b"COEX_CONFIG"]
    assert setting_of_site(environ) is None
    os.mkfifo(ladder.SITE)
    with pytest.raises(SettingWrong) as caught:
        setting_of_site(environ)
    assert "not used: not of the kind" in str(caught.value)


@pytest.mark.parametrize(("owner", "above", "trusted"), [
    (0, 0o755, True), (12345, 0o755, False), (12345, 0o1777, False), (0, 0o1777, True), (0, 0o777, False),
])
def test_store_of_a_site_is_of_this_user_or_root(environ, place, owner, above, trusted):
    # type: (Dict[bytes, bytes], bytes, int, int, bool) -> None
    """A user may have made the directory with the name of another one, where all may make theirs."""
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    os.makedirs(place + b"/scratch/me/coex")
    os.chmod(place + b"/scratch", above)
    os.chown(place + b"/scratch/me", owner, -1)
    os.chown(place + b"/scratch/me/coex", owner, -1)
    paths(environ, b"store = " + place + b"/scratch/$USER/coex")
    assert (stores(environ)[0].distrust() is None) == trusted
