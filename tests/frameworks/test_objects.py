"""Objects of the frameworks as ``run()`` takes them: bare, made anew for each run, and left as they were."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import framework_workflows as workflows
import pytest

from dissonance.faults import At, FaultPlan, HttpError, Rule, When
from dissonance.harness.agents import runtime_agent
from dissonance.harness.errors import BadInput
from dissonance.harness.run import Run, run

TASK = "What of Acme?"


def played(workflow: Any, task: Any = TASK, **options: Any) -> Run:
    return run(workflow, task, store=None, **options)


def test_a_team_begins_anew_in_each_run() -> None:
    team = workflows.autogen()
    first, second = played(team), played(team)
    assert (first.outcome, first.workflow) == ("completed", "AutoGen.RoundRobinGroupChat")
    assert list(first.history) == list(second.history)


def test_a_crew_is_copied_and_its_placeholder_is_the_task() -> None:
    crew = workflows.crews()[0]
    first, second = played(crew), played(crew)
    assert (first.outcome, [call.agent for call in first.history.calls()]) == (
        "completed",
        ["researcher", "researcher", "writer"],
    )
    assert list(first.history) == list(second.history)


def test_a_crew_with_two_placeholders_wants_an_object() -> None:
    from crewai import Agent, Crew, Task

    agent = Agent(role="writer", goal="write", backstory="plain", llm="anthropic/claude-sonnet-4-6")
    crew = Crew(
        agents=[agent], tasks=[Task(description="{topic} in {year}", expected_output="a paragraph", agent=agent)]
    )
    done = played(crew)
    assert isinstance(done.error, BadInput)
    assert str(done.error) == (
        'task=\'What of Acme?\': the crew has the inputs topic, year; give an object, {"topic": "…", "year": "…"}'
    )
    assert played(crew, '{"topic": "otters", "year": 2025}').outcome == "completed"


def test_a_crew_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks would be files in the temporary folder, its tasks' results a database in the user's."""
    from crewai_core import lock_store

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert played(workflows.crewai()).outcome == "completed"
    assert (list(tmp_path.iterdir()), lock_store._backend) == ([], None)


def test_a_backend_of_the_workflows_own_keeps_the_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    from crewai_core import lock_store

    names: list[str] = []

    @contextmanager
    def backend(name: str, *, timeout: float) -> Iterator[None]:
        names.append(name)
        yield

    monkeypatch.setattr(lock_store, "_backend", backend)
    assert played(workflows.crewai()).outcome == "completed"
    assert names


def test_a_lock_that_another_thread_holds_is_waited_for() -> None:
    """For its timeout in virtual seconds, as a file would be."""
    import_module("crewai")
    from crewai_core.lock_store import lock
    from portalocker.exceptions import LockException

    def play(task: str) -> float:
        def hold() -> None:
            with lock("a"):
                time.sleep(60)

        holder = threading.Thread(target=hold)
        holder.start()
        time.sleep(1)
        with lock("b"), pytest.raises(LockException, match=r"acquire lock 'a' \(timeout=10s\)"), lock("a", timeout=10):
            pass
        with lock("a", timeout=120):
            return time.monotonic()

    assert played(play).result == 60.0


def test_a_flow_class_is_made_anew_in_each_run() -> None:
    from anthropic import Anthropic
    from crewai.flow.flow import Flow, listen, start
    from pydantic import BaseModel

    base: Any = Flow

    class State(BaseModel):
        topic: str = ""
        poem: str = ""

    class PoemFlow(base[State]):  # type: ignore[misc]
        @start()  # type: ignore[untyped-decorator]
        def begin(self) -> Any:
            return self.state.topic

        @listen(begin)  # type: ignore[untyped-decorator]
        def write(self, topic: str) -> Any:
            reply = Anthropic().messages.create(
                model=workflows.MODEL, max_tokens=100, messages=workflows.user(f"You are the poet. Write of {topic}.")
            )
            return workflows.text_of(reply)

    done = played(PoemFlow, '{"topic": "otters"}')
    assert (done.outcome, done.workflow, done.calls) == ("completed", "CrewAI.PoemFlow", 1)
    assert list(done.history) == list(played(PoemFlow(), '{"topic": "otters"}').history)


