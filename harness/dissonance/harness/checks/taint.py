"""Where a planted claim went: :func:`trace_cascade`.

A call is *exposed* when its request, as the model saw it, holds the claim; it is *infected* when its
reply does. The planted call has depth 0. Any other exposed call has depth 1 + the least depth of those
earlier infected replies of other agents that its request was made of; one that was made of its own
agent's alone keeps their depth, and one made of none is a source itself.

What a request was made of is read off its sentences. Of replies that say the same sentence, a request
with n copies of it has read n: those first of which most else stands in the request too, then the
latest. A claim in new words is held to come from the latest infected reply.

Mean secondary infections (R0) and amplification are defined as in branching processes: see
https://en.wikipedia.org/wiki/Branching_process and :class:`Cascade`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dissonance.harness.claims import Claim, Twin, occurs
from dissonance.harness.history import CallSent, FaultFired, GuardFired, History, ReplyReceived

from .finder import Finder
from .reading import Reading, Threads, good, result_text

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Cascade", "Tainted", "planted", "trace_cascade"]

_COMPARED = 32
"""Of replies that say the same sentence in different company: so many are compared, the first and the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tainted:
    """A call that the claim reached.

    ``call`` and ``reply`` are event ids; ``ordinal`` counts the agent's calls. ``depth`` as the module
    says; ``parents`` are the calls whose replies brought it, the nearest first; ``planted``: a fault did, here. ``infected``: its reply
    holds the claim, in ``copies`` sentences. ``cut``: its reply ended at ``max_tokens``. ``stopped``
    says by what the claim stopped here: ``corrected`` (the reply says the other twin), ``not passed
    on``, ``cut at max_tokens``, ``not answered``, ``guard NAME``, ``unread`` (nobody got the reply); None
    where it went on.
    """

    call: int
    reply: int | None
    agent: str
    ordinal: int
    depth: int
    parents: tuple[int, ...] = ()
    planted: bool = False
    infected: bool
    copies: int = 0
    cut: bool = False
    stopped: str | None = None

    def __str__(self) -> str:
        return f"{self.agent}'s call {self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """How far one planted claim went, in its ``twin`` form.

    * ``depth``: the greatest depth of an infected reply; ``breadth``: how many agents are infected.
    * ``exposed``, ``infected``: calls, the planted ones not counted as exposed.
    * ``secondary`` (R0): new infections for each infected reply, over those depths from which anybody read
      one; None where nobody did.
    * ``amplification``: sentences that hold the claim in the last infected reply, for each in the first.
    * ``output``: the workflow's result holds it. ``cut``: a reply on its way ended at ``max_tokens``.
    * ``faults``: the events that planted it. ``background``: the statement stands in the fault-free run
      as well, so nothing can be said. ``lower_bound``: a live model may carry it on in words that are
      not found.
    """

    claim: str
    twin: Twin
    faults: tuple[int, ...]
    calls: tuple[Tainted, ...]
    depth: int
    breadth: int
    exposed: int
    infected: int
    secondary: float | None
    amplification: float
    output: bool
    cut: bool
    background: bool
    lower_bound: bool

    @property
    def readers(self) -> tuple[Tainted, ...]:
        """The exposed calls: those that another agent's reply brought it to, and no fault."""
        return tuple(each for each in self.calls if each.parents and not each.planted)

    @property
    def stops(self) -> tuple[Tainted, ...]:
        """The calls at which it stopped."""
        return tuple(each for each in self.calls if each.stopped is not None)

    @property
    def survival(self) -> float | None:
        """The share of exposed calls that passed it on; None where none was exposed."""
        passed = sum(each.infected for each in self.readers)
        return passed / self.exposed if self.exposed else None

    @property
    def deepest(self) -> Tainted | None:
        """The first infected call of the greatest depth."""
        infected = [each for each in self.calls if each.infected]
        return max(infected, key=lambda each: each.depth, default=None)


def planted(run: Run) -> tuple[Claim, ...]:
    """The claims that the plan's faults planted, each once, in their order."""
    found = {claim["id"]: claim for fault in run.history.faults() for claim in fault.claims}
    return tuple(Claim.model_validate(claim) for claim in found.values())


