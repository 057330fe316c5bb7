"""``cascade``: how far a planted claim went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissonance.harness.errors import BadInput

from .taint import Cascade, planted, trace_cascade
from .verdict import Verdict, verdict
from .wording import listed, plural, share

if TYPE_CHECKING:
    from dissonance.harness.result import Run

__all__ = ["cascade"]

_RANK = {"pass": 0, "unknown": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class cascade:
    """A planted claim goes no deeper than ``depth``, and is not in what the workflow delivers.

    * *pass*: of each planted claim, no reply deeper than ``depth`` holds it (None: any depth may), and,
      with ``output_clean``, the result does not.
    * *fail*: one does.
    * *unknown*: no claim was planted, or none reached anybody; the statement stands in the fault-free run
      as well; a reply on its way was cut at ``max_tokens``, so that its true reach may be greater; the
      model is live, and a clean trace is a lower bound only; or the true twin, planted in the same place
      in the run ``control``, got no further, so that the claim was lost and not caught.

    Depths and all other figures are those of :func:`~.taint.trace_cascade`. BadInput for a depth below 0.
    """

    depth: int | None = None
    output_clean: bool = True
    control: Run | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.depth is not None and (isinstance(self.depth, bool) or not self.depth >= 0):
            raise BadInput(f"cascade(depth={self.depth!r}): give a whole number, 0 or more, or leave it out")

    @property
    def name(self) -> str:
        """``cascade``."""
        return "cascade"

    def __call__(self, run: Run) -> Verdict:
        """The verdict on this run: the worst of its claims."""
        traces = [trace for claim in planted(run) if (trace := trace_cascade(run, claim)) is not None]
        if not traces:
            advice = "Plan a fault that plants a claim (SeedClaim, say) on a call that the workflow makes."
            return verdict(run, self.name, "unknown", "no claim was planted: there was nothing to look at", (), advice)
        return max((self._one(run, trace) for trace in traces), key=lambda each: _RANK[each.status])

    def _one(self, run: Run, trace: Cascade) -> Verdict:
        evidence = _evidence(run, trace)
        heard = any(each.stopped != "not answered" for each in trace.calls)
        doubt = None if heard else _nobody(trace)
        if trace.background:
            doubt = (f"claim {trace.claim!r} stands in the fault-free run as well", "Plant another claim.")
        if doubt is None and (broken := self._broken(trace)):
            return verdict(run, self.name, "fail", f"{broken}: {_told(trace)}", evidence)
        doubt = doubt or self._doubt(run, trace)
        if doubt is not None:
            return verdict(run, self.name, "unknown", doubt[0], evidence, doubt[1])
        beside = "" if self.control is not None else "; no control arm was compared"
        return verdict(run, self.name, "pass", f"{_told(trace)}{beside}", evidence)

    def _broken(self, trace: Cascade) -> str:
        """What is not as it should be; empty where all is."""
        if self.depth is not None and trace.depth > self.depth:
            return f"more than {self.depth} deep"
        return "in what was delivered" if self.output_clean and trace.output else ""

    def _doubt(self, run: Run, trace: Cascade) -> tuple[str, str] | None:
        told = _told(trace)
        if trace.cut:
            cut = listed(each for each in trace.calls if each.cut)
            return f"{told}; but {cut} was cut at max_tokens: it may go further", "Raise max_tokens there."
        if run.outcome == "stopped_by_harness":
            return f"{told}; but the run was over before the workflow delivered", "Look at terminates() first."
        if trace.lower_bound:
            return f"{told}; with a live model that is a lower bound", "Read the replies that the evidence names."
        return self._lost(trace)

    def _lost(self, trace: Cascade) -> tuple[str, str] | None:
        """Whether the true twin of the control arm got no further."""
        if self.control is None:
            return None
        true = trace_cascade(self.control, trace.claim)
        if true is None or true.twin != "true" or not true.calls:
            return (
                f"the control run did not plant the true twin of {trace.claim!r}",
                "Make it with the same plan, the true twin in the false one's place.",
            )
        further = (true.depth, true.output) > (trace.depth, trace.output) or (
            (true.survival or 0.0) > (trace.survival or 0.0)
        )
        if further:
            return None
        told = f"{_told(trace)}; the true twin got no further ({true.depth} deep): the claim was lost, not caught"
        return told, "Look at where both stopped: something is lost there whether it is true or not."


def _nobody(trace: Cascade) -> tuple[str, str]:
    return (
        f"claim {trace.claim!r} was planted, but no request that holds it was answered, and no reply holds it",
        "Plant it in a call whose reply the workflow reads.",
    )


def _told(trace: Cascade) -> str:
    """The figures, in a line."""
    passed = sum(each.infected for each in trace.readers)
    where = f" ({trace.deepest})" if trace.deepest is not None and trace.depth else ""
    parts = [f"claim {trace.claim!r} went {trace.depth} deep{where}, to {plural(trace.breadth, 'agent')}"]
    if trace.exposed:
        parts.append(f"{share(passed, trace.exposed)} of the calls that read it passed it on")
    if trace.secondary is not None:
        parts.append(f"{trace.secondary:.2f} new infections each")
    if trace.amplification > 1:
        parts.append(f"amplified {trace.amplification:g} times")
    stops = Counter(each.stopped for each in trace.stops)
    if stops:
        first = {reason: next(each for each in trace.stops if each.stopped == reason) for reason in stops}
        parts.append("stopped: " + listed(f"{reason} at {first[reason]}" for reason in stops))
    return ", ".join(parts)


def _evidence(run: Run, trace: Cascade) -> set[int]:
    found = set(trace.faults[:1])
    if trace.deepest is not None:
        found |= {trace.deepest.call, *([] if trace.deepest.reply is None else [trace.deepest.reply])}
    found |= {each.call for each in trace.stops[:3]}
    return found | ({run.history[-1].id} if trace.output else set())
