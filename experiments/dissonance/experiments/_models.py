"""Models that experiments put around or in place of the harness's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import exp
from statistics import NormalDist

from dissonance.faults.draw import uniform
from dissonance.harness import Call, Reply
from dissonance.harness.call import Json, Model, text_block, text_of, tool_use
from dissonance.harness.history import History

__all__ = ["Counting", "Delegating", "Saying", "Unsteady"]


@dataclass(frozen=True)
class Unsteady:
    """Another model at an unsteady pace: each call's seconds to the first byte are log-normal.

    ``median`` is in virtual seconds, ``spread`` the standard deviation of the logarithm. The draw is a
    hash of (seed, agent, call, attempt), so a run's pace does not depend on what else happens in it.
    """

    inner: Model
    seed: int
    median: float
    spread: float

    def reply(self, call: Call, past: History) -> Reply:
        """The inner model's reply, later or sooner."""
        reply = self.inner.reply(call, past)
        if reply.message is None:
            return reply
        draw = uniform("pace", self.seed, call.agent, call.ordinal, call.attempt)
        return replace(reply, seconds=self.median * exp(self.spread * NormalDist().inv_cdf(draw)))

    def describe(self) -> Json:
        """Its settings and those of the inner model."""
        return {
            "name": "Unsteady",
            "inner": self.inner.describe(),
            "seed": self.seed,
            "median": self.median,
            "spread": self.spread,
        }


@dataclass(frozen=True)
class Counting:
    """Another model that keeps count of its own steps where it is told to, as well as an agent can.

    Told to end replies with ``STEP <n> of N``, it counts its own turns in the conversation before it, for
    it knows of no others, and says so at the end of each reply in text. Structured output has no room for it.
    """

    inner: Model

    def reply(self, call: Call, past: History) -> Reply:
        """The inner model's reply, with its count."""
        reply = self.inner.reply(call, past)
        told = _TOLD.search(call.system_text)
        if told is None or reply.message is None or "output_config" in call.params:
            return reply
        turn = 1 + sum(message.get("role") == "assistant" for message in call.messages)
        line = text_block(f"STEP {turn} of {told.group(1)}")
        content = [block for block in reply.message.content if block.get("type") != "tool_use"]
        tools = [block for block in reply.message.content if block.get("type") == "tool_use"]
        return reply.with_message(replace(reply.message, content=(*content, line, *tools)))

    def describe(self) -> Json:
        """The inner model's settings."""
        return {"name": "Counting", "inner": self.inner.describe()}


_TOLD = re.compile(r"STEP <n> of (\d+)")


@dataclass(frozen=True)
class Saying:
    """A model that gives each agent's fixed text, and ``otherwise`` to all others; it never asks for a tool."""

    texts: Mapping[str, str]
    otherwise: str = "Done."

    def reply(self, call: Call, past: History) -> Reply:
        """The text."""
        return Reply.say(self.texts.get(call.agent, self.otherwise))

    def describe(self) -> Json:
        """The texts."""
        return {"name": "Saying", "texts": dict(self.texts), "otherwise": self.otherwise}


@dataclass(frozen=True)
class Delegating:
    """A model that delegates to as many children as ``children`` says of the task, and answers when they are done.

    Each child's task names its place in the tree: ``t``, ``t.0``, ``t.0.1`` and so on.
    """

    children: Callable[[str], int]
    name: str

    def reply(self, call: Call, past: History) -> Reply:
        """Delegation in the first turn, an answer in the second, or where nothing is offered."""
        if not call.tools or len(call.messages) > 1:
            return Reply.say("Done.")
        task = text_of(call.messages[0].get("content"))
        tool = call.tool_names[0]
        uses = [tool_use(tool, {"task": f"{task}.{child}"}) for child in range(self.children(task))]
        return Reply.use(*uses) if uses else Reply.say("Done.")

    def describe(self) -> Json:
        """Its name, which says the law of its children."""
        return {"name": "Delegating", "children": self.name}
