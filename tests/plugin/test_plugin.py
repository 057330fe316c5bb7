"""The pytest plugin, in projects of a user's."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from dissonance.plugin.profiles import seed_of

LOOP = """
    import pytest
    from review import ENDLESS, FEW, review
    from dissonance.harness import terminates

    @pytest.mark.chaos
    def test_review_ends(dissonance):
        run = dissonance.run(review, "draft", plan=ENDLESS, limits=FEW)
        run.check(terminates(within_calls=25))
"""


def replay_line(result: pytest.RunResult) -> str:
    """The one line that replays the failure, as one would copy it."""
    (line,) = set(re.findall(r"Replay: (pytest .*)", result.stdout.str()))
    assert isinstance(line, str)
    return line


def last_run(project: pytest.Pytester) -> Path:
    return (project.path / ".dissonance" / "runs" / "latest").resolve()


# --- costs nothing ----------------------------------------------------------------------------


def test_nothing_is_imported_before_the_fixture_is_used(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def loaded():
            return sorted(n for n in sys.modules if n.startswith(("anthropic", "dissonance.")))

        def test_before():
            assert loaded() == ["dissonance.pytest_plugin"]

        def test_with_it(dissonance):
            assert loaded() == ["dissonance.pytest_plugin"]
            from review import review
            assert dissonance.run(review, "draft").outcome == "completed"
            assert "dissonance.harness" in loaded()
        """
    )
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
    assert "dissonance:" not in result.stdout.str()


def test_it_can_be_switched_off(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    project.runpytest_subprocess("-p", "no:dissonance").assert_outcomes(passed=1)
    refused = project.runpytest_subprocess("-p", "no:dissonance", "--dissonance-seed=1")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR


def test_the_marker_is_registered(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.chaos\ndef test_a(): pass\ndef test_b(): pass")
    project.runpytest("-m", "chaos").assert_outcomes(passed=1, deselected=1)
    project.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.chaos: *"])


# --- what a failure prints --------------------------------------------------------------------


def test_a_failure_prints_reason_evidence_and_the_line_that_replays_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_loop=LOOP)
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    folder = last_run(project).relative_to(project.path)
    result.stdout.fnmatch_lines(
        [
            "E*CheckFailed: terminates: fail (T1): would not have ended: *",
            f"E*Evidence: events * of {last_run(project)}/history.jsonl",
            f'E*Replay: pytest "test_loop.py::test_review_ends" --dissonance-replay={folder}/plan.json',
        ]
    )
    said = [line for line in result.stdout.lines if line.startswith("E ")]  # CI=true repeats all in the summary
    assert sum("Replay: " in line for line in said) == 1


def test_the_line_replays_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(test_loop=LOOP)
    first = project.runpytest()
    before = (last_run(project) / "history.jsonl").read_bytes()
    project.makepyfile(test_loop=LOOP.replace("plan=ENDLESS", "plan=[]"))
    project.runpytest().assert_outcomes(passed=1)
    again = project.runpytest(*shlex.split(replay_line(first))[1:])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["dissonance: replaying .dissonance/runs/*/plan.json"])
    assert (last_run(project) / "history.jsonl").read_bytes() == before


def test_an_unknown_raises_too_and_says_what_to_do(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from review import NOBODY, review

        def test_it(dissonance):
            dissonance.run(review, "draft", plan=NOBODY).check()
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*CheckFailed: terminates: unknown (T1): nothing fired: *",
            "E*Next: Compare the rules' `at` and `when` with the run's agents: writer (1 call), judge (1 call).",
            "E*Replay: pytest *",
        ]
    )


