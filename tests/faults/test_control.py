"""The control arm of a plan: the true twin in the false one's place, and nothing else changed."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from dissonance.faults import At, FaultPlan, RejectWork, Rule, SeedClaim, When, control_arm
from dissonance.faults.facts import facts
from dissonance.harness import run
from dissonance.harness.checks import trace_cascade
from dissonance.harness.errors import BadInput

CLAIM = facts()[0]
PLAN = FaultPlan(
    rules=[
        Rule(id="seed", at=At(agent="researcher"), when=When(call=1), fault=SeedClaim(claim=CLAIM)),
        Rule(id="judge", at=At(agent="judge"), fault=RejectWork()),
    ],
    schedule=7,
)


def test_only_the_twin_differs() -> None:
    data = PLAN.model_dump(mode="json")
    data["rules"][0]["fault"]["twin"] = "true"
    assert control_arm(PLAN).model_dump(mode="json") == data
    assert FaultPlan.from_json(control_arm(PLAN).to_json()) == control_arm(PLAN)


@pytest.mark.parametrize(
    "plan",
    [FaultPlan(), FaultPlan(rules=PLAN.rules[1:]), control_arm(PLAN)],
    ids=["empty", "no claim", "already the control"],
)
def test_a_plan_that_plants_nothing_false_has_none(plan: FaultPlan) -> None:
    with pytest.raises(BadInput, match="the plan plants no false claim; give one with SeedClaim"):
        control_arm(plan)


def test_the_true_twin_is_what_a_run_of_it_plants() -> None:
    client = anthropic.Anthropic(api_key="none")

    def research(task: str) -> str:
        messages: Any = [{"role": "user", "content": task}]
        reply = client.messages.create(
            model="claude-sonnet-4-6", max_tokens=300, system="You are the researcher.", messages=messages
        )
        return str(reply.content[0].text)  # type: ignore[union-attr]

    made = run(research, "Write about light.", plan=control_arm(PLAN), store=None)
    trace = trace_cascade(made, CLAIM)
    assert trace is not None
    assert (trace.twin, trace.infected) == ("true", 1)
    assert CLAIM.text("true") in made.result
    assert CLAIM.text("false") not in made.result
