"""Call conda: its versions, settings, solver, downloads, records, and the packages of its cache.

It may import `archive`, `root` and `inputs`. Of the other packages, only `cli` imports conda.
"""
