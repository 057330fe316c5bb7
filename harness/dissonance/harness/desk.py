"""One run's human: takes what the workflow asks, lets the faults interfere, and records all of it.

The workflow gets a :class:`Desk` in the human's place. All answers to a request are decided first, as data
with their times; then they are performed on virtual time: the first is what ``ask()`` returns, the others
go through the request's ``submit()``, also when the workflow has ended meanwhile, as a second click would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_jsonable_python

from .agents import current_agent
from .history import Answered, Asked, FaultFired, GuardFired, canonical
from .human import After, Ask, Seen, ask_of, never
from .moment import AnswerInterceptor, Moment
from .process import Process

if TYPE_CHECKING:
    from .exchange import FaultCount
    from .recorder import Recorder

__all__ = ["Desk"]


class _Fired(NamedTuple):
    """A rule that fired: the place of the first answer that differs, and when it was to come without (None: never)."""

    rule: str
    place: int
    without: float | None


class Desk:
    """Stands between a workflow and its human, whose other attributes it lends."""

    def __init__(
        self,
        human: Any,
        rules: Sequence[object],
        recorder: Recorder,
        counts: Mapping[str, FaultCount],
        process: Process,
    ) -> None:
        self._human = human
        self._rules = [rule for rule in rules if isinstance(rule, AnswerInterceptor)]
        self._recorder = recorder
        self._counts = counts
        self._process = process
        self._seen = Seen()
        self._later: list[asyncio.Task[None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._human, name)

    async def ask(self, request: Any) -> Any:
        """The human's first answer, as the faults leave it."""
        ask = ask_of(request, *self._seen.place(request))
        moment = self._asked(ask)
        self._process.reach(moment, "ask")
        began = self._process.world.now
        answers, fired = self._altered(moment, await self._plain(ask, request))
        first = answers[0].seconds if answers else None
        try:
            if first is None:
                await never()
            else:
                await asyncio.sleep(began + first - self._process.world.now)
        except BaseException:
            self._given_up(fired, self._process.world.now - began)
            raise
        self._given(ask, answers[0].answer, 0, fired)
        if answers[1:] and hasattr(request, "submit"):
            self._later.append(asyncio.create_task(self._submit(ask, request, answers, fired, began)))
        return answers[0].answer

    async def drain(self) -> None:
        """Wait until all answers are given: a human does not know that the workflow has ended."""
        while self._later:
            await asyncio.wait([self._later.pop(0)])

    def forget(self) -> None:
        """The process has died: whoever was to hear the answers is gone."""
        self._later.clear()

    # --- the answers ------------------------------------------------------------------------

    async def _plain(self, ask: Ask, request: Any) -> Sequence[After]:
        respond = getattr(self._human, "respond", None)
        if callable(respond):
            answers: Sequence[After] = respond(ask)
            return answers
        began = self._process.world.now
        answer = await self._human.ask(request)
        return (After(self._process.world.now - began, answer),)

    def _altered(self, moment: Moment, answers: Sequence[After]) -> tuple[Sequence[After], list[_Fired]]:
        fired: list[_Fired] = []
        for rule in self._rules:
            altered = rule.on_answers(moment, answers, self._recorder.history)
            if altered is not None:
                fired.append(self._record(rule, moment, answers, altered))
                answers = altered
        return answers, fired

    async def _submit(
        self, ask: Ask, request: Any, answers: Sequence[After], fired: Sequence[_Fired], began: float
    ) -> None:
        for place, (seconds, answer) in enumerate(answers[1:], 1):
            await asyncio.sleep(began + seconds - self._process.world.now)
            self._given(ask, answer, place, fired)
            try:
                await request.submit(answer)
            except Exception as error:  # a door that refuses a second answer is what one hopes for
                reason = f"answer {place + 1} to {ask.id!r} was refused: {type(error).__name__}: {error}"
                self._recorder.add(GuardFired, agent=current_agent(), guard="submit", reason=reason, data={})

    # --- the record -------------------------------------------------------------------------

    def _asked(self, ask: Ask) -> Moment:
        data = to_jsonable_python(asdict(ask), fallback=str)
        event = self._logged(ask) or self._recorder.add(Asked, agent=current_agent(), data=data)
        return Moment(
            kind="ask",
            id=event.id,
            agent=event.agent or "",
            ordinal=ask.ordinal,
            attempt=ask.attempt,
            sent_at=event.at,
            text=f"{ask.summary}\n{ask.reason}\n{canonical(data['action']).decode()}",
            data=data,
        )

    def _logged(self, ask: Ask) -> Asked | None:
        """The event of a pattern that has just said that it asks this."""
        last = self._recorder.history[-1]
        return last if isinstance(last, Asked) and last.data.get("id") == ask.id else None

    def _given(self, ask: Ask, answer: Any, place: int, fired: Sequence[_Fired]) -> None:
        """An answer has come: the ``place``-th (from 0) to this request."""
        told = {name: getattr(answer, name, None) for name in ("decision", "value", "comment", "by")}
        data = {"id": ask.id, **to_jsonable_python(told, fallback=str), "nth": place + 1}
        self._recorder.add(Answered, agent=current_agent(), data=data)
        for each in fired:
            self._counts[each.rule].reached += each.place == place

    def _record(
        self, rule: AnswerInterceptor, moment: Moment, before: Sequence[After], after: Sequence[After]
    ) -> _Fired:
        place = next(_differences(before, after), None)
        count = self._counts[rule.id]
        count.fired += 1
        count.changed += place is not None
        mark = rule.mark(moment)
        bodies = self._recorder.bodies
        self._recorder.add(
            FaultFired,
            agent=moment.agent,
            rule=rule.id,
            fault=mark.fault,
            call=moment.id,
            side="reply",
            changed=place is not None,
            before=bodies.put(_told(before)),
            after=bodies.put(_told(after)),
            ends_at=mark.ends_at,
            damages=mark.damages,
        )
        without = before[place].seconds if place is not None and place < len(before) else None
        return _Fired(rule.id, -1 if place is None else place, without)

    def _given_up(self, fired: Sequence[_Fired], waited: float) -> None:
        """The workflow waits no longer, or the run has ended while it did; it has felt what made it wait for longer."""
        ended = self._process.world.ending is not None
        for each in fired:
            longer = each.without is not None and (ended or waited > each.without)
            self._counts[each.rule].reached += each.place == 0 and longer


def _differences(before: Sequence[After], after: Sequence[After]) -> Iterator[int]:
    for place in range(max(len(before), len(after))):
        if before[place : place + 1] != after[place : place + 1]:
            yield place


def _told(answers: Sequence[After]) -> list[Any]:
    return [{"seconds": each.seconds, "answer": to_jsonable_python(each.answer, fallback=str)} for each in answers]
