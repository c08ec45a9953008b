"""Build the documentation site: ``python -m testbed.site [OUTPUT]``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.layout import REPOSITORY, Layout
from testbed.stamps import digest, is_fresh, locked

DOCS = REPOSITORY / "docs"


def prepare_sphinx(layout: Layout) -> Path:
    """Return a directory of modules with Sphinx, which is made if need be: the base is kept as conda needs it."""
    requirements, stamp = DOCS / "requirements.txt", layout.sphinx / "stamp"
    value = digest(requirements, sys.version)
    with locked(layout.root / "sphinx-lock"):
        if not is_fresh(stamp, value):
            print("testbed: Sphinx", file=sys.stderr)
            shutil.rmtree(layout.sphinx, ignore_errors=True)
            pip = [str(layout.python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "--target", str(layout.sphinx), "-r", str(requirements)], check=True)
            stamp.write_text(value, encoding="utf-8")
    return layout.sphinx


def build(layout: Layout, output: Path) -> bool:
    """Build the site from nothing, every warning an error, and return whether that went well."""
    paths = [prepare_sphinx(layout), REPOSITORY, REPOSITORY / "bootstrap"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [str(layout.python), "-m", "sphinx", "-W", "--keep-going", "-E", "-q", "-b", "html"]
    return subprocess.run([*command, str(DOCS), str(output)], env=environment, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Build the site into a directory."""
    output = Path(arguments[0]) if arguments else REPOSITORY / "build" / "docs"
    if not build(Layout.default(), output):
        return 1
    print(f"the site is in {output}; open {output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
