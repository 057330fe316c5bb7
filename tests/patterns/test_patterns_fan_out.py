"""Fan-out: concurrent, boxed in time, and honest about what is missing."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import succeed

from dissonance.patterns import (
    Agent,
    Conflict,
    FannedOut,
    Outcome,
    OutputGuard,
    Pattern,
    PatternError,
    Piece,
    Provenance,
    Signal,
    Source,
    StepBudget,
    TimeBox,
    Unfinished,
    Usage,
    contains,
    fan_out,
    merger,
    solo,
    splitter,
    supervise,
)
from dissonance.patterns.guards import Rounds

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

COMPANIES = ["ACME", "Zenith", "Initech"]
MINUTES = (4.0, 5.0, 2.5, 4.5, 4.0, 4.0, 3.5, 5.0, 4.0, 3.0, 4.5, 3.0)
"""Twelve profiles: 47 minutes in all. In this order four agents are done after 13."""


def pieces(task: str) -> list[Piece]:
    return [Piece(name=name, task=f"Profile {name}.") for name in COMPANIES]


def timed(seconds: Sequence[float]) -> list[Piece]:
    return [Piece(name=f"p{index}", task=str(each)) for index, each in enumerate(seconds)]


async def nap(task: str) -> Outcome[str]:
    """Work that takes as many seconds as its task says."""
    await asyncio.sleep(float(task))
    return Outcome(output=task, finished=True, steps=1, usage=Usage(calls=1))


def scheduled(seconds: Sequence[float], slots: int) -> float:
    """The makespan of list scheduling: each job goes to the slot that is free first."""
    free = [0.0] * slots
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def took(pattern: Callable[[str], Coroutine[Any, Any, FannedOut[Any]]], task: str = "") -> tuple[FannedOut[Any], float]:
    played = succeed(lambda: pattern(task))
    return played.result, played.seconds


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("agents", "minutes"), [(1, 47), (4, 13)])
def test_twelve_profiles(agents: int, minutes: int) -> None:
    seconds = [60 * each for each in MINUTES]
    result, makespan = took(fan_out(nap, split=lambda _: timed(seconds), at_once=agents))
    assert (makespan, scheduled(seconds, agents), len(result.gaps)) == (60 * minutes, 60 * minutes, 0)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_the_makespan_is_that_of_list_scheduling(seconds: list[int], slots: int) -> None:
    """And so within Graham's bound, whose lower bound is max(the longest, the sum divided by the slots)."""
    _, makespan = took(fan_out(nap, split=lambda _: timed(seconds), at_once=slots))
    lower = max(max(seconds), sum(seconds) / slots)
    assert makespan == scheduled(seconds, slots)
    assert lower <= makespan <= (2 - 1 / slots) * max(lower, scheduled(sorted(seconds, reverse=True), slots))


@pytest.mark.parametrize(
    ("guards", "seconds", "gaps"),
    [
        pytest.param([], 90, [], id="without a time box: the slowest"),
        pytest.param([TimeBox(30)], 30, ["p1"], id="with one: the box"),
    ],
)
def test_a_branch_of_8_and_one_of_90_seconds(guards: list[TimeBox], seconds: float, gaps: list[str]) -> None:
    result, makespan = took(fan_out(nap, split=lambda _: timed([8, 90]), branch_guards=guards))
    assert (makespan, [gap.name for gap in result.gaps]) == (seconds, gaps)


def test_a_boxed_branch_is_a_gap_that_says_why() -> None:
    result, _ = took(fan_out(nap, split=lambda _: timed([8, 90]), branch_guards=[TimeBox(30)]))
    assert result.output == {"p0": "8", "p1": "data unavailable (time_box: not done after 30 s)"}
    assert (result.finished, result.stopped_by, result.reason) == (
        True,
        "time_box",
        "1 of 2 parts are missing: p1 (time_box: not done after 30 s)",
    )


def test_the_box_of_a_branch_starts_when_the_branch_does() -> None:
    """Waiting for a free slot costs it nothing."""
    result, makespan = took(fan_out(nap, split=lambda _: timed([8, 8, 8]), at_once=1, branch_guards=[TimeBox(9)]))
    assert (len(result.gaps), makespan, [part.seconds for part in result.parts]) == (0, 24, [8, 8, 8])


def test_too_few_parts_are_no_answer() -> None:
    result, _ = took(fan_out(nap, split=lambda _: timed([8, 90]), branch_guards=[TimeBox(30)], at_least=2))
    with pytest.raises(Unfinished, match="stopped by time_box after 2 steps: 1 of 2 parts are missing"):
        result.require()


def test_a_box_around_the_whole_keeps_what_is_done() -> None:
    result, makespan = took(fan_out(nap, split=lambda _: timed([8, 90, 5]), at_once=1, guards=[TimeBox(20)]))
    gap = "data unavailable (it was not done when the whole was stopped)"
    assert (makespan, result.finished, result.stopped_by) == (20, False, "time_box")
    assert result.output == {"p0": "8", "p1": gap, "p2": gap}


