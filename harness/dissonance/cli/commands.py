"""What the commands on a workflow do, apart from reading the command line: probe, replay and check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dissonance.faults import BatteryPlan
from dissonance.harness import Limits, load_run
from dissonance.harness.errors import BadInput
from dissonance.harness.store import DEFAULT_STORE

from .inputs import SEARCHED_BY, check_out, named_checks, plans_to_try, read_limits, read_search, read_task
from .models import Answering, new_ledger, read_model
from .probe import Order, Probe, Searched
from .progress import Meter, metering
from .results import Findings, Tried
from .stored import Stored, compared, is_of_experiment, judged, played_again, read_stored
from .target import read_target

__all__ = ["Given", "check_run", "probe_target", "replay_stored"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line says; None is what it leaves out."""

    target: str | None = None
    task: str | None = None
    task_file: Path | None = None
    checks: str | None = None
    out: Path | None = None
    seed: int | None = None
    limits: Sequence[str] = ()
    model: str | None = None
    as_json: bool = False
    prove: bool = False

    def task_or(self, stored: object) -> Any:
        """The task that is given, else that of a stored run."""
        if self.task is None and self.task_file is None and stored is not None:
            return stored
        return read_task(self.task, self.task_file)


def probe_target(given: Given, plan: Path | None, search: int | None = None) -> int:
    """Try the standard battery, or one plan, on a target, or search it; the exit code."""
    names = named_checks(given.checks)
    plans = () if search is not None else plans_to_try(plan, names)
    runs = None if search is None else read_search(search, plan, given.prove)
    out = check_out(given.out or Path("dissonance-report"))
    order = Order(
        target=read_target(given.target or ""),
        task=given.task_or(None),
        store=out / "runs",
        seed=given.seed or 0,
        limits=read_limits(given.limits, Limits()),
        model=_model(given, None, out / "runs"),
        prove=given.prove,
    )
    if order.model.live and (given.prove or runs is not None):
        option = "--prove" if given.prove else f"--search {search}"
        raise BadInput(f"--model {given.model!r} and {option} are both given; the real API does not repeat itself")
    if runs is not None:
        return _told(_searched(order, runs, names or SEARCHED_BY, given.as_json), out, given.as_json)
    return _told(_tried_on(order, plans, given.as_json), out, given.as_json)


def replay_stored(path: Path, given: Given) -> int:
    """Play a stored run or a plan again; the exit code. Without ``--out`` no page is written."""
    names = named_checks(given.checks)
    out = None if given.out is None else check_out(given.out)
    if given.target is None and is_of_experiment(path):
        return _told(Findings(tried=[played_again(path, names)]), out, given.as_json)
    stored = read_stored(path, names)
    order = _order_again(path, stored, given, DEFAULT_STORE if out is None else out / "runs")
    findings = _tried_on(order, [stored.plan], given.as_json)
    again = [compared(each, stored.run if _is_same(order, stored) else None) for each in findings.tried]
    return _told(replace(findings, tried=again), out, given.as_json)


def check_run(path: Path, names: str | None, as_json: bool) -> int:
    """Judge a stored run again; the exit code."""
    tried = judged(load_run(path), named_checks(names))
    return _told(Findings(tried=[tried]), None, as_json)


def _order_again(path: Path, stored: Stored, given: Given, store: Path) -> Order:
    text = given.target or stored.target
    if text is None:
        what = "a plan names no workflow" if stored.run is None else "this run was not made by `dissonance probe`"
        raise BadInput(f"PLAN_OR_RUN {str(path)!r}: {what}; give the TARGET after it, and --task TEXT")
    return Order(
        target=read_target(text),
        task=given.task_or(stored.task),
        store=store,
        seed=stored.seed if given.seed is None else given.seed,
        limits=read_limits(given.limits, stored.limits),
        model=_model(given, stored, store),
        parameters=stored.parameters,
    )


def _model(given: Given, stored: Stored | None, store: Path) -> Answering:
    """The model that is given, else the stored run's own: but what costs money is asked for anew."""
    former = None if stored is None else stored.model
    if given.model is None and former is not None and read_model(former).live:
        raise BadInput(f"this run's model was {former!r}, which costs money: say so again by --model, or give another")
    return read_model(given.model or former, new_ledger(store))


def _is_same(order: Order, stored: Stored) -> bool:
    """Whether what is played is what was stored, so that the two runs must be equal."""
    target = order.target.text if stored.target is None else stored.target  # run() does not know how it was called
    now = (order.target.text, order.task, order.seed, order.limits, order.model.text)
    return now == (target, stored.task, stored.seed, stored.limits, stored.model or "gullible")


def _tried_on(order: Order, plans: Sequence[BatteryPlan], as_json: bool) -> Findings:
    """The baseline, then each plan. Interrupted, what there is so far."""
    tried: list[Tried] = []
    baseline: Tried | None = None
    interrupted = False
    with metering("baseline", quiet=as_json) as meter, Probe(order, meter.say) as probe:
        try:
            meter.at(0, len(plans) + 1)
            baseline = probe.baseline()
            if baseline.status == "pass":
                _try_all(probe, plans, tried, meter)
        except KeyboardInterrupt:
            interrupted = True
    return Findings(tried=tried, baseline=baseline, target=order.target.text, interrupted=interrupted)


def _searched(order: Order, runs: int, names: Sequence[str], as_json: bool) -> Findings:
    """The baseline, then a search for each check. Interrupted, what there is so far."""
    found: dict[str, Searched] = {}
    baseline: Tried | None = None
    interrupted = False
    with Probe(order, lambda line: print(line, file=sys.stderr)) as probe:
        try:
            baseline = probe.baseline()
            for name in names if baseline.status == "pass" else ():
                with metering(name, quiet=as_json) as meter:
                    found[name] = probe.search(runs, name, _from_the_tenth(meter))
        except KeyboardInterrupt:
            interrupted = True
    return Findings(
        tried=[each.tried for each in found.values()],
        baseline=baseline,
        target=order.target.text,
        interrupted=interrupted,
        told="\n\n".join(f"{name}: {each.told}" for name, each in found.items() if each.told),
        found={name: each.found for name, each in found.items()},
    )


def _from_the_tenth(meter: Meter) -> Callable[[int, int, str], None]:
    """The first run makes the baselines, too: how long the others take cannot be told by it."""
    return lambda made, most, what: meter.at(made, most, what) if made >= 10 else None


def _try_all(probe: Probe, plans: Sequence[BatteryPlan], tried: list[Tried], meter: Meter) -> None:
    rest = [each.name for each in plans[1:]] + [""]
    meter.at(1, len(plans) + 1, plans[0].name)
    for done, (each, following) in enumerate(zip(probe.attempt_all(plans), rest, strict=True), 2):
        tried.append(each)
        meter.at(done, len(plans) + 1, following)


def _told(findings: Findings, out: Path | None, as_json: bool) -> int:
    """Write the page, print the answer; the exit code."""
    if out is not None:
        from .report import write_findings

        findings = write_findings(findings, out)
    if as_json:
        print(json.dumps(findings.to_json(), indent=2, ensure_ascii=False))
    else:
        from .show import show_findings

        show_findings(findings)
    return findings.exit_code
