"""The pytest plugin: the marker ``chaos``, the fixture ``dissonance``, and options that begin with ``--dissonance-``.

::

    @pytest.mark.chaos
    def test_review_loop_ends(dissonance):
        run = dissonance.run(review, "draft the notice", plan=[Rule(at=At(agent="judge"), fault=RejectWork())])
        run.check(terminates(within_calls=25))

``--dissonance-prove`` repeats the tests in a second process with another ``PYTHONHASHSEED``, and fails
where a run has another history there (examples that Hypothesis draws must not be drawn anew: use
``derandomize=True``). ``--dissonance-seed=N`` is the seed of the runs that are given none. ``--dissonance-replay=PLAN`` puts the plan
of a stored run, or any plan, in the place of those that one selected test gives to its runs.

A test may be async: one that is marked ``chaos`` or takes the fixture is run to its end here, in real
time, unless a plugin for async tests has taken it. Nothing of the library is imported before a test uses it.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os.path import relpath
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from dissonance.faults import FaultPlan
    from dissonance.harness import Run

__all__ = ["Dissonance", "dissonance"]

_MARKER = "chaos: injects faults into an agent workflow; select with `-m chaos`"
_FIXTURE = "dissonance"


# --- the fixture ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Replay:
    """The plan that is played in place of a test's own; ``seed`` is the stored run's, None for a bare plan."""

    plan: FaultPlan
    seed: int | None


@final
class Dissonance:
    """What the fixture gives: :meth:`run`, which knows the current test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def run(self, workflow: Any, task: Any = None, *, plan: Any = None, seed: int | None = None, **options: Any) -> Run:
        """As :func:`dissonance.harness.run`, with the options of the command line; the replay line names this test.

        ``seed``: default ``--dissonance-seed``, else 0. Runs are stored in ``.dissonance/runs`` below
        pytest's root directory. In an async test it blocks until the run has ended. A Hypothesis
        example of whose plan nothing fired is discarded.
        """
        from dissonance.harness.store import DEFAULT_STORE

        state = self._config.stash[_STATE]
        item, replay = state.item, state.replay
        assert item is not None, "a test is being run"
        if replay is not None and plan is not None:
            plan, seed = replay.plan, seed if replay.seed is None else replay.seed
            state.replayed = True
        if seed is None:
            seed = self._config.getoption("dissonance_seed") or 0
        options = {"store": self._config.rootpath / DEFAULT_STORE, "replay": self._replay_template(item), **options}
        options["notes"] = {"test": item.nodeid, **options.get("notes", {})}
        made = _blocking(workflow, task, plan=plan, seed=seed, **options)
        if made.replay_line is not None:
            state.replay_line = made.replay_line
        if made.path is not None:
            state.made(item.nodeid, made.path)
        _discard_if_nothing_fired(made)
        return made

    def _replay_template(self, item: pytest.Item) -> str:
        test = _address(item)
        # Double quotes, where they are safe: they also work in the shells of Windows.
        quoted = quote(test) if set(test) & set('"$`\\!') else f'"{test}"'
        option = "--dissonance-replay={run}/plan.json"
        return f"pytest {quoted} " + (f'"{option}"' if " " in str(self._config.rootpath) else option)


def _address(item: pytest.Item) -> str:
    """The test as one types it where pytest was called; a node id begins at the root directory instead."""
    return f"{relpath(item.path, item.config.invocation_params.dir)}::{item.nodeid.partition('::')[2]}"


@pytest.fixture(scope="session")
def dissonance(pytestconfig: pytest.Config) -> Dissonance:
    """Runs a workflow with faults: ``dissonance.run(workflow, task, plan=…).check(…)``."""
    return Dissonance(pytestconfig)


def _blocking(workflow: Any, task: Any, **options: Any) -> Run:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from dissonance.harness import run

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run(workflow, task, **options)
    with ThreadPoolExecutor(1) as thread:  # a run owns its loop, and this thread has one already
        return thread.submit(partial(run, workflow, task, **options)).result()


def _discard_if_nothing_fired(made: Run) -> None:
    if made.plan and not any(count.fired for count in made.faults.values()):
        import hypothesis

        if hypothesis.currently_in_test_context():
            hypothesis.assume(False)


# --- the options ------------------------------------------------------------------------------


@dataclass
class _State:
    """What is going on: the current test, its latest run, and the plan to replay, or why it is refused."""

    item: pytest.Item | None = None
    replay_line: str | None = None
    replay: _Replay | None = None
    replayed: bool = False
    refusal: str | None = None
    runs: dict[str, list[Path]] = field(default_factory=dict)
    proof: list[str] = field(default_factory=list)

    def made(self, test: str, run: Path) -> None:
        """A test made a run; a second process, which is there to prove the first, also says so in its file."""
        self.runs.setdefault(test, []).append(run)
        if _PROOF in os.environ:
            with open(os.environ[_PROOF], "a") as file:
                file.write(json.dumps([test, str(run)]) + "\n")


_PROOF = "DISSONANCE_PROOF"
"""Environment variable of the second process: the file in which it names its runs."""

_STATE = pytest.StashKey[_State]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dissonance", "dissonance: faults for agent workflows")
    group.addoption(
        "--dissonance-seed",
        type=int,
        metavar="N",
        help="seed of the runs that are given none (default: 0)",
    )
    group.addoption(
        "--dissonance-prove",
        action="store_true",
        help="repeat the tests that made runs in a second process, in which strings hash otherwise: both must agree",
    )
    group.addoption(
        "--dissonance-replay",
        metavar="PLAN",
        help="play the plan of this run's folder, or of this plan.json, in place of the selected test's own",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_STATE] = _State()
    if config.getoption("dissonance_prove") and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--dissonance-prove: the runs of several workers are not compared; leave -n out")
    given = config.getoption("dissonance_replay")
    if given is not None and not _plan_path(config, given).is_file():
        raise pytest.UsageError(
            f"--dissonance-replay={given}: there is no such plan; give the folder of a stored run, or a plan.json"
        )


