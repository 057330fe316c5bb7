"""The pytest plugin: the marker ``chaos``, the fixture ``dissonance``, and options that begin with ``--dissonance-``.

::

    @pytest.mark.chaos
    def test_review_loop_ends(dissonance):
        run = dissonance.run(review, "draft the notice", plan=[Rule(at=At(agent="judge"), fault=RejectWork())])
        run.check(terminates(within_calls=25))

* ``--dissonance-seed=N`` (or ``last``): what the seeds of the runs are drawn from, together with the test's name, so
  that they are the same on each worker of xdist;
* ``--dissonance-runs=N``: how often each test is repeated, with another seed; how many examples of one under ``@given``;
* ``--dissonance-profile=ci|staging|soak``: both of these at once, and Hypothesis's settings;
* ``--dissonance-replay=PLAN``: the plan of a stored run, or any plan, in the place of those that one test gives its runs;
* ``--dissonance-report=DIR``: the page of all runs, ``report.md``, and ``junit.xml`` where no other is asked for;
* ``--dissonance-prove``: the tests once more in a second process with another ``PYTHONHASHSEED``, which must record the
  same (examples that Hypothesis draws must not be drawn anew: use ``derandomize=True``).

All but the replay may stand in pytest's configuration file, as ``dissonance_seed`` and so on.

A test may be async: one that is marked ``chaos`` or takes the fixture is run to its end here, in real
time, unless a plugin for async tests has taken it. Nothing of the library is imported before a test uses it.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import re
import sys
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from os.path import relpath
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from dissonance.harness import Run
    from dissonance.plugin.profiles import Profile
    from dissonance.plugin.record import Ending, Record, Told
    from dissonance.plugin.replay import Replay

__all__ = ["Dissonance", "dissonance"]

_MARKER = "chaos: injects faults into an agent workflow; select with `-m chaos`"
_FIXTURE = "dissonance"
_REPETITION = "_dissonance_repetition"
_PROFILES = ("ci", "staging", "soak")
_DRAWS = 50
"""Plans of a space that are tried until one fires."""
_LAST_SEED = "dissonance/seed"


# --- the fixture ------------------------------------------------------------------------------


@final
class Dissonance:
    """What the fixture gives: :meth:`run`, which knows the current test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @property
    def seed(self) -> int:
        """The seed of this test's runs: of the session's seed, the test's name and its repetition."""
        from dissonance.plugin.profiles import seed_of

        state = self._config.stash[_STATE]
        item = _current(state)
        return seed_of(state.seed, _plain_name(item), _repetition(item))

    def run(self, workflow: Any, task: Any = None, *, plan: Any = None, seed: int | None = None, **options: Any) -> Run:
        """As :func:`dissonance.harness.run`, with the options of the command line; the replay line names this test.

        ``plan`` may be a ``Space``: the seed draws plans of it until one fires. ``seed``: default :attr:`seed`. Runs are stored in ``.dissonance/runs`` below pytest's root directory. In an
        async test it blocks until the run has ended. A Hypothesis example of whose plan nothing fired is discarded.
        """
        from dissonance.harness.store import DEFAULT_STORE

        state = self._config.stash[_STATE]
        item, replay = _current(state), state.replay if plan is not None else None
        if replay is not None:
            plan, seed = replay.plan, seed if replay.seed is None else replay.seed
            state.replayed = True
        seed = self.seed if seed is None else seed
        options = {"store": self._config.rootpath / DEFAULT_STORE, "replay": self._replay_template(item), **options}
        options["notes"] = {"test": item.nodeid, **options.get("notes", {})}
        made = _drawn(workflow, task, plan, seed, options)
        state.made(item, made)
        remark = None if replay is None else replay.remark(made)
        if remark is not None:
            state.record_of(item).remarks.append(remark)
        _steer(made)
        return made

    def _replay_template(self, item: pytest.Item) -> str:
        test = _address(item)
        # Double quotes, where they are safe: they also work in the shells of Windows.
        quoted = quote(test) if set(test) & set('"$`\\!') else f'"{test}"'
        option = "--dissonance-replay={run}/plan.json"
        return f"pytest {quoted} " + (f'"{option}"' if " " in str(self._config.rootpath) else option)


def _address(item: pytest.Item) -> str:
    """The test as one types it where pytest was called; a node id begins at the root directory instead."""
    return f"{relpath(item.path, item.config.invocation_params.dir)}::{_plain_name(item).partition('::')[2]}"


