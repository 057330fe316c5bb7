"""Standard output, and lists on it; without the libraries that reports need, so that a list comes at once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .catalogue import Entry

__all__ = ["console", "show_entries"]

_WIDTH = 120
"""Columns where standard output is no terminal."""


def console() -> Console:
    """Standard output."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _WIDTH
    return made


def show_entries(title: str, entries: Sequence[Entry]) -> None:
    """A list of what there is, a line each."""
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, line in entries:
        table.add_row(Text(name), Text(line))
    console().print(table)
