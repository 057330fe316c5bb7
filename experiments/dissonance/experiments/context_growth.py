"""How fast does a chain's context grow, and what does pruning save?

A real chain of stages, each of which opens with its result in a line and says a lot besides. Its stages see all
before them, the same with a token ledger, or what they need. What is over the window is refused, as the API does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pandas as pd

from dissonance.harness.checks.verdict import worst
from dissonance.reports import Finding, Note, Section

from ._growing import FULL, LEDGER, PROJECTION, Growing, Settings, arms
from ._growing_page import ADVICE, arm_table, bloated, by_stage, ledger, projection, three, three_stages
from ._telling import closed_forms, tier_of, trusted
from .experiment import Experiment, Size
from .oracles import Held, held_exact, held_mean
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "ContextGrowth", "Growing", "Settings"]

_CLOSED_FORMS = (
    "A stage i that sees all carries S + m (i - 1): the task and the instructions are S, and each stage adds m, what it says "
    "and its tag; k of them carry k S + m k (k - 1)/2. Each request is counted in whole tokens, which is all that the sum of "
    "k equal stages may differ by."
)


class ContextGrowth(Experiment[Settings, Growing]):
    """Chains that pass on all, or what is needed, against the quadratic law."""

    name: ClassVar[str] = "context_growth"
    question: ClassVar[str] = "How fast does a chain's context grow, and what does pruning save?"

    def preset(self, size: Size) -> Settings:
        """``quick``: 12 seeds; ``full``: 200."""
        return Settings(seeds={"quick": 12, "default": 30, "full": 200}[size])

    def pieces(self, params: Settings) -> list[Piece]:
        """The arms."""
        return list(arms(params))

    def gather(self, params: Settings, measured: Sequence[Any]) -> Growing:
        """A row an arm, what the stages carried, and the quadratic law."""
        table = pd.DataFrame([row for row, _ in measured])
        made = zip(arms(params), measured, strict=True)
        carried = {(arm.study, arm.name): tokens for arm, (_, tokens) in made if arm.seed == 0}
        bare = Growing(table=table, settings=params, carried=carried)
        return Growing(table=table, settings=params, carried=carried, held=list(_held(bare)))

    def findings(self, result: Growing) -> list[Finding]:
        """What is carried, what the third stage is fed, what each control is worth, and whether to trust it."""
        trust = trusted(result.held, tier_of(result.table), of="growing chains")
        return [bloated(result), three(result), projection(result), ledger(result), trust]

    def section(self, result: Growing) -> Section:
        """Tokens by stage, the three stages, the arms, and the closed forms."""
        needed = [projection(result), ledger(result), trusted(result.held)]
        return Section(
            name="context-growth",
            title="A chain's growing context",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=f"{projection(result).sentence} {bloated(result).sentence}",
                tier=tier_of(result.table),
                replay=self.replay(result.settings),
            ),
            blocks=[
                by_stage(result),
                three_stages(result),
                arm_table(result),
                Note(heading="Against closed forms", text=_CLOSED_FORMS),
                closed_forms("context-closed-forms", result.held, "Growing chains"),
            ],
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Growing) -> list[Worst]:
        """The chain that a ledger takes through: its compactor's calls are seen at work."""
        piece = next(arm for arm in arms(params) if arm.study == "long" and arm.name == LEDGER)
        return [Worst(name="ledger", title="What a ledger costs: the compactor reads all of it again", piece=piece)]


# --- closed forms -----------------------------------------------------------------------------


def _held(result: Growing) -> Iterator[Held]:
    tokens = result.carried["long", FULL]
    first, more = tokens[0], (tokens[-1] - tokens[0]) / (len(tokens) - 1)
    yield _quadratic(tokens)
    if result.of("long", FULL).iloc[0]["failed"]:
        overflow = (result.settings.window - first) // more + 2
        yield held_exact("stage at which the window overflows", "floor((W - S)/m) + 2", [len(tokens)], overflow)
    params = result.settings
    k, mean = params.uneven, more
    runs = result.of("uneven", FULL)
    expected = k * first + mean * k * (k - 1) / 2
    variance = (params.spread * params.said) ** 2 / 3 * (k - 1) * k * (2 * k - 1) / 6
    what = f"input of {k} stages that say {params.said} tokens, give or take {params.spread:.0%}".replace("%", " %")
    yield held_mean(what, "k S + m k (k - 1)/2", runs["carried"].tolist(), expected, variance)
    third = result.carried["three", FULL]
    yield _quadratic(third)
    lean = result.carried["long", PROJECTION]
    yield held_exact(
        "stages of 3 or more under projection: tokens more than the third's",
        "0, exactly",
        [each - lean[2] for each in lean[3:]] or [0],
        0,
    )


def _quadratic(tokens: Sequence[int]) -> Held:
    """The sum of the requests against the law, with S and m from the first and the last; each is rounded by less than 1."""
    k, first = len(tokens), tokens[0]
    expected = k * first + (tokens[-1] - first) * k / 2
    return Held(
        figure=f"input of {k} stages of one size",
        formula="k S + m k (k - 1)/2",
        expected=expected,
        simulated=sum(tokens),
        low=expected - k,
        high=expected + k,
        n=k,
    )


EXPERIMENT = ContextGrowth()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
