"""What does a judging model let through, against gates of signals that code can read?

A writer states one checkable claim an attempt, false in a share of them; a gate accepts or has it written again.
The judge errs at the rates that were measured of model judges: it accepts right work with probability .96 and
rejects wrong work with .25 (arXiv 2510.11822). The signals look each claim up in a register that knows a share of
them. The same seeds, so the same first attempts, go through each gate.

A second part compares retries that are told what was wrong with blind ones, at a writer who overlooks each mention
of an item with some probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import pandas as pd

from dissonance.harness import Gullible, History, Limits, Run, run
from dissonance.harness.checks.false_acceptance import measure_gate
from dissonance.harness.checks.verdict import worst
from dissonance.reports import Download, Finding, Section, plan_download

from ._acceptance import Acceptance, Settings
from ._acceptance_page import ADVICE, answer, blocks, found, retries
from ._effects import agreement
from ._judges import (
    BOTH,
    GATES,
    JUDGE_ALONE,
    NO_GATE,
    SIGNALS,
    Forgetful,
    Judging,
    attempts_plan,
    checklist,
    false_among,
    gated,
)
from .experiment import Experiment, Size
from .oracles import held_mean, held_rate
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "Acceptance", "FalseAcceptance", "Settings"]

LIMITS = Limits(calls=1_000, seconds=10**6, tokens=10**9, usd=10**6)


class FalseAcceptance(Experiment[Settings, Acceptance]):
    """Five gates at one share of right work, two of them at others; then informed against blind retries."""

    name: ClassVar[str] = "false_acceptance"
    question: ClassVar[str] = (
        "How much wrong work does a judging model let through, against signals that code can read?"
    )

    def preset(self, size: Size) -> Settings:
        """``quick``: 50 seeds; ``full``: 1,000."""
        if size == "quick":
            return Settings(seeds=50, others=(0.5,))
        if size == "full":
            return Settings(seeds=1000, others=(0.3, 0.5, 0.8, 0.9, 0.95))
        return Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """The gates, then the retries."""
        return [*_arms(params), *_retries(params)]

    def gather(self, params: Settings, measured: Sequence[Any]) -> Acceptance:
        """A row a run; the rates of the judge, of each gate and of the retries against their closed forms."""
        arms = list(_arms(params))
        table = pd.DataFrame(measured[: len(arms)])
        tried = pd.DataFrame(measured[len(arms) :])
        result = Acceptance(table=table, settings=params, retries=tried, sampled=len(tried))
        return Acceptance(**{**vars(result), "held": [*_held(result), *_held_retries(result)]})

    def findings(self, result: Acceptance) -> list[Finding]:
        """What each gate lets through, the worst first; retries; whether the figures can be trusted."""
        gates = [found(result, gate) for gate in (JUDGE_ALONE, SIGNALS, BOTH)]
        return [*gates, retries(result), agreement(result.held, result.tier)]

    def section(self, result: Acceptance) -> Section:
        """The gates, Bayes' curve, the retries, the table and the closed forms."""
        needed = (found(result, BOTH), agreement(result.held, result.tier))
        return Section(
            name="false-acceptance",
            title="False acceptance",
            question=self.question,
            verdict=Finding(
                status=worst(needed),
                sentence=answer(result),
                tier=result.tier,
                replay=f"dissonance run false_acceptance --seeds {result.settings.seeds}",
            ),
            blocks=blocks(result),
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Acceptance) -> list[Worst]:
        """The first wrong work that the judge let through."""
        let_in = result.arm(JUDGE_ALONE)
        let_in = let_in[let_in["wrong"]]
        if let_in.empty:
            return []
        piece = _Arm(gate=JUDGE_ALONE, right=params.right, seed=int(let_in["seed"].iloc[0]), params=params)
        return [
            Worst(name="accepted", title="A false claim that the judge accepts, and nothing else looks", piece=piece)
        ]

    def downloads(self, result: Acceptance) -> list[Download]:
        """The plan of the first seed, and the table of runs."""
        plan = attempts_plan(0, result.settings.right, result.settings.attempts)
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        return [
            plan_download("false-acceptance-seed-0", [rule.describe() for rule in plan.rules]),
            Download(filename="false_acceptance.csv", media_type="text/csv", content=runs),
        ]


# --- the runs ---------------------------------------------------------------------------------


