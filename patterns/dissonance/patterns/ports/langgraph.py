"""The six patterns in LangGraph. Each function gives a compiled graph whose input is ``{"task": …}``.

As it comes, a graph goes on for 10,007 steps (``recursion_limit``), a node that raises ends it, and half an answer is
an answer. Guarded:

* ``recursion_limit``: what the graph needs, so that a loop ends after as many steps.
* ``RetryPolicy``: a node begins again after what the SDK does not retry: a stream that broke, a reply not whole.
* ``timeout`` of a node: all its attempts together.
* a reply whose stop reason is not the end of a turn raises :class:`Unusable`.
* in ``supervise`` and ``debate`` a count of rounds, which ends with the best there is rather than with an error.
* in ``human_gate`` a node each for the draft, the question and the act: on resuming, LangGraph runs the node that
  asked again from its start, so a draft made in it is made anew, and what is done is not what was approved. A graph
  waits for its human for ever: who resumes it keeps the time.
"""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from .settings import (
    ATTEMPTS,
    CALL_SECONDS,
    DEFAULTS,
    ROUNDS,
    TOKENS,
    Role,
    Settings,
    Unusable,
    briefing,
    checked_roles,
    missing,
)

try:
    from anthropic import APIConnectionError
    from httpx2 import TransportError
    from langchain_anthropic import ChatAnthropic
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, RetryPolicy, Send, interrupt
except ImportError as error:
    raise missing("langgraph", error) from error

__all__ = ["Verdict", "chain", "debate", "delegate", "fan_out", "human_gate", "supervise"]

Node: TypeAlias = Callable[[Any], Awaitable[Any]]

_RETRY = RetryPolicy(
    max_attempts=ATTEMPTS, jitter=False, retry_on=(Unusable, APIConnectionError, TransportError, TimeoutError)
)
_NODE_SECONDS = 4 * CALL_SECONDS


class State(TypedDict, total=False):
    """The state of every graph here."""

    task: str
    notes: Annotated[list[str], operator.add]
    answer: str
    rounds: int


class Branch(TypedDict):
    """What ``Send`` hands to one branch."""

    task: str
    branch: int


class Verdict(BaseModel):
    """A reviewer's, or a moderator's, decision about the work that is before it."""

    approved: bool = Field(description="Whether the work can be used as it is.")
    feedback: str = Field(description="What is to be done better.")


def chain(stages: Sequence[Role], settings: Settings = DEFAULTS) -> Any:
    """Stages one after the other; each sees the task and the result of the one before it."""
    stages = checked_roles("stages", stages)
    graph = _Graph(settings)
    for role in stages:
        graph.node(role.name, _stage(role, settings))
    names = [START, *(role.name for role in stages), END]
    for before, after in pairwise(names):
        graph.edge(before, after)
    return graph.compiled(steps=len(stages))


def fan_out(branches: Sequence[Role], join: Role, settings: Settings = DEFAULTS) -> Any:
    """A ``Send`` for each branch, all at once; ``join`` runs once all are there."""
    branches = checked_roles("branches", branches)
    speakers = [_speaker(role, settings) for role in branches]

    def spread(state: State) -> list[Send]:
        return [Send(role.name, {"task": state["task"], "branch": n}) for n, role in enumerate(branches)]

    async def work(given: Branch) -> Any:
        return {"notes": [await speakers[given["branch"]](given["task"])]}

    graph = _Graph(settings)
    for role in branches:
        graph.node(role.name, work)
        graph.edge(role.name, join.name)
    graph.node(join.name, _closing(join, settings), defer=True)
    graph.branch(START, spread, [role.name for role in branches])
    graph.edge(join.name, END)
    return graph.compiled(steps=2)


