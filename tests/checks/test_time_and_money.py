"""``makespan``, ``recovers``, ``degrades_gracefully``, ``costs`` and ``overhead``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from doubles import Answers, Rewrites
from planting import CLAIM, say
from tape import Tape, run_of

from dissonance.harness import Pace, Reply, Scripted, load_run, run
from dissonance.harness.call import ApiError, Call, FaultMark
from dissonance.harness.checks import (
    branches_of,
    costs,
    degrades_gracefully,
    lost_branches,
    makespan,
    measure_costs,
    measure_layers,
    measure_makespan,
    measure_recovery,
    overhead,
    recovers,
)
from dissonance.harness.errors import BadInput
from dissonance.harness.history import History

Spans = list[tuple[str, float, float]]


def timed(*spans: tuple[str, float, float]) -> History:
    """Calls of agents, each from a second to another."""
    tape = Tape()
    steps = sorted([(b, 1, n) for n, (_, b, _) in enumerate(spans)] + [(e, 0, n) for n, (_, _, e) in enumerate(spans)])
    calls: dict[int, int] = {}
    for at, begins, n in steps:
        if begins:
            calls[n] = tape.call(spans[n][0], f"Prompt {n}.")
        else:
            tape.reply(calls[n], "Done.")
        tape.events[-1] = replace(tape.events[-1], at=float(at))
    tape.end()
    tape.events[-1] = replace(tape.events[-1], at=max(end for _, _, end in spans))
    return tape.history


# --- makespan ---------------------------------------------------------------------------------


def test_the_figures_of_a_fan_out() -> None:
    found = measure_makespan(run_of(timed(("a", 0, 10), ("b", 0, 10), ("c", 0, 90))))
    assert found is not None
    assert (found.seconds, found.branches, found.width) == (90.0, (10.0, 10.0, 90.0), 3)
    assert (found.ideal, found.straggler, found.slowest) == (90.0, 9.0, "c's call 1")
    assert found.efficiency == pytest.approx(110 / 270)


def test_with_fewer_workers_than_branches_the_ideal_is_the_sum_shared_out() -> None:
    """Two workers, and jobs of 41 s in all: none can do better than 20.5 s."""
    found = measure_makespan(run_of(timed(("a", 0, 10), ("b", 0, 11), ("c", 10, 20), ("d", 11, 21))))
    assert found is not None
    assert (found.width, found.seconds, found.ideal) == (2, 21.0, 20.5)


def test_a_pool_whose_jobs_all_take_as_long_is_one_fan_out() -> None:
    found = measure_makespan(run_of(timed(*[(f"w{n}", 10.0 * (n // 2), 10.0 * (n // 2) + 10) for n in range(6)])))
    assert found is not None
    assert (found.width, found.seconds, found.ideal, found.efficiency) == (2, 30.0, 30.0, 1.0)


def test_what_is_made_of_the_branches_is_no_branch() -> None:
    async def flow(task: str) -> str:
        return await say("You are the editor.", "\n".join(await fan(task)))

    found = measure_makespan(run(flow, "Report.", model=BY_NAME, store=None))
    assert found is not None
    assert len(found.branches) == 3


def test_list_scheduling_is_tight_at_its_bound() -> None:
    """m (m - 1) unit jobs, then one of size m, on m = 3 workers: 5/3 of the best."""
    units = [(f"w{n}", float(n // 3), float(n // 3 + 1)) for n in range(6)]
    found = measure_makespan(run_of(timed(*units, ("long", 2.0, 5.0))))
    assert found is not None
    assert found.seconds / found.ideal == pytest.approx(5 / 3)


def test_a_retry_or_a_longer_conversation_is_the_same_branch() -> None:
    tape = Tape()
    first, other = tape.call("a", "One."), tape.call("b", "Two.")
    tape.reply(first, None, status=529)
    again = tape.call("a", "One.", retry=True)
    tape.reply(again, "Done.")
    tape.reply(other, "Done.")
    found = branches_of(run_of(tape.end()))
    assert [str(each) for each in found] == ["a's call 1", "b's call 1"]
    assert [len(each.calls) for each in found] == [2, 1]


def test_an_agent_that_calls_itself_at_once_has_two_branches() -> None:
    tape = Tape()
    calls = [tape.call("voter", "Vote.") for _ in range(2)]
    for call in calls:
        tape.reply(call, "Yes.")
    assert len(branches_of(run_of(tape.end()))) == 2


@pytest.mark.parametrize(
    ("check", "status"),
    [
        (makespan(at_most=90), "pass"),
        (makespan(at_most=89.9), "fail"),
        (makespan(of_ideal=1), "pass"),
        (makespan(), "unknown"),
    ],
)
def test_the_makespan_is_held_against_its_bounds(check: makespan, status: str) -> None:
    assert check(run_of(timed(("a", 0, 10), ("b", 0, 10), ("c", 0, 90)))).status == status


def test_makespan_knows_nothing_without_a_fan_out_and_in_tier_t3() -> None:
    assert "no fan-out to look at" in makespan(at_most=1)(run_of(timed(("a", 0, 10), ("b", 10, 20)))).reason
    in_t3 = run_of(timed(("a", 0, 10), ("b", 0, 20)), tier="T3")
    assert (makespan(at_most=1)(in_t3).status, makespan(at_most=1)(in_t3).reason) == (
        "unknown",
        "times of tier T3 do not repeat",
    )


async def fan(task: str) -> list[str]:
    return list(await asyncio.gather(*(say(f"You are r{n}.", f"{task} Region {n}.") for n in range(3))))


async def boxed(task: str) -> list[str]:
    async def one(n: int) -> str:
        try:
            return await asyncio.wait_for(say(f"You are r{n}.", f"{task} Region {n}."), 10)
        except TimeoutError:
            return f"region {n} is missing"

    return list(await asyncio.gather(*(one(n) for n in range(3))))


SLOW = Rewrites(lambda reply: replace(reply, seconds=90.0) if "r1" in reply.text else None)
BY_NAME = Scripted(lambda call, past: f"{call.agent} is done.", pace=Pace(2.0, 50.0))


@pytest.mark.parametrize(("flow", "status"), [(fan, "fail"), (boxed, "pass")])
def test_a_time_box_bounds_the_makespan(flow: Any, status: str, tmp_path: Any) -> None:
    made = run(flow, "Report.", plan=[SLOW], model=BY_NAME, store=tmp_path)
    assert made.path is not None
    for one in (made, load_run(made.path)):
        assert one.judge(makespan(at_most=12))[0].status == status


# --- degrades_gracefully ----------------------------------------------------------------------


def with_gap(result: Any = "done", **end: Any) -> Any:
    tape = Tape()
    calls = [tape.call("r", f"Region {name}.") for name in ("north", "south")]
    tape.reply(calls[0], "Done.")
    tape.reply(calls[1], None, status=None, ending="abandoned")
    return run_of(tape.end(result, **end), result=result)


named = degrades_gracefully(gaps=lambda result: result["gaps"])


@pytest.mark.parametrize(
    ("gaps", "status", "told"),
    [
        (["south"], "pass", "lost: r's call 2; the result names 'south'"),
        ([], "fail", "filled silently: r's call 2; the result names no gap"),
        (["north"], "fail", "filled silently: r's call 2; the result names 'north'"),
    ],
)
def test_a_lost_branch_must_be_named(gaps: list[str], status: str, told: str) -> None:
    verdict = named(with_gap({"gaps": gaps}))
    assert (verdict.status, verdict.reason) == (status, told)
    assert verdict.evidence == (2,)


def test_losing_all_for_one_branch_fails() -> None:
    verdict = named(with_gap(outcome="failed", error="Timeout: r"))
    assert (verdict.status, verdict.reason) == (
        "fail",
        "lost: r's call 2; the workflow raised (Timeout: r) and delivered nothing of 1 other branch",
    )


def test_where_nothing_was_lost_there_is_nothing_to_look_at() -> None:
    tape = Tape()
    tape.turn("r", "Region.", "Done.")
    assert named(run_of(tape.end())).reason == "no branch was lost: there was nothing to look at"
    assert degrades_gracefully()(with_gap()).reason.startswith("the label `gaps` is missing")


def test_a_branch_that_was_asked_again_is_not_lost() -> None:
    tape = Tape()
    tape.reply(tape.call("r", "Region."), None, status=529)
    tape.turn("r", "Region.", "Done.")
    assert lost_branches(run_of(tape.end())) == ()


def test_a_branch_with_another_ones_message_is_not_that_one_asked_again() -> None:
    """Roles that are asked the same at once differ in the system prompt alone; afterwards, another may stand in."""
    tape = Tape()
    law, prices = (tape.call("r", "What of Acme?", system=f"Look at {field}.") for field in ("law", "prices"))
    tape.reply(law, None, status=529)
    tape.reply(prices, "Done.")
    (lost,) = lost_branches(run_of(tape.end()))
    assert lost.calls[0].id == law
    tape = Tape()
    tape.reply(tape.call("r", "What of Acme?", system="Look at law."), None, status=529)
    tape.turn("stand-in", "What of Acme?", "Done.")
    assert lost_branches(run_of(tape.end())) == ()


def test_a_gap_that_is_named_passes_and_one_that_is_filled_fails() -> None:
    def gaps(result: list[str]) -> list[str]:
        return [line.removesuffix(" is missing") for line in result if line.endswith("is missing")]

    made = run(boxed, "Report.", plan=[SLOW], model=BY_NAME, store=None)
    assert made.judge(degrades_gracefully(gaps=gaps))[0].status == "pass"

    async def filled(task: str) -> list[str]:
        return [line.replace("is missing", "is as last year") for line in await boxed(task)]

    made = run(filled, "Report.", plan=[SLOW], model=BY_NAME, store=None)
    assert made.judge(degrades_gracefully(gaps=gaps))[0].status == "fail"


# --- recovers ---------------------------------------------------------------------------------


def hit(ends_at: float | None = 1.0, **end: Any) -> Tape:
    tape = Tape(("r1",))
    call = tape.call("a", "Go.")
    tape.fault(call, ends_at=ends_at)
    tape.reply(call, None, status=529, reached=("r1",))
    if not end:
        tape.turn("a", "Go.", "Done.")
    tape.end(**end)
    return tape


def test_it_recovers_when_it_completes_after_the_last_fault() -> None:
    verdict = recovers()(run_of(hit().history))
    assert (verdict.status, verdict.reason, verdict.evidence) == (
        "pass",
        "completed 3 s after the last fault",
        (2, 5, 6),
    )
    found = measure_recovery(run_of(hit().history))
    assert found is not None
    assert (found.over, found.first, found.answered, found.seconds) == (3.0, 5, 5.0, 3.0)


@pytest.mark.parametrize(
    ("end", "ends_at", "told"),
    [
        ({"outcome": "failed", "error": "E: 529"}, 1.0, "it raised (E: 529) 1 s after the last fault"),
        ({"outcome": "failed", "error": "E: 529"}, 20.0, "it raised (E: 529) 16 s before the last fault was over"),
        (
            {"outcome": "stopped_by_harness", "stopped_by": "calls", "error": "why"},
            1.0,
            "the harness had to stop it (calls) 2 s after the last fault",
        ),
        ({"stopped_by": "budget"}, 1.0, "its own guard stopped it (budget), 1 s after the last fault"),
    ],
)
def test_it_does_not_when_it_gives_up(end: dict[str, Any], ends_at: float, told: str) -> None:
    verdict = recovers()(run_of(hit(ends_at, **end).history))
    assert (verdict.status, verdict.reason) == ("fail", told)


def test_what_cannot_be_survived_is_not_judged() -> None:
    verdict = recovers()(run_of(hit(None).history))
    assert (verdict.status, verdict.reason) == (
        "unknown",
        "r1 can strike for ever, so there is no time after the faults",
    )
    tape = Tape()
    tape.turn("a", "Go.", "Done.")
    assert recovers()(run_of(tape.end())).status == "unknown"


def test_recovery_may_have_to_be_quick() -> None:
    assert recovers(within_seconds=2.9)(run_of(hit().history)).status == "fail"
    assert recovers(within_seconds=3)(run_of(hit().history)).status == "pass"
    assert recovers(within_seconds=3)(run_of(hit().history, tier="T3")).status == "unknown"
    with pytest.raises(BadInput):
        recovers(within_seconds=0)


class Burst(Answers):
    """529 for the first 20 virtual seconds."""

    def mark(self, call: Call) -> FaultMark:
        return FaultMark(fault="Burst", ends_at=20.0)

    def on_request(self, call: Call, past: History) -> Call | Reply | None:
        return self.answer if call.sent_at < 20 else None


def test_waiting_out_a_burst_recovers_and_giving_up_does_not(tmp_path: Any) -> None:
    async def patient(task: str) -> str:
        for _ in range(10):
            try:
                return await say("You are the writer.", task)
            except anthropic.APIStatusError:
                await asyncio.sleep(5)
        return "nothing"

    async def hasty(task: str) -> str:
        return await say("You are the writer.", task)

    plan = [Burst(Reply(status=529, body=ApiError("overloaded_error", "Overloaded")))]
    made = run(patient, "Draft.", plan=plan, store=tmp_path)
    assert made.judge(recovers())[0].status == "pass"
    made = run(hasty, "Draft.", plan=plan, store=tmp_path)
    (verdict,) = made.judge(recovers())
    assert (verdict.status, "before the last fault was over" in verdict.reason) == ("fail", True)
    assert made.path is not None
    assert load_run(made.path).judge(recovers())[0].reason == verdict.reason


# --- costs ------------------------------------------------------------------------------------


def spent() -> Any:
    tape = Tape()
    for agent in ("lead", "worker-1", "worker-2", "worker-2"):
        tape.turn(agent, "Go.", "Done.")  # half a dollar each
    return run_of(tape.end())


@pytest.mark.parametrize(
    ("at_most", "status"),
    [
        (2.0, "pass"),
        (1.99, "fail"),
        ({"worker-*": 1.5}, "pass"),
        ({"lead": 0.6, "worker-*": 1.4}, "fail"),
        (None, "unknown"),
    ],
)
def test_costs_are_held_against_dollars_in_all_or_by_agent(at_most: Any, status: str) -> None:
    assert costs(at_most)(spent()).status == status


def test_the_reason_says_who_spent_it_and_the_evidence_when_it_was_too_much() -> None:
    verdict = costs({"worker-*": 1.0})(spent())
    assert (verdict.reason, verdict.evidence) == (
        "$1.50 of worker-*, more than $1.00: worker-2 $1.00 in 2 calls, lead $0.5000 in 1 call, worker-1 $0.5000 in 1 call",
        (8, 9),
    )
    assert [each.agent for each in measure_costs(spent()).agents] == ["worker-2", "lead", "worker-1"]


def test_costs_of_nothing_or_of_half_a_run_prove_nothing() -> None:
    tape = Tape()
    tape.reply(tape.call("a", "Go."), None, status=529)
    assert costs(1)(run_of(tape.end())).status == "unknown"
    tape = Tape()
    tape.turn("a", "Go.", "Done.")
    stopped = run_of(tape.end(outcome="stopped_by_harness", stopped_by="calls", error="why"))
    assert (costs(1)(stopped).status, costs(0.1)(stopped).status) == ("unknown", "fail")
    with pytest.raises(BadInput, match=r"costs\(at_most_usd=-1\)"):
        costs(-1)


def test_the_dollars_of_a_real_run() -> None:
    made = run(fan, "Report.", store=None)
    assert measure_costs(made).usd == pytest.approx(made.usd)
    assert made.judge(costs(made.usd * 1.01))[0].status == "pass"
    assert made.judge(costs(made.usd * 0.99))[0].status == "fail"


# --- overhead ---------------------------------------------------------------------------------

LAYERS = ["top", "lead-*", "worker-*"]
SPANS: Spans = [
    ("top", 0, 2),
    ("lead-1", 2, 5),
    ("worker-1", 5, 9),
    ("worker-2", 5, 11),
    ("lead-1", 11, 12),
    ("top", 12, 16),
]


def test_what_each_layer_spends_and_adds() -> None:
    top, lead, worker = measure_layers(run_of(timed(*SPANS)), LAYERS)
    assert [each.calls for each in (top, lead, worker)] == [2, 2, 2]
    assert [each.tokens for each in (top, lead, worker)] == [220, 220, 220]
    assert [each.added for each in (top, lead, worker)] == [6.0, 4.0, 6.0]
    assert worker.agents == ("worker-1", "worker-2")


@pytest.mark.parametrize(("at_most", "status"), [(2, "pass"), (1.9, "fail")])
def test_overhead_is_the_tokens_above_for_each_of_the_workers(at_most: float, status: str) -> None:
    verdict = overhead(at_most, LAYERS)(run_of(timed(*SPANS)))
    assert verdict.status == status
    assert verdict.reason.startswith("2 tokens above for each of the workers': top 2 calls, 220 tokens, 6 s, lead-1 ")


def test_fidelity_is_lost_layer_by_layer() -> None:
    tape = Tape()
    tape.turn("worker-1", "Go.", f"{CLAIM.true} It rained. Bees hum.")
    tape.turn("lead-1", "Go.", f"{CLAIM.true} It rained.")
    tape.turn("top", "Go.", "It rained.")
    top, lead, worker = measure_layers(run_of(tape.end()), LAYERS, [CLAIM, "it rained.", "bees hum", "snow fell"])
    assert (top.fidelity, lead.fidelity, worker.fidelity) == (1 / 2, 2 / 3, 3 / 4)


def test_overhead_needs_its_labels_and_layers_that_work() -> None:
    made = run_of(timed(*SPANS))
    assert "`layers`" in overhead(1)(made).reason
    assert "`at_most`" in overhead(layers=LAYERS)(made).reason
    assert (
        overhead(1, ["boss", "worker-*"])(made).reason == "the layer 'boss' spent nothing: there was nothing to compare"
    )
    for bad in ({"layers": ["one"]}, {"at_most": -1}):
        with pytest.raises(BadInput):
            overhead(**bad)


def test_a_lead_who_repeats_everything_costs_more_than_one_who_sums_up() -> None:
    def tree(long: bool) -> Callable[[str], Any]:
        async def work(task: str) -> str:
            notes = await asyncio.gather(*(say(f"You are worker-{n}.", f"{task} Part {n}.") for n in range(3)))
            said = [await say("You are the lead.", "\n".join(notes))]
            for _ in range(4 if long else 0):
                said.append(await say("You are the lead.", "\n".join([*notes, *said])))
            return said[-1]

        return work

    task = "The plant at Ulm made 40 units in May. The plant at Bonn made 50."
    asked = overhead(2, ["lead", "worker-*"])
    assert run(tree(False), task, store=None).judge(asked)[0].status == "pass"
    assert run(tree(True), task, store=None).judge(asked)[0].status == "fail"
