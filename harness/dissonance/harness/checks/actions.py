"""What agents asked for, what was asked of a human, and what was done: :func:`actions_of`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissonance.harness.call import blocks_of
from dissonance.harness.history import Answered, Asked, CallSent, canonical

from .reading import good, strings_of

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Action", "actions_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action.

    ``value`` is what was to be done, as JSON: of a tool call ``{"name": …, "input": …}``. ``proposed`` is
    the event of the reply or the ask that brought it up. ``asked`` is the ask that put it before a human
    before it was done, None where none did; ``decision`` the human's (None: there was none). ``done`` is
    the call that brought its result back, None where none did.
    """

    value: Any
    agent: str | None
    proposed: int
    asked: int | None
    decision: str | None
    done: int | None

    @property
    def approved(self) -> bool:
        """Whether a human let it be done."""
        return self.decision in ("approve", "edit")

    @property
    def key(self) -> bytes:
        """The same for the same action."""
        return canonical(self.value)

    def __str__(self) -> str:
        name = self.value.get("name") if isinstance(self.value, Mapping) else None
        return f"{name or self.value!r}{f' by {self.agent}' if self.agent else ''}"


def actions_of(run: Run) -> tuple[Action, ...]:
    """The actions of a run, in order: its tool calls, and what humans were asked that was no tool call."""
    asks = [event for event in run.history if isinstance(event, Asked)]
    used = list(_tool_calls(run))
    results = _results(run)
    found, put = [], set()
    for reply, agent, block in used:
        value = {"name": block.get("name"), "input": block.get("input")}
        done = results.get(str(block.get("id")))
        until = len(run.history) if done is None else done
        ask = next((a for a in asks if reply < a.id < until and a.id not in put and _is_about(a, value)), None)
        if ask is not None:
            put.add(ask.id)
        found.append(_action(run, value, agent, reply, ask, done))
    found += [_action(run, _asked_value(a), a.agent, a.id, a, None) for a in asks if a.id not in put]
    return tuple(sorted(found, key=lambda each: each.proposed))


def _action(run: Run, value: Any, agent: str | None, proposed: int, ask: Asked | None, done: int | None) -> Action:
    decision = None if ask is None else _decision(run, ask, done)
    return Action(
        value=value, agent=agent, proposed=proposed, asked=None if ask is None else ask.id, decision=decision, done=done
    )


def _tool_calls(run: Run) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for reply in run.history.replies():
        if good(reply):
            body = run.history.reply_body(reply) or {}
            for block in blocks_of(body.get("content")):
                if block.get("type") == "tool_use":
                    yield reply.id, reply.agent, block


def _results(run: Run) -> dict[str, int]:
    """The first call that brought the result of each tool call, errors left out."""
    found: dict[str, int] = {}
    seen: set[str] = set()
    for call in run.history.calls():
        for key in call.messages:
            if key not in seen:
                seen.add(key)
                _gather(found, run.history.bodies.get(key), call)
    return found


def _gather(found: dict[str, int], message: Any, call: CallSent) -> None:
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if block.get("type") == "tool_result" and block.get("is_error") is not True:
            found.setdefault(str(block.get("tool_use_id")), call.id)


# --- humans -----------------------------------------------------------------------------------


def _asked_value(ask: Asked) -> Any:
    return ask.data.get("action", ask.data.get("task", ask.data))


def _is_about(ask: Asked, value: Mapping[str, Any]) -> bool:
    """Whether an ask is about a tool call: it names the tool, or everything that the tool was to be given."""
    action = _asked_value(ask)
    if action in (value, value["input"]):
        return True
    told = set(strings_of(ask.data))
    given = set(strings_of(value["input"]))
    return value["name"] in told or bool(given and given <= told)


def _decision(run: Run, ask: Asked, done: int | None) -> str | None:
    """The first answer to an ask, of those that came before the action was done."""
    until = len(run.history) if done is None else done
    for event in run.history[ask.id + 1 : until]:
        if isinstance(event, Answered) and _answers(event, ask):
            decision = event.data.get("decision")
            return decision if isinstance(decision, str) else None
    return None


def _answers(answer: Answered, ask: Asked) -> bool:
    """By the request's id where both have one; else the next answer is meant."""
    mine, other = (each.data.get("request", each.data.get("id")) for each in (ask, answer))
    return mine is None or other is None or mine == other
