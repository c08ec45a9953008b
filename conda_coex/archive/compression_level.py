"""The levels of zstd at which archives are compressed."""

LEVELS = range(1, 20)
DEFAULT_LEVEL = 9
FAST_LEVEL = 3  # for builds while developing
