"""What the model made up or was told wrongly, and nobody checked; and a human who is waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dissonance.faults import CorruptNumber, FabricateCitation, NeverAnswers, Rule, ToolError, When
from dissonance.harness import Answer, Ask, ScriptedHuman, terminates

from .flows import MODEL, Planted, client, delivers, on, said, tell
from .loops import SEARCH

Flow = Callable[..., Any]


def unverified_citation(repaired: bool) -> Flow:
    """A source that is not among the material is cited."""

    async def flow(task: str) -> str:
        report = await tell("writer", task)
        if repaired and "doi:" in report and "doi:" not in task:
            raise RuntimeError("the source is not in the material")
        return report

    return flow


def unverified_number(repaired: bool) -> Flow:
    """The one figure that matters is not compared with the order."""

    async def flow(task: str) -> str:
        report = await tell("writer", task)
        if repaired and "1,200" not in report:
            raise RuntimeError("the figure is not that of the order")
        return report

    return flow


def error_as_finding(repaired: bool) -> Flow:
    """What a failed tool says is handed on as though it had been found."""

    async def flow(task: str) -> str:
        turns: list[Any] = [{"role": "user", "content": task}]
        for _ in range(4):
            message = await client.messages.create(
                model=MODEL,
                max_tokens=300,
                system="You are the researcher.",
                messages=turns,
                tools=[SEARCH],  # type: ignore[list-item]
            )
            uses = [block for block in message.content if block.type == "tool_use"]
            if not uses:
                found = said(message)
                if repaired and "Error:" in found:
                    raise RuntimeError("the search failed")
                return found
            results = [{"type": "tool_result", "tool_use_id": each.id, "content": "The north grew."} for each in uses]
            turns += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        raise RuntimeError("too many searches")

    return flow


def waits_for_the_reviewer(repaired: bool) -> Flow:
    """The approval has no deadline."""

    async def flow(task: str, *, human: Any) -> str:
        report = await tell("writer", task)
        answer: Answer = await asyncio.wait_for(human.ask(Ask(id="publish", summary=report)), 900 if repaired else None)
        return report if answer.decision == "approve" else "rejected"

    return flow


FALSEHOODS = [
    Planted(
        flow=unverified_citation,
        checks=[delivers(lambda result: "Harlow" not in result, "sources exist")],
        rules=[on("writer", FabricateCitation(), 1)],
        families=["hallucination"],
    ),
    Planted(
        flow=unverified_number,
        checks=[delivers(lambda result: "1,200" in result, "the figure stands")],
        rules=[on("writer", CorruptNumber(), 1)],
        families=["hallucination"],
    ),
    Planted(
        flow=error_as_finding,
        checks=[delivers(lambda result: "Error:" not in result, "errors are no findings")],
        rules=[on("researcher", ToolError(), 2)],
        families=["tools"],
    ),
    Planted(
        flow=waits_for_the_reviewer,
        checks=[terminates()],
        rules=[Rule(when=When(call=1), fault=NeverAnswers())],
        families=["human"],
        human=ScriptedHuman(),
    ),
]
