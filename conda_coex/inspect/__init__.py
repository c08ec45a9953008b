"""The sizes of an archive by package and file, and the differences of two archives.

It may import all packages but `verbs` and `cli`.
"""
