"""What the model made up or was told wrongly, and nobody checked; and a human who is waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dissonance.faults import (
    CorruptNumber,
    Crash,
    FabricateCitation,
    FalseReject,
    InflateState,
    NeverAnswers,
    Rule,
    ToolError,
    When,
)
from dissonance.harness import Answer, Ask, Restartable, ScriptedHuman, no_silent_truncation, terminates

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


def one_no_is_final(repaired: bool) -> Flow:
    """What one judge rejects is thrown away, and nobody hears of it."""

    async def flow(task: str) -> str:
        draft = await tell("writer", task)
        if "APPROVE" in await tell("judge", draft, system="Answer APPROVE or REVISE."):
            return draft
        if repaired:
            raise RuntimeError("rejected")
        return ""

    return flow


def trimmed_instruction(repaired: bool) -> Flow:
    """What is too long loses its beginning, where the instruction stands."""

    async def flow(task: str) -> str:
        if repaired and len(task) > 20_000:
            raise RuntimeError("too long")
        return await tell("writer", task[-20_000:])

    return flow


def mailed_again_after_a_crash(repaired: bool) -> Restartable:
    """The mail goes out, and that it did is not looked up when the process starts again."""

    async def flow(task: str, folder: Path) -> str:
        text, sent = await tell("clerk", task), folder / "sent"
        if not (repaired and sent.exists()):
            sent.write_text("mail " + (sent.read_text() if sent.exists() else ""))
        await tell("archivist", text)
        return sent.read_text()

    return Restartable(flow, flow)


FALSEHOODS = [
    Planted(
        flow=one_no_is_final,
        checks=[delivers(bool, "something is delivered")],
        rules=[on("judge", FalseReject(), 1)],
        families=["judgement"],
    ),
    Planted(
        flow=trimmed_instruction,
        checks=[no_silent_truncation(instructions={"writer": ["Report on ACME"]})],
        rules=[Rule(fault=InflateState(tokens=10_000))],
        families=["context"],
    ),
    Planted(
        flow=mailed_again_after_a_crash,
        checks=[delivers(lambda result: result == "mail ", "mailed once")],
        rules=[on("archivist", Crash(), 1)],
        families=["process"],
    ),
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
