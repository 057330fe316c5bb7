"""Supervisor and workers: work is dispatched, weighed at a gate, and accepted, retried, reassigned or escalated.

**When to use it.** A pool of workers does similar work, its quality varies, and you can say what good
work is, best in code. **When not.** The work needs no gate (ask the agent), or the workers need different
tools and rules (``delegate``).

**What it costs.** A step is one attempt: a worker's call (or its whole pattern), and the judge's call
where signals leave the decision to it; ``Agent.tries`` times as many where replies are damaged. A prompt
carries the last attempt and its feedback, not the history, so the cost grows linearly with the attempts.
Where feedback says what is wrong, attempts are few; a blind retry draws again, and needs 1/p of them.

**How it fails.** A judge that never accepts makes it loop; *without guards it loops for ever*, which is
what ``guards=()`` is for in experiments and nowhere else. A judge that always accepts makes the gate
worthless; ground it in checks. Errors of the API pass through; damaged replies count as failed attempts.

Called for several tasks at once, it shares its workers among them, the least loaded first; ``serve`` feeds it
with tasks as they arrive. What never passes is a dead letter, with all its attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from anthropic import AsyncAnthropic

from . import log
from .agent import Agent
from .gate import Check, Decision, Gate, Judgement, as_text
from .guards import Guard, Rounds, Stop
from .guards.guard import briefed, looks_at_outputs
from .outcome import Outcome
from .pool import Pool, Worker, worker
from .provenance import Provenance
from .reply import DamagedReply
from .states import StateMachine
from .supervised import Attempt, Supervised

__all__ = ["STATES", "supervise"]

STATES = StateMachine(
    "supervise",
    {
        "dispatched": ("weighed", "stopped"),
        "weighed": ("accepted", "retried", "reassigned", "escalated", "stopped"),
        "retried": ("dispatched",),
        "reassigned": ("dispatched",),
        "accepted": (),
        "escalated": (),
        "stopped": (),
    },
)

T = TypeVar("T")


@overload
def supervise(
    client: AsyncAnthropic,
    *,
    workers: Sequence[Agent],
    checks: Sequence[Check[str]] = (),
    judge: Agent | None = None,
    guards: Sequence[Guard] = (),
    attempts_per_worker: int = 2,
    informed: bool = True,
    dead_letter: Callable[[Supervised[str]], None] | None = None,
) -> Callable[[str], Coroutine[Any, Any, Supervised[str]]]: ...
@overload
def supervise(
    client: AsyncAnthropic,
    *,
    workers: Sequence[Worker[T]],
    checks: Sequence[Check[T]] = (),
    judge: Agent | None = None,
    guards: Sequence[Guard] = (),
    attempts_per_worker: int = 2,
    informed: bool = True,
    dead_letter: Callable[[Supervised[T]], None] | None = None,
) -> Callable[[str], Coroutine[Any, Any, Supervised[T]]]: ...
def supervise(
    client: AsyncAnthropic,
    *,
    workers: Sequence[Agent] | Sequence[Worker[Any]],
    checks: Sequence[Check[Any]] = (),
    judge: Agent | None = None,
    guards: Sequence[Guard] = (),
    attempts_per_worker: int = 2,
    informed: bool = True,
    dead_letter: Callable[[Supervised[Any]], None] | None = None,
) -> Callable[[str], Coroutine[Any, Any, Supervised[Any]]]:
    """A pattern that has its tasks done by ``workers`` and accepts what passes the gate.

    * ``checks``, ``judge``: the gate (see ``gate``); at least one of them.
    * ``guards``: termination conditions, besides acceptance and escalation. None: it may never end. Guards of
      outputs join the gate, after the checks.
    * ``attempts_per_worker`` (from 1): a worker rejected so often in a row loses the task to another one,
      whatever the judge says; in a pool of one it stays where it is.
    * ``informed``: a rejected worker is told what was wrong, and shown its attempt. False: it is only asked again,
      which is there to be compared.
    * ``dead_letter``: called with each result that is not accepted.

    Raises ValueError for a pool without workers or with equal names, and for a gate that can't reject.
    """
    if attempts_per_worker < 1:
        raise ValueError(f"attempts_per_worker={attempts_per_worker!r}: give 1 or more")
    verifiers = [guard for guard in guards if looks_at_outputs(guard)]
    gate = Gate((*checks, *(guard.verify for guard in verifiers)), judge)
    plan = _Plan(client, tuple(guards), gate, tuple(guard.name for guard in verifiers), attempts_per_worker, informed)
    pool = Pool([worker(client, briefed(one, guards)) if isinstance(one, Agent) else one for one in workers])

    async def supervised(task: str) -> Supervised[Any]:
        result = await _Supervision(plan, pool, task).run()
        if not result.accepted and dead_letter is not None:
            dead_letter(result)
        return result

    return supervised


@dataclass(frozen=True)
class _Plan(Generic[T]):
    client: AsyncAnthropic
    guards: tuple[Guard, ...]
    gate: Gate[T]
    verifiers: tuple[str, ...]
    attempts_per_worker: int
    informed: bool


class _Supervision(Generic[T]):
    """One task under supervision."""

    def __init__(self, plan: _Plan[T], pool: Pool[T], task: str) -> None:
        self._plan = plan
        self._pool = pool
        self._task = task
        self._rounds = Rounds(plan.guards)
        self._tried: Counter[str] = Counter()
        self._rejected_in_a_row = 0
        self._attempts: list[Attempt[T]] = []
        self._trace = STATES.trace()

    async def run(self) -> Supervised[T]:
        async with self._rounds:
            return await self._until_decided()
        assert self._rounds.stop is not None, "the block ended without a result and without a stop"
        return self._stopped(self._rounds.stop)

    async def _until_decided(self) -> Supervised[T]:
        chosen, prompt = self._pool.choose(self._tried), self._task
        while True:
            attempt = await self._attempt(chosen, prompt)
            self._attempts.append(attempt)
            self._rounds.spend(attempt.usage)
            self._trace.to("weighed")
            if attempt.decision == "accept":
                return self._ended("accepted", attempt.output, accepted_by=attempt.judgement.by)
            if attempt.decision == "escalate":
                log.human_asked(attempt.worker, attempt.judgement.feedback, self._task, len(self._attempts))
                return self._ended("escalated", self._best(), reason=attempt.judgement.feedback)
            if stop := self._check(attempt):
                return self._stopped(stop)
            self._trace.to("reassigned" if attempt.decision == "reassign" else "retried")
            self._trace.to("dispatched")
            if attempt.decision == "reassign":
                chosen = self._pool.choose(self._tried, other_than=chosen.name)
                self._rejected_in_a_row = 0
            prompt = self._correction(attempt) if self._plan.informed else self._task

    async def _attempt(self, chosen: Worker[T], prompt: str) -> Attempt[T]:
        index = self._rounds.begin()
        self._tried[chosen.name] += 1
        result = await self._work(chosen, prompt)
        if result.finished:
            judgement = await self._plan.gate.weigh(self._plan.client, self._task, result.require())
        else:
            judgement = Judgement(decision="retry", feedback=str(result.reason), by="supervisor")
        return Attempt(
            index=index,
            worker=chosen.name,
            output=result.output,
            judgement=judgement,
            decision=self._decide(judgement),
            usage=result.usage + judgement.usage,
            provenance=result.provenance or Provenance(by=chosen.name),
        )

    async def _work(self, chosen: Worker[T], prompt: str) -> Outcome[T]:
        try:
            return await self._pool.do(chosen, prompt)
        except DamagedReply as damage:
            return Outcome(output=None, finished=False, steps=1, usage=damage.usage, reason=str(damage))

    def _decide(self, judgement: Judgement) -> Decision:
        if judgement.decision != "retry":
            return judgement.decision
        self._rejected_in_a_row += 1
        spent = self._rejected_in_a_row >= self._plan.attempts_per_worker
        return "reassign" if spent and len(self._pool) > 1 else "retry"

    def _check(self, attempt: Attempt[T]) -> Stop | None:
        output = "" if attempt.output is None else as_text(attempt.output)
        if output:
            self._rounds.found(output)
        return self._rounds.check(
            agent=attempt.worker,
            action="attempt",
            task=self._task,
            output=output,
            passed=attempt.judgement.passed,
            criteria=len(self._plan.gate.checks),
        )

    def _correction(self, rejected: Attempt[T]) -> str:
        """The next prompt. A new worker starts from the task and the feedback, not from the failed attempt."""
        parts = [f"<task>\n{self._task}\n</task>"]
        if rejected.decision == "retry" and rejected.output is not None:
            parts.append(f"<previous_attempt>\n{as_text(rejected.output)}\n</previous_attempt>")
        parts.append(f"<feedback>\n{rejected.judgement.feedback}\n</feedback>")
        parts.append("The last attempt was rejected. Do the whole task again and put right what the feedback names.")
        return "\n\n".join(parts)

    def _best(self) -> T | None:
        usable = [attempt for attempt in self._attempts if attempt.output is not None]
        best = max(usable, key=lambda attempt: (attempt.judgement.passed, attempt.index), default=None)
        return None if best is None else best.output

    def _stopped(self, stop: Stop) -> Supervised[T]:
        state = "escalated" if stop.escalated else "stopped"
        return self._ended(state, self._best(), stopped_by=stop.guard, reason=stop.reason)

    def _ended(
        self,
        state: str,
        output: T | None,
        *,
        accepted_by: str | None = None,
        stopped_by: str | None = None,
        reason: str | None = None,
    ) -> Supervised[T]:
        self._trace.to(state)
        return Supervised(
            output=output,
            finished=accepted_by is not None,
            steps=self._rounds.steps,
            usage=self._rounds.spent,
            stopped_by=stopped_by,
            reason=reason,
            provenance=None if accepted_by is None else self._verified(self._attempts[-1]),
            accepted_by=accepted_by,
            attempts=tuple(self._attempts),
            escalated=state == "escalated",
        )

    def _verified(self, accepted: Attempt[T]) -> Provenance | None:
        """Where the accepted output comes from, and which guards of outputs let it pass: theirs are the last signals."""
        origin, names = accepted.provenance, self._plan.verifiers
        if origin is not None and names:
            for name, signal in zip(names, accepted.judgement.signals[-len(names) :], strict=True):
                origin = origin.confirmed(name, signal.sources)
        return origin
