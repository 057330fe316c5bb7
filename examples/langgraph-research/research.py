"""A research brief: one question to several researchers at once, an editor who joins what they found, a reviewer.

A LangGraph graph. Run it with ``ANTHROPIC_API_KEY`` set: ``python research.py "What do heat pumps cost?"``.
"""

from __future__ import annotations

import asyncio
import operator
import sys
from typing import Annotated, Any

from anthropic import APIError
from httpx2 import TransportError
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send
from typing_extensions import TypedDict

MODEL = "claude-sonnet-4-6"
TOKENS = 600
FIELDS = ("prices", "law", "technology")
ROUNDS = 3


class Brief(TypedDict, total=False):
    """The state of the graph."""

    question: str
    notes: Annotated[list[str], operator.add]
    gaps: Annotated[list[str], operator.add]
    brief: str
    rounds: int


class Assignment(TypedDict):
    """What one researcher is sent."""

    question: str
    field: str


class Incomplete(Exception):
    """A reply that is not whole."""


def research_graph(*, careful: bool = True) -> Any:
    """The compiled graph; its input is ``{"question": …}``.

    ``careful``: each reply must be whole, a node whose call failed begins once more, a researcher who fails all the same
    leaves a gap that the brief names, and the reviewer is heard three times at most. Without it, the graph is as the
    framework's tutorials leave it.
    """
    model = ChatAnthropic(model=MODEL, max_tokens=TOKENS, timeout=60 if careful else None, streaming=True)

    async def ask(system: str, text: str) -> str:
        reply: AIMessage = await model.ainvoke([("system", system), ("user", text)])
        reason = reply.response_metadata.get("stop_reason")
        if careful and (reason != "end_turn" or not reply.text):
            raise Incomplete(f"stop_reason={reason!r}")
        return str(reply.text)

    def plan(state: Brief) -> list[Send]:
        return [Send("researcher", {"question": state["question"], "field": field}) for field in FIELDS]

    async def researcher(given: Assignment) -> Any:
        system = f"You are a researcher for {given['field']}. Give what matters to the question."
        try:
            return {"notes": [f"{given['field']}: {await ask(system, given['question'])}"]}
        except (APIError, TransportError, Incomplete) as error:
            if not careful:
                raise
            return {"gaps": [f"{given['field']} ({type(error).__name__})"]}

    async def editor(state: Brief) -> Any:
        found = "\n".join(state["notes"]) if state.get("notes") else "Nothing was found."
        text = await ask("You are the editor. Write the brief from these notes.", f"{state['question']}\n{found}")
        gaps = "".join(f"\nNot researched: {gap}." for gap in state.get("gaps", []))
        return {"brief": text + gaps, "rounds": state.get("rounds", 0) + 1}

    async def reviewer(state: Brief) -> Any:
        verdict = await ask("You are the reviewer. Reply with 'APPROVE' or 'REVISE'.", state["brief"])
        if "APPROVE" in verdict:
            return Command(goto=END)
        if careful and state["rounds"] >= ROUNDS:
            return Command(goto=END, update={"gaps": ["review"], "brief": state["brief"] + "\nNot approved."})
        return Command(goto="editor")

    again = {"retry_policy": RetryPolicy(max_attempts=2, retry_on=(APIError, TransportError, Incomplete))}
    graph: Any = StateGraph(Brief)
    graph.add_node("researcher", researcher)
    graph.add_node("editor", editor, **(again if careful else {}))
    graph.add_node("reviewer", reviewer, destinations=("editor", END), **(again if careful else {}))
    graph.add_conditional_edges(START, plan, ["researcher"])
    graph.add_edge("researcher", "editor")
    graph.add_edge("editor", "reviewer")
    return graph.compile()


if __name__ == "__main__":
    print(asyncio.run(research_graph().ainvoke({"question": sys.argv[1]}))["brief"])
