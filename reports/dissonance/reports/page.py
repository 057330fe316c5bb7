"""A report as data: :class:`Report`, its sections and what stands in them.

Experiments and probes build these; ``write.py`` renders them. Verdicts and findings share three
states: *pass* (held), *fail* (broke), *unknown* (could not be told).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pandas as pd
from matplotlib.figure import Figure

from dissonance.harness.checks.verdict import Status, Tier, Verdict, worst
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History

__all__ = [
    "Block",
    "Checks",
    "Download",
    "Events",
    "Finding",
    "Grid",
    "Mark",
    "Note",
    "Picture",
    "Report",
    "Section",
    "Table",
]

_RESERVED = ("findings", "environment", "downloads", "legend")
"""The anchors that the page itself has."""

_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence that says what was found; ``replay`` is a command line, ``tier`` how far it repeats.

    ``section`` is the name of the section that tells the whole of it: the front page leads there.
    """

    status: Status
    sentence: str
    tier: Tier | None = None
    replay: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure: SVG in the page and ``figures/<name>.png`` beside it, from the same data.

    ``alt`` says in words what it shows; ``titles`` are shown on hover, by the gid of an artist;
    ``narrowest`` is the width in CSS pixels below which it scrolls instead of shrinking.
    """

    name: str
    figure: Figure
    caption: str
    alt: str
    titles: Mapping[str, str] = field(default_factory=dict)
    narrowest: int = 560


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: ``frame``, tidy, becomes ``tables/<name>.csv``; ``shown`` (default: frame) is what people see.

    The first column of ``shown`` names the row. Cells may be numbers, texts, or intervals
    (:class:`~.stats.Interval`), which stand with their bounds and n.
    """

    name: str
    frame: pd.DataFrame
    caption: str
    shown: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A paragraph; with ``heading``, under one of its own; with ``replay``, above a command line."""

    text: str
    heading: str = ""
    replay: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """A run's events, folded away; ``name`` is what evidence refers to. Of a long run, start, end and ``keep`` stand."""

    name: str
    history: History
    keep: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Verdicts; their evidence links to the :class:`Events` block of this name, if there is one."""

    verdicts: Sequence[Verdict]
    events: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One verdict in a cell of a grid: its ``label`` tells it from the cell's others, ``facts`` stand in the details.

    ``run`` is the folder of a stored run, relative to the page.
    """

    status: Status
    label: str
    facts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid of cells with a few marks each, small enough for a phone; each leads to its row of the details below it.

    ``corner`` says what the rows are. ``absent`` has, by row, why it has no cell: it is shown instead.
    """

    name: str
    heading: str
    caption: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[str]
    cells: Mapping[tuple[str, str], Sequence[Mark]]
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> list[str]:
        """The names of what stands in the details, in order."""
        return list(dict.fromkeys(name for marks in self.cells.values() for mark in marks for name in mark.facts))


Block: TypeAlias = Picture | Table | Note | Checks | Events | Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One question with its answer: verdict sentence, figures and tables, what to do, how to replay.

    The verdict's status is the worst of what is meant to hold, as a control does: not of all findings, since what
    breaks without the control is the reason to look. It stands wherever the section's title does. Without a
    ``verdict`` it sums up what others found, and judges nothing itself.
    """

    name: str
    title: str
    question: str
    verdict: Finding | None = None
    blocks: Sequence[Block] = ()
    advice: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that stands inside the page, as a ``data:`` link."""

    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The findings of one section as the front page tells them: the first, what held beside it, and the rest."""

    section: Section | None
    findings: list[Finding]

    @property
    def verdict(self) -> Finding:
        """What stands beside the title: the section's verdict, else the first finding."""
        return (self.section and self.section.verdict) or self.findings[0]

    @property
    def shown(self) -> list[Finding]:
        """The first finding and, where that is none, the first that held: what breaks, and what stops it."""
        first, *others = self.findings
        return [first, *[each for each in others if each.status == "pass" and first.status != "pass"][:1]]

    @property
    def others(self) -> list[Finding]:
        """Those that stand folded away."""
        return [each for each in self.findings if not any(each is one for one in self.shown)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole page. Names of sections, figures, tables and event lists are unique and look like ``cost-curves``."""

    title: str
    lead: str
    findings: Sequence[Finding]
    sections: Sequence[Section]
    environment: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What each experiment was run with."""
    downloads: Sequence[Download] = ()

    def __post_init__(self) -> None:
        seen = set(_RESERVED)
        for name in self._names():
            if not _NAME.fullmatch(name):
                raise BadInput(f"name={name!r} in the report: use lower case letters, digits and hyphens")
            if name in seen:
                raise BadInput(f"name={name!r} occurs twice in the report: give each section, figure and table its own")
            seen.add(name)
        sections = {section.name for section in self.sections} | {""}
        for finding in self.findings:
            if finding.section not in sections:
                raise BadInput(
                    f"section={finding.section!r} of a finding is not in the report: name one of its sections"
                )

    def _names(self) -> list[str]:
        named = (Picture, Table, Events, Grid)
        blocks = [block for section in self.sections for block in section.blocks]
        return [section.name for section in self.sections] + [b.name for b in blocks if isinstance(b, named)]

    @property
    def status(self) -> Status:
        """The worst of its sections' verdicts; *unknown* without one."""
        return worst(section.verdict for section in self.sections if section.verdict is not None)

    @property
    def front(self) -> list[Group]:
        """The findings by section, each section where its first finding stands; those of no section by themselves."""
        sections = {section.name: section for section in self.sections}
        groups: dict[str | int, Group] = {}
        for place, finding in enumerate(self.findings):
            key = finding.section or place
            if key not in groups:
                groups[key] = Group(section=sections.get(finding.section), findings=[])
            groups[key].findings.append(finding)
        return list(groups.values())
