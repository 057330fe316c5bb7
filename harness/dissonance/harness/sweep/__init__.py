"""Sweeps: a grid of parameters, with every seed, played on one core, on many, or on a cluster, into one table.

::

    swept = sweep(
        Trial(workflow=review, task="draft the notice", arms={"judge": Arm(plan, [terminates()])}),
        {"arm": ["judge"]},
        seeds=1000,
        folder="my-sweep",
        jobs=2,
    )
    swept.table()  # a pandas.DataFrame, a row a run

What is kept in the folder:

::

    my-sweep/
        sweep.json            what is swept; the folder goes on with this sweep and no other
        segments/0001.lines   a result a line, each with its checksum; one segment for each start of the sweep
        table.parquet         all results in the order of their cases; there once the sweep is complete
        runs/                 folders of runs that failed, where they are wanted
        stuck/                where the threads were of cases that did not come back, and whose workers were killed

A result is *acknowledged* once its line is written, by one unbuffered write. A kill of the process at any
instant (not of the power: nothing is synchronised to the disk) loses no acknowledged result; the same call
of :func:`sweep`, with the same folder, plays what is missing. A worker that dies loses what it was at work
on, which is played again. The table depends on the grid and the seeds alone, byte for byte: not on the
engine, the number of workers, or how often the sweep was interrupted.
"""

from __future__ import annotations

from .cases import Case, Row
from .engines import ENGINES, Engine
from .progress import Progress, Swept
from .sweeping import sweep
from .trial import Arm, Trial

__all__ = ["ENGINES", "Arm", "Case", "Engine", "Progress", "Row", "Swept", "Trial", "sweep"]
