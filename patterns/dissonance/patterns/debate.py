"""Several agents judge the same question independently, and argue where they differ.

**When to use it.** A wrong answer costs far more than the debate: a security finding, a legal reading, a claim that
money will rest on. And where you want to see disagreement rather than an average. **When not.** A check in code can
tell (``supervise``); or the debaters would be copies of one agent, who agree because they are the same voter.

**What it costs.** n calls where all agree at once. Else n more for each round, each with the full reasoning of all
others, so tokens grow with n² a round; and one for the arbitrator. n voters whose errors correlate by r are worth
n/(1 + (n - 1)r) independent ones: buy diversity (framing, model, effort) before you buy voters.

**How it fails.** *Groupthink*: they agree on the same error; an identical panel is refused unless you say
``alike_ok``. *The loudest wins*: a right minority gives in; the dissent of each round is kept, and ``mode="reflect"``
is the control that tells what the exchange adds over thinking twice. *No end*: ``rounds`` bounds it. A damaged reply
costs one debater's position, not the debate; with fewer than two left it is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anthropic import AsyncAnthropic

from .agent import Agent
from .concurrent import all_of
from .guards import Guard, Rounds
from .guards.guard import briefed
from .outcome import NO_USAGE, Usage
from .positions import Alike, Debated, Position, Stance, diversity, majority
from .provenance import Provenance
from .reply import DamagedReply
from .states import StateMachine
from .step import normalised

__all__ = ["ARBITRATOR", "STATES", "debate"]

STATES = StateMachine(
    "debate",
    {
        "positions": ("agreed", "debating", "deciding", "undecided", "stopped"),
        "debating": ("agreed", "debating", "deciding", "stopped"),
        "deciding": ("decided", "undecided", "stopped"),
        "agreed": (),
        "decided": (),
        "undecided": (),
        "stopped": (),
    },
)

ARBITRATOR = Agent(
    "arbitrator",
    "You decide between positions. Find the strongest reasoning: weigh evidence, look for steps that do not follow and "
    "for what an argument leaves out. How many hold a position, and how sure they sound, says nothing.",
    effort="high",
)
"""An arbitrator for general use."""


def debate(
    client: AsyncAnthropic,
    debaters: Sequence[Agent],
    *,
    arbitrator: Agent | None = None,
    rounds: int = 2,
    mode: Literal["debate", "reflect"] = "debate",
    alike: Alike = normalised,
    alike_ok: bool = False,
    guards: Sequence[Guard] = (),
) -> Callable[[str], Coroutine[Any, Any, Debated]]:
    """A pattern in which ``debaters`` come to a conclusion about a question.

    * ``arbitrator`` decides what is still disputed after the last round, by the strongest reasoning; None: the
      majority (more than half) of the last round, or undecided.
    * ``rounds`` (from 0): how often, at most, they hear each other. A round in which nobody moves is the last.
    * ``mode``: ``reflect`` is the control: each reconsiders its own position as often, hearing nobody.
    * ``alike``: brings conclusions that mean the same to one text; the default ignores case and white space.
    * ``guards``: a step is a round after which they still differ; a finding is a conclusion that nobody had before.

    Raises ValueError for fewer than two debaters, equal names, and debaters that differ in nothing but their names,
    unless ``alike_ok``.
    """
    names = [debater.name for debater in debaters]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"debaters={names!r}: give at least two, each with a name of its own")
    if rounds < 0:
        raise ValueError(f"rounds={rounds!r}: give 0 or more")
    if not alike_ok and not diversity(debaters).independent:
        raise ValueError(
            f"debaters={names!r} differ in name only, so they are one voter: "
            "give them other instructions, models or efforts, or say alike_ok=True"
        )
    panel = tuple(briefed(debater, guards) for debater in debaters)
    plan = _Plan(client, panel, arbitrator, rounds, mode, alike, tuple(guards))

    async def debating(task: str) -> Debated:
        return await _Debate(plan, task).run()

    return debating


@dataclass(frozen=True)
class _Plan:
    client: AsyncAnthropic
    panel: tuple[Agent, ...]
    arbitrator: Agent | None
    rounds: int
    mode: Literal["debate", "reflect"]
    alike: Alike
    guards: tuple[Guard, ...]


class _Debate:
    """One question under debate."""

    def __init__(self, plan: _Plan, task: str) -> None:
        self._plan = plan
        self._task = task
        self._rounds = Rounds(plan.guards)
        self._history: list[list[Stance]] = []
        self._missing: dict[str, None] = {}
        self._trace = STATES.trace()

    async def run(self) -> Debated:
        async with self._rounds:
            return await self._to_the_end()
        stop = self._rounds.stop
        assert stop is not None  # nothing else ends the block without an outcome
        return self._stopped(stop.guard, stop.reason)

    async def _to_the_end(self) -> Debated:
        now = await self._round(0)
        for number in range(1, self._plan.rounds + 1):
            if len(now) < 2 or self._agreed(now):
                break
            if stop := self._check(now):
                return self._stopped(*stop)
            before = [self._plan.alike(stance.position.conclusion) for stance in now]
            self._trace.to("debating")
            now = await self._round(number)
            if [self._plan.alike(stance.position.conclusion) for stance in now] == before:
                break
        if len(now) < 2:
            return self._ended(
                "undecided", None, None, f"{len(now)} of {len(self._plan.panel)} debaters gave a usable position"
            )
        if self._agreed(now):
            return self._ended("agreed", now[0].position.conclusion, "agreement")
        self._trace.to("deciding")
        if self._plan.arbitrator is not None:
            return await self._arbitrate(self._plan.arbitrator)
        winner = majority(now, self._plan.alike)
        if winner is None:
            return self._ended("undecided", None, None, "no conclusion has more than half of the votes")
        return self._ended("decided", winner.position.conclusion, "vote")

    async def _round(self, number: int) -> list[Stance]:
        """All positions of a round, asked for at the same time, so that none depends on who spoke first."""
        latest = {stance.debater: stance for stance in self._history[-1]} if self._history else {}
        panel = [debater for debater in self._plan.panel if not number or debater.name in latest]
        said = await all_of(self._position(debater, number, latest) for debater in panel)
        self._history.append([stance for stance in said if stance is not None])
        for stance in self._history[-1]:
            self._rounds.found(self._plan.alike(stance.position.conclusion))
        return self._history[-1]

    async def _position(self, debater: Agent, number: int, latest: dict[str, Stance]) -> Stance | None:
        """A debater's position; where its reply is damaged, the one that it held, if any."""
        prompt = f"<question>\n{self._task}\n</question>"
        if number:
            others = [stance for name, stance in latest.items() if name != debater.name]
            prompt += _again(latest[debater.name], others if self._plan.mode == "debate" else [])
        try:
            answer = await debater.ask(self._plan.client, prompt, Position)
        except DamagedReply as damage:
            self._rounds.spend(damage.usage)
            self._missing[debater.name] = None
            held = latest.get(debater.name)
            return None if held is None else Stance(debater=debater.name, round=number, position=held.position)
        self._rounds.spend(answer.usage)
        return Stance(debater=debater.name, round=number, position=answer.data)

    def _agreed(self, stances: Sequence[Stance]) -> bool:
        return len({self._plan.alike(stance.position.conclusion) for stance in stances}) == 1

    def _check(self, now: Sequence[Stance]) -> tuple[str, str] | None:
        self._rounds.begin()
        shown = "\n".join(f"{stance.debater}: {stance.position.conclusion}" for stance in now)
        stop = self._rounds.check(agent="debate", action="round", task=self._task, output=shown)
        return None if stop is None else (stop.guard, stop.reason)

    async def _arbitrate(self, arbitrator: Agent) -> Debated:
        shown = "\n\n".join(_shown(stance) for stance in self._history[-1])
        prompt = f"<question>\n{self._task}\n</question>\n\n{shown}\n\nDecide the question by the strongest reasoning."
        try:
            answer = await arbitrator.ask(self._plan.client, prompt, Position)
        except DamagedReply as damage:
            self._rounds.spend(damage.usage)
            return self._ended("undecided", None, None, f"the arbitrator gave no usable ruling: {damage}")
        self._rounds.spend(answer.usage)
        return self._ended("decided", answer.data.conclusion, arbitrator.name, why=answer.data.reasoning)

    # --- the end ------------------------------------------------------------------------------

    def _stopped(self, guard: str, reason: str) -> Debated:
        last = self._history[-1] if self._history else []
        leading = majority(last, self._plan.alike)
        best = None if leading is None else leading.position.conclusion
        return self._ended("stopped", best, None, reason, stopped_by=guard, usage=self._rounds.metered)

    def _ended(
        self,
        state: str,
        output: str | None,
        decided_by: str | None,
        reason: str | None = None,
        *,
        why: str = "",
        stopped_by: str | None = None,
        usage: Usage = NO_USAGE,
    ) -> Debated:
        self._trace.to(state)
        last = self._history[-1] if self._history else []
        key = None if output is None else self._plan.alike(output)
        return Debated(
            output=output,
            finished=decided_by is not None,
            steps=self._rounds.steps,
            usage=max(self._rounds.spent, usage, key=lambda each: each.calls),
            stopped_by=stopped_by,
            reason=reason,
            provenance=Provenance(
                by=decided_by or "debate", upstream=tuple(Provenance(by=stance.debater) for stance in last)
            ),
            decided_by=decided_by,
            rounds=max(len(self._history) - 1, 0),
            stances=tuple(stance for stances in self._history for stance in stances),
            dissent=tuple(stance for stance in last if self._plan.alike(stance.position.conclusion) != key),
            diversity=diversity(self._plan.panel),
            why=why,
            missing=tuple(self._missing),
        )


def _again(own: Stance, others: Sequence[Stance]) -> str:
    parts = ["", f"<your_position>\n{_text(own.position)}\n</your_position>", *(_shown(stance) for stance in others)]
    if others:
        parts.append(
            "These are the positions of the others. Find the weakest step in each, yours included. Change your "
            "conclusion only for a reason that you can name; that others hold a view is none."
        )
    else:
        parts.append("Look for the weakest step of your own reasoning, and give your position again.")
    return "\n\n".join(parts)


def _shown(stance: Stance) -> str:
    return f'<position by="{stance.debater}">\n{_text(stance.position)}\n</position>'


def _text(position: Position) -> str:
    return f"{position.reasoning}\nConclusion: {position.conclusion}"
