"""Every port, slow and broken, again and again: one history, in one process and in others.

``python -m benchmarks.ports`` plays each a hundred times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ported import PATTERNS, played, slow_and_broken

from dissonance.patterns.ports import DEFAULTS, GUARDED, Settings

FRAMEWORKS = ("autogen", "claude_tools", "crewai", "langgraph")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [DEFAULTS, GUARDED], ids=["default", "guarded"])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_slow_and_broken_run_repeats(framework: str, pattern: str, settings: Settings) -> None:
    first = played(framework, pattern, settings, *slow_and_broken())
    assert all(counted.fired for counted in first.faults.values())
    for _ in range(4):
        assert played(framework, pattern, settings, *slow_and_broken()).history == first.history


CODE = """
import sys, warnings
sys.path[:0] = {paths!r}
warnings.simplefilter("ignore")
import autogen_agentchat.teams, crewai, langgraph.prebuilt
from dissonance.harness.history import write_event
from dissonance.patterns.ports import GUARDED
from ported import PATTERNS, played, slow_and_broken
sys.stderr.write(" ".join({{"finance", "sales"}}))
for framework in {frameworks!r}:
    for pattern in PATTERNS:
        for event in played(framework, pattern, GUARDED, *slow_and_broken()).history:
            sys.stdout.buffer.write(write_event(event))
"""


@pytest.mark.slow
def test_processes_with_different_hash_seeds_write_one_history() -> None:
    """Of two seeds under which a set of names iterates either way: AutoGen's graph begins with such a set."""
    code = CODE.format(paths=[str(Path(__file__).parents[1] / "support")], frameworks=FRAMEWORKS)
    one, other = (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("0", "1")
    )
    assert one.stderr != other.stderr
    assert one.stdout == other.stdout and one.stdout.count(b'"kind":"fault"') > 50
