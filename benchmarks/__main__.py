"""``python -m benchmarks [--assert] [--rounds N]``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from . import calls, checks, patterns, server, startup, sweeps, tokens, worlds
from .rows import Row


def measured(rounds: int) -> Iterator[Row]:
    for each in (calls, checks, sweeps, patterns, tokens, worlds, startup, server):
        yield from each.rows(rounds)


def main() -> int:
    parser = ArgumentParser(
        prog="python -m benchmarks", description="What the harness costs, in CPU time where no other is said."
    )
    parser.add_argument("--assert", dest="strict", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each side (default: %(default)s)")
    given = parser.parse_args()
    table = Table("", "target", "measured", "made of", box=None, padding=(0, 2, 0, 0))
    missed = 0
    for row in measured(given.rounds):
        missed += not row.met
        said = f"{row.measured:.2f} {row.unit}" + ("" if row.met else "  MISSED")
        table.add_row(row.name, f"≤ {row.target:g}", said, row.detail)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return int(given.strict and missed > 0)


if __name__ == "__main__":
    sys.exit(main())
