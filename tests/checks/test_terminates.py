"""``terminates`` tells a workflow that ends from one that had to be stopped, and counts what the loop cost."""

from __future__ import annotations

from typing import Any

import pytest
from tape import Tape, run_of, said

from dissonance.harness.checks import Verdict, terminates
from dissonance.harness.checks.waste import loop_began
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History


def loop(rounds: int, **end: Any) -> History:
    """A writer drafts and a judge rejects: events 1 to 4 are the first round; the first rejection is a fault's."""
    tape = Tape(("r1",))
    for number in range(1, rounds + 1):
        tape.turn(
            "writer", "Draft it." if number == 1 else f"Draft {number - 1} was rejected: again.", f"Draft {number}."
        )
        call = tape.call("judge", f"Judge draft {number}.")
        tape.fault(call, fault="RejectWork")
        tape.reply(call, "REVISE", reached=("r1",))
    return tape.end(**end)


STOPPED: dict[str, Any] = {
    "outcome": "stopped_by_harness",
    "stopped_by": "calls",
    "error": "the run made 8 calls; Limits(calls=8)",
}


def test_completed_passes() -> None:
    tape = Tape()
    tape.turn("writer", "Draft it.", "Draft.")
    verdict = terminates(within_calls=1, within_seconds=10)(run_of(tape.end()))
    assert verdict == Verdict(
        status="pass",
        check="terminates",
        reason="completed after 1 call, 3 s, 110 tokens and $0.5000",
        evidence=(3,),
        tier="T1",
    )


def test_a_loop_that_the_harness_had_to_stop_fails_with_what_it_wasted() -> None:
    verdict = terminates()(run_of(loop(4, **STOPPED)))
    assert verdict == Verdict(
        status="fail",
        check="terminates",
        reason=(
            "would not have ended: the harness stopped it after 8 calls, 22 s, 880 tokens and $4.00 (calls): "
            "the run made 8 calls; Limits(calls=8); "
            "5 calls, 550 tokens and $2.50 of it since the loop began (judge's call 2)"
        ),
        evidence=(8, 21, 22),
        tier="T1",
    )


def test_its_own_guard_passes_and_is_named() -> None:
    tape = Tape(("r1",))
    for _ in range(3):
        tape.turn("judge", "Judge.", "REVISE")
    guard = tape.guard("step_budget")
    tape.guard("another")
    verdict = terminates()(run_of(tape.end(stopped_by="step_budget")))
    assert (verdict.status, verdict.reason) == (
        "pass",
        "stopped by its own guard (step_budget) after 3 calls, 9 s, 330 tokens and $1.50; "
        "2 calls, 220 tokens and $1.00 of it since the loop began (judge's call 2)",
    )
    assert verdict.evidence == (3, guard, 9)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param(
            {"outcome": "failed", "error": "ValueError: bad"}, "ended by an exception (ValueError: bad)", id="raised"
        ),
        pytest.param(
            {"outcome": "crashed", "error": "SystemExit: 1"}, "ended by an exception (SystemExit: 1)", id="exit"
        ),
        pytest.param({"outcome": "paused"}, "paused for a human", id="paused"),
        pytest.param(
            {"outcome": "failed", "stopped_by": "ledger", "error": "Full"},
            "stopped by its own guard (ledger)",
            id="guard",
        ),
    ],
)
def test_other_ends_of_its_own_pass(end: dict[str, Any], reason: str) -> None:
    tape = Tape()
    tape.turn("writer", "Draft it.", "Draft.")
    verdict = terminates()(run_of(tape.end(**end)))
    assert (verdict.status, verdict.reason) == ("pass", f"{reason} after 1 call, 3 s, 110 tokens and $0.5000")


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (
            "deadlock",
            "deadlock: nothing can run and nothing is due; task 'judge' waits for a future that nobody completes",
        ),
        ("real_seconds", "the run took more than its real time; it was at flow.py:7 in spin"),
        ("usd", "the run cost 50.01 dollars; Limits(usd=50)"),
        ("seconds", "the run went on for more than 100 virtual seconds"),
    ],
)
def test_each_limit_and_a_deadlock_fail_with_their_text(limit: str, why: str) -> None:
    tape = Tape()
    tape.turn("writer", "Draft it.", "Draft.")
    verdict = terminates()(run_of(tape.end(outcome="stopped_by_harness", stopped_by=limit, error=why)))
    assert (verdict.status, verdict.evidence) == ("fail", (3, 4))
    assert verdict.reason.endswith(f"({limit}): {why}")


def test_more_calls_than_the_bound_fail_with_the_first_one_too_many() -> None:
    verdict = terminates(within_calls=4)(run_of(loop(3)))
    assert (verdict.status, verdict.reason) == (
        "fail",
        "took 6 calls, more than 4; completed; 3 calls, 330 tokens and $1.50 of it since the loop began (judge's call 2)",
    )
    assert verdict.evidence == (8, 11, 16)


def test_as_many_calls_and_seconds_as_the_bound_pass() -> None:
    assert terminates(within_calls=6, within_seconds=16)(run_of(loop(3))).status == "pass"


def test_more_seconds_than_the_bound_fail() -> None:
    verdict = terminates(within_seconds=15.5)(run_of(loop(3)))
    assert verdict.status == "fail"
    assert verdict.reason.startswith("took 16 s, more than 15.5; completed;")


