"""What did not reach the model of all that was to: :func:`losses`.

A request reaches the model where it is answered with a status below 300. What the model then saw is
the request as sent, or as a fault left it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import TYPE_CHECKING

from dissonance.harness.claims import Claim
from dissonance.harness.history import CallSent

from .finder import Finder
from .reading import Part, Reading, Threads

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Canaries", "Loss", "Losses", "losses"]

_SHOWN = 40
_TAKEN_OUT = re.compile(r"\b(?:cleared|removed|omitted|truncated|elided|summari[sz]ed)\b", re.IGNORECASE)
_LEAST_KEPT, _LEAST_CUT = 0.9, 32
"""Of what is left of a text cut in its middle, the share that is the text's own; and characters that are missing."""
_LEAST_REPORTED = 0.8
"""Of its own estimate, what a live API must report as input to be held to have read all of it: estimates err."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """What must arrive: see ``no_silent_truncation``."""

    instructions: Sequence[str] | Mapping[str, Sequence[str]]
    facts: tuple[str | Claim, ...]

    @property
    def by_agent(self) -> bool:
        """Whether the instructions say whose they are."""
        return isinstance(self.instructions, Mapping)

    def told(self) -> Iterator[tuple[str, str]]:
        """Each instruction, with the glob of the agents that it is for."""
        groups = self.instructions if isinstance(self.instructions, Mapping) else {"*": self.instructions}
        return ((glob, text) for glob, texts in groups.items() for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that did not arrive; ``event`` is the call (or the run's end) at which it shows."""

    event: int
    what: str

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """All losses of a run, and how many of its requests reached a model."""

    reached: int
    losses: tuple[Loss, ...]


def losses(run: Run, canaries: Canaries) -> Losses:
    """What of a run's requests, instructions and facts did not reach a model."""
    eyes = _Eyes(run, canaries)
    usual = None if run.baseline is None else _Eyes(run.baseline, canaries)
    found = [*_on_the_way(eyes, run), *_instructions(eyes, usual, run, canaries), *_facts(eyes, usual, run, canaries)]
    return Losses(reached=len(eyes.reached), losses=tuple(found))


class _Eyes:
    """What a run's models saw: of each call the canaries in it, as it was sent and as the model saw it."""

    def __init__(self, run: Run, canaries: Canaries) -> None:
        self.reading = Reading(run.history)
        self.calls = run.history.calls()
        self.reached = [call for call in self.calls if self._arrived(call)]
        texts = [*canaries.facts, *(text for _, text in canaries.told())]
        self._finds = {_key(each): _find(each) for each in texts}
        self._in_part: dict[str, frozenset[str]] = {}
        self._seen: dict[int, frozenset[str]] = {}
        self._sent: dict[int, frozenset[str]] = {}
        self._look(Threads(self.reading))

    def _arrived(self, call: CallSent) -> bool:
        reply = self.reading.reply_to(call.id)
        return reply is not None and reply.status is not None and reply.status < 300

    def _look(self, threads: Threads) -> None:
        so_far: dict[str, frozenset[str]] = {}
        for call in self.calls:
            goes_on, parts = threads.fresh(call)
            start = so_far.get(call.agent, frozenset()) if goes_on else frozenset[str]()
            so_far[call.agent] = self._seen[call.id] = start.union(*map(self._of, parts))
            altered = self.reading.altered(call) is not None
            self._sent[call.id] = (
                frozenset[str]().union(*map(self._of, self.reading.sent(call))) if altered else self._seen[call.id]
            )
        reached = {call.id for call in self.reached}
        self._seen = {id: found for id, found in self._seen.items() if id in reached}

    def _of(self, part: Part) -> frozenset[str]:
        if part.key not in self._in_part:
            folded = _folded(part.text)
            found = (key for key, find in self._finds.items() if find(part.text, folded))
            self._in_part[part.key] = frozenset(found)
        return self._in_part[part.key]

    def saw(self, call: CallSent, canary: str | Claim) -> bool:
        """Whether the model saw it in this call."""
        return _key(canary) in self._seen.get(call.id, ())

    def got(self, call: CallSent, canary: str | Claim) -> bool:
        """Whether the workflow sent it in this call."""
        return _key(canary) in self._sent[call.id]

    def of(self, agent: str) -> list[CallSent]:
        """An agent's calls that reached the model."""
        return [call for call in self.reached if call.agent == agent]


def _key(canary: str | Claim) -> str:
    return f"claim {canary.id}" if isinstance(canary, Claim) else canary


def _find(canary: str | Claim) -> Callable[[str, str], bool]:
    """Whether a text, given as it is and folded, holds a canary."""
    if isinstance(canary, Claim):
        finder = Finder(canary, "true")
        return lambda text, folded: text in finder
    wanted = _folded(canary)
    return lambda text, folded: wanted in folded


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _short(canary: str | Claim) -> str:
    text = " ".join((canary.true if isinstance(canary, Claim) else canary).split())
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _name(call: CallSent) -> str:
    return f"{call.agent}'s call {call.ordinal}"


# --- requests ---------------------------------------------------------------------------------


def _on_the_way(eyes: _Eyes, run: Run) -> Iterator[Loss]:
    least = _LEAST_REPORTED if run.model.get("name") == "Live" else 1.0
    mended = {call.agent: call.id for call in eyes.reached if not _window_full(eyes, call)}
    heads = _heads(run)
    for call in eyes.reached:
        what = _cut(eyes, call) if eyes.reading.altered(call) else _gap(eyes, call, least)
        if what is None and call.system is None and heads.get(call.agent, call.id) < call.id:
            what = f"{_name(call)} was sent without its system prompt"
        if what is None and _window_full(eyes, call) and mended.get(call.agent, -1) < call.id:
            what = f"the reply to {_name(call)} broke off at the window's end"
        if what is not None:
            yield Loss(event=call.id, what=what)


