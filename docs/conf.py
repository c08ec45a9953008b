"""Configure Sphinx: the pages are MyST, the theme is conda's, the command line is read from the parsers."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

from conda_coex import __version__  # noqa: E402  # sys.path is set first

project = "conda-coex"
author = "the conda-coex developers"
copyright = author  # noqa: A001  # Sphinx's name for it
release = version = __version__

extensions = ["myst_parser", "command_line"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # which would make a dash of the two of an option

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "conda_sphinx_theme"
html_title = "conda-coex"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "conda-coex"},
    "icon_links": [
        {"name": "GitHub", "url": "https://github.com/conda-coex/conda-coex", "icon": "fa-brands fa-github"},
    ],
    "show_prev_next": False,
}
