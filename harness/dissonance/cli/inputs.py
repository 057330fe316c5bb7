"""The command line's arguments, checked before anything runs or is written; each error is a BadInput."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

from dissonance.faults import BatteryPlan, FaultPlan, standard_battery
from dissonance.harness import Limits
from dissonance.harness.errors import BadInput, PlanError

from .catalogue import checks
from .target import near

__all__ = [
    "SEARCHED_BY",
    "check_out",
    "default_checks",
    "named_checks",
    "plans_to_try",
    "read_limits",
    "read_search",
    "read_task",
]

_MOST_BYTES = 10_000_000
"""Of a task file: ten times the largest context window, in bytes."""


def read_task(text: str | None, file: Path | None) -> str:
    """The task, from ``--task`` or ``--task-file``: exactly one of them, and not empty."""
    if text is not None and file is not None:
        raise BadInput(f"--task and --task-file {str(file)!r} are both given; give one of them")
    if text is None and file is None:
        raise BadInput("no task is given; give --task TEXT or --task-file FILE")
    task = _file_text(file) if file is not None else text or ""
    if not task.strip():
        source = f"--task-file {str(file)!r}" if file is not None else f"--task {text!r}"
        raise BadInput(f"{source}: the task is empty; give some text")
    return task


def _file_text(file: Path) -> str:
    where = f"--task-file {str(file)!r}"
    if file.is_dir():
        raise BadInput(f"{where} is a folder; give a text file")
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES:
            raise BadInput(f"{where}: {size:,} bytes are too many; give a text of at most {_MOST_BYTES:,}")
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{where} cannot be read: {reason}; give the path of a text file") from None
    return _decoded(data, where)


def _decoded(data: bytes, where: str) -> str:
    zero = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        zero = error.start if zero < 0 else min(zero, error.start)
    if zero >= 0:
        raise BadInput(
            f"{where} is not text: byte {data[zero]:#04x} at {zero}; give a UTF-8 text file, not a binary one"
        )
    return text


def check_out(out: Path) -> Path:
    """The folder for a report: it may exist, and must not be a file."""
    for place in (out, *out.parents):
        if place.is_dir():
            return out
        if place.exists() or place.is_symlink():
            raise BadInput(f"--out {str(out)!r}: {str(place)!r} is not a folder; give the path of a folder")
    return out


def named_checks(text: str | None) -> tuple[str, ...] | None:
    """The checks of ``--checks NAME,…``; None where the option is left out."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise BadInput(f"--checks {text!r} names no check; {near('', checks())}")
    for name in names:
        if name not in checks():
            raise BadInput(f"--checks {name!r}: there is no check of this name; {near(name, checks())}")
    return names


def read_limits(texts: Sequence[str], base: Limits) -> Limits:
    """The limits with those of ``--limit NAME=N`` in the place of their own."""
    return Limits(**(asdict(base) | dict(map(_limit, texts))))


def _limit(text: str) -> tuple[str, float]:
    name, equals, number = (part.strip() for part in text.partition("="))
    known = [each.name for each in fields(Limits)]
    if name not in known or not equals:
        raise BadInput(f"--limit {text!r}: give NAME=N, such as calls=100; {near(name, known)}")
    try:
        return name, int(number)
    except ValueError:
        pass
    try:
        return name, float(number)
    except ValueError:
        raise BadInput(f"--limit {text!r}: {number!r} is no number; give NAME=N, such as calls=100") from None


def plans_to_try(file: Path | None, names: Sequence[str] | None) -> tuple[BatteryPlan, ...]:
    """The plan of ``--plan``, judged by the named checks; without it the standard battery, with the named checks
    where they have something to look at."""
    if file is not None:
        plan = FaultPlan.load(file)
        if not plan.rules:
            raise PlanError(f"{file}: the plan has no rule, so nothing would be tried; add one")
        return (single(plan, file.stem, names),)
    battery = standard_battery()
    return battery if names is None else tuple(_narrowed(battery, names))


SEARCHED_BY = ("terminates", "no_silent_damage")
"""The checks of a search that is told of none."""


def read_search(runs: int, plan: Path | None, prove: bool) -> int:
    """The runs of ``--search``, which goes with neither ``--plan`` nor ``--prove``."""
    if runs < 1:
        raise BadInput(f"--search {runs}: give the number of runs that may be made, such as 1000")
    for option, given in (("--plan", plan is not None), ("--prove", prove)):
        if given:
            raise BadInput(f"--search {runs} and {option} are both given; give one of them")
    return runs


def single(plan: FaultPlan, name: str, names: Sequence[str] | None) -> BatteryPlan:
    """One plan of the user's, as though it stood in a battery."""
    chosen = default_checks(plan) if names is None else tuple(names)
    return BatteryPlan(name=name or "plan", question="Does it hold under this plan?", plan=plan, checks=chosen)


def default_checks(plan: FaultPlan) -> tuple[str, ...]:
    """``terminates``; where a fault damages what an agent receives, ``no_silent_damage`` too."""
    damaging = any(rule.fault.damages for rule in plan.rules)
    return ("terminates", "no_silent_damage") if damaging else ("terminates",)


def _narrowed(battery: Sequence[BatteryPlan], names: Sequence[str]) -> Iterator[BatteryPlan]:
    """The plans judged by the named checks. A check that some plan of the battery names is for those plans
    alone, since it has nothing to look at in the others; any other one is for all."""
    special = {name for each in battery for name in each.checks}
    for each in battery:
        kept = tuple(name for name in names if name in each.checks or name not in special)
        if kept:
            yield replace(each, checks=kept)
