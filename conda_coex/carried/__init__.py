"""Make the things that an archive carries for Pythons of hosts: a small Python, and bytecode of the bootstrap.

It may import `prefix`, `conda_api`, `archive`, `root` and `inputs`.
"""
