"""The token ledger: the context is compacted before the window is full, and what must stay is proved to be there.

* Use it where a conversation or a state grows: tool loops, hand-overs, prompts that carry other agents' outputs.
  What overflows is else refused by the API, or silently cut by whatever stands in between.
* It costs nothing while the request is far from the limit. It knows the size from the request's bytes (a token has
  at least one), then from the last reply's ``usage``, then from ``count_tokens``; it has no tokenizer of its own,
  which would be wrong by 20 to 50 %. A compaction costs a call of ``compactor`` for each piece of the old text.
* A summary loses what it leaves out. What must not be lost is ``pinned``: put back word for word, and looked for
  in the request that is sent. Where it would not fit even so, the call is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from anthropic.types import MessageParam

from dissonance.patterns import log
from dissonance.patterns.agent import Agent
from dissonance.patterns.outcome import Usage
from dissonance.patterns.question import Question
from dissonance.patterns.reply import DamagedReply
from dissonance.patterns.step import normalised

from .compaction import Compaction, text_of
from .guard import CallGuard, Meter, Refused

__all__ = ["COMPACTOR", "TokenLedger"]

COMPACTOR = Agent(
    "compactor",
    "You shorten the record of a piece of work for the agent that goes on with it. Keep every number, name, date, "
    "decision and open question, and who said it. Leave out what is repeated. Add nothing.",
    max_tokens=2048,
)
"""A compactor for general use."""


@dataclass(frozen=True, slots=True)
class TokenLedger(CallGuard):
    """Keeps each request within ``at`` (0 to 1) of what a ``window`` of tokens leaves beside the reply.

    * ``pinned``: instructions and facts that every compacted request holds word for word (white space and case apart).
    * ``keep``: so many of the last messages are never compacted, as far as tool calls and results stay together.
    * ``compactor``: who summarises the rest; None: nothing is compacted, and a request that is too long is refused.
    """

    window: int
    pinned: tuple[str, ...] = ()
    compactor: Agent | None = COMPACTOR
    at: float = 0.8
    keep: int = 4
    name: str = "token_ledger"

    def __post_init__(self) -> None:
        if not 0 < self.at <= 1:
            raise ValueError(f"at={self.at!r}: give a share of the window, above 0 and up to 1")
        if self.keep < 0:
            raise ValueError(f"keep={self.keep!r}: give 0 or more messages")
        if self.compactor is not None and self.window <= self.compactor.max_tokens + 4000:
            raise ValueError(
                f"window={self.window!r}: the compactor needs {self.compactor.max_tokens + 4000} tokens for itself; "
                "give the model's real window"
            )

    def meter(self) -> Meter:
        """A fresh ledger for one run."""
        return _Ledger(self)


class _Ledger(Meter):
    def __init__(self, spec: TokenLedger) -> None:
        self._spec = spec
        self._last: dict[str, tuple[tuple[MessageParam, ...], int]] = {}

    async def before(self, question: Question) -> Question:
        if question.agent == self._spec.compactor:
            return question
        limit = int(self._spec.at * (self._spec.window - question.agent.max_tokens))
        if min(question.at_most(), self._by_usage(question)) <= limit:
            return question
        counted = await question.tokens()
        if counted <= limit:
            return question
        if self._spec.compactor is None:
            raise Refused(f"{question.agent.name}'s request has {counted} tokens where {limit} are allowed")
        return await self._compacted(question, self._spec.compactor, counted, limit)

    def after(self, question: Question, usage: Usage, error: BaseException | None) -> None:
        if error is None:
            self._last[question.agent.name] = (question.messages, usage.tokens)

    def _by_usage(self, question: Question) -> int:
        """A bound by the last reply: its input and output, and the bytes of what has come since, its own turn too."""
        messages, tokens = self._last.get(question.agent.name, ((), 0))
        if not messages or question.messages[: len(messages)] != messages:
            return question.at_most()
        return tokens + question.at_most(question.messages[len(messages) :])

    async def _compacted(self, question: Question, compactor: Agent, counted: int, limit: int) -> Question:
        room = self._spec.window - compactor.max_tokens - 4000  # its own instructions and the pinned text's frame
        compaction = Compaction(compactor, self._spec.pinned, self._spec.keep, room)
        try:
            messages, usage = await compaction.of(question, limit)
        except DamagedReply as damage:
            raise Refused(f"the context could not be compacted: {damage}") from damage
        shorter = replace(question, messages=messages, spent=question.spent + usage)
        self._prove(shorter)
        now = await shorter.tokens()
        if now > limit:
            raise Refused(f"{question.agent.name}'s request has {now} tokens even when compacted, {limit} are allowed")
        log.compacted(question.agent.name, counted, now, len(self._spec.pinned))
        return shorter

    def _prove(self, question: Question) -> None:
        """Look for all that is pinned in the very request that is going to be sent."""
        sent = normalised(question.agent.system + "\n" + text_of(question.messages))
        lost = [each for each in self._spec.pinned if normalised(each) not in sent]
        if lost:
            raise Refused(f"compacting would lose what is pinned: {lost!r}")
