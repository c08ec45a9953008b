"""A live directory that names its own path: its files, its packages, what they say of the builder.

It may import `conda_api`, `archive`, `root` and `inputs`.
"""
