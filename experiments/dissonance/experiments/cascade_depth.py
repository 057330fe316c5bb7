"""How far does a planted falsehood go in each pattern, with and without each control?

A claim is planted in one call of a workflow, at each place in turn; under the gullible model it goes as far as the
architecture allows. Controls at each boundary between agents may stop it. Beside each run stands its control arm:
the true twin of the claim, planted in the same place. A control that stops both has lost the claim, not caught it.

Then cascades whose law is known: lines and trees of agents that correct with some probability (``Skeptical``), and
a claim that each agent elaborates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias, get_args

import pandas as pd

from dissonance.harness import Gullible, Limits, Run, run
from dissonance.harness.checks.taint import Cascade, trace_cascade
from dissonance.harness.claims import Twin, occurs
from dissonance.reports import Download, Finding, Section, plan_download

from ._cascade import Cascades, Settings
from ._cascade_page import ADVICE, answer, blocks, control_finding, reach, verdict_of
from ._cascades import CONTROLS, NONE, PATTERNS, TASK, Checking, Slot, build, claim_of, planting
from ._effects import agreement
from ._spread import Elaborated, Line, Tree, taint
from .experiment import Experiment, Size
from .oracles import Held, held_exact, held_mean, held_rate, progeny_mean, progeny_variance
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "CascadeDepth", "Cascades", "Settings"]

LIMITS = Limits(calls=1_000, seconds=10**6, tokens=10**9, usd=10**6)


class CascadeDepth(Experiment[Settings, Cascades]):
    """Five patterns, six controls, both twins; then lines, trees and elaboration."""

    name: ClassVar[str] = "cascade_depth"
    question: ClassVar[str] = "How far does a planted falsehood go in each pattern, with and without each control?"

    def preset(self, size: Size) -> Settings:
        """``quick``: one claim at each place; ``full``: 40, and deeper trees."""
        if size == "quick":
            return Settings(seeds=1, samples=20, lines=((0.3, 0.05),), planted=(0.2, 0.5), hops=4)
        if size == "full":
            return Settings(seeds=40, samples=500, planted=(0.0, 0.1, 0.2, 0.5), hops=8, depth=3)
        return Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The patterns, the lines, the trees, the elaborations."""
        return [*_planted(params), *_lines(params), *_trees(params), *_elaborated(params)]

    def gather(self, params: Settings, measured: Sequence[Any]) -> Cascades:
        """A row a run, the samples of each law, and each beside its closed form."""
        arms, lines, trees = list(_planted(params)), list(_lines(params)), list(_trees(params))
        rows, rest = measured[: len(arms)], measured[len(arms) :]
        taints: dict[tuple[float, float, bool], list[Sequence[bool]]] = {}
        for line, holds in zip(lines, rest, strict=False):
            taints.setdefault((line.correction, line.invention, line.planted), []).append(holds)
        rest = rest[len(lines) :]
        copies = {one.more: found for one, found in zip(_elaborated(params), rest[len(trees) :], strict=True)}
        result = Cascades(
            table=pd.DataFrame(rows),
            settings=params,
            taints=taints,
            trees=[float(size) for size in rest[: len(trees)]],
            copies=copies,
            sampled=len(measured) - len(arms),
        )
        return replace(result, held=list(_held(result)))

    def findings(self, result: Cascades) -> list[Finding]:
        """How far it goes, what each control makes of it, and whether the figures can be trusted."""
        return [
            reach(result),
            *(control_finding(result, each) for each in CONTROLS[1:]),
            agreement(result.held, result.tier),
        ]

    def section(self, result: Cascades) -> Section:
        """The matrix, both twins by control, taint by hop, elaboration, tables."""
        return Section(
            name="cascade-depth",
            title="Hallucination cascades",
            question=self.question,
            verdict=Finding(
                status=verdict_of(result),
                sentence=answer(result),
                tier=result.tier,
                replay=f"dissonance run cascade_depth --seeds {result.settings.seeds}",
            ),
            blocks=blocks(result),
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Cascades) -> list[Worst]:
        """The run without a control in which the false claim went deepest."""
        row = result.arm(NONE, "false").sort_values("depth", kind="stable").iloc[-1].to_dict()
        pattern = str(row["pattern"])
        slot = next(each for each in PATTERNS[pattern] if each.hop == row["hop"])
        piece = _Planted(pattern=pattern, slot=slot, control=NONE, twin="false", seed=int(row["seed"]), params=params)
        return [Worst(name="deepest", title=f"As deep as it goes: {pattern}, without a control", piece=piece)]

    def downloads(self, result: Cascades) -> list[Download]:
        """The plan of the first claim in the chain, and the table of runs."""
        plan = planting(claim_of(0), PATTERNS["chain"][0], "false")
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        return [
            plan_download("cascade-chain", [rule.describe() for rule in plan.rules]),
            Download(filename="cascade_depth.csv", media_type="text/csv", content=runs),
        ]


