"""A report as one self-contained HTML page: no server, no network, readable with the scripts switched off."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from gzip import compress
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dissonance.harness.history import Event, History

from .page import Block, Download, Events, Picture, Report, Table
from .stats import Interval
from .theme import GLYPH, SAID, theme_css, to_svg
from .words import count, duration, interval, number, slug

__all__ = ["render"]

EVENTS_AT_START = 60
EVENTS_AT_END = 40


def render(report: Report) -> str:
    """The page's HTML."""
    return _environment().get_template("report.html.j2").render(report=report)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dissonance.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"theme_css": Markup(theme_css()), "glyph": GLYPH, "said": SAID}
    environment.filters |= {
        "svg": _svg,
        "cells": _cells,
        "rows": event_rows,
        "packed": _packed,
        "data_link": _data_link,
        "kind": lambda block: type(block).__name__,
        "numeric": _numeric,
        "shown_events": _shown_events,
        "lower_first": _lower_first,
        "slug": slug,
    }
    return environment


def _svg(picture: Picture) -> Markup:
    return Markup(to_svg(picture.figure, picture.name, picture.alt, picture.titles))


PACKED_FROM = 8192
"""Bytes from which a table in the page is packed: pandas, R and every desktop open ``.csv.gz``."""


def _packed(download: Download) -> Download:
    if download.media_type != "text/csv" or len(download.content) < PACKED_FROM:
        return download
    content = compress(download.content, mtime=0)
    return Download(filename=f"{download.filename}.gz", media_type="application/gzip", content=content)


def _data_link(download: Download) -> str:
    return f"data:{download.media_type};base64,{b64encode(download.content).decode()}"


def _numeric(table: Table) -> list[bool]:
    """For each shown column, whether its cells are numbers or intervals, which stand to the right."""
    frame = _shown(table)
    return [all(isinstance(cell, int | float | Interval) for cell in frame[name]) for name in frame.columns]


def _cells(table: Table) -> list[list[str]]:
    return [[_cell(value) for value in row] for row in _shown(table).itertuples(index=False, name=None)]


def _shown(table: Table) -> pd.DataFrame:
    return table.frame if table.shown is None else table.shown


def _cell(value: object) -> str:
    if isinstance(value, Interval):
        estimate, _, bounds = interval(value).partition(" (")
        return Markup("{} <small>({}</small>").format(estimate, bounds)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    return str(value)


def _lower_first(title: str) -> str:
    """A title in the middle of a sentence; what begins with more than one capital stays."""
    return title[:1].lower() + title[1:] if not title[1:2].isupper() else title


@dataclass(frozen=True, slots=True)
class EventRow:
    """A line of an event list; one without an id says how many events are left out."""

    id: int | None
    at: str
    kind: str
    agent: str
    what: str


def event_rows(block: Events) -> list[EventRow]:
    """The events that are shown: the first, the last, and those that must stay."""
    return list(_rows(block.history, block.keep))


def _shown_events(blocks: Sequence[Block], name: str) -> set[int | None]:
    """The ids of the events that the list of this name shows; empty where no such list stands in the section."""
    lists = [block for block in blocks if isinstance(block, Events) and block.name == name]
    return {row.id for block in lists for row in event_rows(block)} - {None}


def _rows(history: History, keep: frozenset[int]) -> Iterator[EventRow]:
    hidden = 0
    for place, event in enumerate(history):
        near_an_end = place < EVENTS_AT_START or place >= len(history) - EVENTS_AT_END
        if not near_an_end and event.id not in keep:
            hidden += 1
            continue
        if hidden:
            yield EventRow(None, "", "", "", f"{count(hidden)} events are left out here; the run folder has them all")
            hidden = 0
        yield EventRow(event.id, duration(event.at), event.kind, event.agent or "", _what(event))


_TOLD = {
    "run_started": ("workflow", "seed", "rules"),
    "call": ("endpoint", "ordinal", "attempt", "tokens"),
    "fault": ("fault", "rule", "call", "side", "changed", "damages"),
    "reply": ("call", "status", "stop_reason", "error", "ending", "seconds", "usd"),
    "guard": ("guard", "reason"),
    "checkpoint": ("data",),
    "ask": ("data",),
    "answer": ("data",),
    "action": ("key", "data"),
    "restarted": ("down", "reason"),
    "stopped": ("limit", "reason"),
    "run_ended": ("outcome", "stopped_by", "error"),
}


def _what(event: Event) -> str:
    facts: dict[str, Any] = asdict(event)
    return ", ".join(f"{name} {_fact(facts[name])}" for name in _TOLD[event.kind] if facts[name] not in (None, "", ()))


def _fact(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    return str(value)
