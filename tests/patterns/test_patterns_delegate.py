"""Hierarchies: each level at its own level, failures inside their branches, budgets down, depth measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from dissonance.harness import run
from dissonance.patterns import (
    Agent,
    CycleDetector,
    DamagedReply,
    Delegated,
    Lead,
    Outcome,
    StepBudget,
    TimeBox,
    Usage,
    Worker,
    contains,
    delegate,
)

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

TOP, RESEARCH, CODE = Agent("top", "Plan."), Agent("research", "Find out."), Agent("code", "Write programs.")
WEB, BOOKS, PYTHON = Agent("web", "Search."), Agent("books", "Read."), Agent("python", "Program.")


def search(query: str) -> str:
    """Search the web."""
    return f"found: {query}"


def results(request: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """What a request's last message tells the lead of its members."""
    return [(result["content"], result.get("is_error", False)) for result in request["messages"][-1]["content"]]


def two_layers(**research: Any) -> Lead:
    return Lead(
        TOP,
        (
            Lead(RESEARCH, (WEB, BOOKS), domain="what the world knows", **research),
            Lead(CODE, (PYTHON,), domain="programs"),
        ),
        at_once=1,
    )


def test_tasks_go_down_and_summaries_come_up(wire: Wire) -> None:
    client = wire(
        {
            "top": [
                wire.use(("delegate_to_research", {"task": "east"}), ("delegate_to_code", {"task": "west"})),
                "Both.",
            ],
            "research": [wire.use(("delegate_to_web", {"task": "dig"})), "East done."],
            "web": ["Dug."],
            "code": ["West done."],
        }
    )
    outcome = asyncio.run(delegate(client, two_layers())("All."))
    assert (outcome.require(), outcome.depth, outcome.usage.calls, outcome.steps) == ("Both.", 2, 6, 2)
    assert wire.agents == ["top", "research", "web", "research", "code", "top"]
    assert results(wire.requests[-1]) == [("East done.", False), ("West done.", False)]
    assert [(branch.to, branch.task, branch.outcome.usage.calls) for branch in outcome.branches] == [
        ("research", "east", 3),
        ("code", "west", 1),
    ]
    assert list(outcome.failures()) == []
    assert outcome.provenance is not None
    assert [each.by for each in outcome.provenance.walk()] == ["top", "research", "web", "code"]


def test_each_level_sees_its_own_level_only(wire: Wire) -> None:
    """The top reads summaries and no tool call; a lead does not know the top's strategy, nor its neighbour's task."""
    web = Agent("web", "Search.", tools=(search,))
    tree = Lead(TOP, (Lead(RESEARCH, (web,)), Lead(CODE, (PYTHON,))), at_once=1)
    client = wire(
        {
            "top": [
                wire.use(
                    ("delegate_to_research", {"task": "Find the price of ACME."}),
                    ("delegate_to_code", {"task": "Write the tool."}),
                    text="STRATEGY: buy ACME before the others notice.",
                ),
                "Bought.",
            ],
            "research": [
                wire.use(("delegate_to_web", {"task": "Look up ACME."}), text="PLAN: ask the web."),
                "It is 7.",
            ],
            "web": [wire.use(("search", {"query": "ACME price"}), text="TOOL USE"), "The page says 7."],
            "code": ["Written."],
        }
    )
    asyncio.run(delegate(client, tree)("SECRET: take ACME over."))
    seen = {agent: "" for agent in wire.agents}
    for agent, request in zip(wire.agents, wire.requests, strict=True):
        seen[agent] += json.dumps([request["system"], request["messages"], request.get("tools")])
    for lower in ("research", "web", "code", "python"):
        assert not any(word in seen.get(lower, "") for word in ("STRATEGY", "SECRET", "take ACME over")), lower
    for word in (
        "PLAN",
        "Look up ACME",
        "TOOL USE",
        "found: ACME price",
        "The page says 7",
        "delegate_to_web",
        '"search"',
    ):
        assert word not in seen["top"], word
    assert "It is 7." in seen["top"]
    assert "Write the tool" not in seen["research"]
    assert "price" not in seen["code"]
    assert "found: ACME price" in seen["web"]


