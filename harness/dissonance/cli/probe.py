"""Trying plans on a workflow, each run in a child process: first without faults, then plan by plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from dissonance.faults import SCHEMA, BatteryPlan, FaultPlan, sentence
from dissonance.harness import Limits, Run, load_run
from dissonance.harness.checks.verdict import Status, Verdict
from dissonance.harness.errors import BadInput

from .catalogue import checks
from .killed import complete_killed, newest_folders
from .models import Answering
from .proof import HASH_SEEDS, proved
from .results import Tried
from .target import Target
from .worker import Gone, HarnessBroke, Unanswered, Worker

__all__ = ["Order", "Probe", "Searched"]

GRACE = 5.0
"""Real seconds beyond its limit that a run has for coming back, before its process is killed."""

IMPORT_SECONDS = 60.0
"""Real seconds that the import of the target may take."""

_ASKED = "What is the smallest plan that breaks it?"

_ADVICE = (
    "Run the workflow on its own and mend it. If it waits for words that the default model does not say, "
    "test it in Python with run(…, model=Scripted(…))."
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is probed: ``store`` is the folder that the runs' folders are made in; ``parameters`` go to the target, beside
    the task; ``prove``: each run twice.
    """

    target: Target
    task: Any
    store: Path
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    model: Answering = field(default_factory=Answering)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prove: bool = False


class Probe(AbstractContextManager["Probe"]):
    """A workflow under test, and the child process that it runs in, which is replaced when it dies."""

    def __init__(self, order: Order, tell: Callable[[str], None], hash_seed: str | None = None) -> None:
        self._order = order
        self._hash_seed = HASH_SEEDS[0] if order.prove else hash_seed
        self._twin: Probe | None = None
        if order.prove:
            again = replace(order, prove=False, store=order.store / "again")
            self._twin = Probe(again, lambda line: None, HASH_SEEDS[1])
        self._tell = tell
        self._took = self._baseline_took = 0.0
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.kill()
        if self._twin is not None:
            self._twin.__exit__()

    def baseline(self) -> Tried:
        """The run without any fault; *unknown* where it does not come to its end. Raises BadInput for the target."""
        bare = BatteryPlan(name="baseline", question="Does it work without any fault?", plan=FaultPlan(), checks=())
        tried = self.attempt(bare)
        self._baseline_took = self._took
        if tried.run is not None and tried.run.outcome in ("completed", "paused"):
            return tried  # whose only verdict, if any, is that it is not proved
        return replace(tried, verdicts=(_broken(tried),))

    def attempt_all(self, plans: Sequence[BatteryPlan]) -> Iterator[Tried]:
        """Each plan in turn; of several, one that nothing in the workflow answers to is not applicable."""
        for plan in plans:
            tried = self.attempt(plan)
            fired = tried.run is None or any(count.fired for count in tried.run.faults.values())
            doubtful = tried.status == "unknown" and not fired
            yield replace(tried, applicable=not (doubtful and len(plans) > 1))

    def attempt(self, plan: BatteryPlan) -> Tried:
        """One run under one plan; if asked for, proved by another one in a process of its own."""
        tried = self._attempt(plan)
        return tried if self._twin is None else proved(tried, self._twin.attempt(plan))

    def search(self, runs: int, check: str, progress: Callable[[int, int, str], None]) -> Searched:
        """A search for the smallest plan under which this check fails, all of whose runs are made in one child."""
        order = self._order
        plan = BatteryPlan(name=f"smallest plan ({check})", question=_ASKED, plan=FaultPlan(), checks=(check,))
        request = {**self._request(plan), "do": "search", "runs": runs}
        began = newest_folders(order.store)
        try:
            answer = self._running().ask(request, self._patience(), progress)
        except Gone as gone:
            self._worker = None
            return Searched(_tried(plan, *_what_is_left(gone, plan, order.store, began)))
        except HarnessBroke as error:
            self._tell(str(error))
            return Searched(_tried(plan, (_no_verdict(error),), None))
        except Unanswered as error:
            return Searched(_tried(plan, (_no_answer(error),), None))
        return _searched(plan, answer)

    def _attempt(self, plan: BatteryPlan) -> Tried:
        before = newest_folders(self._order.store)
        worker = self._running()
        began = time.monotonic()
        try:
            answer = worker.ask(self._request(plan), self._patience())
        except Gone as gone:
            self._worker = None
            return _tried(plan, *_what_is_left(gone, plan, self._order.store, before))
        except HarnessBroke as error:
            self._tell(str(error))
            return _tried(plan, (_no_verdict(error),), None)
        except Unanswered as error:
            return _tried(plan, (_no_answer(error),), None)
        finally:
            self._took = time.monotonic() - began
        return _tried(plan, _verdicts(answer), load_run(answer["run"]))

    def _request(self, plan: BatteryPlan) -> dict[str, Any]:
        order = self._order
        return {
            "do": "run",
            "task": order.task,
            "plan": plan.plan.describe(),
            "checks": plan.checks,
            "seed": order.seed,
            "limits": asdict(order.limits),
            "store": str(order.store),
            "parameters": dict(order.parameters),
            "model": {**asdict(order.model), "ledger": order.model.ledger and str(order.model.ledger)},
            "notes": {
                "made_by": "dissonance probe",
                "target": order.target.text,
                **({} if order.model == Answering() else {"model": order.model.text}),
                **({"parameters": dict(order.parameters)} if order.parameters else {}),
                "plan": plan.name,
                "question": plan.question,
                "checks": list(plan.checks),
            },
        }

    def _patience(self) -> float:
        """Real seconds for an answer: a new child makes the baseline anew, twice, before a run with a plan."""
        limit: float = self._order.limits.real_seconds
        return limit + 2 * self._baseline_took + GRACE

    def _running(self) -> Worker:
        if self._worker is None:
            self._worker = Worker(self._tell, self._hash_seed)
            try:
                self._worker.ask({"do": "load", "target": self._order.target.text}, IMPORT_SECONDS)
            except Gone as gone:
                self._worker = None
                raise BadInput(f"TARGET {self._order.target.text!r} cannot be imported: {gone}") from None
        return self._worker


