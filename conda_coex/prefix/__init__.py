"""Read live prefixes, whose files contain their own path: files, packages, and references to the builder's machine.

It may import `conda_api`, `archive`, `root` and `inputs`.
"""
