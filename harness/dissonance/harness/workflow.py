"""What a workflow is to the harness: a callable of one task, one that can be resumed, or a factory of either."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, Self, final
from weakref import WeakKeyDictionary

from .errors import BadInput
from .runtimes import adapted

__all__ = ["Restartable", "Workflow", "check_workflow", "name_of", "takes_human"]

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_LENT = ("human", "folder")
"""Parameters of a workflow that the harness gives by name."""


@final
@dataclass(frozen=True, slots=True)
class Restartable:
    """A workflow that goes on after its process has died: ``start(task)``, and ``resume(task)`` in a new process.

    Both are sync or async. What they keep, they keep outside of themselves; one that takes ``folder`` gets a
    :class:`~pathlib.Path`, an empty folder at the start of each run and the same one in all its processes. Where the
    state lies elsewhere, give ``run()`` a factory that makes it and the Restartable anew.

    >>> Restartable(start=lambda task, folder: ..., resume=lambda task, folder: ...)  # doctest: +ELLIPSIS
    Restartable(...)
    """

    start: Callable[..., Any]
    resume: Callable[..., Any]


def check_workflow(workflow: object) -> Callable[..., Any] | Restartable:
    """The workflow, if it can be run: a callable, sync or async, of a task or of nothing. Raises BadInput."""
    if isinstance(workflow, Restartable):
        for part in (workflow.start, workflow.resume):
            check_workflow(part)
        return workflow
    if not callable(workflow):
        raise BadInput(
            f"workflow={workflow!r} is not callable: give a function of the task, an object of LangGraph, CrewAI or "
            "AutoGen, or a function without arguments that makes either"
        )
    required = [p.name for p in _parameters(workflow) if _is_required(p) and p.name not in _LENT]
    if len(required) > _takes_task(workflow):
        raise BadInput(
            f"workflow={name_of(workflow)!r} needs the arguments {', '.join(required)}, but is called with the task "
            "alone: bind the others, as in functools.partial"
        )
    return workflow


def name_of(workflow: object) -> str:
    """How a workflow is called in a stored run."""
    inner = workflow.start if isinstance(workflow, Restartable) else workflow
    inner = getattr(inner, "func", inner)  # functools.partial
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(name).replace("<locals>.", "").replace("<lambda>", "lambda")


def takes_human(workflow: object) -> bool:
    """Whether it has a parameter ``human``, as far as can be told without making it."""
    parts = (workflow.start, workflow.resume) if isinstance(workflow, Restartable) else (workflow,)
    return any(p.name == "human" for part in parts if callable(part) for p in _parameters(part))


class Workflow:
    """The workflow of one run, in one process after the other; a context manager that ends with the run's folder."""

    def __init__(self, workflow: Callable[..., Any] | Restartable, task: Any, human: Any) -> None:
        self._workflow = workflow
        self._task = task
        self._lent: dict[str, Any] = {} if human is None else {"human": human}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._parts = workflow if isinstance(workflow, Restartable) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def restartable(self) -> bool:
        """Whether it can be resumed; known once it was started."""
        return self._parts is not None

    def start(self) -> Any:
        """Call it with the task; what it returns may be awaitable.

        One without positional parameters is a factory: what it makes, be it a framework's object, is called with
        the task. One that makes nothing callable was the workflow itself.
        """
        if isinstance(self._workflow, Restartable):
            return self._call(self._workflow.start)
        made = self._call(self._workflow)
        if not _takes_task(self._workflow):
            made = adapted(made) or made
        if isinstance(made, Restartable):
            self._parts = made
            return self._call(made.start)
        return self._call(made) if not _takes_task(self._workflow) and callable(made) else made

    def resume(self) -> Any:
        """Call what goes on with it in a new process."""
        assert self._parts is not None
        return self._call(self._parts.resume)

    def _call(self, function: Callable[..., Any]) -> Any:
        names = {parameter.name for parameter in _parameters(function)}
        if "folder" in names and self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="dissonance-")
            self._lent["folder"] = Path(self._folder.name)
        keywords = {name: value for name, value in self._lent.items() if name in names}
        return function(self._task, **keywords) if _takes_task(function) else function(**keywords)


def _takes_task(function: Callable[..., Any]) -> bool:
    return any(p.kind in _POSITIONAL and p.name not in _LENT for p in _parameters(function))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    inner: Any = function
    bound: tuple[Any, ...] = ()
    if type(function) is partial:  # a sweep binds other values for each run
        inner, bound = function.func, (len(function.args), *function.keywords)
    if type(inner) is FunctionType and not (inner.__defaults__ or inner.__kwdefaults__ or vars(inner)):
        inner = inner.__code__  # or makes another function of it
    try:
        known = _known.setdefault(inner, {})
    except TypeError:  # it cannot be a key, or be referred to weakly
        return _read_parameters(function)
    if bound not in known:
        known[bound] = _read_parameters(function)
    return known[bound]


_known: WeakKeyDictionary[Any, dict[tuple[Any, ...], list[inspect.Parameter]]] = WeakKeyDictionary()
"""By function or its code, and by what ``functools.partial`` has bound of it: a run asks five times, a sweep makes thousands of runs."""


def _read_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        return [inspect.Parameter("task", inspect.Parameter.POSITIONAL_ONLY)]


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in (
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
