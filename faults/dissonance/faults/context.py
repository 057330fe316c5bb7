"""The family ``context``, second half: states that are as large as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dissonance.harness.call import Call, Reply, text_of
from dissonance.harness.wire.complete import output_limit
from dissonance.harness.wire.estimate import count_text, uncorrected

from .fault import Family, Fault
from .results import Sticking, altered_results, new_results
from .states import Needle, grown
from .texts import change_text

if TYPE_CHECKING:
    from dissonance.harness.history import History

__all__ = ["InflateState"]


class InflateState(Sticking, Fault):
    """What the workflow holds grows to ``tokens`` tokens (estimated; within one), with prose of the project's own.

    ``through``: where the prose enters, behind what is there already.

    * ``task``: the task that the workflow is given (its longest text), before any call. So the workflow
      itself holds it, and its own ledger counts it; a rule of this kind has no ``at`` and no ``when``.
    * ``reply``: the text that the model answers, as far as ``max_tokens`` has room; the workflow holds it
      from then on.
    * ``tool_result``: the newest tool results, in this call and wherever the client sends them again. The
      workflow's own copy stays as it was: only what the model is billed for (``usage``) shows it.

    ``needles`` are what must not be lost, at depths (0 to 1) of the prose. ``seed`` gives other prose.
    ``model`` is whose tokens are counted in a task; elsewhere it is the call's. What has the size
    already is left alone.
    """

    family: ClassVar[Family] = "context"
    tokens: Annotated[int, Field(ge=1, le=2_000_000)]
    through: Literal["task", "tool_result", "reply"] = "task"
    needles: Annotated[tuple[Needle, ...], Field(strict=False)] = ()
    seed: int = 0
    model: Annotated[str, Field(min_length=1)] = "claude-sonnet-5-5"

    def sentence(self) -> str:
        what = {"task": "the task", "tool_result": "each new tool result", "reply": "the reply"}[self.through]
        needles = f", with {len(self.needles)} needles" if self.needles else ""
        return f"{what} grows to {self.tokens:,} tokens{needles}"

    @property
    def of_task(self) -> bool:
        return self.through == "task"

    def on_task(self, task: Any, rule: str) -> Any | None:
        longest = max(_texts(task), key=len, default=None)
        if longest is None:
            return None
        text = self._grown(longest, self.tokens, self.model)
        return None if text is None else _with_text(task, longest, text)

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        if self.through != "tool_result":
            return None
        changes = {}
        for result in new_results(call):
            text = self._grown(text_of(result.block.get("content")), self.tokens, call.model)
            if text is not None:
                changes[result.id] = {**result.block, "content": text}
        return altered_results(call, past, rule, changes)

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        if self.through != "reply" or reply.message is None:
            return None
        limit, _ = output_limit(call)
        room = min(self.tokens, limit - 2)
        message = change_text(reply.message, call, lambda text: self._grown(text, room, call.model) or text)
        return None if message is None or message == reply.message else reply.with_message(message)

    def _grown(self, text: str, tokens: int, model: str) -> str | None:
        """The text with prose behind it; None where it has the size already."""
        if count_text(text, model) >= tokens:
            return None
        return _grown(text, uncorrected(tokens, model), self.needles, self.seed)


@lru_cache(maxsize=8)
def _grown(text: str, size: int, needles: tuple[Needle, ...], seed: int) -> str:
    """As ``grown``: the runs of a search have the same task, which is to grow by the same prose."""
    return grown(text, size, needles, seed)


def _texts(task: Any) -> list[str]:
    """The strings of a task, at whatever depth."""
    if isinstance(task, str):
        return [task]
    if isinstance(task, Mapping):
        return [text for value in task.values() for text in _texts(value)]
    return [text for value in task for text in _texts(value)] if type(task) in (list, tuple) else []


def _with_text(task: Any, old: str, new: str) -> Any:
    """The task with one text in another's place."""
    if isinstance(task, str):
        return new if task == old else task
    if isinstance(task, Mapping):
        return {key: _with_text(value, old, new) for key, value in task.items()}
    if type(task) in (list, tuple):
        return type(task)(_with_text(value, old, new) for value in task)
    return task
