"""``degrades_gracefully``: what is missing from a result is named in it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissonance.harness.history import RunEnded

from .branches import Branch, branches_of
from .reading import Reading
from .verdict import Verdict, lacking, verdict
from .wording import listed, plural

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["degrades_gracefully", "lost_branches"]


def lost_branches(run: Run) -> tuple[Branch, ...]:
    """The branches whose last call got no whole answer, and that nobody asked again with the same conversation.

    Asked again is by the same agent, also while it waited, or by another one afterwards: one that had the same message
    at the same time under another system prompt is another branch.
    """
    branches = branches_of(run)
    answered = [each for each in branches if each.answered]
    return tuple(
        each for each in branches if not each.answered and not any(_asks_again(other, each) for other in answered)
    )


def _asks_again(other: Branch, lost: Branch) -> bool:
    first, then = lost.calls[0], other.calls[0]
    if then.messages[:1] != first.messages[:1]:
        return False
    same = (then.agent, then.system) == (first.agent, first.system)
    return other.ended >= lost.ended if same else other.began >= lost.ended


@dataclass(frozen=True, slots=True)
class degrades_gracefully:
    """Where branches are lost the workflow delivers the rest, and its result names each gap.

    ``gaps(result)`` gives the names of what the result says is missing. A lost branch (``lost_branches``)
    is named by its agent's name, or by any name that stands in its request: ``"ACME"`` names the branch
    that was asked about ACME. ``gaps`` is given the result itself or, of a stored run, its JSON.

    * *pass*: it completed, or paused for a human, and each lost branch is named.
    * *fail*: a gap is not named; or nothing was delivered though other branches were answered.
    * *unknown*: ``gaps`` is missing; no branch was lost; or the harness stopped the run.
    """

    gaps: Callable[[Any], Collection[str]] | None = None

    @property
    def name(self) -> str:
        """``degrades_gracefully``."""
        return "degrades_gracefully"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        lost = lost_branches(run)
        if not lost:
            advice = "Plan a fault that a branch does not survive, such as a Stall or a lasting HttpError."
            return verdict(run, self.name, "unknown", "no branch was lost: there was nothing to look at", (), advice)
        evidence = [each.calls[-1].id for each in lost]
        if run.outcome == "stopped_by_harness" or not isinstance(run.history[-1], RunEnded):
            reason = f"lost: {listed(lost)}; the run was over before the workflow delivered ({run.error_text})"
            return verdict(run, self.name, "unknown", reason, evidence, "Look at terminates() first.")
        if run.outcome == "paused":
            return verdict(run, self.name, "pass", f"lost: {listed(lost)}; it paused for a human", evidence)
        if run.outcome != "completed":
            return self._raised(run, lost, evidence)
        if self.gaps is None:
            return lacking(run, self.name, "gaps", "Give a function of the result that names what is missing from it.")
        return self._judged(run, lost, list(self.gaps(run.result)), evidence)

    def _raised(self, run: Run, lost: tuple[Branch, ...], evidence: list[int]) -> Verdict:
        rest = sum(each.answered for each in branches_of(run))
        told = f"lost: {listed(lost)}; the workflow raised ({run.error_text})"
        if not rest:
            advice = "Let fewer branches be lost: here nothing was left to deliver."
            return verdict(run, self.name, "unknown", f"{told}, and no other branch was answered", evidence, advice)
        told = f"{told} and delivered nothing of {plural(rest, 'other branch', 'other branches')}"
        return verdict(run, self.name, "fail", told, evidence)

    def _judged(self, run: Run, lost: tuple[Branch, ...], gaps: list[str], evidence: list[int]) -> Verdict:
        reading = Reading(run.history)
        silent = [each for each in lost if not any(_names(gap, each, reading) for gap in gaps)]
        named = f"the result names {listed(map(repr, gaps))}" if gaps else "the result names no gap"
        if silent:
            ids = [each.calls[-1].id for each in silent]
            return verdict(run, self.name, "fail", f"filled silently: {listed(silent)}; {named}", ids)
        return verdict(run, self.name, "pass", f"lost: {listed(lost)}; {named}", evidence)


def _names(gap: str, branch: Branch, reading: Reading) -> bool:
    wanted = " ".join(str(gap).split()).casefold()
    if not wanted:
        return False
    texts = [branch.agent, *[part.text for part in reading.sent(branch.calls[-1])]]
    return any(wanted in " ".join(text.split()).casefold() for text in texts)