def test_an_assertion_of_the_tests_own_is_replayed_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from review import ONCE, review

        def test_it(dissonance):
            assert dissonance.run(review, "draft", plan=ONCE).calls == 2
        """
    )
    result = project.runpytest()
    result.stdout.fnmatch_lines(["*- dissonance -*", 'Replay: pytest "*::test_it" --dissonance-replay=*/plan.json'])
    project.runpytest(*shlex.split(replay_line(result))[1:]).assert_outcomes(failed=1)


def test_the_line_fits_the_directory_where_pytest_was_called(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project.mkdir("a b")
    (inner / "test_loop.py").write_text(
        "import pytest\nfrom review import ENDLESS, FEW, review\n"
        "@pytest.mark.parametrize('text', ['for $5'])\n"
        "def test_it(dissonance, text):\n    dissonance.run(review, text, plan=ENDLESS, limits=FEW).check()\n"
    )
    monkeypatch.chdir(inner)
    result = project.runpytest("test_loop.py")
    line = replay_line(result)
    assert line.startswith("pytest 'test_loop.py::test_it[for $5]' --dissonance-replay=")
    project.runpytest(*shlex.split(line)[1:]).assert_outcomes(failed=1)


# --- --dissonance-seed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "argument", "seed"),
    [
        ((), "", seed_of(0, "test_it.py::test_it", 0)),
        (("--dissonance-seed=7",), "", seed_of(7, "test_it.py::test_it", 0)),
        (("--dissonance-seed=7",), ", seed=3", 3),
    ],
    ids=["default", "option", "argument"],
)
def test_the_seed_is_the_arguments_else_of_the_option_and_the_test(
    project: pytest.Pytester, option: tuple[str, ...], argument: str, seed: int
) -> None:
    project.makepyfile(
        test_it=f"""
        from review import review

        def test_it(dissonance):
            assert dissonance.run(review, "draft"{argument}).seed == {seed}
        """
    )
    result = project.runpytest(*option)
    result.assert_outcomes(passed=1)
    assert ("dissonance: seed 7" in result.outlines) == bool(option)


def test_the_stored_run_names_its_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
        from review import review

        def test_it(dissonance):
            dissonance.run(review, "draft", notes={"why": "curiosity"})
        """
    )
    project.runpytest().assert_outcomes(passed=1)
    about = json.loads((last_run(project) / "run.json").read_bytes())
    assert about["notes"] == {"test": "test_it.py::test_it", "why": "curiosity"}


# --- --dissonance-replay ----------------------------------------------------------------------

TWO = """
    from review import ONCE, review

    def test_calm(dissonance):
        assert dissonance.run(review, "draft").calls == 2

    def test_stormy(dissonance):
        calm = dissonance.run(review, "draft")
        stormy = dissonance.run(review, "draft", plan=ONCE, seed=5)
        assert (calm.calls, len(stormy.plan)) == (2, 1)
"""


def test_the_plan_and_seed_of_a_runs_folder_stand_in_for_the_tests_own(project: pytest.Pytester) -> None:
    project.makepyfile(TWO)
    project.runpytest().assert_outcomes(passed=2)
    folder = last_run(project)
    about = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({**about, "seed": 9}))
    project.runpytest("-k", "stormy", f"--dissonance-replay={folder}").assert_outcomes(passed=1)
    replayed = json.loads((last_run(project) / "run.json").read_bytes())
    assert (replayed["seed"], last_run(project) != folder) == (9, True)


def test_a_bare_plan_leaves_the_seed(project: pytest.Pytester) -> None:
    project.makepyfile(TWO)
    (project.path / "empty.json").write_text('{"schema": 1, "rules": []}')
    result = project.runpytest("-k", "stormy", "--dissonance-replay=empty.json")
    result.stdout.fnmatch_lines(["E*assert (2, 0) == (2, 1)*"])
    assert json.loads((last_run(project) / "run.json").read_bytes())["seed"] == 5


