"""Ten thousand inputs of all sorts: none comes to a traceback of ours."""

from __future__ import annotations

from collections import Counter

import fuzzed
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

INPUTS = 10_000
"""``python -m benchmarks.fuzz 100000`` tries as many as one likes, guided by coverage where atheris is installed."""


@pytest.mark.slow
def test_nothing_but_clear_errors_comes_of_ten_thousand_inputs() -> None:
    came_to: Counter[str] = Counter()

    @settings(
        max_examples=INPUTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(st.binary(min_size=1, max_size=64))
    def any_input(data: bytes) -> None:
        came_to[fuzzed.check(data)] += 1

    any_input()
    assert sum(came_to.values()) >= INPUTS
    assert {"plan", "no plan", "history", "no history", "request", "refused", "fired", "left alone"} <= set(came_to)
