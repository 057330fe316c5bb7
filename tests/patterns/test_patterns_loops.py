"""The building blocks: each ends by itself on honest work, runs away unguarded, and is stopped by its guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, repeat
from typing import TYPE_CHECKING, Any

import pytest

from dissonance.patterns import (
    Agent,
    CycleDetector,
    DamagedReply,
    Guard,
    Lead,
    MonotonicProgress,
    Outcome,
    Provenance,
    SelfReportedBudget,
    Source,
    StepBudget,
    Usage,
    delegate,
    handoff,
    tool_loop,
)

if TYPE_CHECKING:
    from tests.patterns.conftest import Wire

RESEARCHER = Agent("researcher", "Find out.")
TRIAGE, BILLING, LEGAL = Agent("triage", "Route."), Agent("billing", "Bill."), Agent("legal", "Advise.")
OWN_KIND = Lead(Agent("lead", "Split."), recursive=True)


def search(query: str, year: int = 2026) -> str:
    """Search the archive."""
    return f"{query} in {year}"


async def lookup(key: str) -> dict[str, str]:
    """Look a record up."""
    await asyncio.sleep(0)
    return {"key": key}


def broken() -> str:
    """Fail."""
    raise OSError("disk full")


def results(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a request's last message tells the model of its tools."""
    return list(request["messages"][-1]["content"])


# --- tools ------------------------------------------------------------------------------------


def test_tool_loop_runs_the_tools_and_answers(wire: Wire) -> None:
    client = wire(
        {"researcher": [wire.use(("search", {"query": "ACME"}), ("lookup", {"key": "k"}), text="Looking."), "Found."]}
    )
    outcome = asyncio.run(tool_loop(client, RESEARCHER, tools=[search, lookup])("Find ACME."))
    sources = (Source('search({"query": "ACME"})', verified=True), Source('lookup({"key": "k"})', verified=True))
    assert outcome == Outcome(
        output="Found.",
        finished=True,
        steps=1,
        usage=Usage(2, 20, 4),
        provenance=Provenance(by="researcher", sources=sources),
    )
    assert wire.requests[1]["messages"] == [
        {"role": "user", "content": "Find ACME."},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"query": "ACME"}},
                {"type": "tool_use", "id": "toolu_2", "name": "lookup", "input": {"key": "k"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ACME in 2026"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": '{"key": "k"}'},
            ],
        },
    ]


def test_a_tool_is_offered_with_its_docstring_and_signature(wire: Wire) -> None:
    asyncio.run(tool_loop(wire({"researcher": ["Done."]}), RESEARCHER, tools=[search])("Find."))
    (tool,) = wire.requests[0]["tools"]
    assert (tool["name"], tool["description"], tool["input_schema"]["required"]) == (
        "search",
        "Search the archive.",
        ["query"],
    )


@pytest.mark.parametrize(
    ("call", "content"),
    [
        pytest.param(("broken", {}), "OSError: disk full", id="the tool raises"),
        pytest.param(("delete", {}), "There is no tool 'delete'.", id="no such tool"),
        pytest.param(("search", {}), "ValueError: Invalid arguments for function search", id="arguments missing"),
    ],
)
def test_the_model_is_told_of_a_failed_call(wire: Wire, call: tuple[str, Any], content: str) -> None:
    client = wire({"researcher": [wire.use(call), "I could not."]})
    asyncio.run(tool_loop(client, RESEARCHER, tools=[search, broken])("Find."))
    assert results(wire.requests[1]) == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": True}
    ]


def test_the_call_that_trips_a_guard_takes_no_effect(wire: Wire) -> None:
    sent = []

    def send(text: str) -> str:
        """Send it."""
        sent.append(text)
        return "sent"

    client = wire({"researcher": (wire.use(("send", {"text": f"{n}"})) for n in range(9))})
    outcome = asyncio.run(tool_loop(client, RESEARCHER, tools=[send], guards=[StepBudget(3)])("Send."))
    assert (sent, outcome.stopped_by, outcome.output) == (["0", "1"], "step_budget", None)


def test_progress_is_a_result_that_was_not_there_before(wire: Wire) -> None:
    """Other words each time, but the archive has nothing new to say."""

    def ask(question: str) -> str:
        """Ask the archive."""
        return "Nothing found."

    client = wire({"researcher": (wire.use(("ask", {"question": f"q{n}"})) for n in range(9))})
    outcome = asyncio.run(tool_loop(client, RESEARCHER, tools=[ask], guards=[MonotonicProgress()])("Find."))
    assert (outcome.stopped_by, outcome.steps) == ("monotonic_progress", 5)


def test_errors_are_no_progress(wire: Wire) -> None:
    def fetch(page: int) -> str:
        """Fetch a page."""
        raise OSError(f"page {page} is gone")

    client = wire({"researcher": (wire.use(("fetch", {"page": n})) for n in range(9))})
    outcome = asyncio.run(tool_loop(client, RESEARCHER, tools=[fetch], guards=[MonotonicProgress()])("Read."))
    assert (outcome.stopped_by, outcome.steps) == ("monotonic_progress", 4)


def test_eight_pages_are_no_loop(wire: Wire) -> None:
    pages = [wire.use(("search", {"query": "page", "year": n})) for n in range(8)]
    client = wire({"researcher": [*pages, "All read."]})
    guards = [CycleDetector(), MonotonicProgress(patience=2), StepBudget(9)]
    assert asyncio.run(tool_loop(client, RESEARCHER, tools=[search], guards=guards)("Read.")).require() == "All read."