@pytest.mark.parametrize(
    ("copies", "seconds", "calls"),
    [
        pytest.param([90.0, 8.0], 18, 2, id="the second copy is faster"),
        pytest.param([12.0, 90.0], 12, 2, id="the first one after all"),
        pytest.param([8.0, 90.0], 8, 1, id="not late: no second copy"),
        pytest.param([-11.0, 4.0], 14, 2, id="the first one fails"),
        pytest.param([20.0, -1.0], 20, 2, id="the second one fails"),
    ],
)
def test_hedging(copies: list[float], seconds: float, calls: int) -> None:
    """A negative time is when that copy fails."""
    started: list[float] = []

    async def uneven(task: str) -> Outcome[str]:
        duration = copies[len(started)]
        started.append(duration)
        await asyncio.sleep(abs(duration))
        if duration < 0:
            raise PatternError("no")
        return Outcome(output="done", finished=True, steps=1, usage=Usage())

    result, makespan = took(fan_out(uneven, split=lambda _: timed([1]), hedge=10))
    assert (result.output, makespan, len(started)) == ({"p0": "done"}, seconds, calls)


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        pytest.param(ValueError("bad row"), "ValueError: bad row", id="an exception"),
        pytest.param(TimeoutError(), "TimeoutError: ", id="a timeout of its own"),
    ],
)
def test_a_failed_branch_never_loses_the_others(failure: Exception, why: str) -> None:
    async def work(task: str) -> Outcome[str]:
        if "Zenith" in task:
            raise failure
        return await nap("5")

    result, _ = took(fan_out(work, split=pieces))
    assert {name: (result.output or {}).get(name) for name in ("ACME", "Initech")} == {"ACME": "5", "Initech": "5"}
    assert [(gap.name, gap.missing) for gap in result.gaps] == [("Zenith", why)]


def test_a_branch_that_was_stopped_is_a_gap_with_what_it_had(wire: Wire) -> None:
    client = wire({"writer": repeat("soon")})
    inner: Pattern[str] = supervise(
        client, workers=[Agent("writer", "Write.")], checks=[contains("May 1")], guards=[StepBudget(2)]
    )
    result = asyncio.run(fan_out(inner, split=pieces)("Go"))
    assert [(gap.stopped_by, gap.partial) for gap in result.gaps] == [("step_budget", "soon")] * 3
    assert (result.finished, result.stopped_by, result.usage.calls) == (False, "step_budget", 6)
    assert result.output is not None
    assert result.output["ACME"] == "data unavailable (all 2 steps are used up); incomplete: soon"


def test_a_damaged_branch_is_a_gap_with_what_arrived_and_is_paid_for(wire: Wire) -> None:
    client = wire({"writer": ["One.", wire.say("Two, and th", "max_tokens"), "Three."]})
    result = asyncio.run(fan_out(solo(client, Agent("writer", "Write.")), split=pieces)("Go"))
    (gap,) = result.gaps
    assert (gap.name, gap.partial, gap.usage.calls, result.usage.calls) == ("Zenith", "Two, and th", 1, 3)


def test_a_foreign_stop_passes_and_leaves_no_branch_behind() -> None:
    """A guard of the pattern around it: only that one knows what to make of it."""
    ended: list[str] = []

    async def work(task: str) -> Outcome[str]:
        try:
            return await nap("99")
        finally:
            ended.append(task)

    async def outer() -> Any:
        async with Rounds([TimeBox(10)]) as rounds:
            await fan_out(work, split=pieces)("Go")
        return rounds.stop

    played = succeed(outer)
    assert (played.result.guard, played.seconds, len(ended)) == ("time_box", 10, 3)


def test_a_failing_reducer_does_not_lose_the_parts(wire: Wire) -> None:
    client = wire({"writer": repeat("Profile."), "editor": repeat(wire.say("no", "refusal"))})
    reduce = merger(client, Agent("editor", "Merge."))
    result = asyncio.run(fan_out(solo(client, Agent("writer", "Write.")), split=pieces, reduce=reduce)("Go"))
    assert (result.finished, len(result.gaps), result.usage.calls) == (False, 0, 4)
    assert str(result.reason).startswith("the reducer failed: DamagedReply: the reply to agent 'editor' is refused")


# --- splitting and merging by agents ------------------------------------------------------------


