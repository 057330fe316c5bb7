"""Experiments: one module each, run by ``dissonance run NAME`` or ``python -m dissonance.experiments.NAME``.

``experiment`` says what one is, ``registry`` finds them by name, ``pieces`` plays their runs, ``oracles``
holds figures against closed forms, ``worst`` keeps the runs to look at, ``script`` runs them and writes the report.
"""

from __future__ import annotations

from .experiment import Experiment, Params, Result, Size
from .pieces import Piece, Progress, play
from .registry import NAMES, experiments, find
from .script import report_of, run_experiments
from .settings import Changes, changes
from .worst import Worst, again

__all__ = [
    "NAMES",
    "Changes",
    "Experiment",
    "Params",
    "Piece",
    "Progress",
    "Result",
    "Size",
    "Worst",
    "again",
    "changes",
    "experiments",
    "find",
    "play",
    "report_of",
    "run_experiments",
]
