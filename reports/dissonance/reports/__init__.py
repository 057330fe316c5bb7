"""Reports: figures, tables and one self-contained HTML page.

::

    report = Report(title="…", lead="…", findings=[Finding(status="fail", sentence="…")], sections=[…])
    write_report(report, "dissonance-report")       # index.html, figures/*.png, tables/*.csv, report.json

``page`` holds the data types, ``plots`` and ``spacetime`` the figures, ``stats`` the intervals,
``run_page`` the report of a user's runs. Knows the harness and the faults, never the patterns or
the experiments.
"""

from __future__ import annotations

from .environment import environment
from .page import Block, Checks, Download, Events, Finding, Note, Picture, Report, Section, Table
from .plots import Cell, cost_curves, latency, matrix
from .run_page import Case, plan_download, plan_sentence, probe_report, replay_line, run_blocks
from .spacetime import space_time
from .stats import Interval, bootstrap_mean, runs_to_see, wilson
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
    "Interval",
    "Note",
    "Picture",
    "Report",
    "Section",
    "Table",
    "bootstrap_mean",
    "cost_curves",
    "environment",
    "latency",
    "matrix",
    "plan_download",
    "plan_sentence",
    "probe_report",
    "replay_line",
    "run_blocks",
    "runs_to_see",
    "space_time",
    "wilson",
    "write_report",
]