def supervise(worker: Role, reviewer: Role, settings: Settings = DEFAULTS) -> Any:
    """The reviewer sends the work back by a ``Command`` until it approves of it."""
    speak, judge = _speaker(worker, settings), _judge(reviewer, settings)

    async def work(state: State) -> Any:
        said = await speak(briefing(state["task"], state.get("notes", [])[-2:]))
        return {"answer": said, "notes": [said], "rounds": state.get("rounds", 0) + 1}

    async def review(state: State) -> Any:
        verdict = await judge(briefing(state["task"], [state["answer"]]))
        spent = settings.guarded and state["rounds"] >= ROUNDS
        return Command(
            goto=END if verdict.approved or spent else worker.name, update={"notes": [f"Feedback: {verdict.feedback}"]}
        )

    graph = _Graph(settings)
    graph.node(worker.name, work)
    graph.node(reviewer.name, review, destinations=(worker.name, END))
    graph.edge(START, worker.name)
    graph.edge(worker.name, reviewer.name)
    return graph.compiled(steps=2 * ROUNDS)


def delegate(head: Role, teams: Sequence[Sequence[Role]], settings: Settings = DEFAULTS) -> Any:
    """Each team is a graph of its own, called in a node; the head sees the teams' reports alone."""
    if not teams:
        raise ValueError("teams=[]: give at least one team of roles")
    graph = _Graph(settings)
    for number, members in enumerate(teams, 1):
        graph.node(f"team_{number}", _team(chain(members, settings)), whole=len(members))
        graph.edge(START, f"team_{number}")
    graph.node(head.name, _closing(head, settings), defer=True)
    graph.edge([f"team_{number}" for number in range(1, len(teams) + 1)], head.name)
    graph.edge(head.name, END)
    return graph.compiled(steps=2)


def debate(debaters: Sequence[Role], moderator: Role, settings: Settings = DEFAULTS) -> Any:
    """The debaters speak in turn, round after round, until the moderator says that it is settled."""
    debaters = checked_roles("debaters", debaters)
    judge = _judge(moderator, settings)

    async def moderate(state: State) -> Any:
        verdict = await judge(briefing(state["task"], state["notes"][-len(debaters) :]))
        rounds = state.get("rounds", 0) + 1
        settled = verdict.approved or (settings.guarded and rounds >= ROUNDS)
        return {"rounds": rounds, "answer": state["notes"][-1] if settled else ""}

    graph = _Graph(settings)
    names = [*(role.name for role in debaters), moderator.name]
    for role in debaters:
        graph.node(role.name, _turn(role, len(debaters), settings))
    graph.node(moderator.name, moderate)
    graph.edge(START, names[0])
    for before, after in pairwise(names):
        graph.edge(before, after)
    graph.branch(moderator.name, lambda state: END if state["answer"] else names[0], [END, names[0]])
    return graph.compiled(steps=ROUNDS * len(names))


def human_gate(
    drafter: Role, act: Callable[[str], str], settings: Settings = DEFAULTS, *, checkpointer: Any = None
) -> Any:
    """A draft, a question to a human by ``interrupt``, and ``act`` with what was approved.

    Resume with ``Command(resume=True | False | "an edited text")``. ``checkpointer``: where it waits; the default is
    memory, which a restart empties: give a ``SqliteSaver`` or ``PostgresSaver`` to wait for days.
    """
    graph = _Graph(settings)
    speak = _speaker(drafter, settings)

    async def draft(state: State) -> Any:
        return {"notes": [await speak(state["task"])]}

    async def ask(state: State) -> Any:
        return {"answer": _approved(state["notes"][-1])}

    async def do(state: State) -> Any:
        return {"answer": act(state["answer"]) if state["answer"] else ""}

    async def all_in_one(state: State) -> Any:
        action = _approved(await speak(state["task"]))
        return {"answer": act(action) if action else ""}

    steps: list[tuple[str, Node]] = [(drafter.name, all_in_one)]
    if settings.guarded:
        steps = [(drafter.name, draft), ("ask", ask), ("act", do)]
    for name, node in steps:
        graph.node(name, node, again=name == drafter.name)
    names = [START, *(name for name, _ in steps), END]
    for before, after in pairwise(names):
        graph.edge(before, after)
    return graph.compiled(steps=len(steps), checkpointer=checkpointer or InMemorySaver())


