"""What the plugin tells of a whole session: summary, report, JUnit, seeds, profiles and repetitions."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dissonance.plugin.profiles import seed_of

MIXED = """
    import pytest
    from review import ENDLESS, FEW, NOBODY, ONCE, review
    from dissonance.harness import terminates

    @pytest.mark.chaos
    def test_breaks(dissonance):
        dissonance.run(review, "draft", plan=ENDLESS, limits=FEW).check(terminates())

    def test_holds(dissonance):
        dissonance.run(review, "draft", plan=ONCE).check()

    def test_vacuous(dissonance):
        dissonance.run(review, "draft", plan=NOBODY).check()

    def test_looks_for_itself(dissonance):
        assert dissonance.run(review, "draft", plan=ONCE).calls == 4

    def test_without(tmp_path):
        pass
"""
SAID = "On every call of agent 'judge', the model rejects the work."


def section(result: pytest.RunResult) -> list[str]:
    """The lines of the plugin's section of the summary."""
    text = re.split(r"^=+ dissonance =+$", result.stdout.str(), flags=re.MULTILINE)[1]
    lines: list[str] = re.split(r"^=+ ", text, flags=re.MULTILINE)[0].strip().splitlines()
    return lines


# --- the summary ------------------------------------------------------------------------------


def test_the_summary_names_what_broke_and_how_to_replay_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    result = project.runpytest()
    result.assert_outcomes(failed=2, passed=3)
    first, reason, plan, replay, second, *_, last = section(result)
    assert first == "FAIL (T1) test_mixed.py::test_breaks"
    assert reason.startswith("    terminates: would not have ended: ")
    assert plan == f"    Plan: {SAID}"
    assert replay.startswith('    Replay: pytest "test_mixed.py::test_breaks" --dissonance-replay=.dissonance/runs/')
    assert second == "UNKNOWN (T1) test_mixed.py::test_vacuous"
    assert last == "4 tests made 4 runs (seed 0): 1 failed, 1 unknown, 1 not judged by any check, 1 held."


