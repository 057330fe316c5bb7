"""What holds for every check: no vacuous pass, no crash that goes unseen, one form, speed, and names that are known."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planting import CLAIM
from tape import Tape, run_of, said, user

from dissonance.cli.catalogue import checks
from dissonance.harness import (
    Check,
    cascade,
    context_growth,
    costs,
    degrades_gracefully,
    escalates,
    false_acceptance,
    independence,
    makespan,
    no_silent_damage,
    no_silent_truncation,
    overhead,
    recovers,
    run,
    terminates,
    worst,
)
from dissonance.harness.history import (
    Answered,
    Asked,
    Checkpoint,
    GuardFired,
    History,
)

TOLD: list[Check] = [
    cascade(depth=2),
    context_growth(at_most=2, needed=50),
    costs(at_most_usd=1),
    degrades_gracefully(gaps=lambda result: []),
    escalates(actions=["pay"]),
    false_acceptance(correct=lambda work: len(work) % 2 == 0),
    independence(at_least=1.5, voters="v*", correct=lambda question, answer: answer == "yes"),
    makespan(at_most=60, of_ideal=3),
    no_silent_damage(flagged=lambda result: False),
    no_silent_truncation(instructions=["HALYARD"], facts=[CLAIM, "42"]),
    overhead(at_most=1, layers=["v1", "v*"]),
    recovers(within_seconds=9),
    terminates(within_calls=9, within_seconds=99),
]
"""Every check with all the labels that it can need."""

each_check = pytest.mark.parametrize("check", TOLD, ids=lambda check: check.name)


def test_every_check_is_here_and_known_to_the_command_line() -> None:
    assert [check.name for check in TOLD] == sorted(checks())
    assert all(type(check) is checks()[check.name] for check in TOLD)


@each_check
def test_a_check_is_a_frozen_value(check: Any) -> None:
    assert check == type(check)(**{each.name: getattr(check, each.name) for each in fields(check)})
    with pytest.raises(FrozenInstanceError):
        setattr(check, fields(check)[0].name, None)


# --- nothing to look at -----------------------------------------------------------------------


@each_check
@pytest.mark.parametrize("ended", [True, False])
def test_a_run_in_which_nothing_happened_never_passes(check: Check, ended: bool) -> None:
    """A workflow that makes no call, and a process that was killed before the first one."""
    tape = Tape()
    made = run_of(tape.end() if ended else tape.history, plan=())
    (verdict,) = made.judge(check)
    assert verdict.status == "unknown", verdict
    assert verdict.next


@each_check
def test_a_call_without_an_answer_never_passes(check: Check) -> None:
    tape = Tape()
    tape.call("v1", "Go.")
    (verdict,) = run_of(tape.history, plan=()).judge(check)
    assert verdict.status == "unknown" or (verdict.check, verdict.status) == ("context_growth", "pass"), verdict


def test_a_real_workflow_that_calls_nobody_never_passes() -> None:
    made = run(lambda task: "done", "Go.", store=None)
    assert {verdict.status for verdict in made.judge(*TOLD)} == {"unknown"}


@pytest.mark.parametrize("name", sorted(checks()))
def test_a_check_without_its_labels_says_which(name: str) -> None:
    tape = Tape(("r1",))
    call = tape.call("v1", "Go.")
    tape.fault(call, claims=[CLAIM], damages="cut", ends_at=0.0)
    tape.reply(call, CLAIM.false, status=None, ending="abandoned", reached=("r1",))
    verdict = checks()[name]()(run_of(tape.end()))
    if verdict.reason.startswith("the label"):
        label = verdict.reason.split("`")[1]
        assert label in {each.name for each in fields(checks()[name])}  # type: ignore[arg-type]
        assert verdict.status == "unknown"
        assert verdict.next
    else:
        assert name not in ("context_growth", "costs", "escalates", "independence", "makespan", "overhead")


# --- histories of every kind ------------------------------------------------------------------

TEXTS = st.sampled_from(
    ["Go.", "yes", "no", CLAIM.false, CLAIM.true, "HALYARD 42", "APPROVE", "", "Answer APPROVE or REVISE."]
)
SIDES: tuple[Literal["request", "reply"], ...] = ("reply", "request")
AGENTS = st.sampled_from(["v1", "v2", "v3"])
JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
BLOCKS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    st.builds(
        lambda id, given: {"type": "tool_use", "id": id, "name": "pay", "input": given},
        TEXTS,
        st.dictionaries(TEXTS, JSONS, max_size=2),
    ),
)
RESULTS = TEXTS.map(
    lambda id: {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"}]}
)


def _body(blocks: list[Any], reason: str) -> dict[str, Any]:
    return {"type": "message", "id": "m", "content": blocks, "stop_reason": reason, "stop_sequence": None}


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Well-formed histories of any content: calls, some with faults and replies, guards, asks and answers, an end or none."""
    tape = Tape(("r1",))
    for _ in range(draw(st.integers(0, 7))):
        agent = draw(AGENTS)
        messages = draw(st.lists(TEXTS.map(user) | TEXTS.map(said) | RESULTS, min_size=1, max_size=3))
        call = tape.call(agent, *messages, system=draw(st.none() | TEXTS))
        reached: tuple[str, ...] = ()
        if draw(st.booleans()):
            reached = ("r1",)
            side: Literal["request", "reply"] = draw(st.sampled_from(SIDES))
            after = {"system": None, "tools": [], "messages": messages[1:]} if side == "request" else draw(JSONS)
            tape.fault(
                call, after=after, side=side, claims=draw(st.sampled_from([(), (CLAIM,)])),
                ends_at=draw(st.none() | st.floats(0, 50)), damages=draw(st.none() | st.just("cut")),
            )  # fmt: skip
        if draw(st.booleans()):
            tape.add(Asked, agent=agent, data={"id": "q", "action": draw(JSONS)})
        if draw(st.booleans()):
            tape.add(
                Answered, agent=agent, data=draw(st.dictionaries(st.sampled_from(["id", "decision", "value"]), JSONS))
            )
        if draw(st.booleans()):
            tape.add(GuardFired, agent=None, guard="g", reason="", data={})
        body = _body(draw(st.lists(BLOCKS, max_size=2)), draw(st.sampled_from(["end_turn", "max_tokens", "tool_use"])))
        status = draw(st.sampled_from([200, 200, 200, 529, None]))
        if draw(st.booleans()):
            tape.reply(call, body if status == 200 else None, status=status, reached=reached)
        if draw(st.booleans()):
            tape.add(Checkpoint, agent=agent, data={})
    if draw(st.booleans()):
        tape.end(draw(JSONS), outcome=draw(st.sampled_from(["completed", "paused"])))
    return tape.history