def pytest_report_header(config: pytest.Config) -> str | None:
    seed, replay = config.getoption("dissonance_seed"), config.getoption("dissonance_replay")
    parts = [f"seed {seed}"] * (seed is not None) + [f"replaying {replay}"] * (replay is not None)
    return f"dissonance: {', '.join(parts)}" if parts else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Read the plan to replay: only now are the test modules imported, which may define faults of their own."""
    config, state = session.config, session.config.stash[_STATE]
    given = config.getoption("dissonance_replay")
    if given is None or config.option.collectonly:
        return
    try:
        state.replay = _read_replay(config, given, session.items)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        state.refusal = str(error)  # xdist shows nothing of a worker but its tests


def _plan_path(config: pytest.Config, given: str) -> Path:
    path = config.invocation_params.dir / given
    return path / "plan.json" if path.is_dir() else path


def _read_replay(config: pytest.Config, given: str, items: Sequence[pytest.Item]) -> _Replay:
    from dissonance.faults import FaultPlan
    from dissonance.harness import PlanError

    users = sum(_FIXTURE in getattr(item, "fixturenames", ()) for item in items)
    if users != 1:
        raise pytest.UsageError(
            f"--dissonance-replay={given}: {users} selected tests use the fixture `{_FIXTURE}`, "
            'but a plan is replayed in one; name it: pytest "tests/test_x.py::test_y"'
        )
    path = _plan_path(config, given)
    try:
        return _Replay(FaultPlan.load(path), _stored_seed(path.with_name("run.json")))
    except PlanError as error:
        raise pytest.UsageError(f"--dissonance-replay: {error}") from None


def _stored_seed(about: Path) -> int | None:
    if not about.is_file():
        return None
    try:
        return int(json.loads(about.read_bytes())["seed"])
    except (OSError, ValueError, LookupError, TypeError):
        raise pytest.UsageError(f"--dissonance-replay: {about} has no seed: the run's folder is damaged") from None


# --- the proof --------------------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Repeat the tests that made runs, and compare what was recorded."""
    state = session.config.stash[_STATE]
    if not session.config.getoption("dissonance_prove") or not state.runs or _PROOF in os.environ:
        return
    again = _repeated(session.config, state)
    found = [line for test, runs in state.runs.items() for line in _compared(test, runs, again)]
    state.proof = found or ["proved: a second process, in which strings hash otherwise, recorded the same"]
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _repeated(config: pytest.Config, state: _State) -> dict[str, list[Path]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs"
        seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        given = config.getoption("dissonance_seed")
        options = [] if given is None else [f"--dissonance-seed={given}"]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *state.runs],
            cwd=config.rootpath,
            env={**os.environ, "PYTHONHASHSEED": seed, _PROOF: str(file)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        lines = file.read_text().splitlines() if file.exists() else []
    runs: dict[str, list[Path]] = {}
    for test, run in map(json.loads, lines):
        runs.setdefault(test, []).append(Path(run))
    return runs


def _compared(test: str, runs: list[Path], again: dict[str, list[Path]]) -> list[str]:
    from dissonance.harness import load_run
    from dissonance.harness.same import difference

    others = again.get(test, [])
    if len(runs) != len(others):
        return [f"not proved: {test} made {len(runs)} runs, and {len(others)} in a second process"]
    pairs = ((load_run(one), load_run(other)) for one, other in zip(runs, others, strict=True))
    found = (difference(one.history, other.history, one.tier) for one, other in pairs)
    return [f"not proved: {test}: a second process differs at {each}" for each in found if each]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[_STATE].proof:
        terminalreporter.write_line(f"dissonance: {line}")


# --- the current test -------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    state = item.config.stash[_STATE]
    state.item, state.replay_line = item, None
    if state.refusal is not None:
        pytest.fail(state.refusal, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that was to replay a plan and played none has shown nothing."""
    yield
    state = item.config.stash[_STATE]
    if state.replay is not None and not state.replayed and _FIXTURE in getattr(item, "fixturenames", ()):
        pytest.fail("--dissonance-replay: this test gave no run a plan, so that none was replayed", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the line that replays the latest run, where the test failed by an assertion of its own."""
    report = yield
    line = item.config.stash[_STATE].replay_line
    if report.failed and line is not None and line not in str(call.excinfo and call.excinfo.value):
        report.sections.append(("dissonance", f"Replay: {line}"))
    return report


# --- async tests ------------------------------------------------------------------------------


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test to its end. None leaves it to other plugins, and to pytest, which refuses it."""
    if pyfuncitem.get_closest_marker("chaos") is None and _FIXTURE not in pyfuncitem.fixturenames:
        return None
    given = getattr(pyfuncitem.obj, "hypothesis", None)  # @given: a sync function around the async one
    if given is not None and inspect.iscoroutinefunction(given.inner_test):
        given.inner_test = _synchronous(given.inner_test)
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _synchronous(pyfuncitem.obj)(**arguments)
    return True


def _synchronous(test: Callable[..., Coroutine[Any, Any, object]]) -> Callable[..., None]:
    import asyncio

    def call(*arguments: Any, **keywords: Any) -> None:
        asyncio.run(test(*arguments, **keywords))

    return call
