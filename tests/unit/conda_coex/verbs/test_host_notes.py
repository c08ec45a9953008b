"""Which post-link scripts download something, as far as their text says."""

from __future__ import annotations

import pytest

from conda_coex.verbs.host_notes import ends, fetches

FETCH = {
    "curl -L https://example.org/x | tar xz": ["curl"],
    "\tif true; then wget -q http://example.org/x; fi": ["wget"],
    'for url in $URLS; do\n  curl "$url" > x\ndone': ["curl"],
    "DATA=$(curl -s http://example.org)": ["curl"],
    'echo "$(curl -s http://example.org)" > x': ["curl"],
    "MODE=x curl -O y || exit 1": ["curl"],
    "test -f x || { /usr/bin/wget y; }": ["wget"],
    "git clone --depth 1 https://example.org/x": ["git clone"],
    'git -C "$PREFIX/x" pull': ["git -C $PREFIX/x pull"],
    '"${PREFIX}/bin/pip" install -v \\\n  "a>=1" \\\n  "b"': ["pip install"],
    '"$PREFIX/bin/python" -m pip install foo': ["python -m pip install"],
    "$PREFIX/bin/conda install -y foo": ["conda install"],
    "Rscript -e \"install.packages('x')\"": ["install.packages"],
    "R --slave -e 'BiocManager::install(\"x\")' && rm y": ["BiocManager::install"],
    'python -c "from urllib.request import urlretrieve; urlretrieve(1, 2)"': ["urlretrieve"],
    'installBiocDataPackage.sh "go.db-3.17.0"': ["installBiocDataPackage.sh"],
    "sudo apt-get -y install x": ["apt-get -y install"],
}
QUIET = (
    "",
    "# curl http://example.org",
    "true  # then curl http://example.org",
    'echo "get it with: curl http://example.org; wget x" >> "$PREFIX/.messages.txt"',
    "echo 'get it with\ncurl http://example.org\n' > $PREFIX/.messages.txt",
    'echo "\nTo finish, run\n  wget http://example.org/db\n" > $PREFIX/.messages.txt',
    'echo "call `tinytex::install_tinytex()`" >> $PREFIX/.messages.txt',
    'cat <<EOF >> $PREFIX/.messages.txt\ncurl http://example.org\nEOF\nexit 0',
    "if ! command -v wget >/dev/null; then exit 0; fi",
    "curl-config --version; my-wget x; ./curl.sh; git config --global a b; pip --version; conda list",
    '"$PREFIX/bin/gdk-pixbuf-query-loaders" --update-cache || exit 0',
    'ln -sf "$PREFIX/lib/curl" "$PREFIX/share/wget"',
)


@pytest.mark.parametrize("script", FETCH, ids=repr)
def test_fetches(script: str) -> None:
    assert fetches(script) == FETCH[script]
    assert fetches(f"#!/bin/bash\nset -e\n{script}\nexit 0\n") == FETCH[script]


@pytest.mark.parametrize("script", QUIET, ids=repr)
def test_fetches_nothing(script: str) -> None:
    assert fetches(script) == []
    assert fetches(f"#!/bin/bash\nset -e\n{script}\nexit 0\n") == []


END = {
    "exit 0": ["exit"],
    "[ -n \"$X\" ] || exit 1": ["exit"],
    "f() { exit 0; }\nf": ["exit"],
    "if [ -n x ]; then exec zsh; fi": ["exec"],
    "exec -a x y": ["exec"],
    "trap - EXIT; exit 0": ["trap - EXIT", "exit"],
    "trap 'rm -f x' 0": ["trap 'rm -f x' 0"],
    "set -n": ["set -n"],
    "set -eno pipefail": ["set -eno"],
    "set -o noexec": ["set -o noexec"],
}
GOES_ON = (
    "return 0",
    "export EXIT=exit",
    "exec 3>&1 4>x",
    "exec >x",
    "exec <&- >&-",
    "exec {fd}>x",
    "# exit 0",
    "true  # exec zsh",
    'echo "type exit to end; exec zsh"',
    "trap 'echo x' INT",
    "set -e; set -o pipefail; set -u",
    "my-exit; exit-all; ./exit.sh; exit_all",
    "cat <<EOF\nexit\nEOF\n",
)


@pytest.mark.parametrize("script", END, ids=repr)
def test_ends(script: str) -> None:
    assert ends(f"#!/bin/bash\n{script}\n") == END[script]


@pytest.mark.parametrize("script", GOES_ON, ids=repr)
def test_goes_on(script: str) -> None:
    assert ends(f"#!/bin/bash\n{script}\n") == []
