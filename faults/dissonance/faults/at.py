"""Where a rule applies: :class:`At`."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from dissonance.harness.call import Call, Endpoint
from dissonance.harness.moment import Moment

from .spec import Spec

__all__ = ["At"]

_Name = Annotated[str, Field(min_length=1)]


class At(Spec):
    """The calls that a rule applies to; all conditions given must hold, and none means every message call.

    * ``agent``: the agent's name, or a glob (``*``, ``?``, ``[abc]``), case-sensitive.
    * ``text``: text that the request contains, system prompt included, case-sensitive. So is one
      branch of a fan-out told from its twins.
    * ``tool``: the name of a tool that the request offers, or that was used in it.
    * ``endpoint``: ``messages``, ``count_tokens`` or ``models``.

    >>> At(agent="research*", text="ACME")
    At(agent='research*', text='ACME')
    """

    agent: _Name | None = None
    text: _Name | None = None
    tool: _Name | None = None
    endpoint: Endpoint = "messages"

    def matches(self, call: Call | Moment) -> bool:
        """Whether the call, or another moment of a run, is one of these."""
        if isinstance(call, Moment):
            named = self.agent is None or _fits(call.agent, self.agent)
            used = self.tool is None or self.tool == call.tool
            return named and used and (self.text is None or self.text in call.text)
        return (
            call.endpoint == self.endpoint
            and (self.agent is None or _fits(call.agent, self.agent))
            and (self.tool is None or self.tool in _tools_of(call))
            and (self.text is None or self.text in call.text)
        )

    def sentence(self) -> str:
        """In English: ``of agent 'judge', where the request contains 'ACME'``; empty for every message call."""
        parts = []
        if self.agent is not None:
            agents = "agents like" if set(self.agent) & set("*?[") else "agent"
            parts.append(f"of {agents} {self.agent!r}")
        if self.text is not None:
            parts.append(f"where the request contains {self.text!r}")
        if self.tool is not None:
            parts.append(f"where the tool {self.tool!r} is offered or used")
        if self.endpoint != "messages":
            parts.append(f"at the endpoint {self.endpoint}")
        return ", ".join(parts)


_fits = lru_cache(maxsize=4096)(fnmatchcase)
"""Whether a name fits a glob: each rule asks it of each call."""


def _tools_of(call: Call) -> Iterator[str]:
    yield from call.tool_names
    for message in call.messages:
        content = message.get("content")
        if not isinstance(content, str) and content is not None:
            yield from (str(block.get("name")) for block in content if block.get("type") == "tool_use")
