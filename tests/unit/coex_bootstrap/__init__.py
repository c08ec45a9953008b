"""Tests of the bootstrap, in the subset of Python 2.7 and 3.x: they run under every host Python."""