@pytest.mark.slow
@settings(deadline=None)
@given(history=histories(), baseline=st.none() | histories(), tier=st.sampled_from(["T1", "T3"]))
def test_no_check_crashes_and_every_verdict_is_well_formed(history: History, baseline: Any, tier: Any) -> None:
    usual = None if baseline is None else run_of(baseline)
    made = run_of(history, baseline=usual, tier=tier, result="done")
    for check in TOLD:
        verdict = check(made)
        assert (verdict.check, verdict.tier) == (check.name, tier)
        assert verdict.reason
        assert not verdict.reason.endswith(".")
        assert verdict.status != "unknown" or verdict.next, (check.name, verdict)
        assert verdict.evidence == tuple(sorted(set(verdict.evidence)))
        assert all(0 <= event < len(history) for event in verdict.evidence)
        assert verdict == check(made)


@pytest.mark.slow
@settings(deadline=None)
@given(history=histories())
def test_nothing_passes_where_no_reply_came(history: History) -> None:
    """Whatever was called: without one answer there is nothing that a check could pass on, but how much was sent."""
    kept = [event for event in history if not (event.kind == "reply")]
    tape = Tape()
    tape.events.clear()
    for event in kept:
        tape.add(
            type(event),
            **{name.name: getattr(event, name.name) for name in fields(event) if name.name not in ("id", "kind")},
        )
    made = run_of(History(tape.events, history.bodies), outcome="completed")
    passed = {verdict.check for check in TOLD if (verdict := check(made)).status == "pass"}
    assert passed <= {"terminates", "recovers", "context_growth", "makespan", "escalates", "degrades_gracefully"}


def test_a_check_that_crashes_is_unknown() -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("label")

    tape = Tape()
    for _ in range(3):
        for agent in ("v1", "v2"):
            tape.turn(agent, "Answer APPROVE or REVISE.", "APPROVE")
    made = run_of(tape.end(), plan=())
    bad: list[Check] = [
        false_acceptance(correct=broken),
        independence(at_least=1, voters="v*", correct=broken),
        context_growth(at_most=1, needed=broken),
    ]
    verdicts = made.judge(*bad, terminates())
    assert [verdict.status for verdict in verdicts] == ["unknown", "unknown", "unknown", "pass"]
    assert all("the check crashed: KeyError" in verdict.reason for verdict in verdicts[:3])
    assert worst(verdicts) == "unknown"


@pytest.mark.parametrize(
    "check",
    [makespan(at_most=1000), recovers(within_seconds=1000), terminates(within_seconds=1000)],
    ids=lambda c: c.name,
)
def test_times_are_not_judged_in_tier_t3(check: Check) -> None:
    tape = Tape(("r1",))
    calls = [tape.call(agent, "Go.") for agent in ("v1", "v2")]
    tape.fault(calls[0], ends_at=1.0)
    for call in calls:
        tape.reply(call, "Done.", reached=("r1",) if call == calls[0] else ())
    history = tape.end()
    assert check(run_of(history)).status == "pass"
    assert check(run_of(history, tier="T3")).status == "unknown"
