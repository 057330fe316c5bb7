"""What a check says of a run: :class:`Verdict`, and how several are composed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from dissonance.harness.run import Run

__all__ = ["Check", "Status", "Tier", "Verdict", "lacking", "verdict", "worst"]

Status = Literal["pass", "fail", "unknown"]
Tier = Literal["T1", "T2", "T3"]

_RANK: dict[Status, int] = {"pass": 0, "unknown": 1, "fail": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check's answer. ``evidence`` holds event ids; ``next`` says what to do about an *unknown*.

    ``tier`` says how far what it looked at repeats, ``demoted_by`` what kept that from T1.
    """

    status: Status
    check: str
    reason: str
    evidence: tuple[int, ...] = ()
    next: str = ""
    tier: Tier = "T1"
    demoted_by: tuple[str, ...] = ()


class Check(Protocol):
    """A pure function of a run. ``name`` is how the command line and the report call it."""

    @property
    def name(self) -> str: ...

    def __call__(self, run: Run) -> Verdict: ...


class Judged(Protocol):
    """What has one of the three states: a verdict, or a finding of a report."""

    @property
    def status(self) -> Status: ...


def worst(verdicts: Iterable[Judged]) -> Status:
    """``fail`` over ``unknown`` over ``pass``; no verdict at all is *unknown*."""
    return max((v.status for v in verdicts), key=_RANK.__getitem__, default="unknown")


def verdict(
    run: Run, check: str, status: Status, reason: str, evidence: Iterable[int] = (), advice: str = ""
) -> Verdict:
    """A verdict on this run; each id of the evidence once, in order."""
    ids = tuple(sorted(set(evidence)))
    return Verdict(status=status, check=check, reason=reason, evidence=ids, next=advice, tier=run.tier)


def lacking(run: Run, check: str, label: str, advice: str) -> Verdict:
    """*Unknown*: the check was not told what it needs to judge by."""
    return verdict(
        run, check, "unknown", f"the label `{label}` is missing: {check} cannot judge without it", (), advice
    )
