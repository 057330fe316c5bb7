"""What agents asked for, what was asked of a human, and what was done: :func:`actions_of`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dissonance.harness.call import blocks_of
from dissonance.harness.history import Acted, Answered, Asked, CallSent, canonical

from .reading import good, strings_of

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Action", "actions_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action.

    ``value`` is what was to be done, as JSON: of a tool call ``{"name": …, "input": …}``. ``key`` is the same for the same action. ``proposed`` is
    the event of the reply or the ask that brought it up. ``asked`` is the ask that put it before a human
    before it was done, None where none did; ``decision`` the human's (None: there was none). ``done`` is
    the event that shows it done (its record, or the call that brings its result back), None where none does.
    """

    value: Any
    key: bytes
    agent: str | None
    proposed: int
    asked: int | None
    decision: str | None
    done: int | None

    @property
    def approved(self) -> bool:
        """Whether a human let it be done."""
        return self.decision in ("approve", "edit")

    def __str__(self) -> str:
        name = self.value.get("name") if isinstance(self.value, Mapping) else self.value
        what = name if isinstance(name, str) else canonical(self.value).decode()
        return f"{what} by {self.agent}" if self.agent else what


def actions_of(run: Run) -> tuple[Action, ...]:
    """The actions of a run, in order: its tool calls, what it recorded as done, and what else humans were asked about."""
    asks = _asks(run)
    found = _recorded(run, asks)
    put = {each.asked for each in found}
    results = _results(run)
    for reply, agent, block in _tool_calls(run):
        value = {"name": block.get("name"), "input": block.get("input")}
        done = results.get(str(block.get("id")))
        until = len(run.history) if done is None else done
        ask = next((a for a in asks if reply < a.id < until and a.id not in put and _is_about(a, value)), None)
        put |= set() if ask is None else {ask.id}
        found.append(_action(run, value, agent, reply, ask, done))
    found += [_action(run, _asked_value(a), a.agent, a.id, a, None) for a in asks if a.id not in put]
    return tuple(sorted(found, key=lambda each: each.proposed))


def _recorded(run: Run, asks: Sequence[Asked]) -> list[Action]:
    """What was recorded as done, each with the ask that it goes back to, if one does: an unused one first."""
    found: list[Action] = []
    for event in run.history.actions():
        value = event.data.get("action", {"name": event.key, "input": event.data})
        about = [ask for ask in asks if ask.id < event.id and _led_to(run, ask, event, value)]
        used = {each.asked for each in found}
        ask = next((each for each in about if each.id not in used), about[-1] if about else None)
        proposed = event.id if ask is None else ask.id
        found.append(replace(_action(run, value, event.agent, proposed, ask, event.id), key=event.key.encode()))
    return found


def _led_to(run: Run, ask: Asked, event: Acted, value: Any) -> bool:
    if value in _versions(run, ask):
        return True
    return "action" not in event.data and _is_about(ask, value)


def _action(run: Run, value: Any, agent: str | None, proposed: int, ask: Asked | None, done: int | None) -> Action:
    decision = None if ask is None else _decision(run, ask, done)
    asked = None if ask is None else ask.id
    key = canonical(value)
    return Action(value=value, key=key, agent=agent, proposed=proposed, asked=asked, decision=decision, done=done)


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


def _asks(run: Run) -> list[Asked]:
    """Each request once: one that was asked again, after a restart say, has the same id."""
    found: dict[Any, Asked] = {}
    for event in run.history:
        if isinstance(event, Asked):
            found.setdefault(event.data.get("id", event.id), event)
    return list(found.values())


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


def _versions(run: Run, ask: Asked) -> list[Any]:
    """The action as it was asked about, and as the human would have it."""
    answer = _answer(run, ask, None)
    edited = [] if answer is None or answer.data.get("value") is None else [answer.data["value"]]
    return [_asked_value(ask), *edited]


def _decision(run: Run, ask: Asked, done: int | None) -> str | None:
    answer = _answer(run, ask, done)
    decision = None if answer is None else answer.data.get("decision")
    return decision if isinstance(decision, str) else None


def _answer(run: Run, ask: Asked, done: int | None) -> Answered | None:
    """The first answer to an ask, of those that came before the action was done."""
    until = len(run.history) if done is None else done
    for event in run.history[ask.id + 1 : until]:
        if isinstance(event, Answered) and event.data.get("counts") is not False and _answers(event, ask):
            return event
    return None


def _answers(answer: Answered, ask: Asked) -> bool:
    """By the ask's id where both say it; else the next answer is meant."""
    mine, other = ask.data.get("id"), answer.data.get("id", answer.data.get("request"))
    return mine is None or other is None or mine == other
