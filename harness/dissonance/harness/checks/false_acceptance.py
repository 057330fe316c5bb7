"""``false_acceptance``: how much wrong work the gate lets through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from dissonance.harness.claims import occurs
from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent, ReplyReceived

from .decisions import call_of, may_decide, taken
from .reading import Reading, good
from .taint import planted
from .verdict import Verdict, lacking, verdict
from .wording import number, plural, share

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["Correct", "Gate", "Judged", "false_acceptance", "measure_gate"]

Correct = Callable[[str], bool]
"""Whether a piece of work, as text, is right."""

_LOOKED_BACK = 50
"""So many replies back, a gate's work is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One decision of the gate: the event id of its ``call``, the agent, and what it was on."""

    call: int
    agent: str
    work: str
    right: bool
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a gate decided. Rates are None where there is nothing to divide by; n is the count beside each.

    ``undecided`` are calls of the gate whose reply takes neither side.
    """

    decisions: tuple[Judged, ...]
    undecided: int = 0

    def count(self, *, right: bool, accepted: bool | None = None) -> int:
        """Decisions on right (or wrong) work; those that accepted it, or did not."""
        return sum(each.right is right and accepted in (None, each.accepted) for each in self.decisions)

    @property
    def true_positive_rate(self) -> float | None:
        """P(accept | right)."""
        return _rate(self.count(right=True, accepted=True), self.count(right=True))

    @property
    def false_positive_rate(self) -> float | None:
        """P(accept | wrong), the false acceptance rate."""
        return _rate(self.count(right=False, accepted=True), self.count(right=False))

    @property
    def wrong_among_accepted(self) -> float | None:
        """P(wrong | accepted)."""
        wrong, right = self.count(right=False, accepted=True), self.count(right=True, accepted=True)
        return _rate(wrong, wrong + right)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def measure_gate(run: Run, correct: Correct, gate: str | None = None) -> Gate:
    """What the gate decided on right and wrong work.

    ``gate`` is the name of its agent (a glob); None: every agent whose call offers to accept or to reject.
    Its work is the latest reply of another agent that stands in its request, else the last message of it.
    """
    reading, decisions, undecided = Reading(run.history), [], 0
    for sent in run.history.calls():
        reply = reading.reply_to(sent.id)
        if reply is None or not good(reply) or (gate is not None and not fnmatchcase(sent.agent, gate)):
            continue
        content = (run.history.reply_body(reply) or {}).get("content") or ()
        side = None
        if may_decide(content):
            side = taken(call_of(run.history, sent), content, judging=gate is None)
        if side is not None:
            work = _work(run, reading, sent)
            decisions.append(
                Judged(call=sent.id, agent=sent.agent, work=work, right=bool(correct(work)), accepted=side == "accept")
            )
        undecided += side is None and gate is not None
    return Gate(decisions=tuple(decisions), undecided=undecided)


def _work(run: Run, reading: Reading, sent: CallSent) -> str:
    parts = [part for part in reading.seen(sent) if part.role != "system"]
    request = "\n".join(part.text for part in parts)
    before = (event for event in run.history[sent.id :: -1] if isinstance(event, ReplyReceived))
    for reply in islice((each for each in before if each.agent != sent.agent), _LOOKED_BACK):
        said = reading.said(reply).strip()
        if said and said in request:
            return said
    return parts[-1].text if parts else ""


@dataclass(frozen=True, slots=True)
class false_acceptance:
    """The gate accepts at most this share of the wrong work that it gets to see.

    ``correct(work)`` says of a text whether it is right; without it, work is wrong where it holds a claim
    that a fault planted. ``gate`` names the judging agent (a glob); None: every one that is asked to accept
    or reject. Decisions are read by the words and schemas that the calls offer.

    * *pass* and *fail*: by the share of wrong work that was accepted, with its n.
    * *unknown*: ``correct`` is missing and no claim was planted; the gate decided nothing; or saw no wrong
      work.

    BadInput for a share that is not from 0 to 1.
    """

    at_most: float = 0.0
    correct: Correct | None = None
    gate: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.at_most <= 1:
            raise BadInput(f"false_acceptance(at_most={self.at_most!r}): give a share from 0 to 1")

    @property
    def name(self) -> str:
        """``false_acceptance``."""
        return "false_acceptance"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        correct = self.correct or _without_claims(run)
        if correct is None:
            return lacking(run, self.name, "correct", "Give a function that says of a text whether it is right.")
        found = measure_gate(run, correct, self.gate)
        if not found.decisions:
            whose = "no agent" if self.gate is None else f"no agent named {self.gate!r}"
            advice = "Name the gate: false_acceptance(gate=…); its prompt must offer words such as APPROVE and REVISE."
            return verdict(run, self.name, "unknown", f"{whose} accepted or rejected anything", (), advice)
        rate = found.false_positive_rate
        if rate is None:
            advice = "Plan a fault that spoils the work, so that there is something to refuse."
            reason = f"the gate saw no wrong work in {plural(len(found.decisions), 'decision')}"
            return verdict(run, self.name, "unknown", reason, (), advice)
        return self._judged(run, found, rate)

    def _judged(self, run: Run, found: Gate, rate: float) -> Verdict:
        wrong, right = found.count(right=False), found.count(right=True)
        told = f"the gate accepted {share(found.count(right=False, accepted=True), wrong)} of the wrong work"
        if right:
            told += f" and {share(found.count(right=True, accepted=True), right)} of the right"
        if found.undecided:
            told += f"; {plural(found.undecided, 'reply', 'replies')} took no side"
        if rate > self.at_most:
            let_in = [each.call for each in found.decisions if each.accepted and not each.right]
            return verdict(run, self.name, "fail", f"{told}; at most {number(100 * self.at_most)} % is allowed", let_in)
        refused = [each.call for each in found.decisions if not each.right]
        return verdict(run, self.name, "pass", told, refused)


def _without_claims(run: Run) -> Correct | None:
    claims = planted(run)
    return (lambda work: not any(occurs(claim, work) for claim in claims)) if claims else None
