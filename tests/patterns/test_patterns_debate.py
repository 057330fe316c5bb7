"""Debates: independent first, accepted where they agree, bounded where they don't, dissent kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import cycle, repeat
from typing import TYPE_CHECKING, Any

import pytest

from dissonance.harness import run
from dissonance.patterns import (
    ARBITRATOR,
    Agent,
    CycleDetector,
    Debated,
    Diversity,
    MonotonicProgress,
    StepBudget,
    TimeBox,
    debate,
)

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

A, B, C = Agent("attacker", "Attack the claim."), Agent("defender", "Defend it."), Agent("auditor", "Check figures.")
PANEL = (A, B, C)


def say(wire: Wire, conclusion: str, reasoning: str = "because") -> Mapping[str, Any]:
    return wire.say(json.dumps({"reasoning": reasoning, "conclusion": conclusion}))


def debated(wire: Wire, scripts: Mapping[str, Sequence[str]], **options: Any) -> Debated:
    """A debate in which each says these conclusions in turn, for reasons of its own."""
    replies = {
        name: [say(wire, said, f"{name}'s reason {n}") for n, said in enumerate(conclusions)]
        for name, conclusions in scripts.items()
    }
    return asyncio.run(debate(wire(replies), PANEL, **options)("Is the claim true?"))


def heard(request: Mapping[str, Any]) -> set[str]:
    """Whose reasons stand in a request."""
    return {agent.name for agent in PANEL if f"{agent.name}'s reason" in request["messages"][0]["content"]}


# --- rounds -----------------------------------------------------------------------------------


def test_where_all_agree_at_once_there_is_no_debate(wire: Wire) -> None:
    outcome = debated(wire, {"attacker": ["Yes"], "defender": ["yes "], "auditor": ["YES"]}, arbitrator=ARBITRATOR)
    assert (outcome.require(), outcome.decided_by, outcome.rounds, outcome.usage.calls) == ("Yes", "agreement", 0, 3)
    assert (outcome.dissent, outcome.flipped, outcome.steps) == ((), (), 0)
    assert [heard(request) for request in wire.requests] == [set(), set(), set()]


def test_where_they_differ_each_hears_the_full_reasoning_of_all_others(wire: Wire) -> None:
    outcome = debated(wire, {"attacker": ["No", "Yes"], "defender": ["Yes", "Yes"], "auditor": ["Yes", "Yes"]})
    assert (outcome.require(), outcome.decided_by, outcome.rounds, outcome.usage.calls) == ("Yes", "agreement", 1, 6)
    assert (outcome.flipped, [stance.position.conclusion for stance in outcome.first]) == (
        ("attacker",),
        ["No", "Yes", "Yes"],
    )
    assert all(heard(request) == {"attacker", "defender", "auditor"} for request in wire.requests[3:])
    assert "auditor's reason 0\nConclusion: Yes" in wire.prompts("attacker")[1]


def test_reflection_is_the_same_without_the_others(wire: Wire) -> None:
    scripts = {"attacker": ["No", "No"], "defender": ["Yes", "No"], "auditor": ["Yes", "Yes"]}
    outcome = debated(wire, scripts, mode="reflect", rounds=1)
    assert (outcome.output, outcome.decided_by, outcome.flipped, outcome.usage.calls) == (
        "No",
        "vote",
        ("defender",),
        6,
    )
    assert [heard(request) for request in wire.requests[3:]] == [{"attacker"}, {"defender"}, {"auditor"}]


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_the_rounds_are_bounded(wire: Wire, rounds: int) -> None:
    scripts = {"attacker": ["a", "b"] * 3, "defender": ["b", "a"] * 3, "auditor": ["c", "d"] * 3}
    outcome = debated(wire, scripts, rounds=rounds)
    assert (outcome.rounds, outcome.usage.calls, outcome.finished) == (rounds, 3 * (1 + rounds), False)
    assert outcome.reason == "no conclusion has more than half of the votes"
    assert {stance.position.conclusion for stance in outcome.dissent} == set("abd" if rounds % 2 else "abc")


def test_a_round_in_which_nobody_moves_is_the_last(wire: Wire) -> None:
    outcome = debated(
        wire,
        {name: [text] * 9 for name, text in zip(("attacker", "defender", "auditor"), "abc", strict=True)},
        rounds=8,
    )
    assert (outcome.rounds, outcome.usage.calls) == (1, 6)


# --- decisions --------------------------------------------------------------------------------


def test_a_vote_needs_more_than_half_and_the_dissent_is_kept(wire: Wire) -> None:
    outcome = debated(wire, {"attacker": ["No"], "defender": ["Yes"], "auditor": ["Yes"]}, rounds=0)
    assert (outcome.require(), outcome.decided_by) == ("Yes", "vote")
    (dissent,) = outcome.dissent
    assert (dissent.debater, dissent.position.conclusion, dissent.position.reasoning) == (
        "attacker",
        "No",
        "attacker's reason 0",
    )


def test_the_arbitrator_reads_all_reasons_and_may_side_with_the_minority(wire: Wire) -> None:
    scripts = {"attacker": ["No"], "defender": ["Yes"], "auditor": ["Yes"], "arbitrator": ["No"]}
    outcome = debated(wire, scripts, rounds=0, arbitrator=ARBITRATOR)
    assert (outcome.require(), outcome.decided_by, outcome.why) == ("No", "arbitrator", "arbitrator's reason 0")
    assert [stance.debater for stance in outcome.dissent] == ["defender", "auditor"]
    assert heard(wire.requests[-1]) == {"attacker", "defender", "auditor"}


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_damaged_position_costs_one_voice(wire: Wire, rounds: int) -> None:
    """In the first round it is missing; later, the position that was held stands."""
    no = wire.say("no", "refusal")
    late = [say(wire, "No"), no] if rounds else [no]
    client = wire({"attacker": late, "defender": repeat(say(wire, "Yes")), "auditor": repeat(say(wire, "Yes"))})
    outcome = asyncio.run(debate(client, PANEL, rounds=rounds)("Is it?"))
    assert (outcome.require(), outcome.missing, outcome.decided_by) == (
        "Yes",
        ("attacker",),
        "vote" if rounds else "agreement",
    )


def test_one_voice_is_no_debate(wire: Wire) -> None:
    no = wire.say("no", "refusal")
    outcome = asyncio.run(
        debate(wire({"attacker": [no], "defender": [no], "auditor": [say(wire, "Yes")]}), PANEL)("Is it?")
    )
    assert (outcome.output, outcome.finished, outcome.reason) == (None, False, "1 of 3 debaters gave a usable position")


def test_an_arbitrator_without_a_ruling_leaves_it_undecided(wire: Wire) -> None:
    scripts: dict[str, Any] = {"attacker": [say(wire, "a")], "defender": [say(wire, "b")], "auditor": [say(wire, "c")]}
    client = wire({**scripts, "arbitrator": [wire.say("no", "refusal")]})
    outcome = asyncio.run(debate(client, PANEL, rounds=0, arbitrator=ARBITRATOR)("Is it?"))
    assert (outcome.decided_by, outcome.usage.calls, len(outcome.dissent)) == (None, 4, 3)
    assert outcome.reason == (
        "the arbitrator gave no usable ruling: the reply to agent 'arbitrator' is refused: the model refused"
    )


# --- guards -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "stopped_by", "rounds"),
    [
        (StepBudget(3), "step_budget", 2),
        (CycleDetector(repeats=1), "cycle_detector", 2),
        (MonotonicProgress(patience=2), "monotonic_progress", 2),
        (None, None, 20),
    ],
    ids=["step budget", "cycle", "progress", "off"],
)
def test_a_debate_in_circles_is_stopped_at_the_guards_bound(
    wire: Wire, guard: Any, stopped_by: str | None, rounds: int
) -> None:
    turns = {
        "attacker": cycle([say(wire, "Yes"), say(wire, "No")]),
        "defender": cycle([say(wire, "No"), say(wire, "Yes")]),
        "auditor": repeat(say(wire, "Yes")),
    }
    panel = debate(wire(turns), PANEL, rounds=20, guards=[guard] if guard else [])
    outcome = asyncio.run(panel("Is it?"))
    assert (outcome.stopped_by, outcome.rounds, outcome.output) == (stopped_by, rounds, "Yes")
    assert outcome.finished is (guard is None)


def test_a_time_box_ends_it_with_what_there_is() -> None:
    from anthropic import AsyncAnthropic

    from dissonance.faults import At, Rule, SlowReply, When

    async def workflow(task: str) -> Debated:
        return await debate(AsyncAnthropic(api_key="k"), PANEL, guards=[TimeBox(60.0)])(task)

    plan = [Rule(id="slow", at=At(agent="auditor"), when=When(call=1), fault=SlowReply(seconds=300))]
    made = run(workflow, "ACME was founded in 1987.", plan=plan, store=None)
    assert made.error is None, made.error
    assert (made.stopped_by, made.result.stances) == ("time_box", ())
    assert made.seconds == pytest.approx(60, abs=0.1)


def test_the_default_model_agrees() -> None:
    from anthropic import AsyncAnthropic

    async def workflow(task: str) -> Debated:
        return await debate(AsyncAnthropic(api_key="k"), PANEL, arbitrator=ARBITRATOR)(task)

    made = run(workflow, "ACME was founded in 1987.", store=None)
    assert made.error is None, made.error
    assert (made.outcome, made.result.finished, made.calls) == ("completed", True, 3)


# --- diversity --------------------------------------------------------------------------------


def test_a_panel_that_differs_in_name_only_is_refused(wire: Wire) -> None:
    same = [Agent("one", "Judge."), Agent("two", "judge. "), Agent("three", "Judge.")]
    with pytest.raises(ValueError) as caught:
        debate(wire({}), same)
    assert str(caught.value) == (
        "debaters=['one', 'two', 'three'] differ in name only, so they are one voter: "
        "give them other instructions, models or efforts, or say alike_ok=True"
    )
    agreed = asyncio.run(debate(wire({one.name: [say(wire, "x")] for one in same}), same, alike_ok=True)("Is it?"))
    assert agreed.diversity == Diversity(framings=1, models=1, efforts=1)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (Agent("two", "Attack."), Diversity(framings=2, models=1, efforts=1)),
        (Agent("two", "Judge.", model="claude-opus-4-6"), Diversity(framings=1, models=2, efforts=1)),
        (Agent("two", "Judge.", effort="high"), Diversity(framings=1, models=1, efforts=2)),
    ],
    ids=["framing", "model", "effort"],
)
def test_any_difference_makes_a_panel(wire: Wire, other: Agent, found: Diversity) -> None:
    client = wire({"one": [say(wire, "x")], "two": [say(wire, "x")]})
    assert asyncio.run(debate(client, [Agent("one", "Judge."), other])("Is it?")).diversity == found


@pytest.mark.parametrize(
    ("panel", "options", "message"),
    [
        ([A], {}, "debaters=['attacker']: give at least two, each with a name of its own"),
        ([A, A], {}, "debaters=['attacker', 'attacker']: give at least two, each with a name of its own"),
        ([A, B], {"rounds": -1}, "rounds=-1: give 0 or more"),
    ],
    ids=["one", "twice", "rounds"],
)
def test_bad_debates_are_refused(wire: Wire, panel: list[Agent], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        debate(wire({}), panel, **options)
    assert str(caught.value) == message