def test_a_failure_is_traced_to_where_it_began_and_loses_no_other_branch(wire: Wire) -> None:
    client = wire(
        {
            "top": [
                wire.use(("delegate_to_research", {"task": "east"}), ("delegate_to_code", {"task": "west"})),
                "West only.",
            ],
            "research": [
                wire.use(("delegate_to_web", {"task": "a"}), ("delegate_to_books", {"task": "b"})),
                "Only books knew.",
            ],
            "web": [wire.say("I can't", "refusal")],
            "books": ["Known."],
            "code": [
                httpx2.Response(529, json={"type": "error", "error": {"type": "overloaded_error", "message": "x"}})
            ],
        }
    )
    outcome = asyncio.run(delegate(client, two_layers())("All."))
    assert outcome.require() == "West only."
    assert [failure.path for failure in outcome.failures()] == [("research", "web"), ("code",)]
    traced = [str(failure) for failure in outcome.failures()]
    assert traced[0] == "research / web: the reply to agent 'web' is refused: the model refused"
    assert traced[1].startswith("code: OverloadedError: ")
    above, lead = results(wire.requests[-1]), results(wire.requests[-3])
    assert (above[0], above[1][1]) == (("Only books knew.", False), True)
    assert lead == [
        ("The web did not finish: the reply to agent 'web' is refused: the model refused.", True),
        ("Known.", False),
    ]


def test_what_is_damaged_at_the_top_raises(wire: Wire) -> None:
    with pytest.raises(DamagedReply, match="agent 'top' is refused"):
        asyncio.run(delegate(wire({"top": [wire.say("no", "refusal")]}), two_layers())("All."))


def test_a_lead_has_rules_of_its_own_for_its_whole_branch(wire: Wire) -> None:
    """Its budget counts the turns of its branch; the branch fails, and the others go on."""
    tree = Lead(
        TOP,
        (Lead(RESEARCH, (Lead(BOOKS, (WEB,)),), guards=(StepBudget(3),)), Lead(CODE, (PYTHON,))),
        at_once=1,
    )
    client = wire(
        {
            "top": [
                wire.use(("delegate_to_research", {"task": "east"}), ("delegate_to_code", {"task": "west"})),
                "Half of it.",
            ],
            "research": [wire.use(("delegate_to_books", {"task": "read"}))],
            "books": repeat(wire.use(("delegate_to_web", {"task": "again"}))),
            "web": repeat("Something."),
            "code": ["Written."],
        }
    )
    outcome = asyncio.run(delegate(client, tree)("All."))
    east, west = outcome.branches
    assert (east.outcome.stopped_by, east.outcome.output, east.outcome.finished) == ("step_budget", "Something.", False)
    assert (west.outcome.output, outcome.require()) == ("Written.", "Half of it.")
    assert [str(failure) for failure in outcome.failures()] == ["research: all 3 steps are used up"]
    assert wire.agents.count("books") == 2


def test_a_budget_from_above_holds_below(wire: Wire) -> None:
    client = wire(
        {
            "top": [wire.use(("delegate_to_research", {"task": "east"}))],
            "research": repeat(wire.use(("delegate_to_web", {"task": "again"}))),
            "web": repeat("Something."),
        }
    )
    outcome = asyncio.run(delegate(client, two_layers(guards=(StepBudget(50),)), guards=[StepBudget(4)])("All."))
    assert (outcome.stopped_by, outcome.steps, outcome.output, outcome.usage.calls) == (
        "step_budget",
        4,
        "Something.",
        7 - 1,
    )
    assert wire.agents.count("web") == 2