def test_an_agent_splits_and_another_merges(wire: Wire) -> None:
    plan = '{"pieces": [{"name": "ACME", "task": "Profile ACME."}, {"name": "Zenith", "task": "Profile Zenith."}]}'
    client = wire({"planner": [plan], "writer": ["A.", wire.say("", "refusal")], "editor": ["ACME: A."]})
    split = splitter(client, Agent("planner", "Split."), at_most=3)
    reduce = merger(client, Agent("editor", "Merge."))
    result = asyncio.run(fan_out(solo(client, Agent("writer", "Write.")), split=split, reduce=reduce)("All."))
    assert result.output == (
        "ACME: A.\nZenith: data unavailable (DamagedReply: the reply to agent 'writer' is refused: the model refused)"
    )
    assert '<part name="Zenith">\ndata unavailable (' in wire.prompts("editor")[0]
    assert result.usage.calls == 4


def test_a_gap_that_the_editor_names_is_not_named_twice(wire: Wire) -> None:
    client = wire({"writer": ["A.", wire.say("", "refusal"), "C."], "editor": ["A., C.\nZenith: Data  unavailable."]})
    reduce = merger(client, Agent("editor", "Merge."))
    result = asyncio.run(fan_out(solo(client, Agent("writer", "Write.")), split=pieces, reduce=reduce)("All."))
    assert result.output == "A., C.\nZenith: Data  unavailable."


def test_more_pieces_than_allowed_are_refused(wire: Wire) -> None:
    plan = '{"pieces": [{"name": "a", "task": "x"}, {"name": "b", "task": "y"}]}'
    split = splitter(wire({"planner": [plan]}), Agent("planner", "Split."), at_most=1)
    with pytest.raises(Unfinished, match="planner made 2 pieces where 1 are allowed"):
        asyncio.run(fan_out(nap, split=split)("All."))


def years(text: str) -> Mapping[str, str]:
    return {"founded": text.rsplit(" ", 1)[-1]}


def test_conflicts_are_surfaced_to_the_reducer_and_in_the_result(wire: Wire) -> None:
    client = wire({"writer": ["In 1987", "In 1989", "In 1987"], "editor": ["It was founded in 1987."]})
    reduce = merger(client, Agent("editor", "Merge."))
    step = fan_out(solo(client, Agent("writer", "Write.")), split=pieces, reduce=reduce, facts=years)
    result = asyncio.run(step("When was it founded?"))
    line = "founded: ACME says '1987'; Zenith says '1989'; Initech says '1987'"
    assert result.conflicts == (Conflict("founded", {"ACME": "1987", "Zenith": "1989", "Initech": "1987"}),)
    assert f"<conflict>\n{line}\n</conflict>" in wire.prompts("editor")[0]
    assert result.output == f"It was founded in 1987.\nConflict: {line}"


# --- provenance and guards of outputs -----------------------------------------------------------


class Register(OutputGuard):
    """The year must be the register's."""

    name = "register"
    briefing = ""

    def verify(self, task: str, output: Any) -> Signal:
        return Signal("1987" in str(output), "The register says 1987.", sources=(Source("register", verified=True),))


def test_a_branch_whose_output_a_guard_rejects_is_a_gap(wire: Wire) -> None:
    client = wire({"writer": ["In 1987", "In 1989", "In 1987"]})
    step = fan_out(solo(client, Agent("writer", "Write.")), split=pieces, branch_guards=[Register()])
    result = asyncio.run(step("When?"))
    assert [(gap.name, gap.stopped_by, gap.partial) for gap in result.gaps] == [("Zenith", "register", "In 1989")]
    origin = Provenance(by="writer", sources=(Source("register", verified=True),), verified_by=("register",))
    assert result.provenance == Provenance(by="fan_out", upstream=(origin, origin))


def test_a_guard_of_the_whole_looks_at_the_reduced_output(wire: Wire) -> None:
    client = wire({"writer": repeat("In 1989")})
    result = asyncio.run(fan_out(solo(client, Agent("writer", "W.")), split=pieces, guards=[Register()])("When?"))
    assert (result.finished, result.stopped_by, result.reason) == (False, "register", "The register says 1987.")
    assert result.output == dict.fromkeys(COMPANIES, "In 1989")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"at_once": 0}, "at_once=0: give 1 or more", id="at_once"),
        pytest.param({"at_least": 0}, "at_least=0: give 1 or more", id="at_least"),
        pytest.param({"hedge": 0}, "hedge=0: give seconds above 0, or None", id="hedge"),
        pytest.param(
            {"guards": [StepBudget(3)]},
            "guards=['step_budget']: a fan-out has no loop for them to watch; give them to the branches' work",
            id="guards of steps",
        ),
    ],
)
def test_bad_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        fan_out(nap, split=pieces, **wrong)
    assert str(caught.value) == message


@pytest.mark.parametrize("names", [[], ["a", "a"]], ids=["none", "equal"])
def test_pieces_without_a_name_of_their_own_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="give at least one, each with a name of its own"):
        asyncio.run(fan_out(nap, split=lambda _: [Piece(name=name, task="1") for name in names])("Go"))
