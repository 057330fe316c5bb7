"""The six patterns in CrewAI, as it comes and guarded."""

from __future__ import annotations

from typing import Any

import pytest
from ported import PATTERNS, agents, built, played

from dissonance.faults import At, CutStream, HttpError, RejectWork, Rule
from dissonance.harness import Answer, Message, Scripted, ScriptedHuman, run, tool_use
from dissonance.patterns.ports import DEFAULTS, GUARDED, Settings

pytest.importorskip("crewai", reason="needs pip install 'dissonance[crewai]'")
pytestmark = pytest.mark.frameworks

PORT = "crewai"
CLEAN = {
    "chain": "writer editor",
    "fan_out": "finance sales head",
    "supervise": "head head head",
    "delegate": "finance sales head",
    "debate": "proponent opponent moderator",
    "human_gate": "writer",
}


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED, Settings(guarded=True, streamed=True)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_a_fault_every_agent_speaks_in_its_turn(pattern: str, settings: Settings) -> None:
    """The default model names no coworker, so its manager does the work itself; asynchronous tasks begin in any order."""
    made = played(PORT, pattern, settings)
    again = ["writer"] * 3 if pattern == "human_gate" and not settings.guarded else []
    spoke = agents(made)
    if pattern == "fan_out":
        spoke[:2] = sorted(map(str, spoke[:2]))
    assert (made.outcome, spoke) == ("completed", [*CLEAN[pattern].split(), *again])


def test_a_manager_delegates_to_its_coworker() -> None:
    work = {"task": "Write it.", "context": "None.", "coworker": "writer"}
    script: Any = {
        "head": [Message((tool_use("delegate_work_to_coworker", work),), "tool_use"), "It is done."],
        "writer": "It is written.",
    }
    made = played(PORT, "supervise", GUARDED, model=Scripted(script))
    assert (made.outcome, agents(made)) == ("completed", ["head", "writer", "head"])


def test_a_debate_ends_after_its_rounds_where_it_is_guarded() -> None:
    rejects = Rule(at=At(agent="moderator"), fault=RejectWork())
    assert played(PORT, "debate", DEFAULTS, rejects).outcome == "stopped_by_harness"
    made = played(PORT, "debate", GUARDED, rejects)
    assert (made.outcome, made.calls) == ("completed", 12)


def test_an_overload_that_lasts_is_met_with_fewer_attempts_where_it_is_guarded() -> None:
    overloaded = Rule(at=At(agent="writer"), fault=HttpError(status=529))
    default, guarded = (played(PORT, "chain", settings, overloaded) for settings in (DEFAULTS, GUARDED))
    assert (default.outcome, guarded.outcome) == ("failed", "failed")
    assert (default.calls, guarded.calls) == (9, 3)


def test_half_an_answer_is_an_answer_unless_guarded() -> None:
    cut = Rule(at=At(agent="editor"), fault=CutStream())
    default = played(PORT, "chain", Settings(streamed=True), cut)
    assert default.outcome == "completed" and len(str(default.result)) < 60
    guarded = played(PORT, "chain", Settings(streamed=True, guarded=True), cut)
    assert guarded.outcome == "failed" and "breaks off" in str(guarded.error)


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED], ids=["default", "guarded"])
def test_nothing_is_done_unasked_where_it_is_guarded(settings: Settings) -> None:
    """As it comes, the drafter has the tool, and uses it before anybody is asked."""
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
