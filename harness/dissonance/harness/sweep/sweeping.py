"""Playing a sweep: what is missing in its folder, until nothing is."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dissonance.harness.errors import BadInput

from .cases import Case, Grid, Row, Scalar, checked_row, whole_row
from .engines import Engine, WorkerDied, check_engine, played
from .patience import Patience, Stuck
from .progress import Progress, Swept, Told, quiet
from .segments import Segments
from .table import write_table

__all__ = ["sweep"]

SCHEMA = 1


def sweep(
    trial: Callable[[Case], Row],
    grid: Mapping[str, Sequence[Scalar]],
    *,
    seeds: int = 1,
    folder: str | Path,
    engine: Engine = "local",
    jobs: int = 1,
    address: str | None = None,
    patience: float = 300.0,
    progress: Told = quiet,
    notes: Mapping[str, Any] | None = None,
) -> Swept:
    """Play ``trial`` for every combination of the grid's values and each seed from 0, into one table.

    ``trial`` is pure and can be pickled (also by cloudpickle); one that has ``describe() -> JSON`` says so
    what its rows depend on, any other is known by its name alone. A folder with a part of the same sweep
    goes on with what is missing. ``jobs`` workers play on ``engine``; ``local`` with one works in this
    process. ``address`` is that of a running Dask scheduler or Ray cluster. A case that takes more than
    ``patience`` real seconds has its worker killed (the process that calls is none), and a row with the
    outcome ``killed``. ``progress`` is told after each run. ``notes`` are
    JSON that is kept with the sweep.

    :raises BadInput: an argument cannot be used, the folder holds another sweep or is damaged, or it cannot
        be written; what it holds is intact.
    """
    cases = Grid(grid, seeds)
    check_engine(engine, jobs, address)
    root = Path(folder)
    waiting = Patience(root / "stuck", patience)
    with _claimed(root, _about(trial, cases), notes or {}):
        waiting.ended()  # of a sweep that was killed itself
        segments = Segments(root / "segments", len(cases))
        try:
            told = _Told(progress, _counted(segments, len(cases)))
            before = segments.acknowledged
            if before < len(cases):
                _play_missing(_Played(trial), cases, segments, told, engine, jobs, address, waiting)
        finally:
            segments.close()
        path = root / "table.parquet"
        write_table(path, lambda: (whole_row(cases.case(number), row) for number, row in segments.rows()))
    verdicts = dict(sorted(told.state.verdicts.items()))
    return Swept(folder=root, path=path, runs=len(cases), played=len(cases) - before, verdicts=verdicts)


def _play_missing(
    work: _Played,
    cases: Grid,
    segments: Segments,
    told: _Told,
    engine: Engine,
    jobs: int,
    address: str | None,
    patience: Patience,
) -> None:
    """What is missing. A worker's death costs what was not acknowledged, which is played again."""
    missing = segments.missing()
    try:
        items = _Cases(cases, missing)
        for place, row in played(work, items, engine=engine, jobs=jobs, address=address, patience=patience):
            if isinstance(row, Stuck):
                row = _killed(missing[place], row, patience)
            segments.add(missing[place], row)
            told.one(row)
    except WorkerDied as death:
        raise BadInput(
            f"in one of the cases from {missing[death.first]}, {death}; mend the workflow, or play it with jobs=1 to "
            f"see what kills it. The {segments.acknowledged} results in the folder are intact"
        ) from death


def _killed(number: int, stuck: Stuck, patience: Patience) -> dict[str, Scalar]:
    """The row of a case that did not come back; beside the table stands where it was."""
    where = patience.folder / f"case-{number:06d}.txt"
    with suppress(OSError):  # its row is what matters, and is told of if the disk is full
        where.write_text(stuck.stacks, encoding="utf-8")
    reason = (
        f"it did not come back within {patience.seconds:g} s of real time, and its worker was killed; "
        f"{where.parent.name}/{where.name} says where it was"
    )
    return {"outcome": "killed", "verdict": "fail", "reason": reason}


@dataclass(frozen=True)
class _Played:
    """What a worker does for a case."""

    trial: Callable[[Case], Row]

    def __call__(self, case: Case) -> dict[str, Scalar]:
        return checked_row(self.trial(case), case)


class _Cases(Sequence[Case]):
    """Cases by their numbers, each made when it is asked for."""

    def __init__(self, grid: Grid, numbers: Sequence[int]) -> None:
        self._grid = grid
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._grid.case(self._numbers[index])


class _Told:
    def __init__(self, tell: Told, state: Progress) -> None:
        self._tell = tell
        self.state = state
        if state.done:
            tell(state)

    def one(self, row: Mapping[str, Any]) -> None:
        self.state.done += 1
        _count(self.state.verdicts, row)
        self._tell(self.state)


def _counted(segments: Segments, total: int) -> Progress:
    progress = Progress(segments.acknowledged, total)
    for _, row in segments.rows():
        _count(progress.verdicts, row)
    return progress


def _count(verdicts: Counter[str], row: Mapping[str, Any]) -> None:
    verdict = row.get("verdict")
    if isinstance(verdict, str):
        verdicts[verdict] += 1


# --- the folder -------------------------------------------------------------------------------


def _about(trial: Callable[[Case], Row], cases: Grid) -> dict[str, Any]:
    described = getattr(trial, "describe", None)
    name = f"{getattr(trial, '__module__', '')}.{getattr(trial, '__qualname__', type(trial).__qualname__)}"
    about = {
        "schema": SCHEMA,
        "version": version("dissonance"),
        "trial": described() if described else name,
        "grid": {name: list(values) for name, values in cases.values.items()},
        "seeds": cases.seeds,
    }
    plain: dict[str, Any] = json.loads(json.dumps(about, default=str))
    return plain


@contextmanager
def _claimed(root: Path, about: dict[str, Any], notes: Mapping[str, Any]) -> Iterator[None]:
    """The folder, held against other processes, once it is known to be this sweep's or new."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadInput(f"folder={str(root)!r} cannot be used: {error.strerror}; give another one") from None
    try:
        _hold(lock, root)
        _agree(root / "sweep.json", about, notes)
        yield
    finally:
        os.close(lock)


def _hold(lock: int, root: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadInput(f"folder={str(root)!r}: another process is at work on this sweep; wait for its end") from None


def _agree(path: Path, about: dict[str, Any], notes: Mapping[str, Any]) -> None:
    if not path.exists():
        try:
            temporary = path.with_name(path.name + ".new")
            temporary.write_text(
                json.dumps({**about, "notes": notes}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            os.replace(temporary, path)
        except OSError as error:
            raise BadInput(f"{str(path)!r} cannot be written: {error.strerror}; give another folder") from None
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(path)!r} is no sweep's description ({error}); give another folder") from None
    differ = [name for name in about if not isinstance(there, dict) or there.get(name) != about[name]]
    if differ:
        raise BadInput(
            f"folder={str(path.parent)!r} holds another sweep, which differs in {', '.join(differ)}; give another one"
        )
