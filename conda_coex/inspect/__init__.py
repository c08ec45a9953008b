"""Measure an archive by package and file, and compare two archives.

It may import all packages but `verbs` and `cli`.
"""
