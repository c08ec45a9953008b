"""Call conda: its versions, settings, solver, downloads, records, and the packages of its cache.

It may import `archive`, `root` and `inputs`. Besides this package, only `cli` and `plugin` import conda.
"""
