"""How verdicts are composed into an answer and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissonance.cli.results import Findings, Tried, replay_line, shown_path
from dissonance.harness.checks.verdict import Status, Verdict


def tried(*statuses: Status, applicable: bool = True) -> Tried:
    verdicts = tuple(Verdict(status=status, check=f"c{n}", reason=f"because {n}") for n, status in enumerate(statuses))
    return Tried(name="n", question="q?", sentence="s", verdicts=verdicts, run=None, applicable=applicable)


LEFT_OUT = tried("unknown", applicable=False)
BROKEN = tried("unknown")


@pytest.mark.parametrize(
    ("findings", "status", "code", "reason"),
    [
        (Findings(tried=[tried("pass", "pass")]), "pass", 0, "1 of 1 plan held"),
        (Findings(tried=[tried("pass"), tried("pass", "fail")]), "fail", 1, "1 of 2 plans held"),
        (Findings(tried=[tried("fail"), tried("unknown")]), "fail", 1, "0 of 2 plans held"),
        (Findings(tried=[tried("pass"), tried("unknown")]), "unknown", 3, "1 of 2 plans held"),
        (Findings(tried=[tried("pass"), LEFT_OUT]), "pass", 0, "1 of 1 plan held; 1 not applicable"),
        (Findings(tried=[LEFT_OUT]), "unknown", 3, "nothing fired: no plan applies to a call of this workflow"),
        (Findings(tried=[]), "unknown", 3, "nothing was tried"),
        (Findings(tried=[], baseline=BROKEN), "unknown", 3, "because 0"),
        (Findings(tried=[tried("fail")], interrupted=True), "fail", 130, "0 of 1 plan held"),
    ],
    ids=["pass", "fail", "fail beats unknown", "unknown", "left out", "nothing fired", "nothing", "baseline", "ctrl-c"],
)
def test_the_answer(findings: Findings, status: Status, code: int, reason: str) -> None:
    assert (findings.status, findings.exit_code, findings.reason) == (status, code, reason)


def test_what_is_decisive_is_the_first_of_the_worst() -> None:
    decisive = tried("pass", "fail", "fail").decisive
    assert decisive is not None
    assert decisive.check == "c1"


def test_the_json_of_a_plan_without_a_run() -> None:
    assert Findings(tried=[tried("fail")], target="flow:main").to_json() == {
        "schema": 1,
        "status": "fail",
        "exit": 1,
        "reason": "0 of 1 plan held",
        "interrupted": False,
        "target": "flow:main",
        "report": None,
        "baseline": None,
        "plans": [
            {
                "name": "n",
                "question": "q?",
                "sentence": "s",
                "status": "fail",
                "applicable": True,
                "run": None,
                "verdicts": [
                    {
                        "status": "fail",
                        "check": "c0",
                        "reason": "because 0",
                        "evidence": (),
                        "next": "",
                        "tier": "T1",
                        "demoted_by": (),
                    }
                ],
                "remark": "",
                "replay": "",
            }
        ],
    }


def test_a_replay_line_can_be_pasted_into_a_shell(folder: Path) -> None:
    assert replay_line(folder / "my runs") == "dissonance replay 'my runs'"


def test_what_lies_elsewhere_is_shown_whole(folder: Path) -> None:
    assert shown_path(folder / ".." / "elsewhere") == folder.parent / "elsewhere"
