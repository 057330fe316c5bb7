"""``--dissonance-prove``: the tests once more, in a process in which strings hash otherwise."""

from __future__ import annotations

import pytest

TEST = """
import anthropic
import pytest
from review import review
from dissonance.harness import agent

def anybody(task):
    client = anthropic.Anthropic(api_key="none")
    for name in {names}:
        with agent(name):
            client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=[{{"role": "user", "content": task}}])

@pytest.mark.chaos
def test_it(dissonance):
    assert dissonance.run({workflow}, "Draft.").outcome == "completed"
"""


@pytest.mark.slow
def test_what_repeats_is_proved(project: pytest.Pytester) -> None:
    project.makepyfile(TEST.format(workflow="review", names="[]"))
    result = project.runpytest("--dissonance-prove")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["dissonance: proved: a second process, in which strings hash otherwise, recorded the same"]
    )


@pytest.mark.slow
def test_what_hangs_on_a_hash_order_is_not(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")  # two random orders could be one
    project.makepyfile(TEST.format(workflow="anybody", names="{'writer', 'judge', 'editor', 'lawyer', 'scout'}"))
    result = project.runpytest_subprocess("--dissonance-prove")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["dissonance: not proved: *::test_it: a second process differs at event 1: call agent=*, but the second time *"]
    )


def test_without_runs_there_is_nothing_to_prove(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    result = project.runpytest("--dissonance-prove")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("dissonance: *proved*")


def test_workers_are_refused(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    result = project.runpytest("--dissonance-prove", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --dissonance-prove: the runs of several workers are not compared; leave -n out"]
    )
