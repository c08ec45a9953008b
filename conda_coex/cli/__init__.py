"""The command line: words are parsed, outcomes printed, errors become conda's.

It may import all packages; only `plugin` imports it.
"""
