"""A gate before an action: who may decide, decides, however long it takes, and the action takes effect once.

**When to use it.** Before any action that others feel and that can't be taken back: mail to customers, payments,
changes to production. If a new colleague would need a signature for it, so does an agent. **When not.** The action
can be undone cheaply, or the question is whether work is good (``supervise``): people asked too often stop reading.

**What it costs.** The proposal, a few milliseconds of the store, and the human's time, which is the scarce part:
look at the share of ``auto`` routes. Nothing runs while it waits.

**How it fails.** *It never asks*: an agent's own confidence is too high, always; so give ``triggers``, which look
from outside. *Nobody answers*: past the deadline the default is taken, which refuses unless you say otherwise,
and never approves what a trigger or low confidence brought here. *Answers come twice, late, or contradict each other*: the first in time counts,
the others are kept. *It crashes*: call it again, here or on another machine that has the store; what is done is
found done, and the idempotency key is the run's id. Errors of the API and of the effect pass through; the run stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from . import log
from .effects import Taker
from .guards import Guard
from .hearing import Hearing
from .human import Human, HumanAnswer, HumanDecision, HumanRequest
from .notify import Notifier, log_notice
from .outcome import NO_USAGE, Outcome, Pattern
from .proposal import Gated, Proposal, Thresholds
from .states import StateMachine
from .triggers import Trigger
from .weighing import plain, weigh

if TYPE_CHECKING:
    from .store import Ask, OpenRun, Store

__all__ = ["STATES", "HumanGate", "human_gate"]

STATES = StateMachine(
    "human_gate",
    {
        "proposing": ("acting", "asking", "stopped"),
        "asking": ("paused", "decided"),
        "decided": ("acting", "asking", "rejected"),
        "acting": ("done",),
        "paused": (),
        "rejected": (),
        "stopped": (),
        "done": (),
    },
)

_PROPOSAL = "proposal"


def human_gate(
    propose: Pattern[Proposal[Any]],
    effect: Taker,
    *,
    store: Store,
    name: str = "human_gate",
    human: Human | None = None,
    notify: Notifier = log_notice,
    action: type[BaseModel] | None = None,
    thresholds: Thresholds = Thresholds(),  # noqa: B008, it is frozen
    triggers: Sequence[Trigger] = (),
    deadline: float | None = 900.0,
    default: Literal["approve", "reject"] = "reject",
    asks: int = 3,
    guards: Sequence[Guard] = (),
) -> HumanGate:
    """A pattern that has an action proposed, decided about, and taken.

    * ``propose``: any pattern whose output is a :class:`~.proposal.Proposal`, ``solo(client, agent, Proposal[Payment])``
      for one; ``guards`` hold for it. ``effect``: ``InTransaction`` or ``Sink``.
    * ``store``: where the run survives; ``name``: which of its runs are this gate's.
    * ``human``: who is asked in this process; without one the gate pauses at once, and is called again after an answer.
      Either way an answer may come through the store: see ``pending``.
    * ``notify``: called with each request until it succeeded once.
    * ``action``: the type of the action, against which a human's own version is validated.
    * ``deadline``: seconds a human has, None for ever; ``default``: what counts then. ``approve`` holds only for a
      review that no trigger asked for.
    * ``asks`` (from 1): how often in all the human is asked, if an answer is no use (an invalid edit; a draft
      approved as it is). Then it is rejected.
    """
    if deadline is not None and deadline <= 0:
        raise ValueError(f"deadline={deadline!r}: give seconds above 0, or None")
    if asks < 1:
        raise ValueError(f"asks={asks!r}: give 1 or more")
    settings = _Settings(
        propose,
        effect,
        store,
        name,
        notify,
        action,
        thresholds,
        tuple(triggers),
        deadline,
        default,
        asks,
        tuple(guards),
    )
    return HumanGate(settings, human)


@dataclass(frozen=True)
class _Settings:
    propose: Pattern[Proposal[Any]]
    effect: Taker
    store: Store
    name: str
    notify: Notifier
    action: type[BaseModel] | None
    thresholds: Thresholds
    triggers: tuple[Trigger, ...]
    deadline: float | None
    default: Literal["approve", "reject"]
    asks: int
    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class HumanGate:
    """The pattern that ``human_gate`` makes."""

    settings: _Settings
    human: Human | None

    async def __call__(self, task: str, *, run: str | None = None, human: Human | None = None) -> Gated:
        """Take the task to its end, or to where it waits for a human; called again, go on from there.

        ``run`` is the run's id. By default it is made from the gate's name and the task, so that a task which is
        handed over twice is done once; give an id to have it done again.
        """
        digest = blake2b(task.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        passage = _Passage(self.settings, run or f"{self.settings.name}-{digest}", task, human or self.human)
        return await passage.go()

    def pending(self) -> tuple[Ask, ...]:
        """What waits for a human, here and in all other processes."""
        return self.settings.store.pending()

    def unfinished(self) -> tuple[OpenRun, ...]:
        """The runs of this gate that have not come to an end: call it with their tasks and ids."""
        return self.settings.store.unfinished(self.settings.name)

    async def resume(self) -> tuple[Gated, ...]:
        """Go on with all of them, one after the other: what a process does when it starts, and now and then."""
        return tuple([await self(open.task, run=open.id) for open in self.unfinished()])


class _Passage:
    """One run on its way through the gate."""

    def __init__(self, settings: _Settings, run: str, task: str, human: Human | None) -> None:
        self._settings = settings
        self._store = settings.store
        self._run = run
        self._task = task
        self._hearing = Hearing(settings.store, settings.name, settings.notify, human)
        self._trace = STATES.trace()

    async def go(self) -> Gated:
        settings = self._settings
        self._store.open(self._run, settings.name, self._task)
        kept = self._store.checkpoint(self._run, _PROPOSAL)
        proposed: Outcome[Any] = Outcome(output=None, finished=True, steps=0, usage=NO_USAGE)
        if kept is None:
            proposed = await weigh(
                self._task,
                settings.propose,
                guards=settings.guards,
                triggers=settings.triggers,
                thresholds=settings.thresholds,
            )
            if not proposed.finished:
                self._trace.to("stopped")
                return self._gated(proposed, None)
            kept = self._store.save(self._run, _PROPOSAL, proposed.output)
            log.checkpointed(settings.name, self._run, _PROPOSAL)
        proposed = plain(proposed, output=kept.value)  # another process may have been first
        if kept.value["route"] == "auto":
            return await self._act(proposed, kept.value["action"], None)
        return await self._by_human(proposed, kept.value)

    # --- the human ----------------------------------------------------------------------------

    async def _by_human(self, proposed: Outcome[Any], kept: Any) -> Gated:
        unsure = f"confidence {kept['confidence']:.2f}"
        problem = ""
        for number in count(1):
            self._trace.to("asking")
            reason = "; ".join(filter(None, [problem, *kept["reasons"], unsure]))
            request = self._request(number, kept, reason)
            answer = await self._hearing.decide(self._run, request, self._default(kept))
            if answer is None:
                self._trace.to("paused")
                return self._gated(proposed, None, paused=True, reason=f"waits for a human: {reason}")
            self._trace.to("decided")
            if answer.decision == "reject":
                return self._rejected(proposed, answer, answer.comment or f"by {answer.by or 'a human'}")
            problem = self._problem(request, answer)
            if not problem:
                action = kept["action"] if answer.decision == "approve" else answer.value
                return await self._act(proposed, action, answer)
            if number == self._settings.asks:
                return self._rejected(proposed, answer, f"no usable answer in {number} asks: {problem}")
        raise AssertionError("count() has ended")

    def _request(self, number: int, kept: Any, reason: str) -> HumanRequest:
        return HumanRequest(
            id=f"{self._run}/{number}",
            summary=kept["summary"],
            action=kept["action"],
            reason=reason,
            deadline=self._settings.deadline,
            kind=kept["route"],
        )

    def _default(self, kept: Any) -> HumanAnswer:
        """What counts where nobody answers: an approval only of what nothing but middling confidence brought here."""
        lenient = self._settings.default == "approve" and kept["route"] == "review" and not kept["reasons"]
        decision: HumanDecision = "approve" if lenient else "reject"
        return HumanAnswer(decision=decision, by="deadline", comment="nobody answered in time")

    def _problem(self, request: HumanRequest, answer: HumanAnswer) -> str:
        """Why an approving answer can't be followed; empty where it can."""
        if answer.decision == "approve":
            return "" if request.kind == "review" else "a draft was asked for, and the proposal was only approved"
        if self._settings.action is None:
            return "" if answer.value is not None else "the edit holds no action"
        try:
            self._settings.action.model_validate(answer.value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            return f"the edit is no {self._settings.action.__name__}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        return ""

    # --- the end ------------------------------------------------------------------------------

    async def _act(self, proposed: Outcome[Any], action: Any, answer: HumanAnswer | None) -> Gated:
        self._trace.to("acting")
        taken = await self._settings.effect.take(self._store, self._run, action)
        if taken.new:
            approved_by = None if answer is None else answer.by
            log.acted(self._settings.name, self._run, taken.action, approved_by=approved_by)
        self._store.finish(self._run)
        self._trace.to("done")
        return self._gated(proposed, answer, output=taken.action, finished=True, result=taken.result)

    def _rejected(self, proposed: Outcome[Any], answer: HumanAnswer, why: str) -> Gated:
        self._trace.to("rejected")
        self._store.finish(self._run)
        return self._gated(proposed, answer, reason=f"rejected: {why}")

    def _gated(self, proposed: Outcome[Any], answer: HumanAnswer | None, **fields: Any) -> Gated:
        kept = proposed.output or {}
        known = {**vars(proposed), "output": None, "finished": False, "run": self._run, "decision": answer}
        return Gated(**{**known, "route": kept.get("route"), "reasons": tuple(kept.get("reasons", ())), **fields})