def trace_cascade(run: Run, claim: Claim | str | None = None, twin: Twin | None = None) -> Cascade | None:
    """Where a planted claim (or the claim with this id; None: the first one) went; None where none was planted.

    ``twin`` None: the one that the fault planted, read off its event.
    """
    wanted = claim if isinstance(claim, Claim) else _named(run, claim)
    if wanted is None:
        return None
    faults = [fault for fault in run.history.faults() if any(one["id"] == wanted.id for one in fault.claims)]
    if not faults:
        return None
    twin = twin or _planted_twin(run.history, faults, wanted)
    mine, other = Finder(wanted, twin, run.baseline), Finder(wanted, "true" if twin == "false" else "false")
    trace = _Trace(run, {fault.call for fault in faults}, mine, other)
    return _summed(run, wanted, twin, faults, trace)


def _named(run: Run, id: str | None) -> Claim | None:
    return next((claim for claim in planted(run) if id in (None, claim.id)), None)


def _planted_twin(history: History, faults: list[FaultFired], claim: Claim) -> Twin:
    """The true twin where an event's content holds it and not the false one; else the false one."""
    for fault in faults:
        text = "" if fault.after is None else str(history.bodies.get(fault.after))
        if occurs(claim, text):
            return "false"
        if occurs(claim, text, "true"):
            return "true"
    return "false"


# --- the trace --------------------------------------------------------------------------------


class _Trace:
    """Walks a run's calls in order, each with what is known of the infected replies before it."""

    def __init__(self, run: Run, sources: set[int], mine: Finder, other: Finder) -> None:
        self._history = run.history
        self._reading = Reading(run.history)
        self._mine, self._other = mine, other
        self._sources = sources
        self._infected: list[_Infected] = []
        self._by_sentence: dict[str, dict[frozenset[str], list[_Infected]]] = {}
        self._threads = Threads(self._reading)
        self._known: dict[str, tuple[Counter[str], set[str]]] = {}
        self._around: set[str] = set()
        self._pieces: dict[str, frozenset[str]] = {}
        self.background = mine.background
        self.output = result_text(run) in mine
        self.calls = self._stopped([each for call in run.history.calls() if (each := self._look(call))], run)

    def _look(self, call: CallSent) -> Tainted | None:
        """The call, if the claim reached it or was planted in it."""
        held = self._read(call)
        source = call.id in self._sources
        if not held and not source:
            return None
        parents = self._parents(call, held) if held else []
        depth = 0 if source else self._depth(call, parents)
        reply = self._reading.reply_to(call.id)
        said = self._reading.said(reply) if good(reply) else ""
        copies = len(self._mine.sentences(said))
        if source and not held and not copies:
            return None  # the fault's bytes were lost on their way
        if copies and reply is not None:
            self._remember(call, reply, said, depth)
        return Tainted(
            call=call.id,
            reply=None if reply is None else reply.id,
            agent=call.agent,
            ordinal=call.ordinal,
            depth=depth,
            parents=tuple(each.call for each in parents),
            planted=source,
            infected=bool(copies),
            copies=copies,
            cut=reply is not None and reply.stop_reason == "max_tokens",
            stopped=None if copies else self._by_what(reply, said),
        )

    def _read(self, call: CallSent) -> Counter[str]:
        """The sentences of the request that hold the claim, counted; and, in ``_around``, all that stands in it."""
        goes_on, parts = self._threads.fresh(call)
        held, around = self._known.get(call.agent, (None, None))
        if not goes_on or held is None or around is None:
            held, around = Counter(), set()
            self._known[call.agent] = held, around
        for part in parts:
            held.update(self._mine.sentences(part.text))
            if part.key not in self._pieces:
                self._pieces[part.key] = _pieces(part.text)
            around |= self._pieces[part.key]
        self._around = around
        return held

    # --- what a request was made of ---------------------------------------------------------

    def _parents(self, call: CallSent, held: Counter[str]) -> list[_Infected]:
        """The infected replies of other agents that it was made of, the nearest first."""
        read: dict[int, _Infected] = {}
        for sentence, copies in held.items():
            groups = self._by_sentence.get(sentence)
            if groups is not None:
                read |= {each.call: each for each in _read(groups, copies, call.id, self._around)}
        if not read:
            read = {each.call: each for each in self._latest(call)}
        others = [each for each in read.values() if each.agent != call.agent]
        return sorted(others, key=lambda each: (each.depth, -each.call))

    def _latest(self, call: CallSent) -> Iterator[_Infected]:
        """In words that no reply said: the latest infected reply of another agent."""
        earlier = (each for each in reversed(self._infected) if each.at < call.id and each.agent != call.agent)
        yield from [first for first in [next(earlier, None)] if first is not None]

    def _depth(self, call: CallSent, parents: Sequence[_Infected]) -> int:
        if parents:
            return 1 + parents[0].depth
        return min((each.depth for each in self._infected if each.agent == call.agent and each.at < call.id), default=0)

    def _remember(self, call: CallSent, reply: ReplyReceived, said: str, depth: int) -> None:
        new = _Infected(call.id, reply.id, call.agent, depth)
        self._infected.append(new)
        company = _pieces(said)
        for sentence in self._mine.sentences(said):
            self._by_sentence.setdefault(sentence, {}).setdefault(company, []).append(new)

    # --- where it stopped -------------------------------------------------------------------

    def _by_what(self, reply: ReplyReceived | None, said: str) -> str:
        if not good(reply):
            return "not answered"
        if said in self._other:
            return "corrected"
        return "cut at max_tokens" if reply is not None and reply.stop_reason == "max_tokens" else "not passed on"

    def _stopped(self, calls: list[Tainted], run: Run) -> tuple[Tainted, ...]:
        """With what stopped the infected replies that nobody read: a guard that fired then, or nothing but that."""
        read = {parent for each in calls for parent in each.parents}
        read |= {each.call for each, later in zip(calls, _own_later(calls), strict=True) if later}
        last = max((each.call for each in calls if each.infected), default=None)
        guards = run.history.guards()
        return tuple(
            each
            if not each.infected or each.call in read or (self.output and each.call == last)
            else replace(each, stopped=_guard(each, guards, self._history) or "unread")
            for each in calls
        )


