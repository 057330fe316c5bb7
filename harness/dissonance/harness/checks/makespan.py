"""``makespan``: how long a fan-out takes, against its slowest branch and the ideal."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from dissonance.harness.errors import BadInput

from .branches import Branch, fan_outs, width
from .verdict import Verdict, lacking, verdict
from .wording import number, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissonance.harness.result import Run

__all__ = ["Makespan", "makespan", "measure_makespan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Makespan:
    """One fan-out, in virtual seconds.

    * ``seconds`` from the first branch's beginning to the last one's end, ``branches`` the time of each;
    * ``width``: how many ran at once at most;
    * ``ideal``: the lower bound of any schedule of these branches on so many workers, the greater of
      the slowest branch and their sum divided by ``width``;
    * ``straggler``: the slowest over the median; ``efficiency``: their sum over width times seconds.

    ``slowest`` is the branch that took longest, ``calls`` are the event ids of its calls.
    """

    seconds: float
    branches: tuple[float, ...]
    width: int
    slowest: str
    calls: tuple[int, ...]

    @property
    def ideal(self) -> float:
        """See above."""
        return max(max(self.branches), sum(self.branches) / self.width)

    @property
    def straggler(self) -> float:
        """See above; 1 where all took no time."""
        middle = median(self.branches)
        return max(self.branches) / middle if middle else 1.0

    @property
    def efficiency(self) -> float:
        """See above; 1 where all took no time."""
        return sum(self.branches) / (self.width * self.seconds) if self.seconds else 1.0


def measure_makespan(run: Run) -> Makespan | None:
    """The longest fan-out of a run; None where no two branches ran at once."""
    return max((_measured(group) for group in fan_outs(run)), key=lambda each: each.seconds, default=None)


def _measured(group: Sequence[Branch]) -> Makespan:
    slowest = max(group, key=lambda each: each.seconds)
    return Makespan(
        seconds=max(each.ended for each in group) - min(each.began for each in group),
        branches=tuple(each.seconds for each in group),
        width=width(group),
        slowest=str(slowest),
        calls=tuple(call.id for call in slowest.calls),
    )


@dataclass(frozen=True, slots=True)
class makespan:
    """The longest fan-out takes at most ``at_most`` virtual seconds, and ``of_ideal`` times its lower bound.

    Branches are conversations that run at once (see ``branches``); the lower bound is that of
    :class:`Makespan`, for the branches as slow as they were.

    * *pass* and *fail*: by either bound that is given.
    * *unknown*: no bound is given; no two branches ran at once; the harness stopped the run; or tier T3,
      whose times do not repeat.

    BadInput for a bound that is not above 0.
    """

    at_most: float | None = None
    of_ideal: float | None = None

    def __post_init__(self) -> None:
        for name in ("at_most", "of_ideal"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise BadInput(f"makespan({name}={bound!r}): give a number above 0, or leave it out")

    @property
    def name(self) -> str:
        """``makespan``."""
        return "makespan"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run."""
        if self.at_most is None and self.of_ideal is None:
            return lacking(run, self.name, "at_most", "Give makespan(at_most=…), in virtual seconds.")
        if run.tier == "T3":
            advice = f"Remove what demoted the run: {', '.join(run.demoted_by) or 'nothing is recorded'}."
            return verdict(run, self.name, "unknown", "times of tier T3 do not repeat", (), advice)
        found = measure_makespan(run)
        if found is None:
            advice = "Use a workflow that calls agents at the same time, such as asyncio.gather does."
            reason = "no two branches ran at once: there was no fan-out to look at"
            return verdict(run, self.name, "unknown", reason, (), advice)
        return self._judged(run, found)

    def _judged(self, run: Run, found: Makespan) -> Verdict:
        told = (
            f"{plural(len(found.branches), 'branch', 'branches')}, {found.width} at once, took {number(found.seconds)} s; "
            f"the slowest ({found.slowest}) {number(max(found.branches))} s, {number(found.straggler)} times the median; "
            f"at best {number(found.ideal)} s"
        )
        beyond = self._beyond(found)
        if beyond:
            return verdict(run, self.name, "fail", f"{beyond}: {told}", found.calls)
        if run.outcome == "stopped_by_harness":
            return verdict(run, self.name, "unknown", f"the run was stopped: {told}", (), "Look at terminates() first.")
        return verdict(run, self.name, "pass", told, found.calls)

    def _beyond(self, found: Makespan) -> str:
        if self.at_most is not None and found.seconds > self.at_most:
            return f"{number(found.seconds)} s, more than {number(self.at_most)}"
        ratio = found.seconds / found.ideal if found.ideal else 1.0
        if self.of_ideal is not None and ratio > self.of_ideal * (1 + 1e-12):
            return f"{number(ratio)} times the ideal, more than {number(self.of_ideal)}"
        return ""
