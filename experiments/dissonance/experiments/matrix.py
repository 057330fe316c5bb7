"""What breaks where: six patterns in each runtime, under every family of faults, as it comes and guarded.

The same task goes through the same pattern in this project's own code, in LangGraph, CrewAI and AutoGen, and with the
SDK's tool runner; once with the framework's own safeguards as they come, once with them set. Each cell is one run (the
worst of its seeds): how it ended, who ended it, what it cost, and whether damage went through in silence. A cell whose
fault reached nobody is *unknown*. A framework that is not installed is named, with the line that installs it.

540 runs, so it is not among those that ``dissonance run`` makes when no experiment is named, but for ``--full``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pandas as pd

from dissonance.reports import Download, Finding, Section, plan_download

from ._bounds import bounds
from ._cells import SETTINGS, Cell
from ._families import plan_of
from ._matrix import Matrix, Settings
from ._matrix_page import ADVICE, answer, blocks, findings, verdict_of
from ._ported import missing
from .experiment import Experiment, Size
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "Matrix", "MatrixExperiment", "Settings"]

_RANK = {"fail": 0, "unknown": 1, "pass": 2}
_CELL = ["pattern", "runtime", "family", "settings"]


class MatrixExperiment(Experiment[Settings, Matrix]):
    """Every pattern in every runtime under every family, twice."""

    name: ClassVar[str] = "matrix"
    question: ClassVar[str] = "What breaks in which framework, as it comes and with its own safeguards set?"
    asked: ClassVar[bool] = True

    def preset(self, size: Size) -> Settings:
        """``quick``: one seed; ``full``: ten."""
        return Settings(seeds={"quick": 1, "default": 3, "full": 10}[size])

    def pieces(self, params: Settings) -> list[Piece]:
        """The cells, those of one workflow together; then each runtime's own bounds."""
        return [*_cells(params), *bounds(params.runtimes)]

    def gather(self, params: Settings, measured: Sequence[Any]) -> Matrix:
        """A row a run, the worst run of each cell, the bounds, and what is not installed."""
        cells = list(_cells(params))
        rows = [row for row in measured[: len(cells)] if "absent" not in row]
        table = pd.DataFrame(rows)
        return Matrix(
            table=table,
            settings=params,
            cells=_worst_of_each(table),
            bounds=[bound for found in measured[len(cells) :] for bound in found],
            missing={cell.runtime: cell.absent for cell in cells if cell.absent},
        )

    def findings(self, result: Matrix) -> list[Finding]:
        """What breaks as it comes and guarded, by runtime and by family; the bounds beyond; what is not installed."""
        return findings(result)

    def section(self, result: Matrix) -> Section:
        """The overview, a grid for each pattern with its details, the bounds, the table of runs."""
        return Section(
            name="matrix",
            title="Patterns, runtimes, faults",
            question=self.question,
            verdict=Finding(
                status=verdict_of(result),
                sentence=answer(result),
                tier=result.tier,
                replay=self.replay(result.settings),
            ),
            blocks=blocks(result),
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Matrix) -> list[Worst]:
        """The worst run of each cell that broke; of these, each runtime's dearest is shown."""
        by_name = {(c.pattern, c.runtime, c.family, c.settings, c.seed): c for c in _cells(params)}
        broken = result.cells[result.cells["status"] == "fail"]
        dearest = {runtime: rows["calls"].idxmax() for runtime, rows in broken.groupby("runtime", sort=False)}
        found = []
        for place, row in broken.iterrows():
            cell = by_name[row["pattern"], row["runtime"], row["family"], row["settings"], row["seed"]]
            shown = dearest[row["runtime"]] == place
            title = f"The most calls in {row['runtime']}: {row['pattern']}, {row['family']}, {row['settings']}"
            found.append(Worst(name=cell.name, title=title, piece=cell, shown=shown))
        return found

    def downloads(self, result: Matrix) -> list[Download]:
        """The plan of each family for the first seed, and the table of runs."""
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        plans = [
            plan_download(f"matrix-{family}", [rule.describe() for rule in plan_of(family, 0).rules])
            for family in result.settings.families
        ]
        return [*plans, Download(filename="matrix.csv", media_type="text/csv", content=runs)]


def _cells(params: Settings) -> Iterator[Cell]:
    absent = missing(params.runtimes)
    for runtime in params.runtimes:
        for pattern in params.patterns:
            for settings in SETTINGS:
                for family in params.families:
                    for seed in range(params.seeds):
                        yield Cell(
                            pattern=pattern,
                            runtime=runtime,
                            family=family,
                            settings=settings,
                            seed=seed,
                            calls=params.calls,
                            absent=absent.get(runtime, ""),
                        )


def _worst_of_each(table: pd.DataFrame) -> pd.DataFrame:
    """Of each cell the run that broke, and among such the one with the most calls."""
    if table.empty:
        return table
    ranked = table.assign(rank=table["status"].map(_RANK), less=-table["calls"])
    ranked = ranked.sort_values(["rank", "less", "seed"], kind="stable").drop_duplicates(_CELL)
    return ranked.sort_index().drop(columns=["rank", "less"]).reset_index(drop=True)


EXPERIMENT = MatrixExperiment()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
