"""The applications in ``examples`` that need no framework: their chaos tests pass, and find what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples import ROOT, chaos, page_holds


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "expected"), [("anthropic-invoices", 3), ("tool-runner-tickets", 3)])
def test_its_chaos_tests_pass(tmp_path: Path, folder: str, expected: int) -> None:
    """``expected``: how many of its tests show a weakness."""
    done = chaos(folder, tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"made \d+ runs \(seed 0\): {expected} broke as expected, ", done.stdout), done.stdout


def test_no_application_knows_of_dissonance() -> None:
    applications = [path for path in ROOT.glob("examples/*/*.py") if not path.name.startswith("test_")]
    assert applications
    assert [path.name for path in applications if "dissonance" in path.read_text()] == []


@pytest.mark.slow
def test_the_page_says_what_its_settings_do(tmp_path: Path) -> None:
    assert page_holds("tool-runner-tickets", tmp_path) is None
