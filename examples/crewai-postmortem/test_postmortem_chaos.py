"""What the post-mortem crew makes of what goes wrong: ``pytest -m chaos``."""

import pytest
from hypothesis import given
from postmortem import postmortem_crew

from dissonance.faults import (
    At,
    Overloaded,
    RateLimit,
    Rule,
    ToolError,
    TruncatedToolJson,
    When,
    repertoire,
    sentence,
    single_faults,
    slots_of,
    standard_battery,
)
from dissonance.faults.strategies import fault_plans, quick
from dissonance.harness import (
    CheckFailed,
    Limits,
    cascade,
    no_silent_damage,
    no_silent_truncation,
    terminates,
)

pytestmark = pytest.mark.chaos

INCIDENT = "checkout was down on 3 May"
FEW = Limits(calls=60)
CREW = postmortem_crew()
AS_IT_COMES = postmortem_crew(careful=False)

CHECKS = {
    "terminates": terminates(within_calls=30, within_seconds=1200),
    "no_silent_damage": no_silent_damage(),
    "no_silent_truncation": no_silent_truncation(facts=[INCIDENT]),
    "cascade": cascade(depth=1),
}
KNOWN = {"seeded-claim": pytest.mark.xfail(raises=CheckFailed, reason="the guardrail looks for times, not for truth")}
"""Findings that we have accepted; the test says so when one of them is gone."""


# --- whatever goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "each", [pytest.param(each, id=each.name, marks=KNOWN.get(each.name, ())) for each in standard_battery()]
)
def test_the_standard_battery(dissonance, each):
    run = dissonance.run(CREW, INCIDENT, plan=each.plan, limits=FEW)
    if not any(count.fired for count in run.faults.values()):
        pytest.skip("nothing in this workflow answers to it")
    run.check(*(CHECKS[name] for name in each.checks))


def test_every_single_fault_of_its_tool_is_told(dissonance):
    """What the tool says is not there in the report, and the guardrail does not let it pass."""
    slots = slots_of(CREW, INCIDENT)
    for plan in single_faults(slots[1:2], faults=[each for each in repertoire(["tools"]) if each.name == "ToolError"]):
        run = dissonance.run(CREW, INCIDENT, plan=plan, limits=FEW)
        assert run.outcome == "failed" and "guardrail" in str(run.error), sentence(plan)


@quick(examples=4)
@given(plan=fault_plans(slots_of(CREW, INCIDENT), families=["latency", "transport"]))
def test_a_report_has_the_times_of_the_logs(dissonance, plan):
    run = dissonance.run(CREW, INCIDENT, plan=plan, limits=FEW)
    run.check(terminates(within_calls=30))
    assert run.outcome == "failed" or "14:02" in run.result.raw


# --- the framework's defaults, and what mends them --------------------------------------------

BROKEN_TOOL = [Rule(at=At(tool="read_logs"), fault=ToolError(through="code"))]
CUT_ARGUMENTS = [Rule(at=At(agent="investigator"), when=When(call=1), fault=TruncatedToolJson())]
LIMITED = [Rule(fault=RateLimit(retry_after=30))]
OVERLOADED = [Rule(fault=Overloaded(), when=When(before=20))]


def test_a_report_is_written_about_logs_that_nobody_could_read(dissonance):
    """The tool's error goes into the conversation as any result does, and the crew writes on."""
    run = dissonance.run(AS_IT_COMES, INCIDENT, plan=BROKEN_TOOL)
    assert run.outcome == "completed" and "14:02" not in run.result.raw


def test_a_guardrail_stops_it(dissonance):
    run = dissonance.run(CREW, INCIDENT, plan=BROKEN_TOOL)
    run.check(terminates(within_calls=12))
    assert run.outcome == "failed" and "guardrail" in str(run.error)


def test_half_of_a_tools_arguments_are_arguments(dissonance):
    run = dissonance.run(AS_IT_COMES, INCIDENT, plan=CUT_ARGUMENTS)
    (verdict,) = run.judge(no_silent_damage())
    assert verdict.status == "fail"


def test_the_guardrail_tells_them_by_what_is_missing(dissonance):
    dissonance.run(CREW, INCIDENT, plan=CUT_ARGUMENTS).check(no_silent_damage())


def test_a_rate_limit_is_asked_twenty_seven_times(dissonance):
    """Three attempts of the client, in three attempts of the call, in three attempts of the agent."""
    run = dissonance.run(AS_IT_COMES, INCIDENT, plan=LIMITED, limits=FEW)
    assert (run.outcome, run.calls) == ("failed", 27)


def test_without_the_agents_own_attempts_it_is_asked_fifteen_times(dissonance):
    """``max_retry_limit=0``: five attempts of the client in three of the call; these three cannot be switched off."""
    run = dissonance.run(CREW, INCIDENT, plan=LIMITED, limits=FEW)
    run.check(terminates(within_calls=15))
    assert (run.outcome, run.calls) == ("failed", 15)