def test_a_graph_with_a_saver_gets_one_of_its_own_in_each_run() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    saver = InMemorySaver()
    graph = workflows.langgraph()
    graph.checkpointer = saver
    first, second = played(graph), played(graph)
    assert list(first.history) == list(second.history)
    assert list(saver.list(None)) == []


def test_a_runner_is_made_anew_and_takes_the_task() -> None:
    from anthropic import Anthropic, beta_tool

    runner = Anthropic().beta.messages.tool_runner(
        model=workflows.MODEL,
        max_tokens=200,
        tools=[beta_tool(workflows.lookup)],
        system="You are the clerk.",
        messages=workflows.user("Nothing yet."),
    )
    first, second = played(runner), played(runner)
    assert (first.outcome, [call.agent for call in first.history.calls()]) == ("completed", ["clerk", "clerk"])
    assert list(first.history) == list(second.history)


def test_an_interrupt_pauses_a_graph_and_a_human_resumes_it() -> None:
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    from dissonance.harness.human import Answer, ScriptedHuman

    def ask(state: dict[str, Any]) -> dict[str, Any]:
        return {"approved": interrupt({"send": state["text"]})}

    builder: Any = StateGraph(dict)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    graph = builder.compile(checkpointer=InMemorySaver())
    assert played(graph, {"text": "the letter"}).outcome == "paused"
    answered = played(graph, {"text": "the letter"}, human=ScriptedHuman(Answer("reject")))
    assert (answered.outcome, answered.result) == ("completed", {"approved": False})


def test_nothing_stays_patched_after_a_run() -> None:
    from anthropic import AsyncAnthropic
    from anthropic.resources import AsyncMessages
    from autogen_agentchat.agents import AssistantAgent
    from crewai.tools.base_tool import Tool
    from langchain_core.tools import BaseTool

    kinds = (AsyncAnthropic, AsyncMessages, AssistantAgent, Tool, BaseTool)
    before = [dict(vars(kind)) for kind in kinds]
    entropy, environment = os.urandom, dict(os.environ)
    done = played(
        workflows.langgraph(), plan=FaultPlan(rules=[Rule(at=At(), when=When(call=1), fault=HttpError(status=529))])
    )
    assert done.calls > 0
    assert [dict(vars(kind)) for kind in kinds] == before
    assert (os.urandom, dict(os.environ), runtime_agent) == (entropy, environment, [])
    assert uuid.uuid4() != uuid.uuid4()


def test_a_sampling_parameter_that_says_something_meets_the_api() -> None:
    from anthropic import Anthropic

    def play(task: str, **sampling: Any) -> Any:
        create: Any = Anthropic().messages.create
        return create(model=workflows.MODEL, max_tokens=50, messages=workflows.user(task), **sampling).content[0].text

    def hot(task: str) -> Any:
        return play(task, temperature=0.3)

    def usual(task: str) -> Any:
        return play(task, temperature=1.0)

    assert played(usual).outcome == "completed"
    assert played(hot).error_text == "BadRequestError: 400 temperature: Extra inputs are not permitted"


@pytest.mark.parametrize("frozen", [False, True], ids=["cancelled", "running"])
def test_a_team_that_outlives_its_task_is_ended_at_the_wire(frozen: bool) -> None:
    """AutoGen's team without a condition goes on after ``wait_for`` has given it up."""
    import asyncio

    from autogen_agentchat.teams import RoundRobinGroupChat

    from dissonance.harness.limits import Limits

    async def play(task: str) -> Any:
        made = workflows.autogen()
        team = RoundRobinGroupChat(made._participants)
        running = team.run(task=task)
        return await (running if frozen else asyncio.wait_for(running, 10))

    done = played(play, limits=Limits(calls=30))
    assert (done.outcome, done.stopped_by, done.calls) == ("stopped_by_harness", "calls", 30)
