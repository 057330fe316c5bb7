"""Reports: figures, tables and one self-contained HTML page.

::

    report = Report(title="…", lead="…", findings=[Finding(status="fail", sentence="…")], sections=[…])
    write_report(report, "dissonance-report")       # index.html, figures/*.png, tables/*.csv, report.json

``page`` holds the data types, ``plots``, ``spacetime`` and ``cascade_graph`` the figures, ``stats`` the intervals,
``run_page`` the report of a user's runs. Knows the harness and the faults, never the patterns or
the experiments.
"""

from __future__ import annotations

from .cascade_graph import cascade_graph
from .ci import for_ci
from .environment import environment
from .page import Block, Checks, Download, Events, Finding, Grid, Mark, Note, Picture, Report, Section, Table
from .plots import Cell, cost_curves, latency, matrix
from .run_page import Case, diagrams, plan_download, plan_in_short, plan_sentence, probe_report, replay_line, run_blocks
from .spacetime import space_time
from .stats import (
    Interval,
    at_least,
    at_most,
    bootstrap_mean,
    bootstrap_quantile,
    paired_difference,
    runs_for_margin,
    runs_to_see,
    runs_to_tell,
    wilson,
)
from .write import DEFAULT_FOLDER, write_report

__all__ = [
    "DEFAULT_FOLDER",
    "Block",
    "Case",
    "Cell",
    "Checks",
    "Download",
    "Events",
    "Finding",
    "Grid",
    "Interval",
    "Mark",
    "Note",
    "Picture",
    "Report",
    "Section",
    "Table",
    "at_least",
    "at_most",
    "bootstrap_mean",
    "bootstrap_quantile",
    "cascade_graph",
    "cost_curves",
    "diagrams",
    "environment",
    "for_ci",
    "latency",
    "matrix",
    "paired_difference",
    "plan_download",
    "plan_in_short",
    "plan_sentence",
    "probe_report",
    "replay_line",
    "run_blocks",
    "runs_for_margin",
    "runs_to_see",
    "runs_to_tell",
    "space_time",
    "wilson",
    "write_report",
]