def _heads(run: Run) -> dict[str, int]:
    """The first call with a system prompt of each agent that never calls without one when nothing goes wrong."""
    usual = [] if run.baseline is None else run.baseline.history.calls()
    without = {call.agent for call in usual if call.system is None}
    heads: dict[str, int] = {}
    for call in run.history.calls():
        if call.system is not None and call.agent not in without:
            heads.setdefault(call.agent, call.id)
    return heads


def _cut(eyes: _Eyes, call: CallSent) -> str | None:
    """What a fault took from a request; None where it only says other things in the same places."""
    sent, seen = eyes.reading.sent(call), eyes.reading.seen(call)
    if sent and sent[0].role == "system" and (not seen or seen[0].role != "system"):
        return f"{_name(call)} reached the model without its system prompt"
    before, after = len(sent), len(seen)
    if after < before:
        return f"{_name(call)} reached the model with {after} of its {before} parts"
    if eyes.reading.lost_tools(call):
        return f"{_name(call)} reached the model without its tools"
    parts = zip(sent, seen, strict=False)
    cut = [len(a.text) - len(b.text) for a, b in parts if len(b.text) < len(a.text) and _is_rest(b.text, a.text)]
    return f"{_name(call)} reached the model {sum(cut):,} characters short" if cut else None


def _is_rest(rest: str, whole: str) -> bool:
    """Whether it is what is left of a text: a part of it, its beginning and its end, or a sign that it was taken out.

    A text that only says something else is none, such as a wrong figure or an error in a tool result's place.
    """
    if rest in whole or _TAKEN_OUT.search(rest):
        return True
    kept = _alike(rest, whole) + _alike(rest[::-1], whole[::-1])
    return kept >= _LEAST_KEPT * len(rest) and len(whole) - len(rest) >= _LEAST_CUT


def _alike(a: str, b: str) -> int:
    """How many characters two texts begin alike with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _gap(eyes: _Eyes, call: CallSent, least: float) -> str | None:
    """The token-accounting gap: fewer input tokens reported than sent."""
    reply = eyes.reading.reply_to(call.id)
    usage = None if reply is None else reply.usage
    if usage is None:
        return None
    reported = usage.total - usage.output_tokens
    if reported >= least * call.tokens:
        return None
    return f"of {_name(call)} {reported:,} input tokens were reported, and {call.tokens:,} sent"


def _window_full(eyes: _Eyes, call: CallSent) -> bool:
    reply = eyes.reading.reply_to(call.id)
    return reply is not None and reply.stop_reason == "model_context_window_exceeded"


# --- instructions and facts -------------------------------------------------------------------


def _instructions(eyes: _Eyes, usual: _Eyes | None, run: Run, canaries: Canaries) -> Iterator[Loss]:
    for glob, text in canaries.told():
        agents = dict.fromkeys(call.agent for call in eyes.reached if fnmatchcase(call.agent, glob))
        given = [agent for agent in agents if canaries.by_agent or any(eyes.got(call, text) for call in eyes.of(agent))]
        if not given:
            yield Loss(event=run.history[-1].id, what=f"the instruction {_short(text)} reached no model")
        for agent in given:
            for call in _without(eyes, agent, text, canaries.by_agent, usual):
                yield Loss(event=call.id, what=f"{_name(call)} lacks the instruction {_short(text)}")


def _without(eyes: _Eyes, agent: str, text: str, always: bool, usual: _Eyes | None) -> list[CallSent]:
    """The calls of an agent that should have had an instruction and did not."""
    calls = eyes.of(agent)
    first = 0 if always else next((place for place, call in enumerate(calls) if eyes.got(call, text)), 0)
    without = [call for call in calls[first:] if not eyes.saw(call, text)]
    if always or usual is None or _keeps(usual, agent, text):
        return without
    return [call for call in without if eyes.got(call, text)]


def _keeps(usual: _Eyes, agent: str, text: str) -> bool:
    """Whether an agent, once it has an instruction, has it in every call when nothing goes wrong."""
    calls = usual.of(agent)
    first = next((place for place, call in enumerate(calls) if usual.saw(call, text)), None)
    return first is None or all(usual.saw(call, text) for call in calls[first:])


def _facts(eyes: _Eyes, usual: _Eyes | None, run: Run, canaries: Canaries) -> Iterator[Loss]:
    for fact in canaries.facts:
        seen = [call for call in eyes.reached if eyes.saw(call, fact)]
        sent = [call for call in eyes.calls if eyes.got(call, fact)]
        if not seen:
            where = f"was sent in {_name(sent[-1])}, but reached no model" if sent else "was sent in no request"
            event = sent[-1].id if sent else run.history[-1].id
            yield Loss(event=event, what=f"the fact {_short(fact)} {where}")
            continue
        last_seen = {call.agent: call.id for call in seen}
        for agent, call in {call.agent: call for call in sent}.items():
            if last_seen.get(agent, -1) < call.id:
                yield Loss(event=call.id, what=f"the fact {_short(fact)} was sent in {_name(call)} and not seen")
        yield from _left_out(eyes, usual, fact)


def _left_out(eyes: _Eyes, usual: _Eyes | None, fact: str | Claim) -> Iterator[Loss]:
    """The last calls that the workflow sent without a fact that they have when nothing goes wrong."""
    if usual is None:
        return
    for agent, expected in {call.agent: call for call in usual.reached}.items():
        calls = eyes.of(agent)
        if calls and usual.saw(expected, fact) and not eyes.got(calls[-1], fact):
            yield Loss(event=calls[-1].id, what=f"{_name(calls[-1])}, its last, lacks the fact {_short(fact)}")