def test_a_damaged_turn_raises_out_of_the_loop(wire: Wire) -> None:
    client = wire(
        {"researcher": [wire.use(("search", {"query": "A"})), wire.say("It is", None), wire.say("It is", None)]}
    )
    with pytest.raises(DamagedReply, match="cut"):
        asyncio.run(tool_loop(client, RESEARCHER, tools=[search])("Find."))


# --- hand-offs --------------------------------------------------------------------------------


def test_handoff_passes_the_conversation_on(wire: Wire) -> None:
    client = wire({"triage": [wire.use(("transfer_to_billing", {}))], "billing": ["Refunded."]})
    outcome = asyncio.run(handoff(client, [TRIAGE, BILLING, LEGAL])("Refund me."))
    assert (outcome.require(), wire.agents) == ("Refunded.", ["triage", "billing"])
    assert [tool["name"] for tool in wire.requests[1]["tools"]] == ["transfer_to_triage", "transfer_to_legal"]
    assert results(wire.requests[1]) == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "The billing has taken over."}
    ]


def test_one_transfer_a_turn_takes_effect_and_own_tools_run(wire: Wire) -> None:
    turn = wire.use(("search", {"query": "A"}), ("transfer_to_billing", {}), ("transfer_to_legal", {}))
    client = wire({"triage": [turn], "billing": ["Done."]})
    asyncio.run(handoff(client, [TRIAGE, BILLING, LEGAL], tools={"triage": [search]})("Help."))
    assert [(result["content"], result.get("is_error", False)) for result in results(wire.requests[1])] == [
        ("A in 2026", False),
        ("The billing has taken over.", False),
        ("Refused: the billing has taken over.", True),
    ]


# --- runaways ---------------------------------------------------------------------------------

Loop = Callable[[Any, Sequence[Guard]], Any]


def again(wire: Wire) -> dict[str, Iterable[Any]]:
    """Every agent asks for the same thing for ever."""
    return {
        "researcher": repeat(wire.use(("search", {"query": "ACME"}), text="Once more.")),
        "triage": repeat(wire.use(("transfer_to_billing", {}))),
        "billing": repeat(wire.use(("transfer_to_triage", {}))),
        "lead": repeat(wire.use(("delegate_to_lead", {"task": "the same"}))),
    }


LOOPS: dict[str, Loop] = {
    "tools": lambda client, guards: tool_loop(client, RESEARCHER, tools=[search], guards=guards)("Go."),
    "handoff": lambda client, guards: handoff(client, [TRIAGE, BILLING], guards=guards)("Go."),
    "delegate": lambda client, guards: delegate(client, OWN_KIND, guards=guards, max_depth=None)("Go."),
}


@pytest.mark.parametrize(
    ("loop", "guard", "stopped_by", "calls"),
    [
        ("tools", StepBudget(7), "step_budget", 7),
        ("tools", CycleDetector(), "cycle_detector", 3),
        ("tools", MonotonicProgress(), "monotonic_progress", 5),
        ("handoff", StepBudget(7), "step_budget", 7),
        ("handoff", CycleDetector(), "cycle_detector", 5),
        ("handoff", MonotonicProgress(), "monotonic_progress", 6),
        ("delegate", StepBudget(7), "step_budget", 7),
        ("delegate", CycleDetector(), "cycle_detector", 3),
        ("delegate", MonotonicProgress(), "monotonic_progress", 4),
    ],
)
def test_a_runaway_is_stopped_at_the_guards_bound(
    wire: Wire, loop: str, guard: Guard, stopped_by: str, calls: int
) -> None:
    outcome = asyncio.run(LOOPS[loop](wire(again(wire)), [guard]))
    assert (outcome.stopped_by, outcome.steps, len(wire.requests), outcome.finished) == (
        stopped_by,
        calls,
        calls,
        False,
    )


@pytest.mark.parametrize("guards", [[], [SelfReportedBudget(5)]], ids=["none", "self-reported"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_runaway_is_not_stopped_without_a_guard_or_by_the_agents_own_count(
    wire: Wire, loop: str, guards: list[Guard]
) -> None:
    with pytest.raises(wire.RanAway):
        asyncio.run(LOOPS[loop](wire(again(wire), limit=60), guards))


def test_an_old_message_that_comes_back_is_a_cycle(wire: Wire) -> None:
    turns = [wire.use(("search", {"query": query})) for query in ("a", "b", "c")]
    client = wire({"researcher": cycle(turns)})
    outcome = asyncio.run(tool_loop(client, RESEARCHER, tools=[search], guards=[CycleDetector()])("Go."))
    assert (outcome.stopped_by, outcome.steps) == ("cycle_detector", 7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(
            lambda client: tool_loop(client, RESEARCHER, tools=[]),
            "tools=(): without tools there is no loop; use Agent.ask",
            id="no tools",
        ),
        pytest.param(
            lambda client: tool_loop(client, RESEARCHER, tools=[search, search]),
            "tools=['search', 'search']: give each tool a name of its own",
            id="equal tools",
        ),
        pytest.param(
            lambda client: handoff(client, [TRIAGE]),
            "agents=['triage']: give at least two, each with a name of its own",
            id="nobody to hand over to",
        ),
        pytest.param(
            lambda client: handoff(client, [TRIAGE, BILLING], tools={"legal": [search]}),
            "tools=['legal']: no agent has this name; the agents are ['triage', 'billing']",
            id="tools of nobody",
        ),
    ],
)
def test_bad_loops_are_refused(wire: Wire, make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make(wire({}))
    assert str(caught.value) == message
