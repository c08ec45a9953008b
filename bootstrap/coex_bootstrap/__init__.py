"""What every coex archive carries: standard library only, the subset of Python 2.7 and 3.x, embedded byte for byte."""
