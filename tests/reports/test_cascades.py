"""The pictures of a cascade: what is drawn is what the trace says."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from dissonance.faults import At, Rule, SeedClaim, When
from dissonance.faults.facts import facts
from dissonance.harness import Run, run
from dissonance.reports import cascade_graph, diagrams
from dissonance.reports.cascade_graph import SHOWN, taint_of, traces_of
from dissonance.reports.theme import LIGHT

CLIENT = anthropic.AsyncAnthropic(api_key="none")


async def ask(name: str, text: str) -> str:
    messages: Any = [{"role": "user", "content": text}]
    system = f"You are the {name}."
    reply = await CLIENT.messages.create(model="claude-sonnet-4-6", max_tokens=900, system=system, messages=messages)
    return str(reply.content[0].text)  # type: ignore[union-attr]


async def diamond(task: str, width: int = 2) -> str:
    """A researcher, readers side by side, a writer; and a lawyer who reads the task alone."""
    notes = await ask("researcher", task)
    read = await asyncio.gather(*(ask(f"reader-{number}", notes) for number in range(width)), ask("lawyer", task))
    return await ask("writer", "\n".join(read))


async def wide(task: str) -> str:
    return await diamond(task, SHOWN + 6)


def seeded(workflow: Any) -> Run:
    plan = [Rule(at=At(agent="researcher"), when=When(call=1), fault=SeedClaim(claim=facts()[0]))]
    return run(workflow, "Write about light.", plan=plan, store=None)


@pytest.fixture(scope="module")
def spread() -> Run:
    return seeded(diamond)


def test_each_bar_of_the_diagram_has_the_colour_of_its_depth(spread: Run) -> None:
    diagram = diagrams("x", spread)[0]
    bars = [patch for patch in diagram.figure.axes[0].patches if isinstance(patch, Rectangle) and patch.get_gid()]
    agents = {f"e{call.id}": call.agent for call in spread.history.calls()}
    assert {agents[str(bar.get_gid())]: to_hex(bar.get_facecolor()) for bar in bars} == {
        "researcher": LIGHT["taint-0"],
        "reader-0": LIGHT["taint-1"],
        "reader-1": LIGHT["taint-1"],
        "lawyer": LIGHT["bar"],
        "writer": LIGHT["taint-2"],
    }
    numbers = [text.get_text() for text in diagram.figure.axes[0].texts]
    assert sorted(numbers) == ["0", "1", "1", "2"]
    assert diagram.alt.endswith("The planted claim is in 4 replies, at most 2 deep.")


def test_the_graph_has_a_box_a_call_and_an_arrow_for_each_that_told_it(spread: Run) -> None:
    (trace,) = traces_of(spread)
    axes = cascade_graph(trace, name="g", caption="c").figure.axes[0]
    assert sum(isinstance(patch, FancyBboxPatch) for patch in axes.patches) == 4
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 4
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["researcher", "planted", "reader-0", "call 1", "reader-1", "call 1", "writer", "call 1"]


def test_a_wide_cascade_says_how_much_it_leaves_out() -> None:
    (trace,) = traces_of(seeded(wide))
    axes = cascade_graph(trace, name="g", caption="c").figure.axes[0]
    assert "and 7 more" in [text.get_text() for text in axes.texts]


def test_a_run_without_a_planted_claim_has_no_graph(spread: Run) -> None:
    assert spread.baseline is not None
    assert traces_of(spread.baseline) == []
    assert taint_of([]) == {}
    assert [picture.name for picture in diagrams("x", spread.baseline)] == ["diagram-x"]
