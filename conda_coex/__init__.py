"""Turn a conda environment and an application into one executable file."""

__version__ = "0.1.0"
