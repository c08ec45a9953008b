"""Packages whose scripts run: on activation and deactivation, and after linking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop

_ENV_VARS = {
    "DEMO_DOLLAR": "costs $5 and $HOME stays",
    "DEMO_NEWLINE": "first line\nsecond line",
    "DEMO_QUOTES": "it's \"quoted\" `here`",
    "DEMO_SPACES": "  some spaces  ",
}

# As compilers' activation scripts: functions and arrays that only bash knows.
_BASH_ONLY = """\
#!/bin/bash

function _demo_describe() {
  local -a words=("$@")
  local pair="${words[0]}=${words[1]}"
  export "${pair}"
}

_demo_pairs=("DEMO_BASH_COMPILER:${CONDA_PREFIX}/bin/demo-cc" "DEMO_BASH_FLAGS:-O2 -g")
for _demo_pair in "${_demo_pairs[@]}"; do
  _demo_describe "${_demo_pair%%:*}" "${_demo_pair#*:}"
done
if [[ "${DEMO_BASH_FLAGS}" == *-O2* ]]; then
  export DEMO_BASH_OPTIMIZED=yes
fi
unset -f _demo_describe
unset _demo_pairs _demo_pair
"""

_RECORD = """\
#!/bin/bash
{
  echo "PREFIX=$PREFIX"
  echo "PKG_NAME=$PKG_NAME"
  echo "PKG_VERSION=$PKG_VERSION"
  echo "PKG_BUILDNUM=$PKG_BUILDNUM"
  echo "ROOT_PREFIX=$ROOT_PREFIX"
  echo "CONDA_PREFIX=${CONDA_PREFIX-unset}"
  echo "cwd=$(pwd)"
  echo "PATH=$PATH"
} > "$PREFIX/share/post-link-demo/recorded.txt"
echo run >> "$PREFIX/share/post-link-demo/runs.txt"
echo "post-link-demo was set up" > "$PREFIX/.messages.txt"
"""

_FAIL = """\
#!/bin/bash
echo "post-link-fail: on standard output"
echo "post-link-fail: on standard error" >&2
if [ -n "${POST_LINK_FAIL-}" ]; then
  exit 3
fi
"""

# Counts its runs in a file of the caller's, takes the time that the caller wants, then says that it is done.
_COUNT = """\
#!/bin/bash
if [ -n "${POST_LINK_COUNT-}" ]; then
  echo run >> "$POST_LINK_COUNT"
fi
if [ -n "${POST_LINK_SLEEP-}" ]; then
  sleep "$POST_LINK_SLEEP"
fi
echo done > "$PREFIX/share/post-link-count/done.txt"
"""


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    yield _activate_demo(workshop)

    bash = workshop.noarch("activate-bash")
    bash.text("etc/conda/activate.d/activate-bash.sh", _BASH_ONLY)
    bash.text(
        "etc/conda/deactivate.d/activate-bash.sh",
        "unset DEMO_BASH_COMPILER DEMO_BASH_FLAGS DEMO_BASH_OPTIMIZED\n",
    )
    yield bash

    demo = workshop.noarch("post-link-demo")
    demo.text("bin/.post-link-demo-post-link.sh", _RECORD)
    demo.text("share/post-link-demo/readme.txt", "recorded.txt appears beside me\n")
    yield demo

    count = workshop.noarch("post-link-count")
    count.text("bin/.post-link-count-post-link.sh", _COUNT)
    count.text("share/post-link-count/readme.txt", "POST_LINK_COUNT names a file, POST_LINK_SLEEP seconds\n")
    yield count

    fail = workshop.noarch("post-link-fail")
    fail.text("bin/.post-link-fail-post-link.sh", _FAIL)
    fail.text("share/post-link-fail/readme.txt", "set POST_LINK_FAIL to see it fail\n")
    yield fail


def _activate_demo(workshop: Workshop) -> Package:
    package = workshop.noarch("activate-demo")
    package.text("etc/conda/env_vars.d/activate-demo.json", json.dumps(_ENV_VARS, indent=1))
    scripts = {
        "activate.d/10_a.sh": 'export DEMO_ORDER="a"\nexport DEMO_PREFIX="$CONDA_PREFIX"\n',
        "activate.d/20_b.sh": 'export DEMO_ORDER="${DEMO_ORDER}b"\nDEMO_UNEXPORTED=kept\n',
        "deactivate.d/10_a.sh": "unset DEMO_ORDER DEMO_PREFIX\n",
        "deactivate.d/20_b.sh": 'export DEMO_DEACTIVATED="${DEMO_ORDER-}"\n',
    }
    for path, content in scripts.items():
        package.text(f"etc/conda/{path}", content)
    return package
