"""One trial for each pattern: what it is bought for, measured with it and without it, and what one agent alone costs.

A trial has three arms. ``with``: the pattern. ``without``: the same work without what the pattern is bought for.
``alone``: one agent, asked once, which is what costs are counted against. The same seeds go through all three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from dissonance.faults import At, Crash, FaultPlan, Rule, When
from dissonance.faults.draw import uniform
from dissonance.harness import Call, Gullible, Limits, Reply, Restartable, Run, run
from dissonance.harness.call import Json, tool_use
from dissonance.harness.history import History
from dissonance.harness.human import ScriptedHuman
from dissonance.patterns import Agent, Lead, Piece, Stage, chain, delegate, fan_out, merger, solo

from ._desk import CERTAIN, Drafting, desk, is_wrong, review, too_sure
from ._judges import NO_GATE, SIGNALS, Judging, attempts_plan, false_among, gated
from ._loops import client, task_of
from ._models import Unsteady
from ._panel import ARBITRATED, ONE, Voting, panel, shared_errors, truth

__all__ = ["ALONE", "ARMS", "TRIALS", "WITH", "WITHOUT", "Arm", "Trial"]

Arm: TypeAlias = Literal["alone", "without", "with"]
ALONE: Arm = "alone"
WITHOUT: Arm = "without"
WITH: Arm = "with"
ARMS: tuple[Arm, ...] = (ALONE, WITHOUT, WITH)

LIMITS = Limits(calls=1_000, seconds=10**6, tokens=10**9, usd=10**6)


@dataclass(frozen=True)
class Trial:
    """A pattern's trial.

    ``play(arm, seed, **how)`` makes the run, ``figure(run, seed)`` reads what the pattern is bought for, called
    ``measure`` (in per cent where ``rate``), of which less is better unless ``more``. ``without`` says what the second
    arm is; ``gains``, ``costs`` and ``when`` are advice that no run can give.
    """

    play: Callable[..., Run]
    figure: Callable[[Run, int], float]
    measure: str
    without: str
    when: str
    more: bool = False
    rate: bool = False


def _run(build: Any, task: Any, seed: int, how: Mapping[str, Any], **given: Any) -> Run:
    model = given.pop("model", None) or Unsteady(Gullible(), seed, 8.0, 0.4)
    return run(build, task, model=model, seed=seed, limits=LIMITS, baseline=False, **given, **how)


def _alone(seed: int, how: Mapping[str, Any]) -> Run:
    return _run(lambda: solo(client(), Agent("agent", "Do the whole task.")), task_of(seed), seed, how)


# --- chain: a crash costs one stage -----------------------------------------------------------


class _Notice(BaseModel):
    task: str
    facts: str = ""
    plan: str = ""
    draft: str = ""
    notice: str = ""


_STAGES = ("facts", "plan", "draft", "notice")


def _chain(arm: Arm, seed: int, **how: Any) -> Run:
    if arm == ALONE:
        return _alone(seed, how)
    stages = [
        Stage(name, solo(client(), Agent(f"{name}-writer", "Do your stage.")), sees=[before])
        for name, before in zip(_STAGES, ("task", *_STAGES), strict=False)
    ]

    async def work(task: str, folder: Path) -> Any:
        from dissonance.patterns.store import Store

        if arm == WITHOUT:
            return await chain(_Notice, stages)(task)
        with Store(f"sqlite:///{folder / 'notices.db'}") as store:
            return await chain(_Notice, stages, store=store)(task)

    struck = At(agent=f"{_STAGES[seed % len(_STAGES)]}-writer")
    plan = FaultPlan(rules=(Rule(id="crash", at=struck, when=When(call=1), fault=Crash(down=1.0)),))
    return _run(lambda: Restartable(start=work, resume=work), task_of(seed), seed, how, plan=plan)


def _repeated(made: Run, seed: int) -> float:
    return float(made.calls - len(_STAGES))


# --- fan-out: the slowest branch, not the sum -------------------------------------------------


def _fan_out(arm: Arm, seed: int, **how: Any) -> Run:
    if arm == ALONE:
        return _alone(seed, how)

    def build() -> Any:
        return fan_out(
            solo(client(), Agent("researcher", "Do your part.")),
            split=lambda task: [Piece(name=f"part{n}", task=f"{task} Do part {n}.") for n in range(1, 9)],
            reduce=merger(client(), Agent("editor", "Put the parts together.")),
            at_once=8 if arm == WITH else 1,
        )

    return _run(build, task_of(seed), seed, how)


# --- supervise: wrong work is not delivered ---------------------------------------------------


def _supervise(arm: Arm, seed: int, **how: Any) -> Run:
    gate, attempts = (SIGNALS, 3) if arm == WITH else (NO_GATE, 1)
    plan = attempts_plan(seed, 0.7, attempts)
    model = Judging(Gullible(), seed, 0.96, 0.25)
    return _run(lambda: gated(gate, 3, 0.9), f"Write entry {seed} of the almanac.", seed, how, plan=plan, model=model)


def _delivered_wrong(made: Run, seed: int) -> float:
    return float(made.result.finished and false_among(made.result.output))


# --- delegate: the top reads summaries --------------------------------------------------------


@dataclass(frozen=True)
class _Managing:
    """Leads hand a part to each of their people at once and sum up in 60 words; clerks report in 100 to 300."""

    seed: int

    def reply(self, call: Call, past: History) -> Reply:
        if call.tools and len(call.messages) == 1:
            return Reply.use(*(tool_use(name, {"task": f"Do the part of {name}."}) for name in call.tool_names))
        words = 60 if call.tools else 100 + int(200 * uniform("words", self.seed, call.agent))
        return Reply.say(" ".join(["word"] * words))

    def describe(self) -> Json:
        return {"name": "Managing", "seed": self.seed}


def _delegate(arm: Arm, seed: int, **how: Any) -> Run:
    if arm == ALONE:
        return _alone(seed, how)
    told = "Have the work done, then sum up."
    clerks = [[Agent(f"clerk{lead}{n}", "Do the work.") for n in range(4)] for lead in range(2)]
    top = Agent("top", told)
    tree = (
        Lead(top, tuple(Lead(Agent(f"lead{n}", told), tuple(each)) for n, each in enumerate(clerks)))
        if arm == WITH
        else Lead(top, tuple(clerk for each in clerks for clerk in each))
    )
    return _run(
        lambda: delegate(client(), tree), task_of(seed), seed, how, model=Unsteady(_Managing(seed), seed, 8.0, 0.4)
    )


def _longest_at_the_top(made: Run, seed: int) -> float:
    return float(max(reply.usage.input_tokens for reply in made.history.replies("top") if reply.usage))


# --- debate: right answers --------------------------------------------------------------------


def _debate(arm: Arm, seed: int, **how: Any) -> Run:
    protocol, voters = (ARBITRATED, 3) if arm == WITH else (ONE, 1)
    plan = shared_errors(0.3 if arm == WITH else 0.0, seed)
    model = Voting(seed, 0.7, 0.1, 0.7, 0.8)
    return _run(lambda: panel(protocol, voters), f"Question {seed}: YES or NO?", seed, how, plan=plan, model=model)


def _right(made: Run, seed: int) -> float:
    output = made.result.output
    return float((output if isinstance(output, str) else output.conclusion) == truth(seed))


# --- human gate: wrong actions are seen -------------------------------------------------------

_BATCH = 5


def _human_gate(arm: Arm, seed: int, **how: Any) -> Run:
    async def work(task: list[int], human: Any) -> Any:
        return await desk(task, 0.85, arm == WITH, human)

    cases = [seed * _BATCH + number for number in range(_BATCH)]
    human = ScriptedHuman(review, seconds=300.0)
    return _run(lambda: work, cases, seed, how, plan=too_sure(CERTAIN), model=Drafting(CERTAIN), human=human)


def _wrongly_paid(made: Run, seed: int) -> float:
    return float(sum(gated.finished and is_wrong(gated.output) for gated in made.result)) / _BATCH


TRIALS: Mapping[str, Trial] = {
    "chain": Trial(
        play=_chain,
        figure=_repeated,
        measure="calls made again after a crash",
        without="the same stages without a store",
        when="each stage needs all of the one before it",
    ),
    "fan_out": Trial(
        play=_fan_out,
        figure=lambda made, seed: made.seconds,
        measure="virtual seconds for eight parts",
        without="one part after the other",
        when="the parts do not need each other",
    ),
    "supervise": Trial(
        play=_supervise,
        figure=_delivered_wrong,
        measure="wrong work delivered",
        without="no gate",
        when="quality varies, and code can tell good work",
        rate=True,
    ),
    "delegate": Trial(
        play=_delegate,
        figure=_longest_at_the_top,
        measure="tokens of the longest request at the top",
        without="one lead over all eight",
        when="domains differ in kind, or one prompt cannot hold all results",
    ),
    "debate": Trial(
        play=_debate,
        figure=_right,
        measure="questions answered rightly",
        without="one agent",
        when="a wrong answer costs far more than the debate, and the voters differ",
        more=True,
        rate=True,
    ),
    "human_gate": Trial(
        play=_human_gate,
        figure=_wrongly_paid,
        measure="wrong actions among all",
        without="the agent's own confidence alone",
        when="the action cannot be taken back",
        rate=True,
    ),
}
"""The trials, by pattern."""
