"""What a workflow is to the harness: a callable of one task, or a factory of one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .errors import BadInput

__all__ = ["check_workflow", "name_of", "start"]

_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


def check_workflow(workflow: object) -> Callable[..., Any]:
    """The workflow, if it can be run: a callable, sync or async, of a task or of nothing. Raises BadInput."""
    if not callable(workflow):
        raise BadInput(
            f"workflow={workflow!r} is not callable: give a function of the task, or a function without arguments "
            "that makes one"
        )
    required = [p.name for p in _parameters(workflow) if _is_required(p) and p.name != "human"]
    if len(required) > _takes_task(workflow):
        raise BadInput(
            f"workflow={name_of(workflow)!r} needs the arguments {', '.join(required)}, but is called with the task "
            "alone: bind the others, as in functools.partial"
        )
    return workflow


def name_of(workflow: object) -> str:
    """How a workflow is called in a stored run."""
    inner = getattr(workflow, "func", workflow)  # functools.partial
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(name).replace("<locals>.", "").replace("<lambda>", "lambda")


def start(workflow: Callable[..., Any], task: Any, human: Any = None) -> Any:
    """Call it with the task; what it returns may be awaitable.

    One without positional parameters is a factory: what it makes is called with the task. One that
    makes nothing callable was the workflow itself.
    """
    made = _call(workflow, task, human)
    return _call(made, task, human) if not _takes_task(workflow) and callable(made) else made


def _call(function: Callable[..., Any], task: Any, human: Any) -> Any:
    keywords = {"human": human} if human is not None and _has_human(function) else {}
    return function(task, **keywords) if _takes_task(function) else function(**keywords)


def _takes_task(function: Callable[..., Any]) -> bool:
    return any(p.kind in _POSITIONAL and p.name != "human" for p in _parameters(function))


def _has_human(function: Callable[..., Any]) -> bool:
    return any(p.name == "human" for p in _parameters(function))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        return [inspect.Parameter("task", inspect.Parameter.POSITIONAL_ONLY)]


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in (
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