def _plain_name(item: pytest.Item) -> str:
    """The node id without the repetition, which ``--dissonance-runs`` has added to it."""
    return re.sub(r"\[\]$", "", re.sub(r"-?repetition\d+(?=[-\]])", "", item.nodeid).replace("[-", "["))


def _repetition(item: pytest.Item) -> int:
    callspec = getattr(item, "callspec", None)
    return 0 if callspec is None else int(callspec.params.get(_REPETITION, 0))


@pytest.fixture(scope="session")
def dissonance(pytestconfig: pytest.Config) -> Dissonance:
    """Runs a workflow with faults: ``dissonance.run(workflow, task, plan=…).check(…)``."""
    return Dissonance(pytestconfig)


@pytest.fixture(name=_REPETITION)
def _repeated(request: pytest.FixtureRequest) -> int:
    return int(getattr(request, "param", 0))


def _drawn(workflow: Any, task: Any, plan: Any, seed: int, options: dict[str, Any]) -> Run:
    """The run; of a space, that of the first plan of which anything fires, since any other would show nothing."""
    plans = _plans(plan, seed)
    made = _blocking(workflow, task, plan=next(plans), seed=seed, **options)
    for each in plans:
        if any(count.fired for count in made.faults.values()):
            break
        made = _blocking(workflow, task, plan=each, seed=seed, **options)
    return made


def _plans(plan: Any, seed: int) -> Iterator[Any]:
    if plan is None or isinstance(plan, list | tuple):
        yield plan
        return
    from dissonance.faults.space import Space, sample

    if isinstance(plan, Space):
        yield from (sample(plan, seed + number) for number in range(_DRAWS))
    else:
        yield plan


def _blocking(workflow: Any, task: Any, **options: Any) -> Run:
    from dissonance.harness import run
    from dissonance.harness.result import apart

    return apart(partial(run, workflow, task, **options))  # a run owns its loop, and this thread may have one already


def _steer(made: Run) -> None:
    """Under Hypothesis, discard an example of which nothing fired, and lead the search to long runs and deep cascades."""
    if "hypothesis" in sys.modules:
        from dissonance.faults.strategies import steer

        steer(made)


# --- the options ------------------------------------------------------------------------------


@dataclass
class _State:
    """What is going on: the seed, the current test and its runs, and the plan to replay, or why it is refused."""

    seed: int = 0
    item: pytest.Item | None = None
    record: Record | None = None
    replay_line: str | None = None
    replay: Replay | None = None
    replayed: bool = False
    refusal: str | None = None
    runs: dict[str, list[Path]] = field(default_factory=dict)
    records: list[Told] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def record_of(self, item: pytest.Item) -> Record:
        """The record of the current test."""
        from dissonance.plugin.record import Record

        if self.record is None:
            self.record = Record(item.nodeid)
        return self.record

    def made(self, item: pytest.Item, run: Run) -> None:
        """A test made a run; a second process, which is there to prove the first, also says so in its file."""
        self.record_of(item).add(run)
        self.replay_line = run.replay_line or self.replay_line
        if run.path is not None:
            self.runs.setdefault(item.nodeid, []).append(run.path)
            if _PROOF in os.environ:
                with open(os.environ[_PROOF], "a") as file:
                    file.write(json.dumps([item.nodeid, str(run.path)]) + "\n")


_PROOF = "DISSONANCE_PROOF"
"""Environment variable of the second process that ``--dissonance-prove`` starts."""

_STATE = pytest.StashKey[_State]()


def _current(state: _State) -> pytest.Item:
    assert state.item is not None, "a test is being run"
    return state.item


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dissonance", "dissonance: faults for agent workflows")
    for name, metavar, text in (
        ("seed", "N", "whole number that the runs' seeds are drawn from, or `last`: that of the last session"),
        ("runs", "N", "repetitions of each test that takes the fixture; examples of one under @given"),
        ("report", "DIR", "write a page of all runs, report.md and junit.xml into this folder"),
        ("profile", "NAME", "ci (repeats exactly), staging (a new seed each time) or soak (for hours)"),
    ):
        group.addoption(f"--dissonance-{name}", metavar=metavar, help=text)
        parser.addini(f"dissonance_{name}", f"default of --dissonance-{name}")
    text = "repeat the tests that made runs in a second process, in which strings hash otherwise: both must agree"
    group.addoption("--dissonance-prove", action="store_true", default=None, help=text)
    parser.addini("dissonance_prove", "default of --dissonance-prove", type="bool", default=False)
    group.addoption(
        "--dissonance-replay",
        metavar="PLAN",
        help="play the plan of this run's folder, or of this plan.json, in place of the selected test's own",
    )


