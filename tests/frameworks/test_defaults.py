"""What each framework does where nobody has set anything, tripped and measured: the figures that a user should know.

A framework that mends one of these fails its test, and the text that advises against it is to be changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib import import_module
from itertools import count
from typing import Any, TypedDict

import framework_workflows as workflows
import pytest
from anthropic import BadRequestError, RateLimitError

from dissonance.faults import At, CutStream, HttpError, Overflow, RateLimit, RepeatToolCall, Rule, SlowReply, When
from dissonance.harness import Call, Limits, Message, Run, Scripted, run, tool_use
from dissonance.harness.checks import no_silent_damage

TASK = "What of Acme?"


def played(workflow: Any, *rules: Rule, task: Any = TASK, **how: Any) -> Run:
    given: dict[str, Any] = {"store": None, "baseline": False, "limits": Limits(calls=200), **how}
    return run(workflow, task, plan=rules, **given)


def seconds(made: Run) -> list[float]:
    """When each call was sent."""
    return [sent.at for sent in made.history.calls()]


# --- LangGraph --------------------------------------------------------------------------------


def test_a_graph_that_changes_nothing_takes_10007_steps() -> None:
    """The limit once was 25, as many documents still have it. Nothing asks whether the state has changed."""
    from langgraph._internal._config import DEFAULT_RECURSION_LIMIT
    from langgraph.graph import START, StateGraph

    class State(TypedDict):
        turn: int

    steps = count(1)

    def stand_still(state: State) -> State:
        return {"turn": next(steps) * 0}

    graph: Any = StateGraph(State)
    graph.add_node("stand_still", stand_still)
    graph.add_edge(START, "stand_still")
    graph.add_edge("stand_still", "stand_still")
    made = played(graph.compile(), task={"turn": 0})
    assert (made.outcome, type(made.error).__name__) == ("failed", "GraphRecursionError")
    assert (next(steps) - 1, int(DEFAULT_RECURSION_LIMIT)) == (10_007, 10_007)


# --- CrewAI -----------------------------------------------------------------------------------


def crew() -> Any:
    """One agent with a tool, whose limits are as they come."""
    return crew_with(workflows.lookup)


def crew_with(lookup: Callable[[str], str]) -> Any:
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    model = LLM(model=f"anthropic/{workflows.MODEL}", max_tokens=400)
    agent = Agent(
        role="researcher", goal=workflows.RESEARCHER, backstory="Plain.", llm=model, tools=[tool("lookup")(lookup)]
    )
    return Crew(agents=[agent], tasks=[Task(description="{question}", expected_output="notes", agent=agent)])


def test_an_agent_without_an_end_is_made_to_answer_as_though_it_had_one() -> None:
    """25 calls, then one without tools that demands an answer: the crew completes, and nothing says so."""
    subjects = count(1)

    def ask(call: Call, past: Any) -> Message | str:
        return Message((tool_use("lookup", {"subject": f"Acme {next(subjects)}"}),), "tool_use") if call.tools else "?"

    made = played(crew, model=Scripted(ask))
    assert (made.outcome, made.error, made.calls, str(made.result)) == ("completed", None, 26, "?")
    assert import_module("crewai").Agent.model_fields["max_iter"].default == 25


def test_an_agent_that_repeats_itself_is_ended_at_the_fifth_time() -> None:
    made = played(crew, Rule(fault=RepeatToolCall()))
    assert (made.outcome, type(made.error).__name__, made.calls) == ("failed", "ToolExecutionFailedError", 5)


def test_a_rate_limit_is_tried_27_times_for_nine_minutes() -> None:
    """The SDK's three attempts, in three of CrewAI's model layer, in three of its agent; 529 is tried nine times."""
    made = played(crew, Rule(fault=RateLimit(retry_after=30)))
    assert (made.outcome, type(made.error), made.calls) == ("failed", RateLimitError, 27)
    assert (made.tier, round(made.seconds)) == ("T2", 549)
    assert played(crew, Rule(fault=HttpError(status=529))).calls == 9


def asked(made: Run) -> list[str]:
    """The text of each call."""
    return [made.history.request_text(sent) for sent in made.history.calls()]


def test_a_prompt_too_long_for_claude_is_not_known_as_one() -> None:
    """CrewAI would summarise; but it knows an overflow by words that are not Claude's, and begins again blindly."""

    def lookup(subject: str) -> str:
        """Look up a subject in the register of companies."""
        return f"{subject}: {'otter ' * 4000}"

    made = played(lambda: crew_with(lookup), Rule(fault=Overflow(policy="reject", window=2000)))
    assert (made.outcome, type(made.error)) == ("failed", BadRequestError)
    assert "prompt is too long: " in str(made.error)
    assert made.calls == 6  # three times: a call for the tool, and one that is too long


