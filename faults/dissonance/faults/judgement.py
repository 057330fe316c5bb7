"""The family ``judgement``: who judges, judges wrongly, together with the others, or too sure of it.

What a judgement is, and which branch accepts, is read where ``Gullible`` and ``RejectWork`` read it
(``dissonance.harness.choices``). A call that offers no decision is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dissonance.harness.call import Block, Call, Message, Reply
from dissonance.harness.choices import decide
from dissonance.harness.history import CallSent

from .draw import uniform
from .fault import Family, Fault
from .verdicts import accepts, with_confidence

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["FalseAccept", "FalseReject", "Groupthink", "Overconfident"]

_Text = Annotated[str, Field(min_length=1)]


class FalseAccept(Fault):
    """The judge accepts what it would have sent back. ``saying``: what it says about it (None: nothing of its own).

    A judgement that accepts already is left alone.
    """

    family: ClassVar[Family] = "judgement"
    saying: _Text | None = None

    def sentence(self) -> str:
        return "the judge accepts what it would have rejected" + _said(self.saying)

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return _judged(call, reply, True, self.saying)


class FalseReject(Fault):
    """The judge sends back what it would have accepted. ``saying``: its complaint (None: what the choice suggests).

    A judgement that rejects already is left alone; ``RejectWork``, which is about endless retries, is not so particular.
    """

    family: ClassVar[Family] = "judgement"
    saying: _Text | None = None

    def sentence(self) -> str:
        return "the judge rejects what it would have accepted" + _said(self.saying)

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        return _judged(call, reply, False, self.saying)


class Groupthink(Fault):
    """Agents answer alike: in a share ``correlation`` (0 to 1) of the rounds, all say what the first of them said.

    A round is the calls of one ordinal, of all agents that the rule is for, whether at once or in turn.
    Whether one is such a round is drawn by hash of (``seed``, rule, ordinal), once for all of them, so
    that answers which would be independent and equally good are correlated pairwise by exactly this.
    The first answer of such a round sets what the others say: there the rule fires and changes nothing.
    """

    family: ClassVar[Family] = "judgement"
    correlation: Annotated[float, Field(gt=0, le=1)]
    seed: int = 0

    def sentence(self) -> str:
        return f"in {self.correlation:.0%} of the rounds all agents say what the first one said"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if reply.message is None or uniform(self.seed, rule, call.ordinal) >= self.correlation:
            return None
        first = _first_answer(call, past, rule)
        return reply if first is None else reply.with_message(first)


class Overconfident(Fault):
    """The model is surer than it should be: each confidence, probability or score it states is ``confidence`` (0 to 1).

    Stated is what the call's schema has as such a number, in the schema's range, and what a text says
    beside such a word (``confidence: 0.4``, ``40 %``, ``4/10``), on the scale that is used there.
    """

    family: ClassVar[Family] = "judgement"
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.99

    def sentence(self) -> str:
        return f"the model is {self.confidence:.0%} sure of itself"

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        message = None if reply.message is None else with_confidence(reply.message, call, self.confidence)
        return None if message is None else reply.with_message(message)


def _said(saying: str | None) -> str:
    return f", saying {saying!r}" if saying else ""


def _judged(call: Call, reply: Reply, accept: bool, saying: str | None) -> Reply | None:
    if reply.message is None or accepts(reply.message, call) is accept:
        return None
    decided = decide(call, accept=accept, strings=() if saying is None else (saying,))
    return None if decided is None or decided == reply.message else reply.with_message(decided)


def _first_answer(call: Call, past: History, rule: str) -> Message | None:
    """What the first agent of this round answered; None where this is the first, or could not say the same."""
    for firing in past.faults(rule):
        sent = past[firing.call]
        if not isinstance(sent, CallSent) or sent.ordinal != call.ordinal or sent.agent == call.agent:
            continue
        if firing.after is None:
            return None
        body = past.bodies.get(firing.after)
        content = body.get("content") if body.get("type") == "message" else None
        uses = [block["name"] for block in content or () if block.get("type") == "tool_use"]
        if not content or not set(uses) <= set(call.tool_names):
            return None
        said = [_renewed(block) for block in content]
        return Message(content=said, stop_reason="tool_use" if uses else "end_turn")
    return None


def _renewed(block: Block) -> Block:
    """A tool call needs an id of its own each time; the wire gives it."""
    return {**block, "id": ""} if block.get("type") == "tool_use" else block