def _given(config: pytest.Config, name: str) -> Any:
    """The option, else its twin in the configuration file; None where neither is given."""
    value = config.getoption(f"dissonance_{name}")
    return value if value is not None else config.getini(f"dissonance_{name}") or None


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Ask for ``junit.xml``, before pytest looks whether anybody does."""
    report = _given(config, "report")
    if report is not None and not getattr(config.option, "xmlpath", ""):
        config.option.xmlpath = str(config.invocation_params.dir / report / "junit.xml")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    state = config.stash[_STATE] = _State()
    config.pluginmanager.register(_Collector(state.records), "dissonance-collector")
    profile = _profile(config)
    runs = _runs(config)
    if profile is not None:
        from dissonance.plugin.profiles import load_settings

        load_settings(_given(config, "profile"), runs or profile.examples, profile.varied)
    state.seed = _seed(config, profile)
    report = _given(config, "report")
    if report is not None:
        _check_folder(config, report)
    if _given(config, "prove") and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("--dissonance-prove: the runs of several workers are not compared; leave -n out")
    given = config.getoption("dissonance_replay")
    if given is not None and not _plan_path(config, given).is_file():
        raise pytest.UsageError(
            f"--dissonance-replay={given}: there is no such plan; give the folder of a stored run, or a plan.json"
        )


def _profile(config: pytest.Config) -> Profile | None:
    name = _given(config, "profile")
    if name is None:
        return None
    if name not in _PROFILES:
        raise pytest.UsageError(f"--dissonance-profile={name}: give one of {', '.join(_PROFILES)}")
    from dissonance.plugin.profiles import PROFILES

    return PROFILES[name]


def _runs(config: pytest.Config) -> int | None:
    given = _given(config, "runs")
    if given is None:
        return None
    if not str(given).isdigit() or not int(given):
        raise pytest.UsageError(f"--dissonance-runs={given}: give a whole number above 0")
    return int(given)


def _repetitions(config: pytest.Config) -> int:
    profile = _profile(config)
    return _runs(config) or (1 if profile is None else profile.runs)


def _seed(config: pytest.Config, profile: Profile | None) -> int:
    given = _given(config, "seed")
    worker = getattr(config, "workerinput", {})
    if "dissonance_seed" in worker:
        return int(worker["dissonance_seed"])
    if given is None:
        return random.SystemRandom().randrange(2**32) if profile is not None and profile.varied else 0
    if given == "last":
        cache = _cache(config)
        last = None if cache is None else cache.get(_LAST_SEED, None)
        if last is None:
            raise pytest.UsageError("--dissonance-seed=last: no earlier session has left its seed in pytest's cache")
        return int(last)
    if not str(given).isdigit():
        raise pytest.UsageError(f"--dissonance-seed={given}: give a whole number, 0 or more, or `last`")
    return int(given)


def _cache(config: pytest.Config) -> pytest.Cache | None:
    """pytest's cache; None where its plugin is switched off."""
    return getattr(config, "cache", None)


def _check_folder(config: pytest.Config, given: str) -> None:
    folder = config.invocation_params.dir / given
    for place in (folder, *folder.parents):
        if place.is_dir():
            return
        if place.exists():
            raise pytest.UsageError(f"--dissonance-report={given}: {place} is not a folder; give the path of a folder")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Each worker of xdist draws from the controller's seed."""
    node.workerinput["dissonance_seed"] = node.config.stash[_STATE].seed