@pytest.mark.parametrize(
    ("message", "summarised"), [("prompt is too long: 9 tokens > 8 maximum", False), ("maximum context length", True)]
)
def test_an_overflow_in_other_words_is_summarised(message: str, summarised: bool) -> None:
    made = played(crew, Rule(when=When(call=2), fault=HttpError(status=400, message=message)))
    assert made.outcome == "completed"
    first, _, third, *_ = asked(made)
    assert (third == first, "create a structured summary" in third) == (not summarised, summarised)


# --- AutoGen ----------------------------------------------------------------------------------


def talkers() -> Any:
    """Two agents who talk in turn; a team has no limit by default."""
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.teams import RoundRobinGroupChat

    client = workflows.autogen_client()
    return RoundRobinGroupChat([AssistantAgent(name, model_client=client) for name in ("ann", "bob")])


def test_a_team_outlives_the_cancelling_of_its_task() -> None:
    """``wait_for`` cancels alike, and so never returns: only the harness's switch at the wire ends it."""
    ended: list[float] = []

    async def play(task: str) -> None:
        going = asyncio.ensure_future(talkers().run(task=task))
        await asyncio.sleep(60)
        going.cancel()
        await asyncio.wait([going])
        ended.append(time.monotonic())

    made = played(play, Rule(fault=SlowReply(seconds=10)), limits=Limits(calls=100))
    assert (made.outcome, made.stopped_by, ended) == ("stopped_by_harness", "calls", [made.seconds])
    assert sum(at > 60 for at in seconds(made)) > 90


def test_a_cancellation_token_ends_a_team() -> None:
    async def play(task: str) -> float:
        from autogen_core import CancellationToken

        token = CancellationToken()
        going = asyncio.ensure_future(talkers().run(task=task, cancellation_token=token))
        await asyncio.sleep(60)
        token.cancel()
        await asyncio.wait([going])
        return time.monotonic()

    made = played(play, Rule(fault=SlowReply(seconds=10)), limits=Limits(calls=100))
    assert (made.outcome, made.result) == ("completed", 60.0)


# --- all of them ------------------------------------------------------------------------------

STACKS: dict[str, Callable[[], Any]] = {
    "claude_tools": lambda: workflows.claude_sync(streamed=True),
    "claude_tools, async": lambda: workflows.claude_async(streamed=True),
    "langgraph": lambda: workflows.langgraph(streamed=True),
    "crewai": lambda: workflows.crewai(streamed=True),
    "autogen": lambda: workflows.autogen(streamed=True),
}


@pytest.mark.parametrize("stack", STACKS)
def test_a_stream_that_ends_early_is_taken_for_a_whole_reply(stack: str) -> None:
    """The researcher's notes break off where the connection ends without an error; the work goes on with what is there."""
    cut = Rule(id="cut", at=At(agent="researcher"), when=When(call=2), fault=CutStream())
    made = played(STACKS[stack](), cut)
    (verdict,) = made.judge(no_silent_damage())
    assert (made.outcome, made.faults["cut"].reached, verdict.status) == ("completed", 1, "fail")
    assert verdict.reason.endswith("cut stream; the workflow delivered as though nothing had happened")
