"""One plan, one history: in one process and in several."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scouting import review

from dissonance.faults import At, Overloaded, RateLimit, RejectWork, Rule, SlowReply, When
from dissonance.harness import Limits, Run, run

PLAN = [
    Rule(at=At(agent="judge"), when=When(until_call=2), fault=RejectWork()),
    Rule(at=At(agent="scout-*"), when=When(call=1), fault=SlowReply(seconds=30, law="lognormal", sigma=0.5)),
    Rule(at=At(agent="writer"), when=When(call=1, attempt=1), fault=RateLimit(retry_after=5)),
    Rule(at=At(agent="writer"), when=When(call=2), fault=Overloaded()),
]


def played(seed: int = 0) -> Run:
    return run(review, "Tin rose by 4 % on 3 May 2024.", plan=PLAN, seed=seed, baseline=False, store=None)


@pytest.mark.slow
def test_one_plan_two_hundred_runs_one_history() -> None:
    first = played()
    assert {count.fired > 0 for count in first.faults.values()} == {True}
    assert first.outcome in ("completed", "failed")
    for _ in range(199):
        again = played()
        assert again.history == first.history
        assert dict(again.history.bodies.items()) == dict(first.history.bodies.items())


def test_another_seed_is_another_history() -> None:
    assert played(seed=1).history != played(seed=2).history


CODE = """
import sys
sys.path[:0] = {paths!r}
from test_determinism import played
from dissonance.harness.history import write_event
for event in played().history:
    sys.stdout.buffer.write(write_event(event))
"""


@pytest.mark.slow
def test_processes_with_different_hash_seeds_write_one_history() -> None:
    here = Path(__file__).parent
    code = CODE.format(paths=[str(here), str(here.parent / "support")])
    histories = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(histories) == 1
    assert next(iter(histories)).count(b'"kind":"fault"') >= 4


def test_a_limit_is_hit_at_the_same_call() -> None:
    limits = Limits(calls=4)
    runs = [run(review, "x", plan=PLAN, limits=limits, baseline=False, store=None) for _ in range(20)]
    assert {tuple(event.at for event in one.history) for one in runs} == {tuple(event.at for event in runs[0].history)}
