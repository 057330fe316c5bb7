"""Runs of the ports' patterns, as their tests make them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dissonance.experiments._ported import PATTERNS, TASK, built
from dissonance.faults import HttpError, Rule, SlowReply, When
from dissonance.harness import Limits, Run, ScriptedHuman, run
from dissonance.patterns.ports import Settings

__all__ = ["PATTERNS", "TASK", "agents", "built", "played", "slow_and_broken"]


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
