"""The levels of zstd at which archives are compressed, unless the user names one."""

DEFAULT_LEVEL = 9
FAST_LEVEL = 3  # for builds while developing
