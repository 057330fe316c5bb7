"""The six patterns in LangGraph, as it comes and guarded."""

from __future__ import annotations

import pytest
from ported import PATTERNS, TASK, agents, built, played

from dissonance.faults import At, CutStream, RejectWork, Rule, When
from dissonance.harness import Answer, Scripted, ScriptedHuman, run
from dissonance.patterns.ports import DEFAULTS, GUARDED, Settings

pytest.importorskip("langchain_anthropic", reason="needs pip install 'dissonance[langgraph]'")
pytestmark = pytest.mark.frameworks

PORT = "langgraph"
CLEAN = {
    "chain": "writer editor",
    "fan_out": "finance sales head",
    "supervise": "writer reviewer",
    "delegate": "finance sales head",
    "debate": "proponent opponent moderator",
    "human_gate": "writer",
}


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED, Settings(guarded=True, streamed=True)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_a_fault_every_agent_speaks_in_its_turn(pattern: str, settings: Settings) -> None:
    """The default gate drafts a second time on being resumed: its node runs again from its start."""
    made = played(PORT, pattern, settings)
    again = ["writer"] if pattern == "human_gate" and not settings.guarded else []
    assert (made.outcome, agents(made)) == ("completed", [*CLEAN[pattern].split(), *again])


@pytest.mark.parametrize(
    ("pattern", "by", "calls"), [("supervise", "reviewer", 8), ("debate", "moderator", 12)], ids=["supervise", "debate"]
)
def test_rounds_end_where_they_are_guarded(pattern: str, by: str, calls: int) -> None:
    """As it comes, nothing does: the recursion limit is 10,007."""
    rejects = Rule(at=At(agent=by), fault=RejectWork())
    assert played(PORT, pattern, DEFAULTS, rejects).outcome == "stopped_by_harness"
    made = played(PORT, pattern, GUARDED, rejects)
    assert (made.outcome, made.calls) == ("completed", calls)


def test_the_recursion_limit_is_what_the_graph_needs() -> None:
    made = built(PORT, "supervise", GUARDED)
    assert made.config["recursion_limit"] == 9
    assert built(PORT, "supervise", DEFAULTS).config is None


def test_half_an_answer_is_an_answer_unless_guarded() -> None:
    cut = Rule(at=At(agent="editor"), fault=CutStream())
    default = played(PORT, "chain", Settings(streamed=True), cut)
    assert default.outcome == "completed" and len(default.result["answer"]) < 60
    guarded = played(PORT, "chain", Settings(streamed=True, guarded=True), cut)
    assert guarded.error is not None and "stop_reason=None" in str(guarded.error)
    assert agents(guarded) == ["writer", "editor", "editor"]


def test_a_stream_that_broke_is_begun_again() -> None:
    reset = Rule(at=At(agent="editor"), when=When(call=1), fault=CutStream(cleanly=False))
    assert played(PORT, "chain", Settings(streamed=True), reset).outcome == "failed"
    assert played(PORT, "chain", Settings(streamed=True, guarded=True), reset).outcome == "completed"


@pytest.mark.parametrize(
    ("settings", "done"), [(DEFAULTS, "Pay 400."), (GUARDED, "Pay 40.")], ids=["default", "guarded"]
)
def test_what_was_approved_is_what_is_done_where_it_is_guarded(settings: Settings, done: str) -> None:
    human = ScriptedHuman()
    drafts = Scripted({"writer": ["Pay 40.", "Pay 400."]})
    made = run(lambda: built(PORT, "human_gate", settings, str), TASK, model=drafts, human=human, store=None)
    assert made.result["answer"] == done


@pytest.mark.parametrize(
    ("answer", "done"),
    [(Answer("approve"), "PAY 40."), (Answer("edit", value="Pay 4."), "PAY 4."), (Answer("reject"), "")],
    ids=["approve", "edit", "reject"],
)
def test_a_human_decides_what_is_done(answer: Answer, done: str) -> None:
    made = played(PORT, "human_gate", GUARDED, model=Scripted("Pay 40."), human=ScriptedHuman(answer))
    assert made.result["answer"] == done
