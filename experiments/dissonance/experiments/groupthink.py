"""How many independent voters is a debate worth, and what does it cost?

Panels of voters with known odds answer yes-or-no questions; the fault ``Groupthink`` correlates their first
answers. Accuracy and the effective number of voters are held against Condorcet's theorem with correlated votes.
Then five ways to an answer at one correlation: one agent, a vote, self-reflection (the control that hears
nobody), debate, and an arbitrator, each with its calls, tokens, and how often minds were changed for the worse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import pandas as pd

from dissonance.harness import Limits, Run, run
from dissonance.harness.checks.independence import Ballot, ballots
from dissonance.patterns.positions import Debated
from dissonance.reports import Download, Finding, Section, plan_download

from ._effects import agreement
from ._panel import ONE, PROTOCOLS, VOTE, Voting, correct, correlation_bounds, panel, shared_errors, truth, voted
from ._thinking import Settings, Thinking
from ._thinking_page import ADVICE, answer, blocks, costs, flips, judged, protocol_finding
from .experiment import Experiment, Size
from .oracles import TAIL, Held, held_rate
from .pieces import Piece
from .worst import Worst

__all__ = ["EXPERIMENT", "GroupThink", "Settings", "Thinking"]

LIMITS = Limits(calls=1_000, seconds=10**6, tokens=10**9, usd=10**6)


class GroupThink(Experiment[Settings, Thinking]):
    """Panels under correlation, then protocols."""

    name: ClassVar[str] = "groupthink"
    question: ClassVar[str] = "How many independent voters is a debate worth, and what does it cost?"

    def preset(self, size: Size) -> Settings:
        """``quick``: 32 questions and one panel size; ``full``: 800 and panels of 3 to 9."""
        if size == "quick":
            return Settings(seeds=32, panels=(5,))
        if size == "full":
            return Settings(seeds=800, panels=(3, 5, 9), correlations=(0.0, 0.15, 0.3, 0.45, 0.6))
        return Settings()

    def pieces(self, params: Settings) -> list[Piece]:
        """One agent, the panels, the protocols."""
        return list(_questions(params))

    def gather(self, params: Settings, measured: Sequence[Any]) -> Thinking:
        """A row a run, the first votes of each panel, and what has a closed form beside it."""
        found: defaultdict[tuple[int, float], list[Ballot]] = defaultdict(list)
        for asked, (_, votes) in zip(_questions(params), measured, strict=True):
            if asked.protocol == VOTE:
                found[asked.voters, asked.correlation] += votes
        table = pd.DataFrame([row for row, _ in measured])
        result = Thinking(table=table, settings=params, ballots=dict(found))
        return Thinking(**{**vars(result), "held": list(_held(result))})

    def findings(self, result: Thinking) -> list[Finding]:
        """What correlated panels are worth, what protocols add, what they cost, and whether that can be trusted."""
        biggest = max(result.settings.panels)
        panels = [judged(result, biggest, each) for each in sorted(result.settings.correlations, reverse=True)]
        added = [protocol_finding(result), flips(result), costs(result)]
        return [*panels, *added, agreement(result.held, result.tier)]

    def section(self, result: Thinking) -> Section:
        """Condorcet's curves, effective voters, protocols, costs, table and closed forms."""
        settings = result.settings
        worst = judged(result, max(settings.panels), max(settings.correlations))
        return Section(
            name="groupthink",
            title="Groupthink",
            question=self.question,
            verdict=Finding(
                status=worst.status,
                sentence=answer(result),
                tier=result.tier,
                replay=f"dissonance run groupthink --seeds {settings.seeds}",
            ),
            blocks=blocks(result),
            advice=ADVICE,
        )

    def worst(self, params: Settings, result: Thinking) -> list[Worst]:
        """The first panel that agreed on the same error under the strongest correlation."""
        voters, correlation = max(params.panels), max(params.correlations)
        runs = result.arm(VOTE, voters, correlation)
        wrong = runs[runs["alike"] & ~runs["right"]]
        if wrong.empty:
            return []
        seed = int(wrong["seed"].iloc[0])
        piece = _Question(protocol=VOTE, voters=voters, correlation=correlation, seed=seed, params=params)
        return [Worst(name="alike", title="All of one mind, and wrong: they agree before anybody argues", piece=piece)]

    def downloads(self, result: Thinking) -> list[Download]:
        """The plan of the first question under the strongest correlation, and the table of runs."""
        plan = shared_errors(max(result.settings.correlations), 0)
        runs = result.table.to_csv(index=False, lineterminator="\n").encode()
        return [
            plan_download("groupthink-seed-0", [rule.describe() for rule in plan.rules]),
            Download(filename="groupthink.csv", media_type="text/csv", content=runs),
        ]


