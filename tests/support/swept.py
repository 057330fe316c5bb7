"""Trials for the tests of sweeps, where the workers of every engine can import them."""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic

from dissonance.faults import At, FaultPlan, RejectWork, Rule
from dissonance.harness import terminates
from dissonance.harness.sweep import Arm, Case, Trial
from dissonance.harness.sweep.cases import Scalar

GRID: dict[str, list[Scalar]] = {"size": [1, 2.5], "name": ["a", "b", None]}


def measure(case: Case) -> dict[str, Any]:
    """A row that any change of its case changes, and that costs next to nothing."""
    digest = blake2b(repr((case.parameters, case.seed)).encode(), digest_size=4).digest()
    drawn = int.from_bytes(digest, "big")
    return {"drawn": drawn / 2**32, "verdict": "fail" if drawn % 5 == 0 else "pass", "odd": bool(drawn % 2)}


@dataclass(frozen=True)
class Mortal:
    """Kills its worker in the case ``number``: once, or each time where there is no ``grave`` to note it in."""

    number: int
    grave: Path | None = None

    def __call__(self, case: Case) -> dict[str, Any]:
        if case.number == self.number and not (self.grave and self.grave.exists()):
            if self.grave is not None:
                self.grave.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return measure(case)


@dataclass(frozen=True)
class Wedged:
    """Never comes back in these cases: from C, with every signal blocked, and with the interpreter's lock if ``locked``."""

    numbers: tuple[int, ...]
    locked: bool

    def __call__(self, case: Case) -> dict[str, Any]:
        if case.number in self.numbers:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            (ctypes.PyDLL if self.locked else ctypes.CDLL)(None).sleep(1000)
        return measure(case)


async def reviewed(task: str, rounds: int = 2) -> str:
    """A judge that is asked again until it approves, so many times at most."""
    async with AsyncAnthropic(api_key="none") as client:
        for _ in range(rounds):
            answer = await client.messages.create(
                model="claude-sonnet-4-6",
                max_tokens=50,
                system="You are the judge. Respond with 'APPROVE' or 'REJECT'.",
                messages=[{"role": "user", "content": task}],
            )
            if "APPROVE" in answer.content[0].text:  # type: ignore[union-attr]
                return "approved"
    return "given up"


def review_trial(keep: Path | None = None) -> Trial:
    """``reviewed`` without a fault, and with a judge that never accepts, in two calls at most."""
    plan = FaultPlan(rules=[Rule(at=At(agent="judge"), fault=RejectWork())])
    check = terminates(within_calls=2)
    arms = {"none": Arm(checks=[check]), "judge": Arm(plan=plan, checks=[check])}
    return Trial(workflow=reviewed, task="draft the notice", arms=arms, keep=keep)


REVIEWS: dict[str, list[Scalar]] = {"arm": ["none", "judge"], "rounds": [2, 4]}
