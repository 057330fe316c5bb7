"""The applications in ``examples`` that are made with a framework: their chaos tests pass, and find what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples import chaos, page_holds, pages_test


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "expected"), [("langgraph-research", 3), ("crewai-postmortem", 2), ("autogen-review", 4)]
)
def test_its_chaos_tests_pass(tmp_path: Path, folder: str, expected: int) -> None:
    """``expected``: how many of its tests show a weakness that a check names."""
    done = chaos(folder, tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"made \d+ runs \(seed 0\): {expected} broke as expected, ", done.stdout), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["langgraph-research", "crewai-postmortem", "autogen-review"])
def test_the_page_says_what_its_settings_do(tmp_path: Path, folder: str) -> None:
    assert page_holds(folder, tmp_path) is None


@pytest.mark.slow
def test_the_pages_own_test_passes(tmp_path: Path) -> None:
    done = pages_test("langgraph-research", tmp_path)
    assert done.returncode == 0 and "1 test made 1 run (seed 0): 1 held." in done.stdout, done.stdout
