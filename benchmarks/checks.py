"""What a check costs on a long history: 500 calls over five agents, with a planted claim that they carry on."""

from __future__ import annotations

from collections.abc import Iterator

from anthropic import AsyncAnthropic

from dissonance.faults import At, Rule, SeedClaim, When
from dissonance.faults.facts import facts
from dissonance.harness import Run, run
from dissonance.harness.checks import cascade, false_acceptance, no_silent_truncation, terminates

from .rows import Row, timed

__all__ = ["rows"]

CALLS = 500


async def _talk(task: str) -> str:
    client, said = AsyncAnthropic(api_key="none", max_retries=0), task
    for number in range(CALLS):
        system = f"You are reviewer {number % 5}. Answer APPROVE or REVISE."
        text = f"Round {number} found that plant {number} made {7 * number} units. {said}"
        message = await client.messages.create(
            model="claude-sonnet-4-6", max_tokens=300, system=system, messages=[{"role": "user", "content": text}]
        )
        said = "".join(block.text for block in message.content if block.type == "text")[-200:]
    return said


def _made() -> Run:
    plan = [Rule(at=At(agent="*"), when=When(call=1, before=1), fault=SeedClaim(claim=facts()[0]))]
    return run(_talk, "Review the plants.", plan=plan, baseline=False, store=None)


def rows(rounds: int) -> Iterator[Row]:
    """The least CPU time of a few checks, in milliseconds."""
    made = _made()
    for check in (terminates(), cascade(), false_acceptance(), no_silent_truncation()):
        least = min(timed(lambda check=check: check(made)) for _ in range(rounds))  # type: ignore[misc]
        yield Row(f"{check.name} on {CALLS} calls", 50, 1000 * least, "ms", f"the least of {rounds}")
