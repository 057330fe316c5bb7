"""The port that needs no framework, and what all ports share."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest
from ported import PATTERNS, agents, built, played, slow_and_broken

from dissonance.faults import At, CutStream, RepeatToolCall, Rule, When
from dissonance.harness import Answer, ScriptedHuman, run
from dissonance.harness.same import difference
from dissonance.patterns.ports import DEFAULTS, GUARDED, Role, Settings

PORT = "claude_tools"
CLEAN = {
    "chain": "writer editor",
    "fan_out": "finance sales head",
    "supervise": "head writer head editor head",
    "delegate": "head finance writer finance head sales editor sales head",
    "debate": "proponent opponent moderator moderator",
    "human_gate": "writer writer",
}


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED, Settings(guarded=True, streamed=True)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_a_fault_every_agent_speaks_in_its_turn(pattern: str, settings: Settings) -> None:
    made = played(PORT, pattern, settings)
    assert (made.outcome, agents(made)) == ("completed", CLEAN[pattern].split())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_slow_and_broken_run_repeats(pattern: str) -> None:
    one, other = (played(PORT, pattern, GUARDED, *slow_and_broken()) for _ in range(2))
    assert all(count.fired for count in one.faults.values())
    assert difference(one.history, other.history, one.tier) is None


def test_a_supervisor_that_asks_for_ever_ends_after_max_iterations() -> None:
    """As it comes, only the harness ends it."""
    loop = Rule(at=At(agent="head"), fault=RepeatToolCall())
    assert played(PORT, "supervise", DEFAULTS, loop).outcome == "stopped_by_harness"
    made = played(PORT, "supervise", GUARDED, loop)
    assert agents(made) == ["head", "writer"] * 8
    assert made.error is not None and "stop_reason='tool_use'" in str(made.error)


@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED])
def test_an_approved_action_is_done_once_where_it_is_guarded(settings: Settings) -> None:
    again = Rule(at=At(agent="writer"), when=When(until_call=2), fault=RepeatToolCall(tool="act"))
    done: list[str] = []

    def act(action: str) -> str:
        done.append(action)
        return "done"

    made = run(
        lambda: built(PORT, "human_gate", settings, act),
        "Pay 40.",
        plan=[again],
        human=ScriptedHuman(),
        store=None,
        baseline=False,
    )
    assert (made.outcome, len(done)) == ("completed", 1 if settings.guarded else 2)


def test_what_a_human_refuses_is_not_done() -> None:
    made = played(PORT, "human_gate", GUARDED, human=ScriptedHuman(Answer("reject", comment="too dear")))
    assert made.outcome == "completed" and "too dear" in str(made.result)


def test_half_an_answer_is_an_answer_unless_guarded() -> None:
    cut = Rule(at=At(agent="editor"), fault=CutStream())
    default = played(PORT, "chain", Settings(streamed=True), cut)
    assert default.outcome == "completed" and len(str(default.result)) < 60
    guarded = played(PORT, "chain", Settings(streamed=True, guarded=True), cut)
    assert guarded.error is not None and str(guarded.error).endswith("stop_reason=None")


def test_half_an_answer_is_asked_for_again() -> None:
    cut = Rule(at=At(agent="editor"), when=When(call=1), fault=CutStream())
    made = played(PORT, "chain", Settings(streamed=True, guarded=True), cut)
    assert (made.outcome, agents(made)) == ("completed", ["writer", "editor", "editor"])


def test_a_name_that_is_no_identifier_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Role\(name='fact checker'\): give a Python identifier"):
        Role("fact checker", "Check.")


def test_two_roles_of_one_name_are_refused() -> None:
    port = import_module("dissonance.patterns.ports.claude_tools")
    with pytest.raises(ValueError, match=r"stages=\['a', 'a'\]: give at least one role, each with a name of its own"):
        port.chain([Role("a", "Do."), Role("a", "Do.")])


def test_a_missing_framework_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_anthropic", None)
    monkeypatch.delitem(sys.modules, "dissonance.patterns.ports.langgraph", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'dissonance\[langgraph\]'"):
        import_module("dissonance.patterns.ports.langgraph")