def test_an_agents_own_budget_holds_in_its_branch(wire: Wire) -> None:
    poor = Agent("research", "Find out.", call_budget=2)
    client = wire(
        {
            "top": [wire.use(("delegate_to_research", {"task": "east"})), "Without it."],
            "research": repeat(wire.use(("delegate_to_web", {"task": "again"}))),
            "web": repeat("Something."),
        }
    )
    outcome = asyncio.run(delegate(client, Lead(TOP, (Lead(poor, (WEB,)),)))("All."))
    assert (outcome.require(), outcome.branches[0].outcome.stopped_by) == ("Without it.", "call_budget")


def test_a_service_level_cuts_its_own_branch_in_time() -> None:
    async def slow(task: str) -> Outcome[str]:
        await asyncio.sleep(100)
        return Outcome(output="late", finished=True, steps=1, usage=Usage())

    async def workflow(task: str) -> Delegated:
        from anthropic import AsyncAnthropic

        slow_lead = Lead(RESEARCH, (Worker("archive", slow),), guards=(TimeBox(30.0),))
        return await delegate(AsyncAnthropic(api_key="k"), Lead(TOP, (slow_lead, CODE)))(task)

    made = run(workflow, "Write the report about ACME.", store=None)
    assert made.error is None, made.error
    assert made.result.finished
    assert [str(each) for each in made.result.failures()] == ["research: not done after 30 s"]
    assert 30 < made.seconds < 100


def test_a_summary_goes_up_when_it_passes_its_checks(wire: Wire) -> None:
    tree = Lead(
        TOP, (Lead(RESEARCH, (WEB,), checks=(contains("source"),)), Lead(CODE, (PYTHON,), checks=(contains("test"),)))
    )
    client = wire(
        {
            "top": [wire.use(("delegate_to_research", {"task": "a"}), ("delegate_to_code", {"task": "b"})), "Done."],
            "research": ["It is 7.", "It is 7, source: the web."],
            "code": ["Trust me.", "Do trust me."],
        }
    )
    outcome = asyncio.run(delegate(client, tree)("All."))
    assert sorted((branch.to, branch.outcome.finished) for branch in outcome.branches) == [
        ("code", False),
        ("research", True),
    ]
    assert [str(each) for each in outcome.failures()] == [
        "code: its summary fails its checks: The output must contain 'test'."
    ]


def test_a_call_without_a_task_is_refused(wire: Wire) -> None:
    turn = wire.use(
        ("delegate_to_web", {"task": " "}), ("search", {"task": "dig"}), ("delegate_to_web", {"task": "dig"})
    )
    client = wire({"research": [turn, "Done."], "web": ["Dug."]})
    asyncio.run(delegate(client, Lead(RESEARCH, (WEB,)))("All."))
    assert results(wire.requests[-1]) == [
        ("Refused: call delegate_to_web with a task in words.", True),
        ("Refused: call delegate_to_web with a task in words.", True),
        ("Dug.", False),
    ]


def test_a_stopped_delegation_gives_the_last_result(wire: Wire) -> None:
    client = wire({"research": repeat(wire.use(("delegate_to_web", {"task": "dig"}))), "web": ["Dug 1.", "Dug 2."]})
    outcome = asyncio.run(delegate(client, Lead(RESEARCH, (WEB,)), guards=[CycleDetector()])("All."))
    assert (outcome.output, outcome.stopped_by, outcome.finished) == ("Dug 2.", "cycle_detector", False)


@pytest.mark.parametrize("steps", [1, 2, 5, 12])
def test_the_answers_of_members_use_up_no_steps(wire: Wire, steps: int) -> None:
    """A budget stops at its own step, whether or not sub-tasks were answered in between."""
    client = wire({"research": repeat(wire.use(("delegate_to_web", {"task": "dig"}))), "web": repeat("Dug.")})
    outcome = asyncio.run(delegate(client, Lead(RESEARCH, (WEB,)), guards=[StepBudget(steps)])("All."))
    assert (outcome.stopped_by, outcome.steps, outcome.reason) == (
        "step_budget",
        steps,
        f"all {steps} steps are used up",
    )
    assert wire.agents == ["research", *["web", "research"] * (steps - 1)]


