"""The slots of a workflow: which calls it makes, and what could strike each. :func:`slots_of` finds them in one run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from glob import escape
from typing import Any, Literal, TypeAlias

from dissonance.harness import After, Restartable, Run, run
from dissonance.harness.call import Call, Endpoint, FaultMark, JsonObject, Reply
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History
from dissonance.harness.moment import Moment, Place

from .at import At
from .fault import Fault
from .repertoire import Possible, repertoire
from .rule import Rule
from .spec import Ordinal, Spec
from .when import When

__all__ = ["Address", "Scouted", "Slot", "as_slots", "scout", "slots_of"]

Noun: TypeAlias = Literal["call", "request", "checkpoint", "action", "task"]

Address: TypeAlias = tuple[str, Endpoint, int, Noun]
"""Agent, endpoint, number, and what is counted."""


class Slot(Spec):
    """One call of one agent, by its number: the place that a rule is for. ``agent`` None: of each agent.

    ``noun`` is what is counted: calls of an agent, or, over the whole run, requests to the human,
    checkpoints or actions, or the one task (``agent`` is None then).

    ``open_to`` names what could strike there (see ``Possible.name``); None: not known, so anything.

    >>> Slot(agent="judge", call=2).sentence()
    "call 2 of agent 'judge'"
    """

    agent: str | None
    call: Ordinal = 1
    endpoint: Endpoint = "messages"
    noun: Noun = "call"
    open_to: tuple[str, ...] | None = None

    @property
    def address(self) -> Address:
        """What makes it a slot of its own."""
        return self.agent or "", self.endpoint, self.call, self.noun

    @property
    def at(self) -> At:
        """The agent and the endpoint, as a rule has them; a name that looks like a glob stands for itself."""
        return At(agent=None if self.agent is None else escape(self.agent), endpoint=self.endpoint)

    def takes(self, what: Possible) -> bool:
        """Whether this could strike here."""
        if self.open_to is None:
            return not what.fault.of_task and what.fault.noun == self.noun
        return what.name in self.open_to

    def lets_last(self, what: Possible) -> bool:
        """Whether this, where it strikes here, could strike the later calls too."""
        return what.lasting and self.noun != "task"

    def rule(self, fault: Fault, *, lasting: bool = False) -> Rule:
        """The rule that this fault strikes on this call alone or, ``lasting``, on this call and all later ones."""
        if self.noun == "task":
            return Rule(fault=fault)
        when = When(call=self.call) if not lasting else When() if self.call == 1 else When(from_call=self.call)
        return Rule(at=self.at, when=when, fault=fault)

    def sentence(self) -> str:
        """In English."""
        return f"{self.noun} {self.call} {self.at.sentence()}".rstrip()


@dataclass(frozen=True)
class Scouted:
    """The slots that a fault-free run has, in the order of the calls, and that run."""

    slots: tuple[Slot, ...]
    run: Run


def slots_of(
    workflow: Any, task: Any = None, *, faults: Sequence[Possible] | None = None, **options: Any
) -> tuple[Slot, ...]:
    """The slots of a workflow's fault-free run, in the order of its calls; see :func:`scout`."""
    return scout(workflow, task, faults=faults, **options).slots


def scout(workflow: Any, task: Any = None, *, faults: Sequence[Possible] | None = None, **options: Any) -> Scouted:
    """Run it once, without any fault, and see which of these (default: the repertoire) would fire on which call.

    ``options`` are those of :func:`dissonance.harness.run`. The faults' hooks are asked and their answers
    thrown away, so the run is the baseline, byte for byte.
    """
    known = repertoire() if faults is None else tuple(faults)
    asks = _Asks([each for each in known if each.fault.family != "process" or isinstance(workflow, Restartable)])
    made = run(workflow, task, **{"store": None, "baseline": False, **options, "plan": [asks]})
    slots = (
        Slot(agent=agent or None, endpoint=endpoint, call=call, noun=noun, open_to=asks.names(open_to))
        for (agent, endpoint, call, noun), open_to in asks.seen.items()
    )
    return Scouted(tuple(slots), made)


def as_slots(agents: Iterable[str | Slot]) -> tuple[Slot, ...]:
    """Slots from slots, or from names, each of which stands for the agent's first call. Raises BadInput for neither."""
    given = [agents] if isinstance(agents, str) else list(agents)
    for each in given:
        if not isinstance(each, Slot) and not (isinstance(each, str) and each):
            raise BadInput(f"agents={given!r}: {each!r} is neither an agent's name nor a Slot; see slots_of()")
    return tuple(each if isinstance(each, Slot) else Slot(agent=each) for each in given)


@dataclass
class _Asks:
    """An interceptor that never fires: it asks each fault whether it would."""

    faults: Sequence[Possible]
    id: str = "scout"
    seen: dict[Address, set[str]] = field(default_factory=dict)

    def names(self, found: Collection[str]) -> tuple[str, ...]:
        """The names found, in the order of the faults."""
        return tuple(each.name for each in self.faults if each.name in found)

    def describe(self) -> JsonObject:
        return {"id": self.id, "fault": {"kind": "Scout"}}

    def mark(self, call: Call | Moment) -> FaultMark:
        return FaultMark(fault="Scout")

    def on_task(self, task: Any) -> None:
        fire = [each.name for each in self.faults if each.fault.on_task(task, self.id) is not None]
        if fire:
            self.seen["", "messages", 1, "task"] = set(fire)

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        fire = (each.fault.on_request(call, past, self.id) is not None for each in self.faults)
        self._note(call, (each.name for each, fires in zip(self.faults, fire, strict=True) if fires))
        return None

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        fire = (each.fault.on_reply(call, reply, past, self.id) is not None for each in self.faults)
        self._note(call, (each.name for each, fires in zip(self.faults, fire, strict=True) if fires))
        return None

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History) -> Sequence[After] | None:
        fire = (each.fault.on_answers(ask, answers, past, self.id) is not None for each in self.faults)
        self._note(ask, (each.name for each, fires in zip(self.faults, fire, strict=True) if fires))
        return None

    def dies_at(self, slot: Call | Moment, place: Place, past: History) -> float | None:
        fire = (each.fault.dies_at(slot, place, past, self.id) is not None for each in self.faults)
        self._note(slot, (each.name for each, fires in zip(self.faults, fire, strict=True) if fires))
        return None

    def _note(self, slot: Call | Moment, names: Iterable[str]) -> None:
        self.seen.setdefault(_address(slot), set()).update(names)


_NOUNS: dict[str, Noun] = {"ask": "request", "pause": "request", "checkpoint": "checkpoint", "action": "action"}


def _address(slot: Call | Moment) -> Address:
    if isinstance(slot, Call):
        return slot.agent, slot.endpoint, slot.ordinal, "call"
    return "", "messages", slot.ordinal, _NOUNS[slot.kind]
