"""The committed sample is what the code makes; where it is not, ``make sample`` remakes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dissonance.experiments import experiments, find, report_of

SAMPLE = Path(__file__).parents[2] / "reports" / "sample"
REMAKE = "reports/sample is not what the code makes: run `make sample`, look at it, and commit it"


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLE / "report.json").read_bytes())
    return found


def test_it_has_a_section_for_each_experiment_that_is_run_unasked(sample: dict[str, Any]) -> None:
    shown = [section["name"] for section in sample["sections"]]
    names = [one.name.replace("_", "-") for one in experiments(asked=False)]
    assert [name for name in names if name not in shown] == [], REMAKE


def test_it_is_smaller_than_a_megabyte_and_names_no_machine(sample: dict[str, Any]) -> None:
    html = (SAMPLE / "index.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 1_000_000
    assert [word for word in ("/home/", "/tmp/", "/Users/", "/root/") if word in html] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["context_growth", "groupthink"])
def test_its_sentences_are_those_of_the_code(sample: dict[str, Any], name: str) -> None:
    """These two stand for all: to play every experiment takes a minute."""
    one = find(name)
    params = one.params("quick")
    report = report_of([(one, params, one.run(params))])
    told = [finding["sentence"] for finding in sample["findings"] if finding["section"] == report.sections[0].name]
    assert told == [finding.sentence for finding in report.findings], REMAKE
