"""What Python and pip record of distributions, and the run of pip for a build.

It may import `prefix` and the packages that `prefix` may import.
"""
