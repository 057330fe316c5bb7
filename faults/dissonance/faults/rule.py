"""One line of a plan: :class:`Rule`, a fault with its place and its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from dissonance.harness.call import Call, FaultMark, JsonObject, Reply

from .at import At
from .fault import Fault, fault_types
from .problems import closest
from .spec import Spec
from .when import When

if TYPE_CHECKING:
    from dissonance.harness.history import History
    from dissonance.harness.human import After
    from dissonance.harness.moment import Moment, Place, ToolFailure

__all__ = ["Rule", "read_fault"]


def read_fault(value: Any) -> Any:
    """A fault from its JSON, by its ``kind``; anything else is left to the validator."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in fault_types():
        raise ValueError(f"unknown fault {kind!r}; {closest(kind, fault_types())} (import a fault of your own first)")
    return fault_types()[kind].model_validate({name: item for name, item in value.items() if name != "kind"})


class Rule(Spec):
    """At this place, at this time, this fault. The harness runs it as an interceptor.

    ``id`` is unique within a plan; left out, the plan gives it (``r1``, ``r2``, … by position).

    >>> from dissonance.faults import HttpError
    >>> Rule(at=At(agent="judge"), when=When(call=1), fault=HttpError(status=500)).sentence()
    "on call 1 of agent 'judge', the API answers HTTP 500"
    """

    id: str = ""
    at: At = Field(default_factory=At)
    when: When = Field(default_factory=When)
    fault: Annotated[SerializeAsAny[Fault], BeforeValidator(read_fault)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        objection = self.fault.objection(self.at)
        if objection is not None:
            raise ValueError(objection)
        if self.fault.of_task and (self.at, self.when) != (At(), When()):
            raise ValueError(f"{self.fault.kind} strikes the task, before any call; leave out at and when")
        return self

    def named(self, id: str) -> Rule:
        """The same rule under this id."""
        return self.model_copy(update={"id": id})

    def describe(self) -> JsonObject:
        """The rule as plan JSON; what is None is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def sentence(self) -> str:
        """The rule as an English clause."""
        if self.fault.of_task:
            return f"on the task, {self.fault.sentence()}"
        place = self.at.sentence()
        return (
            f"on {self.when.sentence(self.fault.noun)}{' ' if place.startswith('of') else ', ' if place else ''}{place}"
            + (f", {self.fault.sentence()}")
        )

    def mark(self, call: Call | Moment) -> FaultMark:
        """What a check must know once this rule has fired on this call."""
        return FaultMark(
            fault=self.fault.kind,
            claims=self.fault.claims,
            ends_at=self.when.ends_at(call),
            damages=self.fault.damages,
        )

    def matches(self, call: Call | Moment) -> bool:
        """Whether this is the rule's place and time."""
        return self.when.matches(call) and self.at.matches(call)

    def on_task(self, task: Any) -> Any | None:
        """What the fault makes of the workflow's task; None where it leaves it alone."""
        return self.fault.on_task(task, self.id) if self.fault.of_task else None

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        """What the fault makes of the request; None where it does not fire."""
        if not self.fault.acts("on_request", "afterwards"):
            return None
        if self.matches(call):
            return self.fault.on_request(call, past, self.id)
        return self.fault.afterwards(call, past, self.id)

    def on_reply(self, call: Call, reply: Reply, past: History) -> Reply | None:
        """What the fault makes of the reply; None where it does not fire."""
        return self.fault.on_reply(call, reply, past, self.id) if self.matches(call) else None

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History) -> Sequence[After] | None:
        """What the fault makes of the human's answers; None where it does not fire."""
        return self.fault.on_answers(ask, answers, past, self.id) if self.matches(ask) else None

    def on_tool(self, use: Moment, past: History) -> ToolFailure | None:
        """How the fault lets a tool of the workflow fail; None where it does not fire."""
        return self.fault.on_tool(use, past, self.id) if self.matches(use) else None

    def dies_at(self, slot: Call | Moment, place: Place, past: History) -> float | None:
        """How long the process is away that the fault lets die here; None where it does not fire."""
        if not self.fault.acts("dies_at"):
            return None
        return self.fault.dies_at(slot, place, past, self.id) if self.matches(slot) else None
