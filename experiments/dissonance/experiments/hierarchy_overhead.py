"""What does each layer of a hierarchy cost, and what does it lose?

Real hierarchies over as many workers as a power of the leads' width, flat and deep, and a hundred workers under one
lead and under ten. Each worker reports one finding; each lead passes each on with a given probability, without and
with a check of its summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pandas as pd

from dissonance.harness.checks.verdict import worst
from dissonance.reports import Finding, Note, Section

from ._layers import Hierarchies, Settings, arms, depth_of, managers_of, seconds_of
from ._layers_page import ADVICE, by_layer, checked, fidelities, flat, layered, lossy, shape_table
from ._telling import closed_forms, tier_of, trusted
from .experiment import Experiment, Size
from .oracles import Held, held_exact, held_rate
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "Hierarchies", "HierarchyOverhead", "Settings"]

_CLOSED_FORMS = (
    "L workers under leads of b members each have (L - 1)/(b - 1) leads, of which each makes two calls: one to hand down, one to sum "
    "up. The time of a lead is that of its two calls and of its members' in waves of as many as it hands down at a time. A finding passes "
    "one summary a layer."
)


class HierarchyOverhead(Experiment[Settings, Hierarchies]):
    """Trees of leads, against the counts, times and fidelities that follow from their shape."""

    name: ClassVar[str] = "hierarchy_overhead"
    question: ClassVar[str] = "What does each layer of a hierarchy cost, and what does it lose?"

    def preset(self, size: Size) -> Settings:
        """``quick``: 16 workers instead of 64, 3 seeds; ``full``: 50 seeds."""
        if size == "quick":
            return Settings(seeds=3, shapes=((16, 16), (16, 4), (16, 2), (100, 100), (100, 10)))
        return Settings(seeds=50) if size == "full" else Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The arms."""
        return list(arms(params))

    def gather(self, params: Settings, measured: Sequence[Any]) -> Hierarchies:
        """A row an arm, what each layer took, and the closed forms."""
        table = pd.DataFrame([row for row, _ in measured])
        made = zip(arms(params), measured, strict=True)
        layers = {
            arm.shape: took for arm, (_, took) in made if (arm.checked, arm.bounded, arm.seed) == (False, True, 0)
        }
        bare = Hierarchies(table=table, settings=params, layers=layers)
        return Hierarchies(table=table, settings=params, layers=layers, held=list(_held(bare)))

    def findings(self, result: Hierarchies) -> list[Finding]:
        """Flat against layered, what layers cost and lose, what checks give back, and whether to trust it."""
        trust = trusted(result.held, tier_of(result.table), of="hierarchies")
        return [flat(result), lossy(result), layered(result), checked(result), trust]

    def section(self, result: Hierarchies) -> Section:
        """Time and tokens by layer, fidelity by depth, the trees, and the closed forms."""
        needed = [checked(result), trusted(result.held)]
        return Section(
            name="hierarchy-overhead",
            title="Layers of a hierarchy",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=f"{checked(result).sentence} {flat(result).sentence}",
                tier=tier_of(result.table),
                replay=self.replay(result.settings),
            ),
            blocks=[
                by_layer(result),
                fidelities(result),
                shape_table(result),
                Note(heading="Against closed forms", text=_CLOSED_FORMS),
                closed_forms("hierarchy-closed-forms", result.held, "Hierarchies"),
            ],
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Hierarchies) -> list[Worst]:
        """The deepest tree, which loses most."""
        deepest = max(params.shapes, key=depth_of)
        piece = next(arm for arm in arms(params) if arm.shape == deepest and arm.bounded and not arm.checked)
        return [Worst(name="deepest", title="The deepest tree: each layer loses, and nobody notices", piece=piece)]


# --- closed forms -----------------------------------------------------------------------------


def _held(result: Hierarchies) -> Iterator[Held]:
    params = result.settings
    for shape in params.shapes:
        workers, members = shape
        runs, again = result.of(shape), result.of(shape, checked=True)
        of = f"{workers} workers, {members} a lead"
        yield held_exact(f"leads: {of}", "(L - 1)/(b - 1)", runs["managers"].tolist(), managers_of(shape))
        yield held_exact(
            f"calls: {of}", "L + 2 (L - 1)/(b - 1)", runs["calls"].tolist(), workers + 2 * managers_of(shape)
        )
        took = [round(seconds, 6) for seconds in runs["seconds"]]  # nanoseconds
        yield held_exact(f"seconds: {of}", "T = 2 s + ceil(b/m) T'", took, seconds_of(shape, params, params.at_once))
        depth, once = depth_of(shape), params.fidelity
        yield held_rate(f"findings at the top: {of}", "r^depth", _hits(runs), once**depth)
        twice = 1 - (1 - once) ** 2
        yield held_rate(f"findings at the top: {of}, checked", "(1 - (1 - r)^2)^depth", _hits(again), twice**depth)


def _hits(runs: pd.DataFrame) -> list[bool]:
    """Each finding of each run: whether it reached the top."""
    return [n < found for workers, found in zip(runs["workers"], runs["found"], strict=True) for n in range(workers)]


EXPERIMENT = HierarchyOverhead()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
