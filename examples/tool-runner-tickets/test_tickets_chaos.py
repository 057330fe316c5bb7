"""What the support desk makes of what goes wrong: ``pytest -m chaos``."""

import pytest
from hypothesis import given
from tickets import SupportDesk

from dissonance.faults import (
    At,
    CutStream,
    RepeatToolCall,
    Rule,
    ToolError,
    When,
    WrongToolResult,
    repertoire,
    single_faults,
    slots_of,
    standard_battery,
)
from dissonance.faults.strategies import fault_plans, quick
from dissonance.harness import Limits, cascade, no_silent_damage, no_silent_truncation, terminates

pytestmark = pytest.mark.chaos

TICKET = "I was charged twice for order A-17."
FEW = Limits(calls=60)


def desk(ticket):
    return SupportDesk().answer(ticket)


def desk_as_the_runner_comes(ticket):
    return SupportDesk(rounds=None, timeout=600, careful=False).answer(ticket)


def passed_on(answer):
    return answer.passed_on is not None


CHECKS = {
    "terminates": terminates(within_calls=20, within_seconds=900),
    "no_silent_damage": no_silent_damage(flagged=passed_on),
    "no_silent_truncation": no_silent_truncation(
        instructions=["Promise nothing that no article says"], facts=["charged twice"], flagged=passed_on
    ),
    "cascade": cascade(depth=1),
}


# --- whatever goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("each", standard_battery(), ids=lambda each: each.name)
def test_the_standard_battery(dissonance, each):
    run = dissonance.run(desk, TICKET, plan=each.plan)
    if not any(count.fired for count in run.faults.values()):
        pytest.skip("nothing in this workflow answers to it")
    run.check(*(CHECKS[name] for name in each.checks))


def test_every_single_fault_of_the_wire_is_told(dissonance):
    for plan in single_faults(slots_of(desk, TICKET)[-1:], faults=repertoire(["transport"])):
        dissonance.run(desk, TICKET, plan=plan, limits=FEW).check(CHECKS["terminates"], CHECKS["no_silent_damage"])


@quick(examples=12)
@given(plan=fault_plans(slots_of(desk, TICKET), families=["latency", "transport", "tools", "loops"]))
def test_a_ticket_ends_and_costs_little(dissonance, plan):
    """Six rounds of at most five attempts: whatever happens, a ticket has its price."""
    run = dissonance.run(desk, TICKET, plan=plan, limits=FEW)
    run.check(terminates(within_calls=30))
    assert run.usd <= 0.10


# --- its tools --------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["result", "code"])
def test_a_tool_that_fails_is_not_answered_around(dissonance, through):
    """Through its code: the tool raises, and the runner tells the model so."""
    plan = [Rule(at=At(tool="search_articles"), fault=ToolError(through=through))]
    run = dissonance.run(desk, TICKET, plan=plan)
    run.check(terminates(within_calls=6))
    assert run.result.passed_on == "the answer names no article"


def test_a_wrong_result_is_believed(dissonance):
    """No setting mends this: what a tool says is all that the model knows. It is for the tool's own tests."""
    plan = [Rule(at=At(tool="look_up_order"), fault=WrongToolResult())]
    run = dissonance.run(desk, TICKET, plan=plan)
    (verdict,) = run.judge(CHECKS["no_silent_damage"])
    assert verdict.status == "fail"


# --- the runner's defaults, and what mends them -----------------------------------------------

THE_SAME_TOOL = [Rule(fault=RepeatToolCall())]
CUT = [Rule(fault=CutStream(), when=When(call=3))]


def test_the_runner_knows_no_end(dissonance):
    """``tool_runner`` has no ``max_iterations`` unless it is given one."""
    run = dissonance.run(desk_as_the_runner_comes, TICKET, plan=THE_SAME_TOOL, limits=FEW)
    (verdict,) = run.judge(terminates())
    assert (verdict.status, run.stopped_by) == ("fail", "calls")


def test_with_max_iterations_it_ends_and_the_answer_is_passed_on(dissonance):
    """The runner gives back what it has, without an error: whoever calls it must look at ``stop_reason``."""
    run = dissonance.run(desk, TICKET, plan=THE_SAME_TOOL, limits=FEW)
    run.check(terminates(within_calls=6))
    assert run.result.passed_on == "the answer is not whole: stop_reason='tool_use'"


def test_half_an_answer_is_an_answer(dissonance):
    """A stream that ends early raises nothing in the SDK."""
    run = dissonance.run(desk_as_the_runner_comes, TICKET, plan=CUT)
    (verdict,) = run.judge(no_silent_damage(flagged=passed_on))
    assert verdict.status == "fail"


def test_by_its_stop_reason_half_an_answer_is_told_from_a_whole_one(dissonance):
    dissonance.run(desk, TICKET, plan=CUT).check(no_silent_damage(flagged=passed_on))