def test_tasks_that_would_not_end_fail_unless_the_baseline_leaves_as_many() -> None:
    history = loop(1)
    left = ("task 'poll'",)
    verdict = terminates()(run_of(history, abandoned=left))
    assert verdict.status == "fail"
    assert verdict.reason.startswith("completed, but left behind what would not end: task 'poll';")
    baseline = run_of(history, abandoned=("task 'poll-1'",))
    assert terminates()(run_of(history, abandoned=left, baseline=baseline)).status == "pass"


@pytest.mark.parametrize(
    ("check", "limit", "tier", "reason", "advice"),
    [
        pytest.param(
            terminates(within_calls=25),
            "calls",
            "T1",
            "the harness stopped it before call 26: why",
            "Run it with Limits(calls=…) above 25.",
            id="calls",
        ),
        pytest.param(
            terminates(within_seconds=3600),
            "seconds",
            "T1",
            "the harness stopped it before 3,600 s: why",
            "Run it with Limits(seconds=…) above 3,600.",
            id="seconds",
        ),
        pytest.param(
            terminates(),
            "seconds",
            "T3",
            "its time was up (why), and times of tier T3 do not repeat",
            "Raise Limits(seconds=…) and run again.",
            id="seconds in T3",
        ),
    ],
)
def test_a_limit_before_the_bound_proves_nothing(
    check: terminates, limit: str, tier: Any, reason: str, advice: str
) -> None:
    tape = Tape()
    tape.turn("writer", "Draft it.", "Draft.")
    run = run_of(tape.end(outcome="stopped_by_harness", stopped_by=limit, error="why"), tier=tier)
    verdict = check(run)
    assert (verdict.status, verdict.reason, verdict.next, verdict.tier) == ("unknown", reason, advice, tier)


def test_seconds_are_not_judged_in_tier_t3() -> None:
    run = run_of(loop(1), tier="T3", demoted_by=("real connection to 'example.com'",))
    verdict = terminates(within_seconds=1000)(run)
    assert (verdict.status, verdict.reason) == ("unknown", "took 6 s, but times of tier T3 do not repeat")
    assert verdict.next == "Remove what demoted the run: real connection to 'example.com'."
    assert terminates(within_calls=2)(run).status == "pass"


def test_a_killed_process_proves_nothing() -> None:
    tape = Tape()
    tape.turn("writer", "Draft it.", "Draft.")
    verdict = terminates()(run_of(tape.history, replay_line="dissonance replay runs/1"))
    assert (verdict.status, verdict.reason, verdict.next) == (
        "unknown",
        "the process ended before the workflow did: the process was killed",
        "Run the plan again: dissonance replay runs/1.",
    )


@pytest.mark.parametrize("bounds", [{"within_calls": 0}, {"within_calls": -3}, {"within_seconds": 0.0}])
def test_a_bound_that_is_not_above_zero_is_refused(bounds: dict[str, Any]) -> None:
    (name, value), *_ = bounds.items()
    with pytest.raises(BadInput) as caught:
        terminates(**bounds)
    assert str(caught.value) == f"terminates({name}={value!r}): give a number above 0, or leave it out"


# --- where a loop began -----------------------------------------------------------------------


def began(tape: Tape) -> tuple[str, int] | None:
    call = loop_began(tape.history)
    return None if call is None else (call.agent, call.ordinal)


def test_work_that_repeats_nothing_is_no_loop() -> None:
    tape = Tape()
    for prompt in ("Plan.", "Draft.", "Check."):
        tape.turn("writer", prompt, "Done.")
    assert began(tape) is None


def test_one_repetition_is_no_loop() -> None:
    tape = Tape()
    for prompt in ("Plan.", "Draft.", "Draft."):
        tape.turn("writer", prompt, "Done.")
    assert began(tape) is None


def test_a_loop_that_the_workflow_left_again_is_none() -> None:
    tape = Tape()
    for prompt in ("Draft.", "Draft.", "Draft.", "Publish."):
        tape.turn("writer", prompt, "Done.")
    assert began(tape) is None


def test_a_growing_conversation_repeats_by_its_last_message() -> None:
    tape = Tape()
    talk: list[Any] = ["Go."]
    for number in range(1, 5):
        tape.reply(tape.call("researcher", *talk), "Search.")
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "no hits"}
        talk += [said("Search."), {"role": "user", "content": [result]}]
    assert began(tape) == ("researcher", 3)


def test_an_sdks_retries_are_no_repetition() -> None:
    tape = Tape()
    tape.call("writer", "Draft.")
    for _ in range(3):
        tape.call("writer", "Draft.", retry=True)
    assert began(tape) is None


def test_two_agents_told_the_same_repeat_nothing() -> None:
    tape = Tape()
    for agent in ("a", "b", "c"):
        tape.turn(agent, "Vote.", "Yes.")
    assert began(tape) is None


def test_a_paraphrasing_loop_is_counted_from_the_first_fault() -> None:
    tape = Tape(("r1",))
    tape.turn("writer", "Draft it.", "Draft.")
    for prompt in ("one", "two", "three"):
        call = tape.call("judge", f"Judge {prompt}.")
        tape.fault(call, fault="Paraphrase")
        tape.reply(call, f"Not {prompt}.")
    verdict = terminates()(run_of(tape.end(**STOPPED)))
    assert verdict.reason.endswith("; 3 calls, 330 tokens and $1.50 of it since the first fault (Paraphrase)")
    assert verdict.evidence[0] == 4