# --- the runs ---------------------------------------------------------------------------------


_Row: TypeAlias = dict[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class _Question:
    protocol: str
    voters: int
    correlation: float
    seed: int
    params: Settings

    def __call__(self) -> tuple[_Row, list[Ballot]]:
        made = self.played(store=None)
        outcome = made.result
        answer = outcome.output if isinstance(outcome, Debated) else outcome.output.conclusion
        right = answer == truth(self.seed)
        votes = ballots(made, "voter*", correct) if self.protocol == VOTE else []
        row: _Row = {
            "protocol": self.protocol,
            "voters": self.voters,
            "correlation": self.correlation,
            "seed": self.seed,
            "right": right,
            **_minds(outcome, truth(self.seed)),
            "fired": sum(counted.fired for counted in made.faults.values()),
            "calls": made.calls,
            "seconds": made.seconds,
            "tokens": made.tokens,
            "usd": made.usd,
            "tier": made.tier,
        }
        return row, votes

    def played(self, **how: Any) -> Run:
        """The run."""
        params = self.params
        return run(
            lambda: panel(self.protocol, self.voters),
            f"Question {self.seed}: may the clause stand as it is, YES or NO?",
            plan=shared_errors(self.correlation, self.seed),
            model=Voting(self.seed, params.right, params.doubt, params.conformity, params.insight),
            seed=self.seed,
            limits=LIMITS,
            baseline=False,
            **how,
        )


def _minds(outcome: Any, right: str) -> _Row:
    """Who was right at first, who was after a round, and whether anybody was."""
    if not isinstance(outcome, Debated):
        first = then = [outcome.output.conclusion]
    else:
        first = [stance.position.conclusion for stance in outcome.first]
        last = [stance.position.conclusion for stance in outcome.stances if stance.round == outcome.rounds]
        then = last
    moves = list(zip(first, then, strict=True))
    return {
        "heard": isinstance(outcome, Debated) and outcome.rounds > 0,
        "right_at_first": first.count(right),
        "alike": len(set(first)) == 1,
        "two_alike": first[0] == first[-1],
        "to_wrong": sum(a == right != b for a, b in moves),
        "to_right": sum(a != right == b for a, b in moves),
    }


def _questions(params: Settings) -> Iterator[_Question]:
    arms = [(ONE, 1, 0.0)]
    arms += [(VOTE, voters, each) for voters in params.panels for each in params.correlations]
    arms += [(protocol, params.trio, params.shared) for protocol in PROTOCOLS[1:]]
    for protocol, voters, correlation in dict.fromkeys(arms):
        for seed in range(params.seeds):
            yield _Question(protocol=protocol, voters=voters, correlation=correlation, seed=seed, params=params)


# --- closed forms -----------------------------------------------------------------------------


def _held(result: Thinking) -> Iterator[Held]:
    params, p = result.settings, result.settings.right
    yield held_rate("one agent is right", "p", result.one()["right"].tolist(), p)
    for voters, correlation in result.ballots:
        runs = result.arm(VOTE, voters, correlation)
        given = f"{voters} voters, correlation {correlation:g}"
        formula = "rho p + (1 - rho) M(p, n)"
        yield held_rate(f"vote is right: {given}", formula, runs["right"].tolist(), voted(p, voters, correlation))
        alike = correlation + (1 - correlation) * (p * p + (1 - p) ** 2)
        formula = "rho + (1 - rho)(p^2 + q^2)"
        yield held_rate(f"two voters agree: {given}", formula, runs["two_alike"].tolist(), alike)
        worth = result.worth(voters, correlation)
        if worth is not None:
            n, (low, high) = worth.questions, correlation_bounds(p, voters, correlation, worth.questions, TAIL)
            figure, estimate = f"correlation: {given}", worth.correlation
            yield Held(figure=figure, formula="rho", expected=correlation, simulated=estimate, low=low, high=high, n=n)
    formulas = ("arbitrator decides disputes", "one round, all moves", "one round, all moves")
    for protocol, formula in zip(("arbitrator", "debate", "reflection"), formulas, strict=True):
        figure = f"{protocol} is right: {params.trio} voters, correlation {params.shared:g}"
        yield held_rate(figure, formula, result.protocol(protocol)["right"].tolist(), result.expected(protocol))


EXPERIMENT = GroupThink()

if __name__ == "__main__":
    import sys

    from .script import main

    sys.exit(main(EXPERIMENT))