def pytest_report_header(config: pytest.Config) -> str | None:
    named = {name: _given(config, name) for name in ("profile", "runs", "report")}
    varied = named["profile"] in ("staging", "soak")
    parts = [f"seed {config.stash[_STATE].seed}"] if varied or _given(config, "seed") is not None else []
    parts += [f"{name} {value}" for name, value in named.items() if value is not None]
    replay = config.getoption("dissonance_replay")
    parts += [f"replaying {replay}"] * (replay is not None) + ["prove"] * bool(_given(config, "prove"))
    return f"dissonance: {', '.join(parts)}" if parts else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat each test that takes the fixture; one under ``@given`` gets more examples instead."""
    if _FIXTURE not in metafunc.fixturenames or hasattr(metafunc.function, "hypothesis"):
        return
    times = _repetitions(metafunc.config)
    if times > 1:
        metafunc.fixturenames.append(_REPETITION)
        ids = [f"repetition{number}" for number in range(times)]
        metafunc.parametrize(_REPETITION, range(times), ids=ids, indirect=True)


# --- a replay ---------------------------------------------------------------------------------


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


def _read_replay(config: pytest.Config, given: str, items: Sequence[pytest.Item]) -> Replay:
    from dissonance.plugin.replay import read_replay

    users = sum(_FIXTURE in getattr(item, "fixturenames", ()) for item in items)
    if users != 1:
        raise pytest.UsageError(
            f"--dissonance-replay={given}: {users} selected tests use the fixture `{_FIXTURE}`, "
            'but a plan is replayed in one; name it: pytest "tests/test_x.py::test_y"'
        )
    return read_replay(_plan_path(config, given))


# --- the end of the session -------------------------------------------------------------------


class _Collector:
    """Collects what each test has to tell; under xdist the controller hears of the workers' tests, too."""

    def __init__(self, records: list[Told]) -> None:
        self._records = records

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "dissonance", None)
        if told is not None:
            self._records.append(told)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Prove, if asked for; tell, and write the report, in the one process that has all records."""
    config, state = session.config, session.config.stash[_STATE]
    if hasattr(config, "workerinput") or _PROOF in os.environ:
        return
    if not state.records:
        return
    cache = _cache(config)
    if cache is not None:
        cache.set(_LAST_SEED, state.seed)
    if _given(config, "prove") and state.runs:
        _prove(session, state)
    report = _given(config, "report")
    if report is not None:
        _write_report(config, state, report)


def _prove(session: pytest.Session, state: _State) -> None:
    from dissonance.plugin.proof import prove

    config = session.config
    options = [f"--dissonance-seed={state.seed}"]
    options += [f"--dissonance-{name}={_given(config, name)}" for name in ("runs", "profile") if _given(config, name)]
    found = prove(state.runs, options, config.rootpath)
    state.lines = found or ["proved: a second process, in which strings hash otherwise, recorded the same"]
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_report(config: pytest.Config, state: _State, given: str) -> None:
    from dissonance.harness import BadInput
    from dissonance.harness.store import shown
    from dissonance.plugin.report import write

    folder = config.invocation_params.dir / given
    try:
        page = write(state.records, state.seed, folder)
    except (BadInput, OSError) as error:
        state.lines.append(f"no report: {error}")
        return
    state.lines.append(f"report: {shown(page or folder / 'report.md')}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    state = config.stash[_STATE]
    if not state.records:
        return
    from dissonance.plugin.summary import summary

    terminalreporter.section("dissonance")
    for line in summary(state.records, state.seed):
        terminalreporter.write_line(line)
    for line in state.lines:
        terminalreporter.write_line(f"dissonance: {line}")


# --- the current test -------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    state = item.config.stash[_STATE]
    state.item, state.replay_line, state.record = item, None, None
    if state.refusal is not None:
        pytest.fail(state.refusal, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that was to replay a plan and played none has shown nothing."""
    yield
    state = item.config.stash[_STATE]
    if state.replay is not None and not state.replayed and _FIXTURE in getattr(item, "fixturenames", ()):
        pytest.fail("--dissonance-replay: this test gave no run a plan, so that none was replayed", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of pytest's own wrapper, which knows skips and xfails
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell what the test did with its runs; where it failed, also below its traceback."""
    report = yield
    state = item.config.stash[_STATE]
    told = state.record.told(_ending(report)) if state.record and call.when == "call" else None
    if told is not None:
        from dissonance.plugin.record import properties

        found = list(properties(told))
        item.user_properties.extend(found)  # copied into the report of the teardown, which JUnit's XML reads
        report.user_properties.extend(found)
        vars(report)["dissonance"] = told
        if report.failed:
            _explain(report, told, str(call.excinfo and call.excinfo.value))
    return report


def _ending(report: pytest.TestReport) -> Ending:
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    return "failed" if report.failed else "passed"


def _explain(report: pytest.TestReport, told: Told, message: str) -> None:
    """What the message of the error does not say already."""
    from dissonance.plugin.summary import test_lines

    lines = [
        line for line in test_lines(told) if line.removeprefix("Replay: ") not in message and line != told["reason"]
    ]
    if lines:
        report.sections.append(("dissonance", "\n".join(lines)))


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
