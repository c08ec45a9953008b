"""The records of Python and pip on distributions, and the run of pip for a build.

It may import `prefix` and the packages that `prefix` may import.
"""
