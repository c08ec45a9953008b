"""Make the small Python that an archive can carry, from the files of a conda package.

It may import `prefix`, `conda_api`, `archive`, `root` and `inputs`.
"""
