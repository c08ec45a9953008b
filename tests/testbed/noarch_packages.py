"""Packages for any machine: Python modules with entry points, and plain files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop

_CLI = '''\
"""The command of hello-noarch."""

import os
import sys


def main():
    """Print the greeting, where we run, and the arguments."""
    greeting = os.path.join(os.path.dirname(__file__), "data", "greeting.txt")
    with open(greeting) as file:
        print(file.read().strip())
    print("prefix=" + sys.prefix)
    for argument in sys.argv[1:]:
        print("argument=" + argument)
    return 0
'''

_SETTINGS = f'''\
"""Where hello-noarch was installed."""

PREFIX = "{PLACEHOLDER}"
SHARE = "{PLACEHOLDER}/share/hello noarch"
'''

_SCRIPT = f"""\
#!{PLACEHOLDER}/bin/python
import sys

from hello_noarch.cli import main

sys.exit(main())
"""

_PYTHON2_ONLY = 'print "this was valid once"\n'

_METADATA = """\
Metadata-Version: 2.1
Name: hello-noarch
Version: 1.0
"""


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    yield _hello(workshop)

    generic = workshop.noarch("data-generic")
    generic.text("etc/data-generic/data.conf", f"root = {PLACEHOLDER}\nagain={PLACEHOLDER}/x\n")
    generic.text("share/data-generic/name with spaces.txt", "spaces\n")
    generic.text("share/data-generic/plain.txt", "plain\n")
    yield generic


def _hello(workshop: Workshop) -> Package:
    package = workshop.noarch_python("hello-noarch")
    package.entry_points = ["hello-noarch = hello_noarch.cli:main"]
    module = "site-packages/hello_noarch"
    package.text(f"{module}/__init__.py", '"""Say hello."""\n')
    package.text(f"{module}/cli.py", _CLI)
    package.text(f"{module}/settings.py", _SETTINGS)
    package.text(f"{module}/only_python2.py", _PYTHON2_ONLY)
    package.text(f"{module}/data/greeting.txt", "hello from anywhere\n")
    package.script("python-scripts/hello-script", _SCRIPT)
    dist_info = "site-packages/hello_noarch-1.0.dist-info"
    package.text(f"{dist_info}/METADATA", _METADATA)
    package.text(f"{dist_info}/INSTALLER", "conda\n")
    modules = ("__init__", "cli", "settings", "only_python2")
    record = "".join(f"hello_noarch/{name}.py,,\n" for name in modules)
    package.text(f"{dist_info}/RECORD", record + "hello_noarch-1.0.dist-info/METADATA,,\n")
    package.text("share/hello-noarch/readme.txt", "a file outside site-packages\n")
    return package
