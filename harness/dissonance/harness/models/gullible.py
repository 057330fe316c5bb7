"""The default model: :class:`Gullible` believes what it reads, passes it on, and finishes as soon as it can.

It is extractive: what it says are sentences of its prompt, so where a claim went can be read off,
and a workflow's cascade depth under it is the upper bound that the architecture allows. Its rules
were found by running real workflows: each of them ends, without a fault, after the calls that one
would expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dissonance.harness.call import Call, Json, JsonObject, Message, Pace, Reply, text_block
from dissonance.harness.choices import answer, choices, forced_tool, last_user_text, tool_message
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History

from .elaborate import elaborated
from .fit import fitted
from .outputs import outputs, repeats, stands_in, task_text
from .reading import carried
from .tooling import next_tools

__all__ = ["Gullible", "saying"]

_PATIENCE = 8
"""After so many calls an agent finishes, whether or not it can see that anything was done."""

_NOTHING = "Nothing to add."
_FINAL = "Thought: I now can give a great answer\nFinal Answer: "
"""What prompts of the ReAct kind (CrewAI's among them) ask to stand before the answer."""


@dataclass(frozen=True)
class Gullible:
    """Carries each claim of its prompt on, and takes the accepting or finishing branch once it can.

    * Text: each claim of the prompt once, those with numbers, names and dates first, as many as
      ``max_tokens`` has room for. What only the agent itself has said in this conversation is no claim.
      Free strings of tool arguments and structured output carry the claims too.
    * Tools: a forced one; else each offered one once in each turn of the user, one at a time (all at once
      where the system prompt speaks of parallel use), those that hand over after the others, those that
      finish last. A hand-off is used once for a task, and never back to whom handed over before.
    * Decisions (see :mod:`dissonance.harness.choices`): a verdict accepts; a choice between going on and
      finishing finishes once somebody's work is before it, or once nothing changes between its calls.

    ``elaborate``: how many derived claims are added to each sentence that has a claim planted by a fault.
    """

    pace: Pace = field(default_factory=Pace)
    elaborate: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.pace, Pace):
            raise BadInput(f"Gullible(pace={self.pace!r}): give Pace(first_byte=…, tokens_per_second=…).")
        if isinstance(self.elaborate, bool) or not isinstance(self.elaborate, int) or self.elaborate < 0:
            raise BadInput(f"Gullible(elaborate={self.elaborate!r}): give a whole number of claims, 0 or more.")

    def reply(self, call: Call, past: History) -> Reply:
        """What it says to this call."""
        strings = carried(call)
        if self.elaborate:
            strings = elaborated(strings, past, self.elaborate)
        return saying(strings, call, past, self.pace)

    def describe(self) -> Json:
        """Its settings."""
        pace = {"first_byte": self.pace.first_byte, "tokens_per_second": self.pace.tokens_per_second}
        return {"name": "Gullible", "pace": pace, "elaborate": self.elaborate}


def saying(strings: Sequence[str], call: Call, past: History, pace: Pace) -> Reply:
    """The reply to this call that carries these claims; it decides and uses tools as ``Gullible`` does."""
    message = _after_prefill(_said(call, past, strings), call)
    return Reply(body=message, seconds=pace.first_byte, tokens_per_second=pace.tokens_per_second)


def _said(call: Call, past: History, strings: Sequence[str]) -> Message:
    accept = _accepts(call, past)
    forced = forced_tool(call)
    tools = [forced] if forced is not None else next_tools(call, past, accept)
    if tools:
        return fitted(lambda some: _asked(tools, some, accept), strings, call)
    decided = answer(call, accept=accept)
    if decided is not None:
        return fitted(lambda some: answer(call, accept=accept, strings=some) or decided, strings, call)
    opening = _FINAL if "Final Answer:" in call.system_text + last_user_text(call) else ""
    return fitted(lambda some: _text(some, opening), strings, call)


def _asked(tools: Sequence[JsonObject], strings: Sequence[str], accept: bool) -> Message:
    content = [block for tool in tools for block in tool_message(tool, strings, accept).content]
    return Message(tuple(content), "tool_use")


def _text(strings: Sequence[str], opening: str) -> Message:
    return Message((text_block(opening + ("\n".join(strings) or _NOTHING)),))


def _accepts(call: Call, past: History) -> bool:
    """Whether it takes the accepting or finishing branch of the decision, if the call offers one."""
    choice = next((each for each in choices(call) if each.decides), None)
    return choice is None or choice.verdict or _work_is_before(call, past)


def _work_is_before(call: Call, past: History) -> bool:
    if call.ordinal > _PATIENCE or any(_is_work(message) for message in call.messages):
        return True
    task = task_text(past) if call.ordinal == 1 else ""
    return any(stands_in(output, call.text, task) for output in outputs(past)) or repeats(call, past)


def _is_work(message: JsonObject) -> bool:
    """Whether it is a line of the conversation's assistant or brings the result of a tool."""
    if message.get("role") == "assistant":
        return True
    content = message.get("content")
    return not isinstance(content, str) and any(block.get("type") == "tool_result" for block in content or ())


def _after_prefill(message: Message, call: Call) -> Message:
    """Where the request ends with the beginning of the answer, what comes after it."""
    last = call.messages[-1] if call.messages else {}
    start, text = last.get("content"), message.content[0].get("text")
    if last.get("role") != "assistant" or not isinstance(start, str) or not isinstance(text, str):
        return message
    rest = text.removeprefix(start.rstrip())
    return replace(message, content=(text_block(rest or text), *message.content[1:]))
