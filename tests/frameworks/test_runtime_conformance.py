"""Every claim of the conformance suite, for every runtime, sync and async, whole and streamed, tools included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import framework_workflows as workflows
import pytest

from dissonance.faults.runtime_conformance import Cell, Subject, conformance
from dissonance.harness.runtimes import ToolHook

TASK = "What of Acme?"
SUBJECTS: dict[str, Callable[[], Any]] = {
    "claude_tools": workflows.claude_sync,
    "claude_tools, streamed": lambda: workflows.claude_sync(streamed=True),
    "claude_tools, async": workflows.claude_async,
    "claude_tools, async, streamed": lambda: workflows.claude_async(streamed=True),
    "langgraph": workflows.langgraph,
    "langgraph, streamed": lambda: workflows.langgraph(streamed=True),
    "langgraph, async": lambda: workflows.langgraph(asynchronous=True),
    "langgraph, async, streamed": lambda: workflows.langgraph(asynchronous=True, streamed=True),
    "crewai": workflows.crewai,
    "crewai, streamed": lambda: workflows.crewai(streamed=True),
    "crewai, async": workflows.crewai_async,
    "crewai, async, streamed": lambda: workflows.crewai_async(streamed=True),
    "autogen, async": workflows.autogen,
    "autogen, async, streamed": lambda: workflows.autogen(streamed=True),
}
HUMAN = "what a human answers passes no framework: it is asked through run(…, human=)"


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_family_of_faults_takes_effect(name: str) -> None:
    cells = list(conformance(Subject(name=name, workflow=SUBJECTS[name](), task=TASK)))
    assert [str(cell) for cell in cells if not cell.holds] == []
    assert len(cells) == 14


def test_a_claim_that_is_left_out_says_why() -> None:
    subject = Subject(name="x", workflow=lambda task: task, task=TASK, without={"human": HUMAN, "loops": "no tool"})
    assert Cell("x", "loops", None, "no tool") in list(conformance(subject))


def test_a_wrapper_that_injects_nothing_fails_every_claim() -> None:
    def play(task: str) -> str:
        return "done"

    cells = list(conformance(Subject(name="nothing", workflow=play, task=TASK)))
    assert [cell.claim for cell in cells if cell.holds] == ["same twice"]


def test_a_runtime_without_its_tool_hook_fails_where_tools_are_struck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToolHook, "guard", lambda *_: None)
    cells = list(conformance(Subject(name="langgraph", workflow=workflows.langgraph(), task=TASK)))
    assert [cell.claim for cell in cells if not cell.holds] == ["tools, in code", "tools, in time"]


def test_a_runtime_that_names_nobody_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from dissonance.harness.runtimes.langgraph import LangGraph

    monkeypatch.setattr(LangGraph, "speaker", lambda self: None)
    cells = list(conformance(Subject(name="langgraph", workflow=workflows.langgraph(), task=TASK)))
    assert "agents" in [cell.claim for cell in cells if not cell.holds]
