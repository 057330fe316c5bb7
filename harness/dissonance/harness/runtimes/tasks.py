"""How a task becomes a framework's input, where the framework wants named fields."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from dissonance.harness.errors import BadInput

__all__ = ["as_mapping", "one_of"]


def as_mapping(task: Any) -> dict[str, Any] | None:
    """The task, where it is a mapping or the text of a JSON object; None where it is not.

    >>> as_mapping('{"topic": "otters"}'), as_mapping("otters")
    ({'topic': 'otters'}, None)
    """
    if isinstance(task, Mapping):
        return dict(task)
    if isinstance(task, str) and task.lstrip().startswith("{"):
        try:
            read = json.loads(task)
        except ValueError:
            return None
        return read if isinstance(read, dict) else None
    return None


def one_of(task: Any, fields: Collection[str], owner: str) -> dict[str, Any]:
    """The task as the only one of these fields. Raises BadInput where there are several to choose from.

    >>> one_of("otters", ["topic"], "the crew")
    {'topic': 'otters'}
    """
    if len(fields) == 1:
        return {name: task for name in fields}
    example = json.dumps({name: "…" for name in sorted(fields)}, ensure_ascii=False)
    raise BadInput(f"task={task!r}: {owner} has the inputs {', '.join(sorted(fields))}; give an object, {example}")
