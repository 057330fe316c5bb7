"""The checks against the faults that they are for, through real runs: a planted failure each, and a workflow that holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from planting import chain, say

from dissonance.faults import (
    At,
    FalseAccept,
    Groupthink,
    HttpError,
    InflateState,
    Overflow,
    Rule,
    SeedClaim,
    SlowReply,
    Stall,
    When,
)
from dissonance.faults.facts import facts
from dissonance.harness import (
    Scripted,
    cascade,
    context_growth,
    costs,
    degrades_gracefully,
    false_acceptance,
    independence,
    makespan,
    no_silent_truncation,
    recovers,
    run,
)
from dissonance.harness.checks import trace_cascade

CLAIM = facts()[0]


def status(workflow: Any, task: Any, check: Any, *rules: Rule, **more: Any) -> str:
    made = run(workflow, task, plan=list(rules), store=None, **more)
    return str(made.judge(check)[0].status)


# --- cascade ----------------------------------------------------------------------------------

SEED = Rule(at=At(agent="a0"), when=When(call=1), fault=SeedClaim(claim=CLAIM))


@pytest.mark.parametrize("claim", facts()[::10], ids=lambda claim: claim.id)
def test_a_seeded_claim_goes_down_a_chain_in_either_form(claim: Any) -> None:
    for twin in ("false", "true"):
        fault = SeedClaim(claim=claim, twin=twin)
        made = run(chain(3), "The board asks how it went.", plan=[Rule(at=At(agent="a0"), fault=fault)], store=None)
        found = trace_cascade(made)
        assert found is not None
        assert (found.twin, found.depth, found.output) == (twin, 2, True)


def test_a_cascade_is_bounded_by_a_workflow_that_checks_it() -> None:
    async def checked(task: str) -> str:
        said = await chain(2)(task)
        return said if CLAIM.false not in said else "withheld"

    task = "The board asks how it went."
    assert status(chain(2), task, cascade(), SEED) == "fail"
    assert status(checked, task, cascade(depth=1), SEED) == "pass"


# --- no_silent_truncation ---------------------------------------------------------------------

CANARY = "Sign with HALYARD."
FACT = "The limit is 42 units."
FILLER = " ".join(f"Plant {n} made {7 * n} units in May." for n in range(60))


def conversation(careful: bool) -> Callable[[str], Any]:
    async def flow(task: str) -> str:
        messages: list[Any] = [{"role": "user", "content": f"{task} {FACT}"}]
        for _ in range(3):
            said = await say(f"You are the clerk. {CANARY}", messages, max_tokens=900)
            if careful and "limit is 42" not in said:
                raise RuntimeError("what was to be known is not known")
            messages += [{"role": "assistant", "content": said}, {"role": "user", "content": f"Go on. {FILLER}"}]
        return said

    return flow


@pytest.mark.parametrize(
    "policy", ["drop_oldest", "drop_oldest_and_system", "drop_middle", "keep_half", "keep_tail", "message_window"]
)
def test_each_silent_policy_is_found(policy: Any) -> None:
    size: dict[str, Any] = {"keep": 1} if policy == "message_window" else {"window": 800}
    rule = Rule(fault=Overflow(policy=policy, **size))
    made = run(conversation(False), "Count.", plan=[rule], store=None)
    (verdict,) = made.judge(no_silent_truncation(instructions=[CANARY], facts=[FACT]))
    assert (verdict.status, made.outcome) in (("fail", "completed"), ("pass", "failed")), verdict
    assert verdict.reason.startswith("lost: ")


def test_a_policy_that_says_so_and_a_workflow_that_looks_pass() -> None:
    asked = no_silent_truncation(instructions=[CANARY], facts=[FACT])
    assert status(conversation(False), "Count.", asked, Rule(fault=Overflow(policy="reject", window=800))) == "pass"
    assert status(conversation(True), "Count.", asked, Rule(fault=Overflow(policy="keep_half", window=800))) == "pass"


# --- context_growth ---------------------------------------------------------------------------


def test_an_inflated_state_that_is_passed_on_whole_grows_and_a_pruned_one_does_not() -> None:
    async def whole(task: str) -> str:
        said = await say("You are the reader.", task)
        for n in range(3):
            said = await say(f"You are clerk {n}.", f"{task}\n{said}")
        return said

    async def pruned(task: str) -> str:
        said = await say("You are the reader.", task)
        for n in range(3):
            said = await say(f"You are clerk {n}.", said[:400])
        return said

    rule = Rule(at=At(agent="reader"), fault=InflateState(tokens=2_000, through="reply"))
    asked = context_growth(at_most=2, needed={"clerk*": 200})
    assert status(whole, "Report on Ulm.", asked, rule) == "fail"
    assert status(pruned, "Report on Ulm.", asked, rule) == "pass"


# --- judges and panels ------------------------------------------------------------------------


async def gated(task: str) -> str:
    draft = await say("You are the writer.", task)
    verdict = await say("You are the judge. Answer APPROVE or REVISE.", draft)
    return draft if "APPROVE" in verdict else "withheld"


def test_a_judge_made_to_accept_is_one_that_accepts_falsely() -> None:
    asked = false_acceptance(correct=lambda work: "4" in work)
    wrong = Scripted({"writer": "2 and 2 are 5.", "judge": "REVISE"})
    assert status(gated, "Add.", asked, Rule(at=At(agent="judge"), fault=FalseAccept()), model=wrong) == "fail"
    late = Rule(at=At(agent="judge"), fault=SlowReply(seconds=9))
    assert status(gated, "Add.", asked, late, model=wrong) == "pass"


async def poll(task: str) -> None:
    for number in range(12):
        await asyncio.gather(*(say(f"You are voter-{v}.", f"Question {number}: {task}") for v in range(3)))


def vote(call: Any, past: Any) -> str:
    number, voter = int(call.text.split("Question ")[1].split(":")[0]), int(call.agent[-1])
    return "no" if (number + voter) % 3 == 0 else "yes"


def test_groupthink_makes_one_voter_of_three() -> None:
    asked = independence(at_least=2, voters="voter-*", correct=lambda question, answer: answer == "yes")
    model = Scripted(vote)
    assert (
        status(poll, "Is it so?", asked, Rule(at=At(agent="voter-*"), fault=Groupthink(correlation=1)), model=model)
        == "fail"
    )
    slow = Rule(at=At(agent="voter-0"), when=When(call=1), fault=SlowReply(seconds=1))
    assert status(poll, "Is it so?", asked, slow, model=model) == "pass"


# --- time and money ---------------------------------------------------------------------------


def fan(box: float | None) -> Callable[[str], Any]:
    async def one(n: int, task: str) -> str:
        try:
            return await asyncio.wait_for(say(f"You are r{n}.", f"{task} Region {n}."), box)
        except TimeoutError:
            return f"missing: region {n}"

    async def flow(task: str) -> list[str]:
        return list(await asyncio.gather(*(one(n, task) for n in range(3))))

    return flow


STRAGGLER = Rule(at=At(text="Region 1"), fault=SlowReply(seconds=90))


def missing(result: list[str]) -> list[str]:
    return [line.removeprefix("missing: ") for line in result if line.startswith("missing: ")]


@pytest.mark.parametrize(("box", "expected"), [(None, "fail"), (20.0, "pass")])
def test_a_straggler_makes_the_makespan_and_a_time_box_bounds_it(box: float | None, expected: str) -> None:
    assert status(fan(box), "Report.", makespan(at_most=21), STRAGGLER) == expected


def test_a_lost_branch_is_named_or_it_is_not() -> None:
    stalls = Rule(at=At(text="Region 1"), fault=Stall())
    asked = degrades_gracefully(gaps=missing)
    assert status(fan(20.0), "Report.", asked, stalls) == "pass"
    assert status(fan(20.0), "Report.", degrades_gracefully(gaps=lambda result: []), stalls) == "fail"


def test_an_error_that_ends_is_survived_or_it_is_not() -> None:
    rule = Rule(when=When(call=1, attempt=1), fault=HttpError(status=500))
    fatal = Rule(when=When(call=1), fault=HttpError(status=400))
    assert status(chain(2), "Go on.", recovers(), rule) == "pass"
    assert status(chain(2), "Go on.", recovers(), fatal) == "fail"


def test_a_state_that_grows_costs_more() -> None:
    cheap, dear = (Rule(at=At(agent="a0"), fault=InflateState(tokens=t, through="reply")) for t in (10, 6_000))
    assert status(chain(3), "Go on.", costs(0.01), cheap) == "pass"
    assert status(chain(3, max_tokens=8_192), "Go on.", costs(0.01), dear) == "fail"
