"""The named shapes: what each agent's calls meet, second by second."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dissonance.faults import FaultPlan
from dissonance.faults.shapes import brownout, flap, storm, swizzle
from dissonance.harness.call import Call
from dissonance.harness.errors import BadInput


def down(plan: FaultPlan, agent: str, kind: str, ordinal: int = 1) -> str:
    """A mark for each ten seconds of the first two minutes: ``#`` where a call sent then is struck."""
    calls = (Call(id=0, agent=agent, ordinal=ordinal, sent_at=float(at)) for at in range(0, 120, 10))
    return "".join(
        "#" if any(rule.matches(call) and rule.fault.kind == kind for rule in plan.rules) else "." for call in calls
    )


def test_a_storm_strikes_everybody_for_a_while() -> None:
    assert down(storm(after=20, seconds=60), "anybody", "Overloaded") == "..######...."


def test_a_flap_goes_down_and_up() -> None:
    assert down(flap(period=30, times=3, down=0.5), "anybody", "Disconnect") == "##.##.##...."


def test_a_brownout_is_slow_and_fails_now_and_then() -> None:
    plan = brownout(after=10, seconds=40, every=3)
    assert down(plan, "anybody", "SlowReply") == ".####......."
    assert [down(plan, "anybody", "Overloaded", n) for n in (1, 2, 3)] == ["." * 12, "." * 12, ".####......."]


def test_a_swizzle_takes_agents_down_one_by_one_and_back_in_another_order() -> None:
    plan = swizzle(["a", "b", "c"], seed=1)
    rows = [down(plan, agent, "Disconnect") for agent in "abc"]
    starts, ends = ([row.index("#") for row in rows], [row.rindex("#") for row in rows])
    assert sorted(starts) == [0, 1, 2] and sorted(ends) == [2, 3, 4]
    assert all("." not in row.strip(".") for row in rows)


def test_the_orders_of_a_swizzle_are_drawn_by_its_seed() -> None:
    agents = ["a", "b", "c", "d"]
    assert swizzle(agents, seed=1) == swizzle(agents, seed=1)
    assert len({swizzle(agents, seed=seed).to_json() for seed in range(40)}) > 30


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (lambda: storm(seconds=0), r"storm\(seconds=0\): give a number above 0"),
        (lambda: storm(after=-1), r"storm\(after=-1\): give a second of the run, 0 or later"),
        (lambda: flap(down=1), r"flap\(down=1\): give a share below 1"),
        (lambda: brownout(every=0), r"brownout\(every=0\)"),
        (lambda: swizzle("judge"), r"swizzle\(agents='judge'\): give a list"),
    ],
    ids=["storm", "storm-after", "flap", "brownout", "swizzle"],
)
def test_a_bad_argument_is_named(shape: Callable[[], FaultPlan], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        shape()