@dataclass(frozen=True, slots=True)
class _Infected:
    """An infected reply: of which call, received at which event."""

    call: int
    at: int
    agent: str
    depth: int


def _read(
    groups: dict[frozenset[str], list[_Infected]], copies: int, call: int, around: set[str]
) -> Iterator[_Infected]:
    """Of the replies that say a sentence, those that a request with so many copies of it has read."""
    some = list(groups.items())
    if len(some) > _COMPARED:
        some = [some[0], *some[1 - _COMPARED :]]
    ranked = [
        (len(company & around) / len(company), each.at, each)
        for company, replies in some
        for each in replies[-copies - 1 :]
        if each.at < call
    ]
    ranked.sort(key=lambda one: one[:2], reverse=True)
    yield from [each for _, _, each in ranked[:copies]]


def _pieces(text: str) -> frozenset[str]:
    """A text in sentences, roughly, by which replies are told apart."""
    plain = text.casefold().replace("\n", ". ").replace("! ", ". ").replace("? ", ". ")
    return frozenset(piece for one in plain.split(". ") if (piece := one.strip(" .!?")))


def _own_later(calls: Sequence[Tainted]) -> list[bool]:
    """Of each call, whether the same agent holds the claim in a later one that nobody else brought it to."""
    found: list[bool] = []
    later: set[str] = set()
    for each in reversed(calls):
        found.append(each.agent in later)
        later |= set() if each.parents else {each.agent}
    return found[::-1]


def _guard(tainted: Tainted, guards: Sequence[GuardFired], history: History) -> str | None:
    """The guard that fired after this reply and before the next call."""
    following = next((call.id for call in history.calls() if call.id > (tainted.reply or tainted.call)), len(history))
    fired = [guard.guard for guard in guards if (tainted.reply or 0) < guard.id < following]
    return f"guard {fired[0]}" if fired else None


# --- the sum ----------------------------------------------------------------------------------


def _summed(run: Run, claim: Claim, twin: Twin, faults: Sequence[FaultFired], trace: _Trace) -> Cascade:
    calls = trace.calls
    infected = [each for each in calls if each.infected]
    name = run.model.get("name")
    return Cascade(
        claim=claim.id,
        twin=twin,
        faults=tuple(fault.id for fault in faults),
        calls=calls,
        depth=max((each.depth for each in infected), default=0),
        breadth=len({each.agent for each in infected}),
        exposed=sum(bool(each.parents) and not each.planted for each in calls),
        infected=len(infected),
        secondary=_secondary(calls),
        amplification=infected[-1].copies / infected[0].copies if infected else 0.0,
        output=trace.output,
        cut=any(each.cut for each in calls),
        background=trace.background,
        lower_bound=name == "Live",
    )


def _secondary(calls: Sequence[Tainted]) -> float | None:
    """By generations, since which of several replies that say the same was read cannot always be told."""
    readers = [each for each in calls if each.parents and not each.planted]
    read = {each.depth - 1 for each in readers}
    spreaders = sum(each.infected and each.depth in read for each in calls)
    return sum(each.infected for each in readers) / spreaders if spreaders else None
