"""Where a sweep's runs are played: in this process, in processes of this machine, on Dask or on Ray.

All but the first go through joblib. A run patches what a whole process shares, so a worker plays one run
at a time, whatever number of threads its cluster gives it.
"""

from __future__ import annotations

import atexit
import importlib
import pickle
import sys
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from dissonance.harness.errors import BadInput, DissonanceError
from dissonance.harness.run import many_runs

from .patience import Patience, Stuck

__all__ = ["ENGINES", "Engine", "WorkerDied", "check_engine", "played"]

Engine: TypeAlias = Literal["local", "dask", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

T = TypeVar("T")
R = TypeVar("R")

_DEATHS = ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker", "WorkerCrashedError", "ActorDiedError")
"""What the engines raise for a worker that is gone; each has a class of its own."""

_DEATHS_IN_A_ROW = 3
"""Of workers, without a single result in between, after which it is the work that kills them."""

_ROUND = 64
"""Runs a worker between two looks at what Ray has finished: its joblib gives results only all at once."""


class WorkerDied(DissonanceError):
    """Workers die of one of the items from the place ``first`` on."""

    def __init__(self, first: int, reason: str) -> None:
        super().__init__(reason)
        self.first = first


def check_engine(engine: str, jobs: int, address: str | None) -> None:
    """Raises BadInput where it cannot be used, so that nothing is begun."""
    if engine not in ENGINES:
        raise BadInput(f"engine={engine!r}: there is none of this name; give one of {', '.join(ENGINES)}")
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise BadInput(f"jobs={jobs!r}: give a number of workers from 1")
    if engine == "local":
        if address is not None:
            raise BadInput(f"address={address!r}: the local engine has none; choose engine='dask' or 'ray'")
        return
    try:
        importlib.import_module("distributed" if engine == "dask" else engine)
    except ImportError:
        raise BadInput(f"engine={engine!r} is not installed; install dissonance[{engine}]") from None


def played(
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    engine: Engine = "local",
    jobs: int = 1,
    address: str | None = None,
    patience: Patience | None = None,
) -> Iterator[tuple[int, R | Stuck]]:
    """The place of each item and what ``work`` gives for it, as it is done: in no certain order, each once.

    ``jobs`` is the number of workers, ``address`` that of a Dask scheduler or a Ray cluster (None: one is
    started here). ``work`` is sent to the workers once for each item, by cloudpickle, and unpacked once in
    each worker. What a worker was at when it died is done again; for what it was at when ``patience`` killed
    it there is :class:`Stuck`. Raises :class:`WorkerDied` where doing it again does not help, and what ``work`` raises.
    """
    if engine == "local" and jobs == 1:
        with many_runs():
            yield from enumerate(map(work, items))
        return
    import cloudpickle

    packed = pickle.dumps((sys.path, cloudpickle.dumps(work), patience))
    missing, done, deaths = array("q", range(len(items))), bytearray(len(items)), 0
    while missing:
        try:
            for place, result in _until_a_death(packed, items, missing, engine, jobs, address):
                if not done[place]:  # an engine may have done it again by itself
                    done[place] = True
                    deaths = 0
                    yield place, result
        except Exception as error:
            if type(error).__name__ not in _DEATHS:
                raise
            stuck = {} if patience is None else patience.ended()
            deaths = 0 if stuck else deaths + 1
            if deaths == _DEATHS_IN_A_ROW:
                reason = f"a worker died {deaths} times without giving a single result: {error}"
                raise WorkerDied(done.find(0), reason) from error
        else:
            return
        for place, instead in stuck.items():
            done[place] = True
            yield place, instead
        missing = array("q", (place for place in missing if not done[place]))


def _until_a_death(
    packed: bytes, items: Sequence[Any], places: Iterable[int], engine: Engine, jobs: int, address: str | None
) -> Iterator[tuple[int, Any]]:
    from joblib import Parallel, delayed

    call = delayed(_call_here if engine == "local" else _call)
    calls = (call(packed, place, items[place]) for place in places)
    with _BACKENDS[engine](jobs, address):
        if engine == "ray":
            while some := list(islice(calls, _ROUND * jobs)):
                yield from Parallel(n_jobs=jobs)(some)
        else:
            yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)


_one_at_a_time = threading.Lock()


def _call(packed: bytes, place: int, item: Any) -> tuple[int, Any]:
    with _one_at_a_time:
        work, patience = _unpacked(packed)
        with nullcontext() if patience is None else patience.over(place):
            return place, work(item)


def _call_here(packed: bytes, place: int, item: Any) -> tuple[int, Any]:
    """In a process that is there for nothing else."""
    _settle()
    return _call(packed, place, item)


@cache
def _settle() -> None:
    stay = many_runs()
    stay.__enter__()
    atexit.register(stay.__exit__, None, None, None)


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> tuple[Callable[[Any], Any], Patience | None]:
    path, work, patience = pickle.loads(packed)
    sys.path.extend(place for place in path if place not in sys.path)  # where this finds modules, a worker does
    return pickle.loads(work), patience


# --- engines ----------------------------------------------------------------------------------


@contextmanager
def _local(jobs: int, address: str | None) -> Iterator[None]:
    from joblib import parallel_config

    with parallel_config("loky", inner_max_num_threads=1):
        yield


@contextmanager
def _dask(jobs: int, address: str | None) -> Iterator[None]:
    distributed: Any = importlib.import_module("distributed")
    from joblib import parallel_config
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        """joblib's own one never hears of what Dask gave up, since each worker died of it, and waits for ever."""

        def submit(self, func: Any, callback: Any = None) -> Any:
            future = super().submit(func, callback)
            future.add_done_callback(lambda done: done.exception() is not None and callback(done))
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            return out.result() if isinstance(out, Future) else super().retrieve_result_callback(out)

    own = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**own) if address is None else distributed.Client(address) as client:
        with parallel_config(Backend(client=client)):
            yield


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[None]:
    ray: Any = importlib.import_module("ray")
    register: Any = importlib.import_module("ray.util.joblib")
    from joblib import parallel_config

    own = {"num_cpus": jobs, "include_dashboard": False} if address is None else {"address": address}
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level="ERROR", **own)
    try:
        register.register_ray()
        with parallel_config("ray"):
            yield
    finally:
        if started:
            ray.shutdown()


_BACKENDS: dict[Engine, Callable[[int, str | None], AbstractContextManager[None]]] = {
    "local": _local,
    "dask": _dask,
    "ray": _ray,
}
