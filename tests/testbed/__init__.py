"""Build the test bed: a base environment with a real conda, and local channels of real packages.

``python3 tests/testbed`` makes ``.testbed/`` or brings it up to date; ``layout`` names its parts.  The base environment
(``base``) is made by the Python that runs this; all packages are then built in it (``channel``), one module
``*_package(s)`` for each group of packages, and kept until their sources change.

To look at it by hand::

    .testbed/base/bin/conda create --offline --override-channels -c "$PWD/.testbed/channel" ...

The tests use it through the fixtures of ``tests/conftest.py``.
"""
