"""Put directories into the hands of other users."""

import os

import pytest


def give_away(path, how):
    # type: (bytes, str) -> None
    """Make a directory one of another user, or one that others may write to, or put a link to it in its place."""
    if how == "owner":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(path, 12345, -1)
    elif how == "mode":
        os.chmod(path, 0o777)
    else:
        above, name = os.path.split(path)
        os.rename(path, above + b"/aside" + name)
        os.symlink(b"aside" + name, path)