def test_a_test_that_replays_nothing_fails(project: pytest.Pytester) -> None:
    project.makepyfile(TWO)
    (project.path / "empty.json").write_text('{"schema": 1, "rules": []}')
    result = project.runpytest("-k", "calm", "--dissonance-replay=empty.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["--dissonance-replay: this test gave no run a plan, so that none was replayed"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--dissonance-replay=plan.json: there is no such plan; give the folder of a stored run, or a plan.json"),
        ("{", "--dissonance-replay: *plan.json: not JSON: *; a plan is written by FaultPlan.to_json()"),
        ('{"schema": 1, "rules": [{"fault": {"kind": "RejectWrk"}}]}', "*unknown fault 'RejectWrk'; did you mean*"),
    ],
    ids=["missing", "malformed", "unknown fault"],
)
def test_a_plan_that_cannot_be_read_is_a_usage_error(
    project: pytest.Pytester, content: str | None, message: str
) -> None:
    project.makepyfile(TWO)
    if content is not None:
        (project.path / "plan.json").write_text(content)
    result = project.runpytest("-k", "stormy", "--dissonance-replay=plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_a_plan_is_replayed_in_one_test(project: pytest.Pytester) -> None:
    project.makepyfile(TWO)
    (project.path / "empty.json").write_text('{"schema": 1, "rules": []}')
    refusal = (
        "--dissonance-replay=empty.json: 2 selected tests use the fixture `dissonance`, but a plan is replayed "
        'in one; name it: pytest "tests/test_x.py::test_y"'
    )
    result = project.runpytest("--dissonance-replay=empty.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {refusal}" in result.errlines
    spread = project.runpytest_subprocess("-n", "1", "-p", "no:hypothesispytest", "--dissonance-replay=empty.json")
    spread.assert_outcomes(errors=2)
    assert refusal in spread.outlines


def test_a_damaged_folder_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makepyfile(TWO)
    (project.path / "plan.json").write_text('{"schema": 1, "rules": []}')
    (project.path / "run.json").write_text("{}")
    result = project.runpytest("-k", "stormy", "--dissonance-replay=.")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --dissonance-replay: *run.json has no seed: the run's folder is damaged"])


def test_a_fault_of_the_users_own_is_replayed(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from review import FEW, review
        from dissonance.faults import At, Fault, Rule
        from dissonance.harness import Reply

        class Shout(Fault):
            family = "transport"

            def on_reply(self, call, reply, past, rule):
                return Reply.say("NO!")

            def sentence(self):
                return "the model shouts"

        def test_it(dissonance):
            plan = [Rule(at=At(agent="judge"), fault=Shout())]
            dissonance.run(review, "draft", plan=plan, limits=FEW).check()
        """
    )
    line = replay_line(project.runpytest())
    project.runpytest(*shlex.split(line)[1:]).assert_outcomes(failed=1)


# --- async tests ------------------------------------------------------------------------------


def test_an_async_test_is_run_to_its_end(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.mark.chaos
        async def test_marked():
            await asyncio.sleep(0)
            assert False, "it was awaited"

        async def test_with_the_fixture(dissonance):
            await asyncio.sleep(0)
            assert False, "it was awaited"

        @pytest.mark.chaos
        @pytest.mark.parametrize("n", [1])
        async def test_that_passes(n, tmp_path):
            assert await asyncio.sleep(0, n) == 1
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=2, passed=1)
    assert result.outlines.count("E       AssertionError: it was awaited") == 2


def test_no_exception_is_being_handled_as_a_run_begins(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_context="""
            import sys

            def test_context(dissonance):
                assert dissonance.run(lambda task: str(sys.exception()), "x").result == "None"
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_a_run_inside_an_async_test_blocks_until_it_has_ended(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from review import ONCE, review

        async def test_it(dissonance):
            run = dissonance.run(review, "draft", plan=ONCE)
            run.check()
            assert (run.calls, run.tier) == (4, "T1")
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_other_async_tests_are_left_to_pytest(project: pytest.Pytester) -> None:
    project.makepyfile("async def test_it():\n    assert False, 'it was awaited'")
    result = project.runpytest()
    assert result.ret != pytest.ExitCode.OK
    assert "it was awaited" not in "\n".join(line for line in result.outlines if line.startswith("E "))


def test_another_async_plugin_goes_first(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys
        import pytest
        import anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.chaos
        @pytest.mark.anyio
        async def test_it():
            frame, names = sys._getframe(), set()
            import asyncio
            assert asyncio.current_task().get_coro().__name__ != "test_it"
        """
    )
    project.runpytest().assert_outcomes(passed=1)


# --- Hypothesis and xdist ---------------------------------------------------------------------

GIVEN = """
    import pytest
    from hypothesis import Phase, given, settings, strategies as st
    from review import NOBODY, ONCE, review
    from dissonance.harness import terminates

    @pytest.mark.chaos
    @settings(max_examples=20, deadline=None, database=None, phases=[Phase.generate])
    @given(task=st.text("ab", min_size=1, max_size=3), plan=st.sampled_from([ONCE, NOBODY]))
    {kind} test_it(dissonance, task, plan):
        dissonance.run(review, task, plan=plan).check(terminates(within_calls={calls}))
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_it_works_under_given(project: pytest.Pytester, kind: str) -> None:
    """Examples whose plan did not fire are discarded: they would be *unknown*."""
    project.makepyfile(GIVEN.format(kind=kind, calls=4))
    project.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_failing_example_is_replayed(project: pytest.Pytester, kind: str) -> None:
    project.makepyfile(GIVEN.format(kind=kind, calls=3))
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    line = replay_line(result)
    again = project.runpytest(*shlex.split(line)[1:])
    again.assert_outcomes(failed=1)


@pytest.mark.slow
def test_it_works_with_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(test_loop=LOOP, test_two=TWO)
    result = project.runpytest_subprocess("-n", "2", "-p", "no:hypothesispytest", "--dissonance-seed=7")
    result.assert_outcomes(passed=2, failed=1)
    runs = (project.path / ".dissonance" / "runs").glob("*/run.json")
    own = {seed_of(7, "test_loop.py::test_review_ends", 0), seed_of(7, "test_two.py::test_calm", 0)}
    own |= {seed_of(7, "test_two.py::test_stormy", 0), 5}
    assert {json.loads(run.read_bytes())["seed"] for run in runs} == own
    again = project.runpytest_subprocess("-n", "1", "-p", "no:hypothesispytest", *shlex.split(replay_line(result))[1:])
    again.assert_outcomes(failed=1)
