"""These tests need the extra ``frameworks``; where it is not installed, they are left out and a line says so."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_MISSING = [name for name in ("langgraph", "langchain_anthropic", "crewai", "autogen_agentchat") if not find_spec(name)]

_OWN = r"ignore::DeprecationWarning:crewai\."
"""CrewAI uses what it deprecates, as a crew is built outside any run; inside one its runtime passes over it."""

if not _MISSING:  # as in a user's process: before any run, for what is imported inside one lives in virtual time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _name in ("autogen_agentchat.teams", "crewai", "langgraph.prebuilt"):
            import_module(_name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if _HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.frameworks)
        item.add_marker(pytest.mark.filterwarnings(_OWN))
    if _MISSING and mine:
        kept = [item for item in items if _HERE not in item.path.parents]
        config.hook.pytest_deselected(items=mine)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _MISSING:
        terminalreporter.write_line(
            f"tests/frameworks left out: {', '.join(_MISSING)} not installed (pip install 'dissonance[frameworks]')"
        )