# --- the runs ---------------------------------------------------------------------------------


_Row: TypeAlias = dict[str, str | int | float | bool | None]


@dataclass(frozen=True, kw_only=True)
class _Planted:
    pattern: str
    slot: Slot
    control: str
    twin: Twin
    seed: int
    params: Settings

    def played(self, **how: Any) -> Run:
        """The run."""
        params, claim = self.params, claim_of(self.seed)
        return run(
            lambda: build(self.pattern, self.control, claim),
            TASK,
            plan=planting(claim, self.slot, self.twin),
            model=Checking(Gullible(), claim, self.seed, params.alone, params.shown),
            seed=self.seed,
            limits=LIMITS,
            baseline=False,
            **how,
        )

    def __call__(self) -> _Row:
        made = self.played(store=None)
        claim, outcome = claim_of(self.seed), made.result
        trace = trace_cascade(made, claim)
        return {
            "pattern": self.pattern,
            "hop": self.slot.hop,
            "agent": self.slot.agent,
            "control": self.control,
            "twin": self.twin,
            "seed": self.seed,
            "claim": claim.id,
            "finished": outcome.finished,
            "delivered": outcome.finished and occurs(claim, outcome.output, self.twin),
            "stopped_by": outcome.stopped_by or "",
            "planted": trace is not None,
            **_measures(trace),
            "fired": sum(counted.fired for counted in made.faults.values()),
            "calls": made.calls,
            "seconds": made.seconds,
            "tokens": made.tokens,
            "usd": made.usd,
            "tier": made.tier,
        }


def _measures(trace: Cascade | None) -> _Row:
    """How far it went; nowhere, where the workflow was stopped before the call in which it was to be planted."""
    names = ("depth", "breadth", "exposed", "infected", "secondary", "amplification")
    return {name: None if trace is None else getattr(trace, name) for name in names}


def _planted(params: Settings) -> Iterator[_Planted]:
    for pattern, slots in PATTERNS.items():
        for control in CONTROLS if pattern != "debate" else (NONE,):
            for slot in slots:
                for twin in get_args(Twin):
                    for seed in range(params.seeds):
                        yield _Planted(pattern=pattern, slot=slot, control=control, twin=twin, seed=seed, params=params)


def _lines(params: Settings) -> Iterator[Line]:
    for planted, odds in ((False, params.lines), (True, tuple((each, 0.0) for each in params.planted))):
        for correction, invention in odds:
            for seed in range(params.samples):
                yield Line(correction=correction, invention=invention, hops=params.hops, planted=planted, seed=seed)


def _trees(params: Settings) -> Iterator[Tree]:
    for seed in range(params.samples):
        yield Tree(children=params.children, correction=params.correction, depth=params.depth, seed=seed)


def _elaborated(params: Settings) -> Iterator[Elaborated]:
    for more in params.elaborations:
        yield Elaborated(more=more, hops=params.elaborated_hops, seed=0)


# --- closed forms -----------------------------------------------------------------------------


def _held(result: Cascades) -> Iterator[Held]:
    params = result.settings
    for (correction, invention, planted), samples in result.taints.items():
        for hop in sorted({1, params.hops // 2, params.hops}):
            first = 1.0 if planted else 0.0
            figure = f"tainted after {hop} hops: correction {correction:g}, invention {invention:g}"
            formula = "(1 - c)^n" if planted else "e / (e + c) (1 - (1 - e - c)^n)"
            hits = [holds[hop] for holds in samples]
            yield held_rate(figure, formula, hits, taint(hop, correction, invention, first))
    passes = 1 - params.correction
    mu, variance = params.children * passes, params.children * passes * (1 - passes)
    figure = (
        f"tainted agents in a tree: {params.children} children, correction {params.correction:g}, depth {params.depth}"
    )
    expected, spread = progeny_mean(mu, params.depth), progeny_variance(mu, variance, params.depth)
    yield held_mean(figure, "sum of (b p)^i", result.trees, expected, spread)
    for more, copies in result.copies.items():
        hops = len(copies) - 1
        yield held_exact(
            f"claims after {hops} hops that each add {more}", "(1 + k)^d", [copies[-1]], (1 + more) ** hops
        )


EXPERIMENT = CascadeDepth()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
