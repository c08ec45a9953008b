"""Measure archives against other ways to do their work: every number is a ratio of paired, interleaved runs.

``./dev bench`` measures everything and writes ``benchmarks/README.md``; ``./dev bench -- --quick``
takes some minutes and leaves that file alone. Both end with a table of each measure before, as an earlier
run kept it with its commit, and now. The measured things are made once, in ``.testbed/bench/``.

Each module named in ``families.FAMILIES`` measures one thing; ``runner`` runs the commands, ``summary``
makes numbers of runs, ``report`` and ``charts`` make the pages, ``changes`` the table.
"""
