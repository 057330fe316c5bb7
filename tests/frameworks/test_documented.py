"""What the frameworks' own documentation teaches, under ``dissonance probe``, with nothing changed but the model id."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CODE = "import sys; from dissonance.cli.main import main; sys.exit(main())"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Documented:
    """``fails`` are the plans that break it, ``apart`` those that it makes no call for."""

    target: str
    fails: frozenset[str]
    apart: frozenset[str]
    task: str = "otters in the city"


_NO_TOOLS = frozenset({"tool-without-end", "tool-error"})
_NO_GATE = frozenset({"judge-never-accepts", "hand-off-ping-pong"})
_WHOLE = frozenset({"stream-error", "overconfident-score"})
"""None of them streams its calls, or asks how sure a model is."""

DOCUMENTED = {
    "langgraph": Documented(
        "documented_langgraph.py:workflow",
        fails=frozenset({"judge-never-accepts", "seeded-claim"}),
        apart=_WHOLE | _NO_TOOLS | {"hand-off-ping-pong"},
        task='{"topic": "otters in the city"}',
    ),
    "crewai": Documented(
        "documented_crewai.py:ReportCrew",
        fails=frozenset({"prompt-cut", "seeded-claim"}),
        apart=_WHOLE | _NO_TOOLS | _NO_GATE | {"truncated-tool-json"},
    ),
    "autogen": Documented(
        "documented_autogen.py:team",
        fails=_NO_GATE | {"prompt-cut", "seeded-claim"},
        apart=_WHOLE | _NO_TOOLS | {"truncated-tool-json"},
    ),
    "claude_tools": Documented(
        "documented_claude_tools.py:runner",
        fails=frozenset(
            {"tool-without-end", "empty-content", "truncated-tool-json", "refusal", "prompt-cut", "seeded-claim"}
        ),
        apart=_WHOLE | _NO_GATE,
    ),
}


def probed(case: Documented, folder: Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and what ``--json`` printed."""
    target = str(HERE / case.target)
    line = ["probe", target, "--task", case.task, "--limit", "calls=60", "--out", str(folder / "out"), "--json"]
    ran = subprocess.run([sys.executable, "-c", CODE, *line], cwd=folder, capture_output=True, text=True)
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_battery_finds_what_is_left_open(name: str, tmp_path: Path) -> None:
    """A fault reaches it under each plan that applies; what fails is what nothing in it guards against."""
    case = DOCUMENTED[name]
    code, found = probed(case, tmp_path)
    plans = {plan["name"]: plan for plan in found["plans"]}
    assert (found["baseline"]["status"], found["baseline"]["calls"], code, len(plans)) == ("pass", 2, 1, 17)
    assert {name for name, plan in plans.items() if not plan["applicable"]} == case.apart
    tried = {name: plan for name, plan in plans.items() if plan["applicable"]}
    assert {name for name, plan in tried.items() if plan["status"] != "pass"} == case.fails
    assert {name for name, plan in tried.items() if plan["status"] == "unknown"} == set()
    for plan in tried.values():
        (counted,) = plan["faults"].values()
        assert counted["reached"] >= 1 and counted["changed"] >= 1
        assert plan["tier"] == found["baseline"]["tier"] != "T3"
    endless = {name for name, plan in tried.items() if plan["stopped_by"] == "calls"}
    assert endless == case.fails & {"judge-never-accepts", "hand-off-ping-pong", "tool-without-end"}
