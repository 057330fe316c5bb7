"""What the review team makes of what goes wrong: ``pytest -m chaos``."""

import pytest
from codereview import ROUNDS, review_team
from hypothesis import given

from dissonance.faults import (
    At,
    EmptyContent,
    RejectWork,
    Rule,
    Stall,
    ToolError,
    When,
    repertoire,
    single_faults,
    slots_of,
    standard_battery,
)
from dissonance.faults.strategies import fault_plans, quick
from dissonance.harness import (
    CheckFailed,
    Limits,
    cascade,
    costs,
    no_silent_damage,
    no_silent_truncation,
    terminates,
)

pytestmark = pytest.mark.chaos

TASK = "Cap the retries of the uploader at five."
FEW = Limits(calls=60)
TEAM = review_team()
AS_IT_COMES = review_team(careful=False)

CHECKS = {
    "terminates": terminates(within_calls=30, within_seconds=1500),
    "no_silent_damage": no_silent_damage(),
    "no_silent_truncation": no_silent_truncation(facts=["retries of the uploader"]),
    "cascade": cascade(depth=1),
}
KNOWN = {
    "prompt-cut": pytest.mark.xfail(raises=CheckFailed, reason="nobody compares what was sent with what was counted"),
    "seeded-claim": pytest.mark.xfail(raises=CheckFailed, reason="everybody reads what everybody says"),
}
"""Findings that we have accepted; the test says so when one of them is gone."""


# --- whatever goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "each", [pytest.param(each, id=each.name, marks=KNOWN.get(each.name, ())) for each in standard_battery()]
)
def test_the_standard_battery(dissonance, each):
    run = dissonance.run(TEAM, TASK, plan=each.plan, limits=FEW)
    if not any(count.fired for count in run.faults.values()):
        pytest.skip("nothing in this workflow answers to it")
    run.check(*(CHECKS[name] for name in each.checks))


def test_every_single_fault_of_the_review_is_told(dissonance):
    for plan in single_faults(slots_of(TEAM, TASK)[-1:], faults=repertoire(["transport"])):
        dissonance.run(TEAM, TASK, plan=plan, limits=FEW).check(CHECKS["terminates"], CHECKS["no_silent_damage"])


@quick(examples=12)
@given(plan=fault_plans(slots_of(TEAM, TASK), families=["latency", "transport", "loops"]))
def test_a_review_ends(dissonance, plan):
    """Four rounds of three agents, one of whom has a tool, and what the client asks again."""
    dissonance.run(TEAM, TASK, plan=plan, limits=FEW).check(terminates(within_calls=40))


# --- who approves -----------------------------------------------------------------------------


def test_a_tool_that_fails_does_not_keep_the_reviewer_from_approving(dissonance):
    """Accepted: the reviewer reads that the tests could not be run. A merge must ask CI, not the reviewer."""
    run = dissonance.run(TEAM, TASK, plan=[Rule(at=At(tool="run_tests"), fault=ToolError(through="code"))])
    run.check(terminates(within_calls=10))
    assert run.result.messages[-1].to_text() == "APPROVE"


# --- the framework's defaults, and what mends them --------------------------------------------

REJECTED = [Rule(at=At(agent="reviewer"), fault=RejectWork())]
HANGS = [Rule(at=At(agent="author"), fault=Stall())]
EMPTY = [Rule(at=At(agent="tester"), fault=EmptyContent(), when=When(call=2))]


def test_the_team_goes_on_until_somebody_approves(dissonance):
    """A team has no ``max_turns`` unless it is given one; cancelling its task does not end it either."""
    run = dissonance.run(AS_IT_COMES, TASK, plan=REJECTED, limits=FEW)
    (verdict,) = run.judge(terminates())
    assert (verdict.status, run.stopped_by) == ("fail", "calls")


def test_max_turns_ends_it_and_says_so(dissonance):
    run = dissonance.run(TEAM, TASK, plan=REJECTED, limits=FEW)
    run.check(terminates(within_calls=ROUNDS * 4), costs(at_most_usd=0.05))
    assert run.result.stop_reason == f"Maximum number of turns {3 * ROUNDS} reached."


def test_a_call_that_hangs_holds_the_team_for_half_an_hour(dissonance):
    run = dissonance.run(AS_IT_COMES, TASK, plan=HANGS)
    (verdict,) = run.judge(terminates(within_seconds=900))
    assert verdict.status == "fail" and run.seconds > 1800


def test_with_a_timeout_it_is_told_in_time(dissonance):
    dissonance.run(TEAM, TASK, plan=HANGS).check(terminates(within_seconds=900))


def test_an_empty_reply_breaks_the_team_one_turn_later(dissonance):
    """AutoGen passes it on, and the API refuses the conversation that has it: the error names the wrong call."""
    run = dissonance.run(AS_IT_COMES, TASK, plan=EMPTY)
    assert run.outcome == "failed" and "must contain non-whitespace text" in run.error_text


def test_a_client_that_looks_at_its_replies_raises(dissonance):
    run = dissonance.run(TEAM, TASK, plan=EMPTY)
    run.check(no_silent_damage())
    assert "Incomplete" in run.error_text
