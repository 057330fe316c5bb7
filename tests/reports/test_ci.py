"""What a report says to a pull request and to a CI's test view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dissonance.harness.checks.verdict import Verdict
from dissonance.reports import Case, Finding, Report, Section, for_ci, probe_report
from dissonance.reports.ci import junit, markdown


@pytest.fixture(scope="module")
def report(make_run: Callable[..., Any]) -> Report:
    def case(name: str, status: Any, reason: str, path: Path | None = None) -> Case:
        verdicts = [Verdict(status=status, check="c", reason=reason)]
        return Case(name=name, question="Does it end?", run=make_run(1, path=path), verdicts=verdicts)

    return probe_report(
        "What breaks review?",
        [
            case("calm", "pass", "it ended"),
            case("dark", "unknown", "nothing fired"),
            case("endless", "fail", "a | b <script> @team\x00", Path("runs/1")),
        ],
    )


def test_the_comment_names_each_finding_and_how_to_replay_what_broke(report: Report) -> None:
    assert markdown(report).splitlines()[-9:] == [
        "| | finding |",
        "|---|---|",
        "| ✗ broke | **endless**: a \\| b &lt;script> @\u200bteam\x00 |",
        "| ? not known | **dark**: nothing fired |",
        "| ✓ held | **calm**: it ended |",
        "",
        "Replay:",
        "",
        "    dissonance replay runs/1",
    ]


def test_junit_counts_and_tells_failures_from_what_is_not_known(report: Report) -> None:
    suite = ElementTree.fromstring(junit(report))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    found = [(case.get("name"), [child.tag for child in case if child.tag != "properties"]) for case in suite]
    assert found == [("endless", ["failure"]), ("dark", ["error"]), ("calm", [])]


def test_junit_holds_the_replay_line_and_nothing_that_xml_cannot(report: Report) -> None:
    failure = ElementTree.fromstring(junit(report)).find(".//failure")
    assert failure is not None
    assert failure.text == "a | b <script> @team?\ndissonance replay runs/1"


def test_a_section_that_judges_nothing_is_no_test_case() -> None:
    found = Finding(status="pass", sentence="Yes.")
    sections = [Section(name="a", title="A", question="?", verdict=found), Section(name="b", title="B", question="?")]
    files = for_ci(Report(title="t", lead="l", findings=[found], sections=sections))
    assert [case.get("name") for case in ElementTree.fromstring(files["junit.xml"]).iter("testcase")] == ["A"]
    assert files["report.md"].decode().endswith("| ✓ held | Yes. |\n")
