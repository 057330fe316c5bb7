"""The places of a run that are no calls, and who may interfere there: the human's answers, the process's end, the tools.

A :class:`Moment` is to these what a :class:`~.call.Call` is to the wire: what a rule is matched with.
The hooks are pure and optional; an interceptor without them leaves humans, processes and tools alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from .call import Call, FaultMark, JsonObject

if TYPE_CHECKING:
    from .history import History
    from .human import After

__all__ = ["AnswerInterceptor", "CrashInterceptor", "Moment", "Place", "ToolFailure", "ToolInterceptor"]

Place: TypeAlias = Literal["call", "reply", "checkpoint", "action", "ask", "pause"]
"""Where a process may die: a call is under way, its reply has arrived, a state was saved, an action has
taken effect, a human was asked, or the workflow has ended as paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A checkpoint, an action, a request to the human, a pause, or a tool's use; ``id`` is that of its event.

    ``ordinal`` (from 1) counts those of its kind over the whole run, whoever the agent is; a request that
    is asked again under the same id keeps its ordinal, and differs in ``attempt``. ``text`` is all that it says.
    A use of ``tool`` has no event, and its ordinal counts the agent's uses of that tool.
    """

    kind: Literal["ask", "checkpoint", "action", "pause", "tool"]
    id: int
    agent: str = ""
    ordinal: int = 1
    attempt: int = 1
    sent_at: float = 0.0
    text: str = ""
    data: JsonObject = field(default_factory=dict)
    tool: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFailure:
    """How a tool fails: after ``seconds`` of virtual time, with ``message``; ``timed_out`` as a ``TimeoutError``."""

    message: str
    seconds: float = 0.0
    timed_out: bool = False

    def error(self) -> Exception:
        """What the tool raises."""
        return TimeoutError(self.message) if self.timed_out else RuntimeError(self.message)


@runtime_checkable
class AnswerInterceptor(Protocol):
    """An interceptor that also knows the human."""

    @property
    def id(self) -> str: ...

    def mark(self, call: Call | Moment) -> FaultMark: ...

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History) -> Sequence[After] | None:
        """Other answers, in the order of their times (none: nobody ever answers), or None: did not fire."""
        ...


@runtime_checkable
class CrashInterceptor(Protocol):
    """An interceptor that also ends the process."""

    @property
    def id(self) -> str: ...

    def mark(self, call: Call | Moment) -> FaultMark: ...

    def dies_at(self, slot: Call | Moment, place: Place, past: History) -> float | None:
        """The process dies here, and is started again after so many virtual seconds; None: it lives on."""
        ...


@runtime_checkable
class ToolInterceptor(Protocol):
    """An interceptor that also strikes the workflow's own tools."""

    @property
    def id(self) -> str: ...

    def mark(self, call: Call | Moment) -> FaultMark: ...

    def on_tool(self, use: Moment, past: History) -> ToolFailure | None:
        """How this use of a tool fails, or None: did not fire."""
        ...
