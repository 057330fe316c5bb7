"""Building blocks: the loops that agents' programs consist of, each under the same guards as a pattern.

``tool_loop`` is one agent with its tools; ``handoff`` is agents that pass one conversation on. Each takes a task
and gives an ``Outcome``; without guards, and with a model that never comes to an end, each loops for ever.
"""

from .handoff import handoff
from .tool_loop import tool_loop

__all__ = ["handoff", "tool_loop"]
