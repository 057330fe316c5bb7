"""``dissonance sweep``: plans and parameters of a workflow, with many seeds, into one table."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dissonance.faults import BatteryPlan, FaultPlan, standard_battery
from dissonance.harness import Limits, ScriptedHuman
from dissonance.harness.errors import BadInput
from dissonance.harness.sweep import Arm, Engine, Progress, Swept, Trial, sweep

from .catalogue import checks
from .inputs import check_out, named_checks, read_limits, read_task, single
from .models import read_model
from .progress import Meter, metering
from .target import load_target, read_target

__all__ = ["Swept", "Wanted", "sweep_target"]

_RUNS_OF_A_CASE = 5
"""At most: the baseline, which is made twice, the run, and if it is kept, that once more; and some time to spare."""

_NONE = "none"
"""The arm without a fault."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line says of a new sweep; it is kept in the folder, where a later start finds it."""

    target: str
    task: str | None = None
    task_file: str | None = None
    plans: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    checks: str | None = None
    seeds: int = 10
    limits: tuple[str, ...] = ()
    model: str | None = None
    keep: bool = False


@dataclass(frozen=True)
class _Loaded:
    """A target, imported in each worker."""

    text: str

    def load(self) -> Any:
        found = _known.get(self.text)
        if found is None:
            found = _known[self.text] = load_target(read_target(self.text))
        return found


_known: dict[str, Any] = {}


def sweep_target(
    given: Wanted | None, folder: Path, *, engine: Engine, jobs: int, address: str | None, as_json: bool
) -> int:
    """Play a new sweep, or go on with the one of the folder (``given`` is None); the exit code."""
    check_out(folder)
    wanted = given if given is not None else _kept(folder)
    trial, grid = _trial(wanted, folder), _grid(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(Path.cwd()))
    try:
        swept = _swept(trial, grid, wanted, folder, engine, jobs, address, as_json)
    except KeyboardInterrupt:
        print(f"Interrupted; go on with: dissonance sweep {folder}", file=sys.stderr)
        return 130
    return _told(swept, as_json)


def _swept(
    trial: Trial,
    grid: dict[str, list[Any]],
    wanted: Wanted,
    folder: Path,
    engine: Engine,
    jobs: int,
    address: str | None,
    as_json: bool,
) -> Swept:
    with metering("sweep", quiet=as_json) as meter:
        return sweep(
            trial,
            grid,
            seeds=wanted.seeds,
            folder=folder,
            engine=engine,
            jobs=jobs,
            address=address,
            patience=_RUNS_OF_A_CASE * trial.limits.real_seconds,
            progress=lambda progress: _tell(meter, progress),
            notes={"command": asdict(wanted)},
        )


def _tell(meter: Meter, progress: Progress) -> None:
    if progress.done >= min(10, progress.total):  # the first runs tell how long the workers took to start
        meter.at(progress.done, progress.total, f"sweep, {progress}")


def _kept(folder: Path) -> Wanted:
    """What the sweep in this folder was asked for."""
    try:
        kept = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["notes"]["command"]
        return TypeAdapter(Wanted).validate_python(kept)
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(
            f"{str(folder)!r} holds no sweep of this command: give a TARGET and --task TEXT to begin one there"
        ) from None


def _trial(wanted: Wanted, folder: Path) -> Trial:
    target = read_target(wanted.target)
    where = str(Path(target.where).resolve()) if target.is_file else target.where
    names = named_checks(wanted.checks)
    arms = {_NONE: Arm(checks=_judges(names or ("terminates",)))}
    for each in _plans(wanted.plans, names):
        arms[each.name] = Arm(plan=each.plan, checks=_judges(names or each.checks))
    model = read_model(wanted.model, folder / "spent")
    named = {} if wanted.model is None else {"model": wanted.model}
    return Trial(
        workflow=_Loaded(f"{where}:{target.name}"),
        task=read_task(wanted.task, None if wanted.task_file is None else Path(wanted.task_file)),
        arms=arms,
        model=model,
        limits=read_limits(wanted.limits, Limits()),
        human=ScriptedHuman(),
        keep=folder / "runs" if wanted.keep else None,
        notes={"made_by": "dissonance sweep", "target": wanted.target, **named},
    )


def _judges(names: Sequence[str]) -> list[Any]:
    return [checks()[name]() for name in names]


def _plans(texts: Sequence[str], names: Sequence[str] | None) -> list[BatteryPlan]:
    """Plans by their files or by their names in the standard battery; without any, the whole of it."""
    battery = {each.name: each for each in standard_battery()}
    if not texts:
        return list(battery.values())
    return [battery[text] if text in battery else single(_file(text, battery), text, names) for text in texts]


def _file(text: str, battery: dict[str, BatteryPlan]) -> FaultPlan:
    if not Path(text).exists():
        raise BadInput(f"--plan {text!r}: there is no such file, and no plan {', '.join(battery)}")
    return FaultPlan.load(Path(text))


def _grid(wanted: Wanted) -> dict[str, list[Any]]:
    named = [each.name for each in _plans(wanted.plans, None)]
    grid: dict[str, list[Any]] = {"arm": [_NONE, *named]}
    for text in wanted.vary:
        name, equals, values = text.partition("=")
        if not (name.isidentifier() and equals and values) or name in grid:
            raise BadInput(f"--vary {text!r}: give NAME=VALUE,VALUE for a parameter of the workflow")
        grid[name] = [_value(value.strip()) for value in values.split(",")]
    return grid


def _value(text: str) -> Any:
    """A number, true, false or null as JSON has them; a text as it stands."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def _told(swept: Swept, as_json: bool) -> int:
    fails, unknown = swept.verdicts.get("fail", 0), swept.verdicts.get("unknown", 0)
    if as_json:
        told = {"folder": swept.folder, "table": swept.path, "runs": swept.runs, "played": swept.played}
        print(json.dumps({**told, "verdicts": swept.verdicts}, indent=2, default=str))
    else:
        from .show import show_swept

        show_swept(swept)
    return 1 if fails else 3 if unknown else 0
