"""A model that says again what was said before: :class:`Recorded`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dissonance.harness.call import Call, Json, Reply
from dissonance.harness.errors import BadInput, CassetteMiss
from dissonance.harness.history import CallSent, History, canonical, content_hash

from .cassette import Cassette, Take, asked_in, fields_of

__all__ = ["Recorded"]

_SHOWN = 3
_WIDTH = 60
_BEFORE = 20


class Recorded:
    """Answers each request as it was answered in the cassette, in the same time.

    A request is the same where model, system prompt, tools, messages, ``max_tokens`` and settings are: whether it is
    streamed does not matter, nor who sends it. One that was made several times is answered in the order of those times,
    and after the last of them by the last; a retry gets what the retry got.

    ``cassette``: a file that :func:`~.cassette.save_cassette` wrote, or a :class:`Cassette`.

    :raises BadInput: the file is no cassette, or is empty.
    """

    def __init__(self, cassette: str | Path | Cassette) -> None:
        self._cassette = cassette if isinstance(cassette, Cassette) else Cassette.load(cassette)
        if not self._cassette.takes:
            raise BadInput(
                f"Recorded({self._cassette.source!r}): the cassette is empty; record a run that calls a model"
            )

    def reply(self, call: Call, past: History) -> Reply:
        """What was recorded. Raises :class:`CassetteMiss` where nothing was."""
        request = asked_in(call)
        takes = self._by_request.get(_key(request))
        if takes is None:
            raise CassetteMiss(self._missed(call, request))
        ordinals = list(dict.fromkeys((take.agent, take.ordinal) for take in takes))
        which = ordinals[min(_earlier(call, past), len(ordinals) - 1)]
        attempts = [take for take in takes if (take.agent, take.ordinal) == which]
        return next((take for take in attempts if take.attempt >= call.attempt), attempts[-1]).reply

    def describe(self) -> Json:
        """Its name, and the hash of what it can say."""
        keys = [[_key(take.request), take.attempt] for take in self._cassette.takes]
        return {"name": "Recorded", "takes": len(keys), "cassette": content_hash(canonical(keys))}

    @cached_property
    def _by_request(self) -> dict[str, list[Take]]:
        found: dict[str, list[Take]] = {}
        for take in self._cassette.takes:
            found.setdefault(_key(take.request), []).append(take)
        return found

    # --- a miss -------------------------------------------------------------------------------

    def _missed(self, call: Call, request: Mapping[str, Any]) -> str:
        nearest, differences = min(
            ((take, _differences(take.request, request)) for take in self._cassette.takes),
            key=lambda each: len(each[1]),
        )
        shown = "".join(f"\n  {line}" for line in differences[:_SHOWN])
        more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        return (
            f"Recorded: nothing in {self._cassette.source!r} answers call {call.ordinal} of {call.agent!r}. The nearest "
            f"request is call {nearest.ordinal} of {nearest.agent!r}, from which it differs in{shown}{more}\n"
            "Record the workflow again, or undo what changed its requests."
        )


def _key(request: Mapping[str, Any]) -> str:
    return content_hash(canonical(request))


def _earlier(call: Call, past: History) -> int:
    """How often this request was made before, retries apart."""
    own = past[call.id] if call.id < len(past) else None
    if not isinstance(own, CallSent):
        return call.ordinal - 1
    same = {(each.agent, each.ordinal) for each in past.calls() if each.id < own.id and _content(each) == _content(own)}
    return len(same - {(own.agent, own.ordinal)})


def _content(call: CallSent) -> tuple[object, ...]:
    return (call.model, call.max_tokens, call.system, call.tools, call.messages, call.params)


def _differences(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """A line for each leaf in which they differ, in the order of the request."""
    old, new = dict(fields_of(recorded)), dict(fields_of(asked))
    return [
        f"{path}: recorded {_short(old, path, new)}, now {_short(new, path, old)}"
        for path in dict.fromkeys([*old, *new])
        if path not in old or path not in new or old[path] != new[path]
    ]


def _short(values: Mapping[str, Any], path: str, others: Mapping[str, Any]) -> str:
    """The value, from a little before where it parts from the other one."""
    if path not in values:
        return "nothing"
    value, other = values[path], others.get(path)
    if not isinstance(value, str):
        return repr(value)
    start = 0
    if isinstance(other, str):
        common = next(
            (n for n, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), min(len(value), len(other))
        )
        start = max(0, common - _BEFORE)
    cut = value[start : start + _WIDTH]
    return ("…" if start else "") + repr(cut) + ("…" if start + _WIDTH < len(value) else "")
