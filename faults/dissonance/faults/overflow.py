"""The family ``context``, first half: a prompt over the window, under the policies that real systems have.

Some refuse such a prompt, some take it and stop early, and most drop part of it without a word. Where
a law is another system's, its name stands beside it; sizes are in the harness's own (estimated) tokens.
What a *server* drops, the model simply does not see. What a *client* drops may leave a conversation
that the API refuses, such as a tool's result without its call: then the API's 400 comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from dissonance.harness.call import Call, Reply
from dissonance.harness.wire.catalog import info
from dissonance.harness.wire.complete import cut_message
from dissonance.harness.wire.table import invalid_request
from dissonance.harness.wire.turns import Refused, check_messages

from . import dropping
from .fault import Family, Fault

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["Overflow", "Policy"]

Policy: TypeAlias = Literal[
    "reject",
    "reject_sum",
    "stop_reason",
    "drop_oldest",
    "drop_oldest_and_system",
    "drop_middle",
    "keep_half",
    "keep_tail",
    "message_window",
    "summarise",
    "clear_tool_results",
]

_KEPT: dict[Policy, int] = {
    "keep_half": 4,
    "keep_tail": 4,
    "message_window": 40,
    "summarise": 20,
    "clear_tool_results": 3,
}
_BY_CLIENT: frozenset[Policy] = frozenset({"drop_oldest_and_system", "drop_middle", "message_window", "summarise"})
_TRIGGER = 100_000
_WORDS: dict[Policy, str] = {
    "reject": "a prompt over {window} is rejected",
    "reject_sum": "a prompt that is over {window} together with max_tokens is rejected",
    "stop_reason": "the answer stops where the window of {window} ends",
    "drop_oldest": "of a prompt over {window} the oldest messages are dropped, the system prompt is not",
    "drop_oldest_and_system": "of a prompt over {window} the system prompt and the oldest messages are dropped",
    "drop_middle": "of a prompt over {window} the messages in the middle are dropped",
    "keep_half": "of a prompt over {window} only the last half of the window is kept",
    "keep_tail": "of a prompt over {window} only the end is kept",
    "message_window": "only the last {keep} messages are kept",
    "summarise": "of a prompt over {window} all but the last {keep} messages are summarised",
    "clear_tool_results": "of a prompt over {window} all but the last {keep} tool results are cleared",
}


class Overflow(Fault):
    """What becomes of a prompt over the window: of ``window`` tokens, or a share (0 to 1) of this very prompt.

    ``window`` None is the model's own window. ``policy``:

    * ``reject``: 400, *prompt is too long* (Claude). ``stop_reason``: so is input alone over the window, but
      input and answer together are not; the answer stops with ``model_context_window_exceeded`` (Claude 4.5
      and later). ``reject_sum``: 400 where input and ``max_tokens`` together are over it (Claude before 4.5).
    * ``drop_oldest``: the oldest messages go until the rest fits; system prompt and last message stay
      (Ollama's chat endpoint).
    * ``drop_oldest_and_system``: the last messages that fit stay, and no system prompt (LangChain's
      ``trim_messages`` by default).
    * ``drop_middle``: the message in the middle goes, again and again, until the rest fits; then a tool's
      result that would come first (AutoGen's ``TokenLimitedChatCompletionContext``).
    * ``keep_half``: the first ``keep`` (4) tokens stay, and as many of the last as make
      ``window - (window - keep) // 2`` in all; from ``window`` tokens on (Ollama's runner, with ``shift``).
    * ``keep_tail``: the same, but as many as make ``window`` (Ollama's older runner).
    * ``message_window``: the last ``keep`` (40, as in Strands) messages stay, whatever their size, without
      a tool's result that would come first (AutoGen's ``BufferedChatCompletionContext``).
    * ``summarise``: all but the last ``keep`` (20) messages become one summary of at most 256 tokens, which
      knows the last 4,000 of theirs; a tool's call and result stay together (LangChain's
      ``SummarizationMiddleware``, LangMem's sizes).
    * ``clear_tool_results``: all but the last ``keep`` (3) tool results become ``[cleared]``; ``window``
      is by default 100,000 (Claude's ``clear_tool_uses_20250919``, off unless asked for).
    """

    family: ClassVar[Family] = "context"
    damages: ClassVar[str | None] = "prompt over the window"
    policy: Policy
    window: int | float | None = None
    keep: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _of_the_policy(self) -> Self:
        whole = isinstance(self.window, int) and self.window >= 1
        share = isinstance(self.window, float) and 0 < self.window < 1
        if self.window is not None and not (whole or share):
            raise ValueError(
                f"window {self.window!r} is neither; give whole tokens from 1 up, or a share between 0 and 1"
            )
        if self.window is not None and self.policy == "message_window":
            raise ValueError("message_window counts messages, not tokens; leave out window and give keep")
        if self.keep is not None and self.policy not in _KEPT:
            raise ValueError(f"keep belongs to {', '.join(_KEPT)}, not to {self.policy!r}; leave it out")
        return self

    def sentence(self) -> str:
        window = "the window"
        if isinstance(self.window, float):
            window = f"{self.window:.0%} of its tokens"
        elif self.window is not None:
            window = f"{self.window:,} tokens"
        return _WORDS[self.policy].format(window=window, keep=self._kept)

    def limit(self, call: Call) -> int:
        """The window of this call, in tokens."""
        if self.window is None:
            return _TRIGGER if self.policy == "clear_tool_results" else info(call.model).window
        return self.window if isinstance(self.window, int) else max(1, int(self.window * call.tokens))

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        window = self.limit(call)
        if self.policy in ("reject", "stop_reason"):
            too_long = call.tokens > window
            return invalid_request(f"prompt is too long: {call.tokens} tokens > {window} maximum") if too_long else None
        if self.policy == "reject_sum":
            return _over_together(call, window)
        seen = self._seen(call, window)
        return seen if seen is None or self.policy not in _BY_CLIENT else _as_sent(seen)

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if self.policy != "stop_reason" or reply.message is None:
            return None
        room = self.limit(call) - call.tokens
        if room < 0:
            return None
        cut = cut_message(reply.message, room, call.model, "model_context_window_exceeded")
        return None if cut is None else reply.with_message(cut)

    @property
    def _kept(self) -> int:
        return _KEPT.get(self.policy, 0) if self.keep is None else self.keep

    def _seen(self, call: Call, window: int) -> Call | None:
        """What the model sees of the call; None where all of it."""
        match self.policy:
            case "message_window":
                return dropping.all_but_last(call, self._kept)
            case "keep_half" if call.tokens >= window:
                keep = min(self._kept, window - 1)
                return dropping.front(call, keep, window - (window - keep) // 2)
            case _ if call.tokens <= window:
                return None
            case "drop_oldest":
                return dropping.oldest(call, window)
            case "drop_oldest_and_system":
                return dropping.oldest_and_system(call, window)
            case "drop_middle":
                return dropping.middle(call, window)
            case "keep_tail":
                return dropping.front(call, min(self._kept, window - 1), window)
            case "summarise":
                return dropping.summarised(call, self._kept)
            case "clear_tool_results":
                return dropping.cleared(call, self._kept)
        return None


def _over_together(call: Call, window: int) -> Reply | None:
    if call.tokens + call.max_tokens <= window:
        return None
    return invalid_request(
        f"input length and `max_tokens` exceed context limit: {call.tokens} + {call.max_tokens} > {window}, "
        "decrease input length or `max_tokens` and try again"
    )


def _as_sent(call: Call) -> Call | Reply:
    """What a client has trimmed is a request like any other: the API refuses it where it is malformed."""
    try:
        check_messages(list(call.messages), strict=False)
    except Refused as refused:
        return invalid_request(str(refused))
    return call
