"""Where a sweep's runs are played: in this process, in processes of this machine, on Dask or on Ray.

All but the first go through joblib. A run patches what a whole process shares, so a worker plays one run
at a time, whatever number of threads its cluster gives it.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from dissonance.harness.errors import BadInput

__all__ = ["ENGINES", "Engine", "WorkerDied", "check_engine", "played"]

Engine: TypeAlias = Literal["local", "dask", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

T = TypeVar("T")
R = TypeVar("R")

_DEATHS = ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker", "WorkerCrashedError", "ActorDiedError")
"""What the engines raise for a worker that is gone; each has a class of its own."""

_ROUND = 64
"""Runs a worker between two looks at what Ray has finished: its joblib gives results only all at once."""


class WorkerDied(Exception):
    """A worker is gone, with what it was at work on."""


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
    work: Callable[[T], R], items: Sequence[T], *, engine: Engine = "local", jobs: int = 1, address: str | None = None
) -> Iterator[R]:
    """What ``work`` gives for each item, as it is done: in no certain order.

    ``jobs`` is the number of workers, ``address`` that of a Dask scheduler or a Ray cluster (None: one is
    started here). ``work`` is sent to the workers once for each item, by cloudpickle, and unpacked once in
    each worker. Raises :class:`WorkerDied`, and what ``work`` raises.
    """
    if engine == "local" and jobs == 1:
        yield from map(work, items)
        return
    import cloudpickle
    from joblib import Parallel, delayed

    packed = pickle.dumps((sys.path, cloudpickle.dumps(work)))
    call = delayed(_call)
    try:
        with _BACKENDS[engine](jobs, address):
            if engine == "ray":
                waiting = iter(items)
                while some := list(islice(waiting, _ROUND * jobs)):
                    yield from Parallel(n_jobs=jobs)(call(packed, item) for item in some)
            else:
                yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(call(packed, item) for item in items)
    except Exception as error:
        if type(error).__name__ in _DEATHS:
            raise WorkerDied(str(error)) from error
        raise


_one_at_a_time = threading.Lock()


def _call(packed: bytes, item: Any) -> Any:
    with _one_at_a_time:
        return _unpacked(packed)(item)


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Callable[[Any], Any]:
    path, work = pickle.loads(packed)
    sys.path.extend(place for place in path if place not in sys.path)  # where this finds modules, a worker does
    unpacked: Callable[[Any], Any] = pickle.loads(work)
    return unpacked


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

    own = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**own) if address is None else distributed.Client(address):
        with parallel_config("dask"):
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
