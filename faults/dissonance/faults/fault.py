"""What goes wrong: :class:`Fault`, the base of every fault, and the register that JSON is read with.

A fault says *what* happens. *Where* and *when* is its rule's business, and how likely it is that of
whoever makes the plan: a fault has no probability. It is a frozen model with at most two pure hooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import SerializerFunctionWrapHandler, model_serializer

from dissonance.harness.call import Call, JsonObject, Reply

from .spec import Spec

if TYPE_CHECKING:
    from dissonance.harness.history import History
    from dissonance.harness.human import After
    from dissonance.harness.moment import Moment, Place, ToolFailure

    from .at import At

__all__ = ["Family", "Fault", "fault_types"]

Family: TypeAlias = Literal[
    "loops", "context", "hallucination", "latency", "transport", "judgement", "tools", "human", "process"
]

_REGISTER: dict[str, type[Fault]] = {}


class Fault(Spec):
    """What goes wrong. A subclass is known to plans by its class name as soon as it is defined.

    ``family`` groups it; ``damages`` names what is damaged in what the agent receives, or is None
    where nothing is lost or falsified (see ``FaultMark``).
    """

    family: ClassVar[Family]
    damages: ClassVar[str | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not hasattr(cls, "family"):
            raise TypeError(f"the fault {cls.__name__!r} has no family; give it one: family: ClassVar[Family] = …")
        known = _REGISTER.setdefault(cls.__name__, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"a fault named {cls.__name__!r} exists in {known.__module__}; choose another class name")
        _REGISTER[cls.__name__] = cls

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": self.kind, **handler(self)}

    @property
    def kind(self) -> str:
        """The name by which plans and events know this fault: that of its class."""
        return type(self).__name__

    @property
    def noun(self) -> str:
        """What its rule's ``when`` counts: ``call``, ``request`` (to the human), ``checkpoint`` or ``action``."""
        return "call"

    @property
    def of_task(self) -> bool:
        """Whether it strikes the task that the workflow is given, before any call, rather than calls."""
        return False

    @property
    def claims(self) -> tuple[JsonObject, ...]:
        """The claims that this fault plants, as JSON."""
        return ()

    def sentence(self) -> str:
        """What it does, as an English clause with units: ``the reply comes 90 s late``."""
        return f"{self!r} strikes"

    def objection(self, at: At) -> str | None:
        """Why this fault cannot stand at such a place, with the remedy; None where it can."""
        return None

    def acts(self, *methods: str) -> bool:
        """Whether it overrides one of these; where it does not, whoever would call it need not ask whether it is time."""
        return _overrides(type(self), methods)

    def on_task(self, task: Any, rule: str) -> Any | None:
        """Another task for the workflow, or None: did not fire. Pure; asked once, where ``of_task`` is true."""
        return None

    def afterwards(self, call: Call, past: History, rule: str) -> Call | None:
        """What it did to an earlier request, done again in a call that is not its rule's; None where nothing is. Pure.

        For what the client sends again with each turn, such as a tool's result.
        """
        return None

    def on_request(self, call: Call, past: History, rule: str) -> Call | Reply | None:
        """Another call for the model to see, a reply in the model's stead, or None: did not fire. Pure."""
        return None

    def on_reply(self, call: Call, reply: Reply, past: History, rule: str) -> Reply | None:
        """Another reply, or None: did not fire. Pure; ``rule`` is the rule's id, for draws by hash."""
        return None

    def on_answers(self, ask: Moment, answers: Sequence[After], past: History, rule: str) -> Sequence[After] | None:
        """Other answers of the human, in the order of their times, or None: did not fire. Pure."""
        return None

    def on_tool(self, use: Moment, past: History, rule: str) -> ToolFailure | None:
        """How a tool of the workflow fails that is about to run, or None: did not fire. Pure."""
        return None

    def dies_at(self, slot: Call | Moment, place: Place, past: History, rule: str) -> float | None:
        """The process dies here and is away for so many virtual seconds; None: did not fire. Pure."""
        return None


@cache
def _overrides(kind: type[Fault], methods: tuple[str, ...]) -> bool:
    return any(getattr(kind, method) is not getattr(Fault, method) for method in methods)


def fault_types() -> Mapping[str, type[Fault]]:
    """Every known fault by its kind, in the order of definition; read-only."""
    return MappingProxyType(_REGISTER)
