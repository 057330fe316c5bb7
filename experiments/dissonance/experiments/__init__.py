"""Experiments: one module each, run by ``dissonance run NAME`` or ``python -m dissonance.experiments.NAME``.

``experiment`` says what one is, ``registry`` finds them by name, ``oracles`` holds figures against
closed forms, ``script`` runs them and writes the report.
"""

from __future__ import annotations

from .experiment import Experiment, Params, Progress, Result, Size
from .registry import NAMES, experiments, find
from .script import report_of, run_experiments

__all__ = [
    "NAMES",
    "Experiment",
    "Params",
    "Progress",
    "Result",
    "Size",
    "experiments",
    "find",
    "report_of",
    "run_experiments",
]
