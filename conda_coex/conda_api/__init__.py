"""The door to conda: versions, solving, downloads, records, packages of its cache.

It may import `archive`, `root` and `inputs`; packages left of it do not import conda.
"""
