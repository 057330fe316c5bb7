"""Which of the offered tools ``Gullible`` uses next."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from dissonance.harness.call import Call, JsonObject
from dissonance.harness.choices import deciding_tools, handoffs, used_tools
from dissonance.harness.history import History
from dissonance.harness.words import side_of, tokens_of

from .outputs import Output, outputs

__all__ = ["next_tools"]

_PARALLEL = re.compile(r"\b(?:in parallel|parallel tool|simultaneously|at once|at the same time|concurrently)\b", re.I)
_MOST_HANDOFFS = 8  # of one agent by one tool in a run: more of them only repeat what came to nothing


def next_tools(call: Call, past: History, accept: bool) -> Sequence[JsonObject]:
    """The tools to ask for in this reply: none once each has been used in this turn of the user.

    Those that work come first, those that hand over then, one at a time, and those that finish or
    decide last; of a pair that accepts and rejects, ``accept`` says which. Where a tool must be used,
    there is always one.
    """
    kind = (call.tool_choice or {}).get("type")
    if not call.tools or kind == "none":
        return ()
    over = handoffs(call)
    unused = _unused(call, accept)
    last = [tool for tool in unused if tool["name"] not in over and _finishes(tool["name"])]
    working = [tool for tool in unused if tool["name"] not in over and tool not in last]
    if working:
        return working if _in_parallel(call) else working[:1]
    handing = _handing([tool for tool in unused if tool["name"] in over], call, past)
    return (*handing, *last, *(call.tools if kind == "any" else ()))[:1]


def _unused(call: Call, accept: bool) -> list[JsonObject]:
    """The tools that were not used in this turn; of those that decide, the one that takes the branch."""
    barred = set(used_tools(call))
    accepting, rejecting = deciding_tools(call)
    if barred.intersection(accepting + rejecting):
        barred.update(accepting + rejecting)
    else:
        barred.update((rejecting if accept else accepting) + (accepting if accept else rejecting)[1:])
    return [tool for tool in call.tools if tool.get("name") and tool["name"] not in barred]


def _finishes(name: str) -> bool:
    words = tokens_of(name)
    return bool(words) and side_of(words[0]) is not None


def _in_parallel(call: Call) -> bool:
    return not (call.tool_choice or {}).get("disable_parallel_tool_use") and bool(_PARALLEL.search(call.system_text))


# --- handing over -----------------------------------------------------------------------------


def _handing(tools: Sequence[JsonObject], call: Call, past: History) -> list[JsonObject]:
    """Those that may be used: each once for a task, and none back to an agent that has handed over itself."""
    if not tools:
        return []
    said = [output for output in outputs(past) if output.tools]
    before = {output.agent for output in said if output.agent != call.agent and _hands_over(output)}
    mine = [output for output in said if output.agent == call.agent]
    return [tool for tool in tools if not _back(tool["name"], before) and not _done(tool["name"], mine, call)]


def _hands_over(output: Output) -> bool:
    return bool(handoffs(Call(id=-1, tools=[{"name": name} for name in output.tools])))


def _back(name: str, agents: Collection[str]) -> bool:
    words = tokens_of(name)
    return bool(agents) and ("back" in words or any(_within(_name(agent), words) for agent in agents))


def _name(agent: str) -> list[str]:
    return [word for word in tokens_of(agent) if word not in ("agent", "assistant")]


def _within(some: Sequence[str], words: Sequence[str]) -> bool:
    return any(words[i : i + len(some)] == some for i in range(len(words) - len(some) + 1)) if some else False


def _done(name: str, mine: Sequence[Output], call: Call) -> bool:
    """Whether this agent has handed over by this tool before, with something that stands in this request, or nothing."""
    uses = [output for output in mine if name in output.tools]
    return len(uses) >= _MOST_HANDOFFS or any(
        not output.lines or any(line in call.text for line in output.lines) for output in uses
    )
