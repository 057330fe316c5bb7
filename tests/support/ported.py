"""Every pattern of every port with the same roles, as what ``run()`` takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dissonance.faults import HttpError, Rule, SlowReply, When
from dissonance.harness import Limits, Run, ScriptedHuman, run
from dissonance.patterns.ports import Role, Settings

PATTERNS = ("chain", "fan_out", "supervise", "delegate", "debate", "human_gate")
TASK = "Summarise: Northwind sold 1,200 units in March 2024. Its margin was 14 percent."

WRITER = Role("writer", "Write a summary of what you are given.")
EDITOR = Role("editor", "Tighten the text. Keep every figure.")
FINANCE = Role("finance", "Report the finances.")
SALES = Role("sales", "Report the sales.")
HEAD = Role("head", "Combine the reports into one.")
REVIEWER = Role("reviewer", "Review the work: approve it or say what is to be done better.")
FOR = Role("proponent", "Argue for the proposal.")
AGAINST = Role("opponent", "Argue against the proposal.")
MODERATOR = Role("moderator", "Moderate the debate: approve its result once the debaters agree.")


def built(framework: str, pattern: str, settings: Settings, act: Callable[[str], str] = str.upper) -> Any:
    """This pattern of this port."""
    port = import_module(f"dissonance.patterns.ports.{framework}")
    leads: Any = [[FINANCE], [SALES]]
    reworked: tuple[Any, ...] = (WRITER, REVIEWER)
    if framework == "claude_tools":
        leads = [(FINANCE, [WRITER]), (SALES, [EDITOR])]
    if framework in ("claude_tools", "crewai"):
        reworked = (HEAD, [WRITER, EDITOR])
    arguments: dict[str, tuple[Any, ...]] = {
        "chain": ([WRITER, EDITOR],),
        "fan_out": ([FINANCE, SALES], HEAD),
        "supervise": reworked,
        "delegate": (HEAD, leads),
        "debate": ([FOR, AGAINST], MODERATOR),
        "human_gate": (WRITER, act),
    }
    return getattr(port, pattern)(*arguments[pattern], settings)


def played(framework: str, pattern: str, settings: Settings, *rules: Rule, **how: Any) -> Run:
    """One run of it, without a store and with a human who approves after a minute."""
    import_module(f"dissonance.patterns.ports.{framework}")
    lent = {"human": ScriptedHuman()} if pattern == "human_gate" else {}
    given: dict[str, Any] = {"limits": Limits(calls=60), "store": None, "baseline": False, **lent, **how}
    return run(lambda: built(framework, pattern, settings), TASK, plan=rules, **given)


def agents(made: Run) -> list[str | None]:
    """Who called, in order."""
    return [sent.agent for sent in made.history.calls()]


def slow_and_broken() -> tuple[Rule, ...]:
    """A latency fault and an error fault, which strike every agent's first call."""
    return (
        Rule(fault=SlowReply(seconds=5, law="exponential", seed=3)),
        Rule(when=When(call=1, attempt=1), fault=HttpError(status=529)),
    )
