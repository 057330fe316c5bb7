"""The six patterns in each runtime with the same roles and one task: what ``matrix`` runs, and the tests of the ports.

``plain`` is the reference: this project's own patterns. The others are the ports, a framework each; ``missing`` says
which of them cannot be imported here, and how they are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from dissonance.patterns.ports import Role, Settings

__all__ = [
    "AGAINST",
    "EDITOR",
    "FINANCE",
    "FOR",
    "HEAD",
    "MODERATOR",
    "PATTERNS",
    "REVIEWER",
    "RUNTIMES",
    "SALES",
    "TASK",
    "WRITER",
    "built",
    "missing",
]

PATTERNS = ("chain", "fan_out", "supervise", "delegate", "debate", "human_gate")
PORTS = ("langgraph", "crewai", "autogen", "claude_tools")
RUNTIMES = ("plain", *PORTS)
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

_NEEDS: Mapping[str, Sequence[str]] = {
    "langgraph": ("langgraph", "langchain_anthropic"),
    "crewai": ("crewai",),
    "autogen": ("autogen_agentchat", "autogen_ext"),
}


def missing(runtimes: Sequence[str] = RUNTIMES) -> dict[str, str]:
    """Those of these runtimes whose framework is not installed, each with the line that installs it."""
    absent = [each for each in runtimes if not all(find_spec(name) for name in _NEEDS.get(each, ()))]
    return {each: f"pip install 'dissonance[{each}]'" for each in absent}


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