@pytest.mark.parametrize("deepest", [1, 3, 7])
def test_the_depth_is_limited_and_measured(wire: Wire, deepest: int) -> None:
    """At the limit a lead has nobody to hand down to, so it answers."""
    turn = wire.use(("delegate_to_research", {"task": "the same"}))
    client = wire({"research": [*[turn] * deepest, *["Done."] * (deepest + 1)]})
    outcome = asyncio.run(delegate(client, Lead(RESEARCH, recursive=True), max_depth=deepest)("All."))
    assert (outcome.require(), outcome.depth) == ("Done.", deepest)
    assert [bool(request.get("tools")) for request in wire.requests[: deepest + 1]] == [True] * deepest + [False]


@pytest.mark.slow
def test_depth_without_a_limit_is_bounded_by_guards_not_by_the_python_stack(wire: Wire) -> None:
    client = wire({"research": repeat(wire.use(("delegate_to_research", {"task": "the same"})))}, limit=2000)
    tree = delegate(client, Lead(RESEARCH, recursive=True), guards=[StepBudget(1500)], max_depth=None)
    outcome = asyncio.run(tree("the same"))
    assert (outcome.stopped_by, outcome.depth) == ("step_budget", 1499)


def _hundred(wire: Wire, teams: int) -> tuple[Delegated, int]:
    """100 agents under one lead, or in teams of equal size under leads of their own; the outcome, the longest request."""
    size = 100 // teams
    hands = [Agent(f"hand-{n}", "Do.") for n in range(100)]
    scripts: dict[str, Any] = {hand.name: [f"Result {hand.name}: " + "so it is. " * 20] for hand in hands}

    def ask_all(names: list[str]) -> Any:
        return wire.use(*[(f"delegate_to_{name}", {"task": f"part {name}"}) for name in names])

    if teams == 1:
        top = Lead(TOP, tuple(hands))
        scripts["top"] = [ask_all([hand.name for hand in hands]), "All done."]
    else:
        groups = [hands[n * size : (n + 1) * size] for n in range(teams)]
        top = Lead(TOP, tuple(Lead(Agent(f"lead-{n}", "Lead."), tuple(group)) for n, group in enumerate(groups)))
        for n, group in enumerate(groups):
            scripts[f"lead-{n}"] = [ask_all([hand.name for hand in group]), f"Team {n} is done."]
        scripts["top"] = [ask_all([f"lead-{n}" for n in range(teams)]), "All done."]
    outcome = asyncio.run(delegate(wire(scripts), top)("Do it."))
    return outcome, max(len(json.dumps(request)) for request in wire.requests)


def test_a_hundred_agents_under_one_supervisor_against_two_layers(wire: Wire) -> None:
    """A layer costs two calls a lead, (n - 1)/(b - 1) leads in all; it keeps the longest prompt at a tenth."""
    flat, longest_flat = _hundred(wire, 1)
    wire.requests.clear()
    layered, longest_layered = _hundred(wire, 10)
    assert (flat.usage.calls, flat.depth) == (100 + 2 * 1, 1)
    assert (layered.usage.calls, layered.depth) == (100 + 2 * (100 - 1) // (10 - 1), 2)
    assert 8 < longest_flat / longest_layered < 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Lead(TOP), "members=[] of 'top': give at least one, each with a name of its own"),
        (
            lambda: Lead(TOP, (WEB, WEB)),
            "members=['web', 'web'] of 'top': give at least one, each with a name of its own",
        ),
        (lambda: Lead(TOP, (WEB,), at_once=0), "at_once=0: give 1 or more"),
    ],
    ids=["nobody", "twice", "none at once"],
)
def test_bad_leads_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_a_tree_deeper_than_the_limit_is_refused(wire: Wire) -> None:
    with pytest.raises(ValueError) as caught:
        delegate(wire({}), two_layers(), max_depth=1)
    assert str(caught.value) == "max_depth=1: 'top' has 2 levels below it"
