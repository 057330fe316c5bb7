"""Events as lines for people: ``41  959.524 s  judge: call 500 (38 tokens)``."""

from __future__ import annotations

from collections.abc import Iterator

from .history import (
    Acted,
    Answered,
    Asked,
    CallSent,
    Checkpoint,
    Event,
    FaultFired,
    GuardFired,
    History,
    ReplyReceived,
    Restarted,
    RunEnded,
    Stopped,
)

__all__ = ["last_lines"]

_SHOWN = 100


def last_lines(history: History, count: int) -> Iterator[str]:
    """The last ``count`` events, one line each: id, virtual seconds, and what happened."""
    for event in history[-count:]:
        who = f"{event.agent}: " if event.agent else ""
        yield f"{event.id}  {event.at:.3f} s  {who}{_short(_what(event))}"


def _what(event: Event) -> str:
    match event:
        case CallSent():
            attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return f"call {event.ordinal}{attempt} ({event.tokens:,} tokens)"
        case ReplyReceived():
            status = event.error or event.stop_reason or event.status
            return f"reply after {event.seconds:.3f} s: {status}" + (
                "" if event.ending == "complete" else f", {event.ending}"
            )
        case FaultFired():
            return f"fault {event.fault} (rule {event.rule})"
        case GuardFired():
            return f"guard {event.guard}: {event.reason}"
        case Checkpoint() | Asked() | Answered():
            said = event.data.get("decision") or event.data.get("key") or event.data.get("id") or ""
            return f"{event.kind} {said}".rstrip()
        case Acted():
            return f"action {event.key}"
        case Restarted():
            return f"restarted after {event.down:g} s: {event.reason}"
        case Stopped():
            return f"stopped by the harness ({event.limit})"
        case RunEnded():
            return f"run {event.outcome.replace('_', ' ')}" + (f": {event.error}" if event.error else "")
        case _:
            return event.kind.replace("_", " ")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
