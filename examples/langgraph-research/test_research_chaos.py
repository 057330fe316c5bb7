"""What the research graph makes of what goes wrong: ``pytest -m chaos``."""

import pytest
from hypothesis import given
from research import ROUNDS, research_graph

from dissonance.faults import (
    At,
    CutStream,
    Disconnect,
    RejectWork,
    Rule,
    SlowReply,
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
    degrades_gracefully,
    makespan,
    no_silent_damage,
    no_silent_truncation,
    terminates,
)

pytestmark = pytest.mark.chaos

QUESTION = "What do heat pumps cost, and who pays for them?"
FEW = Limits(calls=60)
GRAPH = research_graph()
AS_THE_TUTORIALS_LEAVE_IT = research_graph(careful=False)


def says_so(state):
    """Whether the brief says what it lacks."""
    return "Not researched" in state["brief"] or "Not approved" in state["brief"]


CHECKS = {
    "terminates": terminates(within_calls=40, within_seconds=1200),
    "no_silent_damage": no_silent_damage(flagged=says_so),
    "no_silent_truncation": no_silent_truncation(facts=["heat pumps"], flagged=says_so),
    "cascade": cascade(depth=2, output_clean=False),
}
KNOWN = {
    "prompt-cut": pytest.mark.xfail(raises=CheckFailed, reason="nobody compares what was sent with what was counted"),
}
"""Findings that we have accepted; the test says so when one of them is gone."""


# --- whatever goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "each", [pytest.param(each, id=each.name, marks=KNOWN.get(each.name, ())) for each in standard_battery()]
)
def test_the_standard_battery(dissonance, each):
    run = dissonance.run(GRAPH, QUESTION, plan=each.plan, limits=FEW)
    if not any(count.fired for count in run.faults.values()):
        pytest.skip("nothing in this workflow answers to it")
    run.check(*(CHECKS[name] for name in each.checks))


def test_every_single_fault_in_one_branch_is_told(dissonance):
    slot = slots_of(GRAPH, QUESTION)[1]
    for plan in single_faults([slot], faults=repertoire(["transport"])):
        dissonance.run(GRAPH, QUESTION, plan=plan, limits=FEW).check(CHECKS["terminates"], CHECKS["no_silent_damage"])


@quick(examples=15)
@given(plan=fault_plans(slots_of(GRAPH, QUESTION), families=["latency", "transport", "loops"]))
def test_a_brief_ends(dissonance, plan):
    """Three branches, three rounds, two attempts at a node and three at a call bound it."""
    dissonance.run(GRAPH, QUESTION, plan=plan, limits=FEW).check(terminates(within_calls=60))


# --- one branch -------------------------------------------------------------------------------

LAW = At(agent="researcher", text="researcher for law")


def test_a_lost_branch_is_named(dissonance):
    run = dissonance.run(GRAPH, QUESTION, plan=[Rule(at=LAW, fault=Disconnect())])
    run.check(
        degrades_gracefully(gaps=lambda state: [gap.split(" (")[0] for gap in state["gaps"]]),
        terminates(within_calls=10),
    )
    assert "Not researched: law" in run.result["brief"]


def test_a_late_branch_delays_the_brief_by_no_more_than_itself(dissonance):
    run = dissonance.run(GRAPH, QUESTION, plan=[Rule(at=LAW, fault=SlowReply(seconds=30))])
    run.check(makespan(at_most=45))


# --- the framework's defaults, and what mends them --------------------------------------------

REJECTED = [Rule(at=At(agent="reviewer"), fault=RejectWork())]
CUT = [Rule(at=LAW, fault=CutStream(), when=When(calls=[1, 2, 3]))]
LOST = [Rule(at=LAW, fault=Disconnect())]


def test_the_graph_goes_round_without_end(dissonance):
    """``recursion_limit`` is 10,007 steps unless it is set, which is no limit that anybody wants to pay for."""
    run = dissonance.run(AS_THE_TUTORIALS_LEAVE_IT, QUESTION, plan=REJECTED, limits=FEW)
    (verdict,) = run.judge(terminates())
    assert (verdict.status, run.stopped_by) == ("fail", "calls")


def test_a_recursion_limit_ends_it_with_an_error(dissonance):
    limited = AS_THE_TUTORIALS_LEAVE_IT.with_config({"recursion_limit": 8})
    run = dissonance.run(limited, QUESTION, plan=REJECTED, limits=FEW)
    run.check(terminates(within_calls=12))
    assert type(run.error).__name__ == "GraphRecursionError"


def test_a_count_of_rounds_ends_it_with_a_brief(dissonance):
    run = dissonance.run(GRAPH, QUESTION, plan=REJECTED, limits=FEW)
    run.check(terminates(within_calls=12))
    assert (run.result["rounds"], run.result["brief"].splitlines()[-1]) == (ROUNDS, "Not approved.")


def test_half_an_answer_is_an_answer(dissonance):
    run = dissonance.run(AS_THE_TUTORIALS_LEAVE_IT, QUESTION, plan=CUT)
    (verdict,) = run.judge(no_silent_damage(flagged=says_so))
    assert verdict.status == "fail"


def test_by_its_stop_reason_half_an_answer_is_told_from_a_whole_one(dissonance):
    dissonance.run(GRAPH, QUESTION, plan=CUT).check(no_silent_damage(flagged=says_so))


def test_one_lost_branch_loses_the_others(dissonance):
    """A node that raises ends the graph, and what the other branches found is gone."""
    run = dissonance.run(AS_THE_TUTORIALS_LEAVE_IT, QUESTION, plan=LOST)
    assert (run.outcome, run.result) == ("failed", None)