# --- nodes ------------------------------------------------------------------------------------


def _stage(role: Role, settings: Settings) -> Node:
    speak = _speaker(role, settings)

    async def stage(state: State) -> Any:
        said = await speak(briefing(state["task"], state.get("notes", [])[-1:]))
        return {"notes": [said], "answer": said}

    return stage


def _turn(role: Role, debaters: int, settings: Settings) -> Node:
    speak = _speaker(role, settings)

    async def turn(state: State) -> Any:
        return {"notes": [await speak(briefing(state["task"], state.get("notes", [])[-debaters:]))]}

    return turn


def _closing(role: Role, settings: Settings) -> Node:
    speak = _speaker(role, settings)

    async def close(state: State) -> Any:
        return {"answer": await speak(briefing(state["task"], state["notes"]))}

    return close


def _team(graph: Any) -> Node:
    async def team(state: State) -> Any:
        return {"notes": [(await graph.ainvoke({"task": state["task"]}))["answer"]]}

    return team


def _approved(action: str) -> str:
    """What a human lets be done; empty where nothing is to be."""
    answer = interrupt(action)
    return answer if isinstance(answer, str) else action if answer is True else ""


# --- calls ------------------------------------------------------------------------------------


def _chat(settings: Settings) -> Any:
    bounds: dict[str, Any] = {"timeout": CALL_SECONDS} if settings.guarded else {}
    return ChatAnthropic(model=settings.model, max_tokens=TOKENS, streaming=settings.streamed, **bounds)


def _speaker(role: Role, settings: Settings) -> Callable[[str], Awaitable[str]]:
    chat = _chat(settings)

    async def speak(prompt: str) -> str:
        reply = await chat.ainvoke([("system", role.system), ("user", prompt)])
        if settings.guarded:
            _check_whole(reply, role, "end_turn")
        return str(reply.text)

    return speak


def _judge(role: Role, settings: Settings) -> Callable[[str], Awaitable[Verdict]]:
    chat = _chat(settings).with_structured_output(Verdict, include_raw=True)

    async def judge(prompt: str) -> Verdict:
        found = await chat.ainvoke([("system", role.system), ("user", prompt)])
        if settings.guarded:
            _check_whole(found["raw"], role, "tool_use", "end_turn")
        if not isinstance(found["parsed"], Verdict):
            raise Unusable(f"{role.name}: no verdict: {found['parsing_error']}")
        return found["parsed"]

    return judge


def _check_whole(reply: Any, role: Role, *reasons: str) -> None:
    reason = reply.response_metadata.get("stop_reason")
    if reason not in reasons:
        raise Unusable(f"{role.name}: the reply ended with stop_reason={reason!r}")


# --- the graph --------------------------------------------------------------------------------


class _Graph:
    """A state graph whose nodes are guarded if the settings say so."""

    def __init__(self, settings: Settings) -> None:
        self._guarded = settings.guarded
        self._graph: Any = StateGraph(State)

    def node(self, name: str, node: Node, *, whole: int = 1, again: bool = True, **how: Any) -> None:
        """``whole``: how many guarded nodes it runs inside; ``again``: whether it may be begun again."""
        if self._guarded:
            how |= {"timeout": whole * ATTEMPTS * _NODE_SECONDS} | ({"retry_policy": _RETRY} if again else {})
        self._graph.add_node(name, node, **how)

    def edge(self, before: Any, after: str) -> None:
        self._graph.add_edge(before, after)

    def branch(self, before: str, choose: Callable[[Any], Any], targets: list[str]) -> None:
        self._graph.add_conditional_edges(before, choose, targets)

    def compiled(self, *, steps: int, checkpointer: Any = None) -> Any:
        """The graph; guarded, it takes at most ``steps`` steps, and one to begin."""
        graph = self._graph.compile(checkpointer=checkpointer)
        return graph.with_config({"recursion_limit": steps + 1}) if self._guarded else graph