def test_the_error_shows_the_last_events(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    result = project.runpytest("-k", "breaks")
    result.stdout.fnmatch_lines(
        [
            "E*Last events:",
            "E * s  judge: call 15 (* tokens)",
            "E * s  stopped by the harness (calls)",
            "E * s  run stopped by harness: *",
            "E*Replay: pytest *",
        ]
    )


def test_a_finding_that_the_test_expects_is_no_failure(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_known="""
            import pytest
            from review import ENDLESS, FEW, NOBODY, review
            from dissonance.harness import CheckFailed, terminates

            def test_shows_it(dissonance):
                (verdict,) = dissonance.run(review, "draft", plan=ENDLESS, limits=FEW).judge(terminates())
                assert verdict.status == "fail"

            @pytest.mark.xfail(raises=CheckFailed, strict=True)
            def test_accepts_it(dissonance):
                dissonance.run(review, "draft", plan=ENDLESS, limits=FEW).check(terminates())

            def test_does_not_apply(dissonance):
                if not dissonance.run(review, "draft", plan=NOBODY).faults["r1"].fired:
                    pytest.skip("nothing answers to it")
        """
    )
    result = project.runpytest("--dissonance-report=out")
    result.assert_outcomes(passed=1, xfailed=1, skipped=1)
    first, second, last, *_ = section(result)
    said = " terminates: would not have ended: the harness stopped it after 30 calls"
    assert first.startswith("expected (T1) test_known.py::test_accepts_it:" + said)
    assert second.startswith("expected (T1) test_known.py::test_shows_it:" + said)
    assert last == "3 tests made 3 runs (seed 0): 2 broke as expected, 1 skipped."
    tree = ElementTree.parse(project.path / "out" / "junit.xml")
    found = [each.get("value") for each in tree.iter("property") if each.get("name") == "dissonance.status"]
    assert found == ["expected", "expected", "skipped"]


def test_without_a_run_nothing_is_told(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    assert "dissonance" not in project.runpytest("-q").stdout.str()


@pytest.mark.slow
def test_workers_tell_the_controller(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    result = project.runpytest_subprocess(
        "-n", "2", "-p", "no:hypothesispytest", "--dissonance-report=out", "--dissonance-seed=9"
    )
    result.assert_outcomes(failed=2, passed=3)
    assert section(result)[-2:] == [
        "4 tests made 4 runs (seed 9): 1 failed, 1 unknown, 1 not judged by any check, 1 held.",
        "dissonance: report: out/index.html",
    ]
    assert (project.path / "out" / "index.html").is_file()


# --- Hypothesis -------------------------------------------------------------------------------

SEARCH = """
    import pytest
    from hypothesis import given, settings, strategies as st
    from review import FEW, review
    from dissonance.faults import At, FaultPlan, RejectWork, Rule, SlowReply

    SLOW = Rule(fault=SlowReply(seconds=5))
    REJECT = Rule(at=At(agent="judge"), fault=RejectWork())

    @settings(max_examples=20, deadline=None, database=None, derandomize=True)
    @given(rules=st.lists(st.sampled_from([SLOW, REJECT]), min_size=1, max_size=3))
    def test_holds(dissonance, rules):
        dissonance.run(review, "draft", plan=FaultPlan(rules=rules), limits=FEW).check()
"""


def test_a_failing_example_is_told_as_the_smallest_plan(project: pytest.Pytester) -> None:
    project.makepyfile(test_search=SEARCH)
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    assert f"    Smallest plan: {SAID}" in section(result)
    assert f"Smallest plan: {SAID}" in result.outlines  # also below the traceback


# --- the report -------------------------------------------------------------------------------


def test_the_report_is_a_page_a_markdown_file_and_junit(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    result = project.runpytest("--dissonance-report=out")
    assert "dissonance: report out" in result.outlines
    out = project.path / "out"
    page = (out / "index.html").read_text()
    assert "test_breaks" in page and "test_vacuous" in page and len(page) < 1_000_000
    markdown = (out / "report.md").read_text()
    assert markdown.startswith("# Dissonance\n\n4 tests made 4 runs (seed 0): 1 failed, ")
    assert f"| fail | `test_mixed.py::test_breaks` | T1 | 1 | {SAID} |" in markdown
    cases = {case.get("name"): case for case in ElementTree.parse(out / "junit.xml").iter("testcase")}
    told = {name: {p.get("name"): p.get("value") for p in case.iter("property")} for name, case in cases.items()}
    assert told["test_breaks"]["dissonance.status"] == "fail"
    assert told["test_breaks"]["dissonance.plan"] == SAID
    assert (told["test_breaks"]["dissonance.replay"] or "").startswith('pytest "test_mixed.py::test_breaks" ')
    assert (told["test_holds"]["dissonance.status"], told["test_holds"]["dissonance.tier"]) == ("pass", "T1")
    assert told["test_without"] == {}


def test_junit_goes_where_it_is_asked_for(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    project.runpytest("-k", "holds", "--dissonance-report=out", "--junitxml=own.xml")
    assert (project.path / "own.xml").is_file() and not (project.path / "out" / "junit.xml").exists()


def test_a_report_cannot_go_into_a_file(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    result = project.runpytest("--dissonance-report=pytest.ini")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --dissonance-report=pytest.ini: * is not a folder; give the path of a folder"])


# --- seeds, repetitions, profiles --------------------------------------------------------------

SEEDS = """
    from review import review

    def test_it(dissonance):
        with open("seeds", "a") as file:
            print(dissonance.run(review, "draft").seed, file=file)
"""


def seeds(project: pytest.Pytester) -> list[int]:
    path = project.path / "seeds"
    found = [int(line) for line in path.read_text().split()]
    path.unlink()
    return found


def test_a_test_is_repeated_with_seeds_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SEEDS)
    project.runpytest("--dissonance-runs=3").assert_outcomes(passed=3)
    assert seeds(project) == [seed_of(0, "test_it.py::test_it", number) for number in range(3)]


def test_a_repetition_is_replayed_without_the_option(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
        import pytest
        from review import ONCE, review

        @pytest.mark.parametrize("task", ["draft"])
        def test_it(dissonance, task):
            assert dissonance.run(review, task, plan=ONCE).calls == 2
        """
    )
    result = project.runpytest("--dissonance-runs=2")
    result.assert_outcomes(failed=2)
    line = re.findall(r"Replay: (pytest .*)", result.stdout.str())[-1]
    assert line.startswith('pytest "test_it.py::test_it[draft]" ')
    project.runpytest(*shlex.split(line)[1:]).assert_outcomes(failed=1)


def test_the_last_seed_comes_back(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SEEDS)
    refused = project.runpytest("--dissonance-seed=last")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        ["ERROR: --dissonance-seed=last: no earlier session has left its seed in pytest's cache"]
    )
    first = project.runpytest("--dissonance-profile=staging")
    first.assert_outcomes(passed=3)
    (header,) = (line for line in first.outlines if line.startswith("dissonance: seed "))
    assert re.fullmatch(r"dissonance: seed \d+, profile staging", header)
    former = seeds(project)
    project.runpytest("--dissonance-profile=staging", "--dissonance-seed=last").assert_outcomes(passed=3)
    assert seeds(project) == former


def test_the_profile_ci_repeats_and_has_no_deadline(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from hypothesis import given, settings, strategies as st

        @given(st.integers())
        def test_it(number):
            now = settings.default
            assert (now.derandomize, now.deadline, now.max_examples) == (True, None, 7)
        """
    )
    project.runpytest_subprocess("--dissonance-profile=ci", "--dissonance-runs=7").assert_outcomes(passed=1)


def test_options_have_twins_in_the_configuration_file(project: pytest.Pytester) -> None:
    ini = project.path / "pytest.ini"
    ini.write_text(ini.read_text() + "\ndissonance_seed = 4\ndissonance_runs = 2\ndissonance_report = out\n")
    project.makepyfile(test_it=SEEDS)
    result = project.runpytest()
    result.assert_outcomes(passed=2)
    assert "dissonance: seed 4, runs 2, report out" in result.outlines
    assert seeds(project) == [seed_of(4, "test_it.py::test_it", number) for number in range(2)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--dissonance-seed=-1", "--dissonance-seed=-1: give a whole number, 0 or more, or `last`"),
        ("--dissonance-runs=0", "--dissonance-runs=0: give a whole number above 0"),
        ("--dissonance-profile=fast", "--dissonance-profile=fast: give one of ci, staging, soak"),
    ],
)
def test_a_bad_option_is_a_usage_error(project: pytest.Pytester, option: str, message: str) -> None:
    result = project.runpytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in result.errlines


@pytest.mark.slow
def test_of_a_space_a_plan_is_drawn_that_fires(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
        from review import review
        from dissonance.faults.space import Space

        def test_it(dissonance):
            run = dissonance.run(review, "draft", plan=Space.at(["writer", "judge"]))
            with open("plans", "a") as file:
                print(run.plan, file=file)
            assert any(count.fired for count in run.faults.values())
        """
    )
    project.runpytest("--dissonance-runs=4").assert_outcomes(passed=4)
    plans = (project.path / "plans").read_text().splitlines()
    assert len(set(plans)) > 1
    project.runpytest("--dissonance-runs=4").assert_outcomes(passed=4)
    assert (project.path / "plans").read_text().splitlines() == plans * 2


# --- replays ----------------------------------------------------------------------------------


def test_a_replay_says_whether_it_went_as_stored(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    line = re.findall(r"Replay: (pytest .*test_breaks.*)", project.runpytest("-k", "breaks").stdout.str())[0]
    again = project.runpytest(*shlex.split(line)[1:])
    assert "    Replayed just as stored." in section(again)
    review = project.path / "review.py"
    review.write_text(review.read_text().replace("asyncio.sleep(5)", "asyncio.sleep(60)"))
    edited = project.runpytest(*shlex.split(line)[1:])
    edited.assert_outcomes(failed=1)
    (remark,) = (each for each in section(edited) if "not as stored" in each)
    assert re.match(r"    Replayed, but not as stored: they differ at event \d+: call agent=writer call=2 at ", remark)


ENDS = {
    "non-termination": ("async def w(task):\n    while True: await say(task)", "RejectWork", "stopped by the harness"),
    "deadlock": (
        "async def w(task):\n    text = await say(task)\n    await asyncio.Event().wait() if not text else None",
        "EmptyContent",
        "deadlock",
    ),
    "crash": ("async def w(task):\n    await say(task)", "Crash", "the process died"),
    "exception": (
        "async def w(task):\n    try:\n        await say(task)\n    except Exception:\n        await asyncio.Event().wait()",
        "Disconnect",
        "deadlock",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_every_class_of_failure_has_one_line_that_replays_it(project: pytest.Pytester, end: str) -> None:
    code, fault, said = ENDS[end]
    project.makepyfile(
        work=f"""
import asyncio
from review import anthropic, ask

async def say(task):
    async with anthropic.AsyncAnthropic(api_key="none") as client:
        message = await client.messages.create(
            model="claude-sonnet-4-6", max_tokens=9, system="You are the judge. Answer APPROVE or REJECT.",
            messages=[{{"role": "user", "content": task}}],
        )
        return message.content

{code}
"""
    )
    unguarded = "baseline=False, " if end == "non-termination" else ""
    project.makepyfile(
        test_it=f"""
        from work import w
        from dissonance.faults import *
        from dissonance.harness import Limits, terminates

        def test_it(dissonance):
            plan = [Rule(fault={fault}())]
            dissonance.run(w, "draft", plan=plan, {unguarded}limits=Limits(calls=20)).check(terminates())
        """
    )
    first = project.runpytest()
    first.assert_outcomes(failed=1)
    assert said in first.stdout.str()
    (line,) = set(re.findall(r"Replay: (pytest .*)", first.stdout.str()))
    again = project.runpytest(*shlex.split(line)[1:])
    again.assert_outcomes(failed=1)
    assert "    Replayed just as stored." in section(again)


# --- others -----------------------------------------------------------------------------------


def test_it_lives_beside_other_chaos_plugins(project: pytest.Pytester) -> None:
    """Others register ``--chaos``, ``--seed``, a fixture ``chaos`` and the marker."""
    project.makeconftest(
        """
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--chaos", action="store_true")
            parser.addoption("--seed")
            parser.addoption("--runs")
            parser.addoption("--report")

        def pytest_configure(config):
            config.addinivalue_line("markers", "chaos: of another plugin")

        @pytest.fixture
        def chaos():
            return "theirs"
        """
    )
    project.makepyfile(
        """
        from review import review

        def test_both(dissonance, chaos):
            assert (chaos, dissonance.run(review, "draft").outcome) == ("theirs", "completed")
        """
    )
    project.runpytest("--chaos", "--seed=3", "-m", "not chaos").assert_outcomes(passed=1)


def test_a_workflow_without_a_call_never_passes(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(dissonance):
            dissonance.run(lambda task: "done", "draft").check()
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*CheckFailed: terminates: unknown (T1): nothing happened: *"])


def test_the_stored_record_is_what_the_page_shows(project: pytest.Pytester) -> None:
    project.makepyfile(test_mixed=MIXED)
    project.runpytest("-k", "holds", "--dissonance-report=out").assert_outcomes(passed=1, deselected=4)
    about = json.loads((Path(project.path) / "out" / "report.json").read_bytes())
    assert [finding["status"] for finding in about["findings"]] == ["pass"]
