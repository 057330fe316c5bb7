"""Asking a human and hearing the answer, by whichever door it comes: the human asked here, or the store."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import log
from .human import Human, HumanAnswer, HumanRequest
from .notify import Notifier

if TYPE_CHECKING:
    from .store import Ask, Store, Submitted

__all__ = ["Hearing"]

_GROWTH = 1.1
"""Of the pauses between two looks at the store: an answer there is heard within a tenth of the time that it took."""


@dataclass(frozen=True)
class Hearing:
    """What one gate asks. Without a ``human`` it does not wait: answers come through the store, some other time."""

    store: Store
    gate: str
    notify: Notifier
    human: Human | None

    async def decide(self, run: str, request: HumanRequest, default: HumanAnswer) -> HumanAnswer | None:
        """The answer that counts; None while there is none and nobody to wait for.

        Asked again, after a crash for one, it goes on with the ask that is there and its deadline.
        """
        answered = asyncio.Event()

        async def submit(answer: Any) -> Submitted:
            submitted = self._submit(request.id, answer)
            answered.set()
            return submitted

        ask = self.store.ask(run, request, default)
        decision = self.store.decision(request.id)
        if decision is None:
            if not ask.notified:
                log.asked(self.gate, request)
                await self._tell(request)
            if self.human is None:
                return None
            decision = await self._hear(self.human, replace(request, submit=submit), ask, answered)
        if not answered.is_set():  # it is the default, or came by another process
            log.answered(self.gate, request.id, decision, counts=True)
        return decision

    async def _tell(self, request: HumanRequest) -> None:
        told = self.notify(request)
        if inspect.isawaitable(told):
            await told
        self.store.notified(request.id)

    async def _hear(self, human: Human, request: HumanRequest, ask: Ask, answered: asyncio.Event) -> HumanAnswer:
        asking = asyncio.ensure_future(_put(human, request))
        waiting = asyncio.ensure_future(answered.wait())
        pause = 1.0
        try:
            while (decision := self.store.decision(request.id)) is None:
                left = self.store.seconds_left(ask)
                seconds = pause if left is None else min(pause, max(left, 0.001))
                await asyncio.wait((asking, waiting), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    asking.result()  # raises what the human raised
                pause *= _GROWTH
            return decision
        finally:
            asking.cancel()
            waiting.cancel()
            await asyncio.gather(asking, waiting, return_exceptions=True)

    def _submit(self, ask: str, answer: Any) -> Submitted:
        said = HumanAnswer.model_validate(answer, from_attributes=True)
        submitted = self.store.answer(ask, said)
        log.answered(self.gate, ask, said, counts=submitted.counts)
        return submitted


async def _put(human: Human, request: HumanRequest) -> None:
    """Ask, and submit the answer in the same breath, so that no other gets between."""
    assert request.submit is not None
    await request.submit(await human.ask(request))
