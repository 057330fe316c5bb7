"""The cycle detector: hashes each state and stops a loop that keeps coming back to one.

* Use it on every loop: it stops a repeating one long before the step budget, of any period
  (A, B, A, B is caught as surely as A, A).
* It costs a hash a step, and 16 bytes for each different state of a run.
* It fails to see a loop whose text changes each time (use :class:`~.progress.MonotonicProgress`), and takes
  patient polling for a loop, since a poll is the same call each time (give a ``key`` that holds what
  changes). One repetition is no failure: people and models do repeat a step that then succeeds, so
  ``repeats`` is 2 by default, which is the third occurrence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from dissonance.patterns.step import Step, normalised

from .guard import StepGuard, Watch, at_least_one

__all__ = ["CycleDetector", "state_of"]


def state_of(step: Step) -> str:
    """What counts as a state unless said otherwise: who did what, said what and called what.

    Case and white space of what was said do not count, nor the order of a tool's arguments.
    """
    return "\0".join([step.agent, step.action, normalised(step.output), *(call.canonical for call in step.calls)])


@dataclass(frozen=True, slots=True)
class CycleDetector(StepGuard):
    """Stops when one state has come back ``repeats`` (from 1) times: at its occurrence ``repeats + 1``.

    ``key`` says what counts as a state: steps with equal keys are in the same one.
    """

    repeats: int = 2
    key: Callable[[Step], str] = state_of
    name: str = "cycle_detector"

    def __post_init__(self) -> None:
        at_least_one("repeats", self.repeats)

    def start(self) -> Watch:
        """A fresh watch for one run."""
        seen: Counter[bytes] = Counter()

        def watch(step: Step) -> str | None:
            state = blake2b(self.key(step).encode("utf-8", "surrogatepass"), digest_size=16).digest()
            seen[state] += 1
            if seen[state] <= self.repeats:
                return None
            return f"{step.agent} is in the same state for the {_ordinal(seen[state])} time"

        return watch


def _ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st.

    >>> [_ordinal(n) for n in (2, 3, 11, 22, 113)]
    ['2nd', '3rd', '11th', '22nd', '113th']
    """
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