_Row: TypeAlias = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class _Arm:
    gate: str
    right: float
    seed: int
    params: Settings

    def played(self, **how: Any) -> Run:
        """The run."""
        params, attempts = self.params, 1 if self.gate == NO_GATE else self.params.attempts
        return run(
            lambda: gated(self.gate, params.attempts, params.coverage),
            f"Write entry {self.seed} of the almanac.",
            plan=attempts_plan(self.seed, self.right, attempts),
            model=Judging(Gullible(), self.seed, params.tpr, params.tnr),
            seed=self.seed,
            limits=LIMITS,
            baseline=False,
            **how,
        )

    def __call__(self) -> _Row:
        made = self.played(store=None)
        outcome = made.result
        judged = measure_gate(made, lambda work: not false_among(work), "judge1")
        wrong = outcome.finished and false_among(outcome.output)
        return {
            "gate": self.gate,
            "right": self.right,
            "seed": self.seed,
            "first_right": _first_right(made.history),
            "first_accepted": outcome.finished and len(made.history.calls("writer")) == 1,
            "delivered": outcome.finished,
            "wrong": wrong,
            "attempts": len(made.history.calls("writer")),
            "judged_right": judged.count(right=True),
            "accepted_right": judged.count(right=True, accepted=True),
            "judged_wrong": judged.count(right=False),
            "accepted_wrong": judged.count(right=False, accepted=True),
            "fired": sum(counted.fired for counted in made.faults.values()),
            "calls": made.calls,
            "seconds": made.seconds,
            "tokens": made.tokens,
            "usd": made.usd,
            "tier": made.tier,
        }


def _first_right(history: History) -> bool:
    """Whether the writer's first attempt holds no false claim."""
    body = history.reply_body(history.replies("writer")[0]) or {}
    return not false_among("".join(block.get("text", "") for block in body["content"]))


def _arms(params: Settings) -> Iterator[_Arm]:
    for right in (params.right, *params.others):
        for gate in GATES if right == params.right else (JUDGE_ALONE, SIGNALS):
            for seed in range(params.seeds):
                yield _Arm(gate=gate, right=right, seed=seed, params=params)


@dataclass(frozen=True, kw_only=True)
class _Retry:
    informed: bool
    seed: int
    params: Settings

    def __call__(self) -> _Row:
        params = self.params
        pattern, task = checklist(params.items, params.tries, self.informed)
        model = Forgetful(self.seed, params.overlooks)
        made = run(lambda: pattern, task, model=model, seed=self.seed, limits=LIMITS, baseline=False, store=None)
        return {
            "informed": self.informed,
            "seed": self.seed,
            "attempts": made.result.steps,
            "delivered": made.result.finished,
            "tokens": made.tokens,
            "usd": made.usd,
            "tier": made.tier,
        }


def _retries(params: Settings) -> Iterator[_Retry]:
    for informed in (False, True):
        for seed in range(params.seeds):
            yield _Retry(informed=informed, seed=seed, params=params)


# --- closed forms -----------------------------------------------------------------------------


def _held(result: Acceptance) -> Iterator[Any]:
    params = result.settings
    judge = result.arm(JUDGE_ALONE)
    yield held_rate(
        "share of first attempts that the judge accepts",
        "p TPR + (1 - p)(1 - TNR)",
        judge["first_accepted"].tolist(),
        result.accepts(JUDGE_ALONE, params.right),
    )
    for label, column, expected in (("right", "right", params.tpr), ("wrong", "wrong", 1 - params.tnr)):
        n, hits = int(judge[f"judged_{column}"].sum()), int(judge[f"accepted_{column}"].sum())
        if n:
            formula = "TPR" if column == "right" else "1 - TNR"
            yield held_rate(
                f"share of {label} work that the judge accepts", formula, [k < hits for k in range(n)], expected
            )
    for right in (params.right, *params.others):
        for gate in GATES:
            arm = result.arm(gate, right)
            arm = arm[arm["delivered"]] if not arm.empty else arm
            if not arm.empty:
                figure = f"wrong among delivered: {gate}, {100 * right:.0f} % right"
                yield held_rate(figure, "Bayes", arm["wrong"].tolist(), result.posterior(gate, right))
    stack = result.arm("three judges")
    wrong_first = stack[~stack["first_right"]]
    if not wrong_first.empty:
        yield held_rate(
            "wrong first attempts that pass three judges",
            "(1 - TNR)^3",
            wrong_first["first_accepted"].tolist(),
            (1 - params.tnr) ** 3,
        )


def _held_retries(result: Acceptance) -> Iterator[Any]:
    for informed, formula in ((False, "(1 - f^m) / (1 - f)"), (True, "1 + f (1 - g^(m-1)) / (1 - g)")):
        values = result.retried(informed)["attempts"].astype(float).tolist()
        mean, variance = result.attempts(informed)
        yield held_mean(f"attempts, {'informed' if informed else 'blind'} retries", formula, values, mean, variance)


EXPERIMENT = FalseAcceptance()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
