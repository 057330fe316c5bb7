"""A workflow as a user would write it: scouts in parallel, a writer, a judge who must approve."""

from __future__ import annotations

import asyncio
from typing import Any

from anthropic import AsyncAnthropic, RateLimitError

MODEL = "claude-sonnet-4-6"


async def review(task: str) -> str:
    client = AsyncAnthropic(api_key="k")

    async def ask(system: str, text: str) -> str:
        message = await client.messages.create(
            model=MODEL, max_tokens=300, system=system, messages=[{"role": "user", "content": text}]
        )
        return "".join(block.text for block in message.content if block.type == "text")

    async def scout(name: str) -> str:
        await asyncio.sleep(0.1)
        return await ask(f"You are the scout-{name}. Find facts.", f"{task} ({name})")

    found: list[Any] = []
    for done in asyncio.as_completed([scout(name) for name in ("north", "south", "east")]):
        found.append(await done)
    feedback = ""
    for _ in range(4):
        try:
            draft = await ask("You are the writer.", "\n".join([task, *found, feedback]))
        except RateLimitError:
            await asyncio.sleep(60)
            continue
        verdict = await ask("You are the judge. Reply with 'APPROVE' or 'REVISE'.", draft)
        if "APPROVE" in verdict:
            return draft
        feedback = verdict
    return "no agreement"
