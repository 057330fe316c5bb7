"""The six patterns in AutoGen, as it comes and guarded."""

from __future__ import annotations

import pytest
from ported import PATTERNS, agents, built, played

from dissonance.faults import At, CutStream, RejectWork, Rule
from dissonance.harness import Answer, ScriptedHuman, run
from dissonance.patterns.ports import DEFAULTS, GUARDED, Settings

pytest.importorskip("autogen_agentchat", reason="needs pip install 'dissonance[autogen]'")
pytestmark = pytest.mark.frameworks

PORT = "autogen"
CLEAN = {
    "chain": "writer editor",
    "fan_out": "finance sales head",
    "supervise": "SelectorGroupChatManager writer reviewer",
    "delegate": "finance team_1 sales team_2 head",
    "debate": "proponent opponent moderator",
    "human_gate": "writer",
}


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED, Settings(guarded=True, streamed=True)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_a_fault_every_agent_speaks_in_its_turn(pattern: str, settings: Settings) -> None:
    """At the default gate the drafter acts, hands over, acts again after the human, and says so."""
    made = played(PORT, pattern, settings)
    again = ["writer"] * 3 if pattern == "human_gate" and not settings.guarded else []
    assert (made.outcome, agents(made)) == ("completed", [*CLEAN[pattern].split(), *again])


@pytest.mark.parametrize(("pattern", "by"), [("supervise", "reviewer"), ("debate", "moderator")])
def test_turns_end_where_they_are_guarded(pattern: str, by: str) -> None:
    """As it comes, nothing ends a team whose judge never says the word."""
    rejects = Rule(at=At(agent=by), fault=RejectWork())
    assert played(PORT, pattern, DEFAULTS, rejects).outcome == "stopped_by_harness"
    made = played(PORT, pattern, GUARDED, rejects)
    assert made.outcome == "completed" and made.result.stop_reason.startswith("Maximum number of turns")
    assert agents(made).count(by) == 4


def test_half_an_answer_is_an_answer_unless_guarded() -> None:
    cut = Rule(at=At(agent="editor"), fault=CutStream())
    default = played(PORT, "chain", Settings(streamed=True), cut)
    assert default.outcome == "completed" and len(default.result.messages[-1].content) < 60
    guarded = played(PORT, "chain", Settings(streamed=True, guarded=True), cut)
    assert guarded.outcome == "failed" and "finish_reason='unknown'" in str(guarded.error)


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED], ids=["default", "guarded"])
def test_nothing_is_done_unasked_where_it_is_guarded(settings: Settings) -> None:
    """As it comes, the drafter has the tool, and uses it before it hands over."""
    done: list[str] = []

    def act(action: str) -> str:
        done.append(action)
        return "done"

    made = run(
        lambda: built(PORT, "human_gate", settings, act),
        "Pay 40.",
        human=ScriptedHuman(Answer("reject", comment="too dear")),
        store=None,
        baseline=False,
    )
    assert (made.outcome, bool(done)) == ("completed", not settings.guarded)
