"""A hierarchy of leads: each hands tasks down to its own people, and sums up for the level above.

**When to use it.** The work falls into domains that differ in kind: in their tools, models, service levels and
risks, so that one set of rules would be wrong for each. **When not.** The workers are alike, however many they are
(``supervise``, ``fan_out``); or you are about to build a third level: keep state better instead.

**What it costs.** Each lead is one call to hand down, and one to sum up; of n leaves under leads of b members there
are (n - 1)/(b - 1) leads. A lead's prompt carries the summaries of its own members and nothing else, so a level
keeps prompts short: that is what it buys. A fact that each level passes on with probability r is left at the top
with r^depth.

**How it fails.** A lead hands down what it was given, or for ever: guards given to ``delegate`` count the steps of
all levels, those of a lead the steps of its branch. A branch that fails is an error in its lead's conversation,
which goes on; :meth:`~.branches.Delegated.failures` says where it began. What is damaged at the top raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from anthropic import APIError, AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from .agent import Agent
from .branches import Branch, Delegated, Lead, Member, name_of
from .concurrent import all_of
from .gate import as_text, signal_of
from .guards import Guard, Rounds, Stop
from .guards.guard import briefed
from .outcome import NO_USAGE, Outcome, Usage
from .pool import worker
from .provenance import Provenance
from .reply import Answer, DamagedReply, ToolCall
from .states import StateMachine
from .tools import result_block

__all__ = ["STATES", "delegate"]

STATES = StateMachine(
    "delegate",
    {
        "leading": ("handing_down", "summing_up", "stopped"),
        "handing_down": ("leading", "stopped"),
        "summing_up": ("leading", "done", "failed", "stopped"),
        "done": (),
        "failed": (),
        "stopped": (),
    },
)
"""Of each lead; the levels are such machines inside ``handing_down``."""


def delegate(
    client: AsyncAnthropic, top: Lead, *, guards: Sequence[Guard] = (), max_depth: int | None = 3
) -> _Hierarchy:
    """A pattern in which ``top`` does the task with its members, and they with theirs.

    * ``guards`` hold for the whole tree. A finding, for the progress guard, is a result of a member that differs
      from all before. Stopped, its output is the last result of a member, if any.
    * ``max_depth`` (from 1): the deepest level that may work, the top being 0; a lead that stands there has nobody
      to hand down to. None: there is no limit, which only makes sense with ``recursive`` and guards.

    Raises ValueError for a tree that is deeper than ``max_depth``.
    """
    if max_depth is not None and not 1 <= top.levels <= max_depth:
        raise ValueError(f"max_depth={max_depth!r}: {top.agent.name!r} has {top.levels} levels below it")
    return _Hierarchy(client, top, tuple(guards), max_depth)


class _Stopped(Exception):
    """A guard stopped a whole branch, from somewhere inside it."""

    def __init__(self, rounds: Rounds, stop: Stop) -> None:
        self.rounds = rounds
        self.stop = stop


@dataclass(frozen=True)
class _Hierarchy:
    client: AsyncAnthropic
    top: Lead
    guards: tuple[Guard, ...]
    max_depth: int | None

    async def __call__(self, task: str) -> Delegated:
        """Do the task."""
        tree = Rounds((*self.guards, *self.top.guards))
        done = await _Desk(self, self.top, task, 0, (), tree).work()
        return replace(done, steps=tree.steps, usage=tree.spent)


class _Desk:
    """A lead at work on one task. ``books`` are the rounds in which its steps and costs count: its own and those above."""

    def __init__(
        self, plan: _Hierarchy, lead: Lead, task: str, depth: int, above: tuple[Rounds, ...], own: Rounds | None
    ) -> None:
        self._plan = plan
        self._lead = lead
        self._task = task
        self._depth = depth
        self._own = own
        self._books = above if own is None else (*above, own)
        self._agent = briefed(lead.agent, (*plan.guards, *lead.guards))
        self._members = self._below()
        self._slots = asyncio.Semaphore(lead.at_once)
        self._messages: list[MessageParam] = [{"role": "user", "content": task}]
        self._branches: list[Branch] = []
        self._latest: str | None = None
        self._said: str | None = None
        self._turns = 0
        self._spent = NO_USAGE
        self._deepest = 0
        self._trace = STATES.trace()

    def _below(self) -> dict[str, Member]:
        if self._plan.max_depth is not None and self._depth >= self._plan.max_depth:
            return {}
        members = (*self._lead.members, *([self._lead] if self._lead.recursive else ()))
        return {f"delegate_to_{name_of(member)}": member for member in members}

    async def work(self) -> Delegated:
        """The task, to its end or to where a guard of this lead stops it. One from above is passed on."""
        stop: Stop | None = None
        try:
            async with self._own if self._own is not None else nullcontext():
                return await self._lead_on()
            assert self._own is not None  # only its guards end the block without an outcome
            stop = self._own.stop
        except _Stopped as stopped:
            if stopped.rounds is not self._own:
                raise
            stop = stopped.stop
        assert stop is not None
        self._trace.to("stopped")
        best = self._said if self._latest is None else self._latest
        return self._ended(best, stopped_by=stop.guard, reason=stop.reason)

    async def _lead_on(self) -> Delegated:
        offer = [_offer(name, member) for name, member in self._members.items()]
        corrected = False
        while True:
            answer = await self._agent.ask(self._plan.client, self._messages, tools=offer)
            self._messages = [*answer.asked, answer.turn]
            self._said = answer.text or self._said
            self._spend(answer.usage)
            if answer.calls:
                self._check(answer)
                self._trace.to("handing_down")
                results = await all_of(self._result(call) for call in answer.calls)
                self._messages.append({"role": "user", "content": results})
                self._trace.to("leading")
                continue
            self._trace.to("summing_up")
            failed = await self._failed(answer.text)
            if not failed:
                self._trace.to("done")
                return self._ended(answer.text, finished=True)
            if corrected:
                self._trace.to("failed")
                return self._ended(answer.text, reason=f"its summary fails its checks: {failed}")
            corrected = True
            self._messages.append({"role": "user", "content": f"Put this right in your summary:\n{failed}"})
            self._trace.to("leading")

    def _check(self, answer: Answer[None]) -> None:
        """Count a turn that hands down, here and above; raises _Stopped where a guard stops at it."""
        self._turns += 1
        for rounds in self._books:
            rounds.begin()
            stop = rounds.check(
                agent=answer.agent,
                action="delegate",
                task=self._task,
                output=answer.text,
                calls=answer.calls,
                depth=self._depth,
            )
            if stop is not None:
                raise _Stopped(rounds, stop)

    async def _failed(self, summary: str) -> str:
        signals = [await signal_of(check, self._task, summary) for check in self._lead.checks]
        return "\n".join(signal.feedback or "A check failed." for signal in signals if not signal.passed)

    async def _result(self, call: ToolCall) -> ToolResultBlockParam:
        member, task = self._members.get(call.name), call.arguments.get("task")
        if member is None or not isinstance(task, str) or not task.strip():
            known = " or ".join(self._members)
            return result_block(call, f"Refused: call {known} with a task in words.", error=True)
        async with self._slots:
            outcome = await self._done(member, task)
        self._branches.append(Branch(to=name_of(member), task=task, outcome=outcome))
        if outcome.finished:
            self._latest = as_text(outcome.output)
            for rounds in self._books:
                rounds.found(self._latest)
            return result_block(call, self._latest)
        best = "" if outcome.output is None else f" What there is, unfinished:\n{as_text(outcome.output)}"
        return result_block(call, f"The {name_of(member)} did not finish: {outcome.reason}.{best}", error=True)

    async def _done(self, member: Member, task: str) -> Outcome[Any]:
        """What a member makes of a task. Its errors stay inside the branch."""
        try:
            if isinstance(member, Lead):
                return await self._below_me(member, task)
            hand = worker(self._plan.client, member) if isinstance(member, Agent) else member
            outcome: Outcome[Any] = await hand.work(task)
        except DamagedReply as damage:
            outcome = Outcome(output=None, finished=False, steps=0, usage=damage.usage, reason=str(damage))
        except APIError as error:
            reason = f"{type(error).__name__}: {error}"
            return Outcome(output=None, finished=False, steps=0, usage=NO_USAGE, reason=reason)
        self._deepest = max(self._deepest, 1)
        self._spend(outcome.usage)
        return outcome

    async def _below_me(self, lead: Lead, task: str) -> Delegated:
        owns = bool(lead.guards) or lead.agent.call_budget is not None or lead.agent.token_budget is not None
        desk = _Desk(self._plan, lead, task, self._depth + 1, self._books, Rounds(lead.guards) if owns else None)
        try:
            return await desk.work()
        finally:
            self._deepest = max(self._deepest, desk._deepest + 1)
            self._latest = desk._latest or self._latest
            self._spent += desk._spent

    def _spend(self, usage: Usage) -> None:
        self._spent += usage
        for rounds in self._books:
            rounds.spend(usage)

    def _ended(
        self,
        output: str | None,
        *,
        finished: bool = False,
        stopped_by: str | None = None,
        reason: str | None = None,
    ) -> Delegated:
        upstream = tuple(b.outcome.provenance for b in self._branches if b.outcome.provenance is not None)
        return Delegated(
            output=output,
            finished=finished,
            steps=self._turns + sum(branch.outcome.steps for branch in self._branches),
            usage=self._spent,
            stopped_by=stopped_by,
            reason=reason,
            provenance=Provenance(by=self._agent.name, upstream=upstream),
            depth=self._deepest,
            branches=tuple(self._branches),
        )


def _offer(name: str, member: Member) -> ToolParam:
    domain = f", who is for {member.domain}" if isinstance(member, Lead) and member.domain else ""
    return {
        "name": name,
        "description": f"Have a sub-task done by the {name_of(member)}{domain}. It knows nothing but what you write.",
        "input_schema": {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]},
    }
