"""The sources of packages in an archive: the public part of URLs, specs and records."""

from __future__ import annotations

import pytest
from coex_bootstrap.base.errors import CoexError
from coex_bootstrap.base.urls import LOCAL_CHANNEL, without_credentials
from coex_bootstrap.tools.output import Outcome
from conda.common.url import mask_anaconda_token, remove_auth
from conda.models.match_spec import MatchSpec

from conda_coex.cli.main import _for_conda
from conda_coex.cli.print_outcome import notify, show
from conda_coex.conda_api import versions
from conda_coex.conda_api.public_urls import public_record, public_spec, public_url

HOME = "/home/my-name"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        (f"file://{HOME}/chan", LOCAL_CHANNEL),
        (f"file://{HOME}", LOCAL_CHANNEL),
        (f"file:{HOME}/chan/noarch", f"{LOCAL_CHANNEL}/noarch"),
        (f"file://{HOME}/chan/linux-64/x-1-0.conda", f"{LOCAL_CHANNEL}/linux-64/x-1-0.conda"),
        (f"file://{HOME}/x-1-0.tar.bz2", f"{LOCAL_CHANNEL}/x-1-0.tar.bz2"),
        ("file:///linux-64/", f"{LOCAL_CHANNEL}/linux-64"),
    ],
)
def test_urls_of_files(url: str, public: str) -> None:
    assert public_url(url) == public


@pytest.mark.parametrize(
    "url",
    [
        "conda-forge", "defaults", "https://host/chan", "https://u:p@host/chan/noarch/x-1-0.conda",
        "https://host/t/tk-123-4/chan/linux-64", "https://u:p@host/t/tk-123-4/chan", "https://host/t/tk-1-2",
        "http://localhost:8000/chan", "<unknown>", "pypi",
    ],
)  # fmt: skip
def test_other_urls_are_as_conda_shows_them(url: str) -> None:
    assert public_url(url) == remove_auth(mask_anaconda_token(url))


@pytest.mark.parametrize(
    "spec",
    [
        f"file://{HOME}/chan::python=3.12", f"file://{HOME}/chan/noarch::python[version='>=3,<4']",
        f"{HOME}/chan::python", f"{HOME}/chan/linux-64/x-1-0.conda", f"file://{HOME}/chan/linux-64/x-1-0.conda",
        f"python[channel=file://{HOME}/chan,subdir=noarch]", f'x[url="file://{HOME}/x-1-0.conda"]', "~/chan::x",
        f"x[channel='{HOME}/chan']",
    ],
)  # fmt: skip
def test_specs_name_no_directory(spec: str) -> None:
    assert LOCAL_CHANNEL in public_spec(spec)
    assert "my-name" not in public_spec(spec)
    assert "~" not in public_spec(spec)


@pytest.mark.parametrize(
    "spec",
    ["python", "python >=3.12,<4", "conda-forge::python=3.12=*_cpython", "conda-forge/linux-64::a[build=0]", "a/b::c"],
)
def test_other_specs_stay(spec: str) -> None:
    assert public_spec(spec) == spec
    assert public_spec(str(MatchSpec(spec))) == str(MatchSpec(spec))


def test_records() -> None:
    fields = {
        "url": f"file://{HOME}/c/noarch/x-1-0.conda", "channel": f"file://{HOME}/c/noarch", "name": "x",
        "requested_spec": f"file://{HOME}/c::x", "requested_specs": [f"file://{HOME}/c::x", "x"],
    }  # fmt: skip
    assert public_record(fields) == {
        "url": f"{LOCAL_CHANNEL}/noarch/x-1-0.conda", "channel": f"{LOCAL_CHANNEL}/noarch", "name": "x",
        "requested_spec": f"{LOCAL_CHANNEL}::x", "requested_specs": [f"{LOCAL_CHANNEL}::x", "x"],
    }  # fmt: skip
    assert public_record({"name": "x"}) == {"name": "x"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from https://me:pa@ss@host/x and more", "from https://host/x and more"),
        ("https://host/t/tk-1/chan https://u@h/t/tk-2/c", "https://host/chan https://h/c"),
        ("https://host/t/tk_1", "https://host"),
        ("a=https://host/x,https://u:p@h/y", "a=https://host/x,https://h/y"),
        ("git+https://token@host/r.git@main", "git+https://host/r.git@main"),
        ("git+ssh://git@host/r.git#egg=x", "git+ssh://git@host/r.git#egg=x"),
        ("https://${USER}:${TOKEN}@host/x", "https://${USER}:${TOKEN}@host/x"),
        ("file:///t/me/x?y /t/a/b see me@host", "file:///t/me/x?y /t/a/b see me@host"),
        ("https://host/path/@scope/x", "https://host/path/@scope/x"),
        ("https://host/source/t/tqdm/tqdm-1.0.tar.gz", "https://host/source/t/tqdm/tqdm-1.0.tar.gz"),
        ("'https://host/x.whl?X-Amz-Signature=5ecret&a=b', so", "'https://host/x.whl', so"),
        ("https://host/x.whl?token=5ecret#sha256=00", "https://host/x.whl#sha256=00"),
        ("--proxy=http://u:p@proxy:8080", "--proxy=http://proxy:8080"),
        ("https://u:p?q#r@host/x", "https://host/x"),
    ],
)
def test_credentials(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert without_credentials(shown) == shown


def test_output_has_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines, notes, documents and errors: each has one place where it is printed."""
    url = "https://me:5ecret@host/t/5ecret/x?token=5ecret"
    outcome = Outcome({"rows": [{"url": url}], "number": 1}, [url], 0)
    assert show(outcome, as_json=False) == 0
    notify([url])
    documents: list[dict[str, object]] = []
    monkeypatch.setattr(versions, "print_json", lambda **fields: documents.append(fields))
    assert show(outcome, as_json=True) == 0
    assert documents == [{"rows": [{"url": "https://host/x"}], "number": 1}]
    printed = capsys.readouterr()
    assert printed.out == "https://host/x\n"
    assert "coex: note: https://host/x\n" in printed.err
    error = _for_conda(CoexError(f"names {url}, 100 %"), str(CoexError(f"names {url}, 100 %")))
    assert str(error) == "names https://host/x, 100 %"
    assert "5ecret" not in printed.out + printed.err
