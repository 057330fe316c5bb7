"""One run of a pattern under its guards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Self

from dissonance.patterns import log
from dissonance.patterns.agent import Agent
from dissonance.patterns.gate import Signal, signal_of
from dissonance.patterns.outcome import NO_USAGE, Usage
from dissonance.patterns.provenance import Provenance
from dissonance.patterns.question import SCOPES, Halted, Question, Scope
from dissonance.patterns.reply import ToolCall
from dissonance.patterns.step import Step, normalised

from .guard import Guard, Refused, Stop, looks_at_calls, looks_at_outputs, looks_at_steps
from .time_box import TimeBox

__all__ = ["Rounds"]


class Rounds(Scope):
    """One run of a pattern under its guards: counts steps and cost, shows them to the guards, logs the stop.

    As a context manager it is the scope of all model calls made inside it. A stop that a guard of this run
    makes there, by refusing a call or by the end of its time, ends the block, and :attr:`stop` says why.

    Every watch sees every step, so none loses count; where several fire at once, the first in the
    order given is the one named.
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._watches = [(guard, guard.start()) for guard in guards if looks_at_steps(guard)]
        self._meters = [(guard.name, guard.meter()) for guard in guards if looks_at_calls(guard)]
        self._verifiers = [guard for guard in guards if looks_at_outputs(guard)]
        boxes = [guard for guard in guards if isinstance(guard, TimeBox)]
        self._box = min(boxes, key=lambda box: box.seconds, default=None)
        self._timeout: asyncio.Timeout | None = None
        self._token: Token[tuple[Scope, ...]] | None = None
        self._used: dict[str, Usage] = {}
        self._found: set[str] = set()
        self.steps = 0
        self.spent = NO_USAGE
        self.stop: Stop | None = None
        self.said: str | None = None

    async def __aenter__(self) -> Self:
        self._token = SCOPES.set((*SCOPES.get(), self))
        if self._box is not None:
            self._timeout = asyncio.timeout(self._box.seconds)
            await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        assert self._token is not None, "a block ends that did not begin"
        SCOPES.reset(self._token)
        try:
            if self._timeout is not None:
                await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            assert self._box is not None
            self._stopped(Stop(self._box.name, self._box.reason), "")
            return True
        if isinstance(error, Halted) and error.scope is self:
            self._stopped(Stop(error.stopped_by, error.reason), error.agent)
            return True
        return False

    def _stopped(self, stop: Stop, agent: str) -> None:
        self.stop = stop
        log.guard_fired(stop.guard, agent, stop.reason, self.steps)

    async def admit(self, question: Question, innermost: bool) -> Question:
        """Show a call to the guards of this run; raises Halted where one refuses it."""
        agent = question.agent
        if innermost and (spent := _budget_spent(agent, self._used.get(agent.name, NO_USAGE))):
            raise Halted(self, *spent, agent.name)
        for number, (name, meter) in enumerate(self._meters):
            try:
                question = await meter.before(question)
            except BaseException as error:
                for _, earlier in self._meters[:number]:
                    earlier.after(question, NO_USAGE, error)
                if isinstance(error, Refused):
                    raise Halted(self, name, str(error), agent.name) from None
                raise
        return question

    def settle(self, question: Question, usage: Usage, error: BaseException | None, text: str | None = None) -> None:
        """Show how a call went to the guards of this run; ``said`` is the last text that anybody in it said."""
        self.said = text or self.said
        name = question.agent.name
        self._used[name] = self._used.get(name, NO_USAGE) + usage
        for _, meter in self._meters:
            meter.after(question, usage, error)

    @property
    def metered(self) -> Usage:
        """The cost of all calls made inside it so far, also of those whose answer nobody got."""
        return sum(self._used.values(), NO_USAGE)

    async def verify(self, task: str, output: Any, provenance: Provenance) -> tuple[Provenance, Stop | None]:
        """Show an output to the guards that verify outputs, up to the first that rejects it; the stop is not logged yet."""
        for guard in self._verifiers:
            signal: Signal = await signal_of(guard.verify, task, output)
            self.spend(signal.usage)
            if not signal.passed:
                return provenance, Stop(guard.name, signal.feedback or "It did not say why.")
            provenance = provenance.confirmed(guard.name, signal.sources)
        return provenance, None

    def reject(self, stop: Stop, agent: str) -> Stop:
        """An output of ``agent`` was rejected, and that ends the run."""
        self._stopped(stop, agent)
        return stop

    def begin(self) -> int:
        """Begin the next step; gives its index."""
        self.steps += 1
        return self.steps

    def spend(self, usage: Usage) -> None:
        """Add to what the run has cost."""
        self.spent += usage

    def found(self, finding: str) -> None:
        """Note something found; what was found before, but for case and white space, counts once."""
        self._found.add(normalised(finding))

    def check(
        self,
        *,
        agent: str,
        action: str,
        task: str,
        output: str,
        calls: tuple[ToolCall, ...] = (),
        passed: int = 0,
        criteria: int = 0,
        depth: int = 0,
    ) -> Stop | None:
        """May the loop go round again after this step? None if it may."""
        step = Step(
            index=self.steps,
            agent=agent,
            action=action,
            task=task,
            output=output,
            calls=calls,
            passed=passed,
            criteria=criteria,
            findings=len(self._found),
            depth=depth,
            spent=self.spent,
        )
        stops = [
            Stop(guard.name, reason, getattr(guard, "escalates", False))
            for guard, watch in self._watches
            if (reason := watch(step)) is not None
        ]
        if not stops:
            return None
        self._stopped(stops[0], agent)
        return stops[0]


def _budget_spent(agent: Agent, used: Usage) -> tuple[str, str] | None:
    """The agent's own budget that is used up, and how far."""
    if agent.call_budget is not None and used.calls >= agent.call_budget:
        return "call_budget", f"{agent.name} has used its {agent.call_budget} calls"
    if agent.token_budget is not None and used.tokens >= agent.token_budget:
        return "token_budget", f"{agent.name} has used {used.tokens} of its {agent.token_budget} tokens"
    return None