@dataclass(frozen=True)
class Searched:
    """What a search gave, as a plan that was tried; what there is to say of it, for people and as JSON."""

    tried: Tried
    told: str = ""
    found: dict[str, Any] = field(default_factory=dict)


def _searched(plan: BatteryPlan, answer: dict[str, Any]) -> Searched:
    verdicts, run, problem = _verdicts(answer), None, answer["problem"]
    if answer["run"] is not None:
        run = load_run(answer["run"])
        plan = replace(plan, plan=FaultPlan.from_data({"schema": SCHEMA, "rules": run.plan}))
    elif problem is not None:
        verdicts = (Verdict(status="unknown", check="search", reason=problem, next=_ADVICE),)
    else:
        verdicts = (Verdict(status="pass", check="search", reason=answer["told"]),)
    return Searched(_tried(plan, verdicts, run), answer["told"], answer["found"])


def _verdicts(answer: dict[str, Any]) -> tuple[Verdict, ...]:
    return tuple(_verdict(each) for each in answer["verdicts"])


def _tried(plan: BatteryPlan, verdicts: tuple[Verdict, ...], run: Run | None) -> Tried:
    return Tried(name=plan.name, question=plan.question, sentence=sentence(plan.plan), verdicts=verdicts, run=run)


def _verdict(data: dict[str, Any]) -> Verdict:
    """From the child's JSON, which has lists."""
    return Verdict(**{**data, "evidence": tuple(data["evidence"]), "demoted_by": tuple(data["demoted_by"])})


def _broken(tried: Tried) -> Verdict:
    run, first = tried.run, next(iter(tried.verdicts), None)
    if run is None and first is not None:
        return replace(first, status="unknown", reason=f"baseline broken: {first.reason}", next=first.next or _ADVICE)
    how = "" if run is None else f"{run.outcome.replace('_', ' ')} ({run.error_text or run.stopped_by})"
    reason = f"baseline broken: without any fault the workflow {how}"
    return Verdict(
        status="unknown",
        check="baseline",
        reason=reason,
        next=_ADVICE,
        tier="T3" if run is None else run.tier,
        demoted_by=() if run is None else run.demoted_by,
    )


def _what_is_left(
    gone: Gone, plan: BatteryPlan, store: Path, before: frozenset[Path]
) -> tuple[tuple[Verdict, ...], Run | None]:
    """The verdicts on a run whose process is gone, and as much of the run as its folder holds."""
    why = f"{gone}, and its process was killed" if gone.killed else str(gone)
    run = complete_killed(store, before, why, stopped=gone.killed)
    if run is not None and run.history.calls():
        return run.judge(*(checks()[name]() for name in plan.checks)), run
    reason = f"stopped by the harness (real_seconds): {why}" if gone.killed else why
    status: Status = "fail" if gone.killed else "unknown"
    return (Verdict(status=status, check="terminates", reason=reason, tier="T3", demoted_by=(why,)),), run


def _no_answer(error: Unanswered) -> Verdict:
    """The model has nothing to say to what the workflow asked under this plan."""
    reason, _, remedy = str(error).partition("\n")
    return Verdict(status="unknown", check="model", reason=reason, next=remedy or "Give another --model.", tier="T3")


def _no_verdict(error: HarnessBroke) -> Verdict:
    last = str(error).rstrip().rpartition("\n")[2]
    advice = "The traceback stands on standard error; please report it."
    reason = f"the harness failed: {last}"
    return Verdict(status="unknown", check="harness", reason=reason, next=advice, tier="T3", demoted_by=(reason,))
