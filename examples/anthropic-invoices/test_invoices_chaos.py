"""What the invoice desk makes of what goes wrong: ``pytest -m chaos``."""

import pytest
from hypothesis import given
from invoices import Desk

from dissonance.faults import (
    DuplicateAnswer,
    LateAnswer,
    NeverAnswers,
    Overloaded,
    Rule,
    Stall,
    When,
    repertoire,
    single_faults,
    slots_of,
    standard_battery,
)
from dissonance.faults.strategies import fault_plans, quick
from dissonance.harness import (
    CheckFailed,
    Message,
    Scripted,
    ScriptedHuman,
    cascade,
    escalates,
    no_silent_damage,
    no_silent_truncation,
    record_action,
    recovers,
    terminates,
    tool_use,
)

pytestmark = pytest.mark.chaos

MAIL = "Invoice 2041 of Hartmann Paper: 12 boxes of paper 480.00, delivery 40.00. Total 520.00 dollars."
READ = {
    "supplier": "Hartmann Paper",
    "number": "2041",
    "lines": [{"text": "12 boxes of paper", "amount": 480}, {"text": "delivery", "amount": 40}],
    "total": 520,
}
CLERK = Scripted({"clerk": Message((tool_use("record_invoice", READ),), stop_reason="tool_use")})
"""A clerk who reads well: what goes wrong is left to the faults."""


def pay(number, dollars):
    """The double of the bank: it says what it was told to do."""
    record_action(f"pay-{number}", number=number, dollars=dollars)


async def desk(mail, human):
    return await Desk(pay).handle(mail, human)


async def desk_as_the_client_comes(mail, human):
    return await Desk(pay, timeout=600, retries=2).handle(mail, human)


SETTING = {"model": CLERK, "human": ScriptedHuman()}
CHECKS = {
    "terminates": terminates(within_calls=8, within_seconds=1200),
    "no_silent_damage": no_silent_damage(flagged=lambda outcome: outcome.status != "paid"),
    "no_silent_truncation": no_silent_truncation(instructions=["Record the invoice"], facts=["480.00", "520.00"]),
    "cascade": cascade(depth=1),
}
KNOWN = {
    "prompt-cut": pytest.mark.xfail(raises=CheckFailed, reason="what a proxy cuts off a mail shows in the usage alone")
}
"""Findings that we have accepted; the test says so when one of them is gone."""


# --- whatever goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "each", [pytest.param(each, id=each.name, marks=KNOWN.get(each.name, ())) for each in standard_battery()]
)
def test_the_standard_battery(dissonance, each):
    run = dissonance.run(desk, MAIL, plan=each.plan, **SETTING)
    if not any(count.fired for count in run.faults.values()):
        pytest.skip("nothing in this workflow answers to it")
    run.check(*(CHECKS[name] for name in each.checks))


def test_every_single_fault(dissonance):
    """Whatever is wrong with a reply: it is asked for again, or the invoice is not paid."""
    damaging = [each for each in repertoire(["transport", "hallucination"]) if each.fault.damages]
    for plan in single_faults(slots_of(desk, MAIL, **SETTING), faults=damaging):
        dissonance.run(desk, MAIL, plan=plan, **SETTING).check(CHECKS["terminates"], CHECKS["no_silent_damage"])


@quick(examples=25)
@given(plan=fault_plans(slots_of(desk, MAIL, **SETTING), families=["latency", "transport", "human"]))
def test_nothing_is_paid_twice_or_unasked(dissonance, plan):
    run = dissonance.run(desk, MAIL, plan=plan, **SETTING)
    run.check(terminates(within_calls=8))
    paid = [action.data["number"] for action in run.history.actions()]
    assert paid == (["2041"] if run.outcome == "completed" and run.result.status == "paid" else [])


# --- the human --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [DuplicateAnswer(), LateAnswer(seconds=60)], ids=lambda fault: fault.kind)
def test_a_large_invoice_is_approved_and_paid_once(dissonance, fault):
    run = dissonance.run(desk, MAIL, plan=[Rule(fault=fault)], **SETTING)
    run.check(escalates(actions=["pay-*"]), terminates(within_seconds=900))


def test_nobody_answers(dissonance):
    run = dissonance.run(desk, MAIL, plan=[Rule(fault=NeverAnswers())], **SETTING)
    run.check(terminates(within_seconds=1000))
    assert (run.result.status, run.history.actions()) == ("held", [])


# --- the client's defaults, and what mends them -----------------------------------------------

HANGS = [Rule(fault=Stall(), when=When(call=1))]
OVERLOADED = [Rule(fault=Overloaded(), when=When(before=20))]


def test_a_call_that_hangs_holds_the_desk_for_half_an_hour(dissonance):
    """``AsyncAnthropic()`` waits 600 s for a byte, three times over."""
    run = dissonance.run(desk_as_the_client_comes, MAIL, plan=HANGS, **SETTING)
    (verdict,) = run.judge(terminates(within_seconds=300))
    assert verdict.status == "fail" and run.seconds > 1800


def test_with_a_timeout_it_is_told_in_time(dissonance):
    dissonance.run(desk, MAIL, plan=HANGS, **SETTING).check(terminates(within_seconds=300))


def test_twenty_seconds_of_an_overloaded_api_are_too_long(dissonance):
    """Two retries are over after about a second."""
    run = dissonance.run(desk_as_the_client_comes, MAIL, plan=OVERLOADED, **SETTING)
    (verdict,) = run.judge(recovers())
    assert (verdict.status, type(run.error).__name__) == ("fail", "OverloadedError")


def test_with_six_retries_they_are_not(dissonance):
    run = dissonance.run(desk, MAIL, plan=OVERLOADED, **SETTING)
    run.check(recovers(), terminates(within_calls=8))
    assert run.result.status == "paid"
