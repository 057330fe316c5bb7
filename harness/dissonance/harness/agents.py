"""Which agent made a call.

Asked in this order: the explicit context (``with agent("judge"):``), the runtime (a framework's
own notion of who is speaking, see :data:`runtime_agent`), the user's mapping, the system prompt
(``You are the judge.`` → ``judge``), and last a hash of system prompt and tools.

:class:`Ordinals` counts each agent's calls and tells a retry from a new call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar, Token
from functools import lru_cache
from hashlib import blake2b
from types import TracebackType
from typing import TypeAlias, final

from .call import Call, Endpoint, text_of
from .errors import BadInput

__all__ = [
    "Agents",
    "Ordinals",
    "agent",
    "attribute",
    "by_runtime",
    "checked_agents",
    "checked_name",
    "current_agent",
    "runtime_agent",
]

Agents: TypeAlias = Mapping[str, str] | Callable[[Call], str | None]
"""Who is who: a name for each text that the system prompt or the first user message contains, or a
function of the call (its ``agent`` is still empty) that gives a name or None."""

runtime_agent: list[Callable[[], str | None]] = []
"""Asked in order for the name of the agent that the running framework is working for; None passes on."""

_current: ContextVar[str | None] = ContextVar("dissonance_agent", default=None)


# --- the explicit context ---------------------------------------------------------------------


@final
class agent:
    """Names the agent that makes the calls inside: ``with agent("judge"): …``.

    It follows :mod:`asyncio` tasks and :func:`asyncio.to_thread`, as any context variable does; the
    innermost name holds. Raises :class:`BadInput` for a name that is empty, longer than 100
    characters, or not printable, or that holds ``*``, ``?`` or ``[`` (a plan addresses agents by globs).

    >>> with agent("judge"):
    ...     current_agent()
    'judge'
    """

    __slots__ = ("_name", "_tokens")

    def __init__(self, name: str) -> None:
        self._name = checked_name(name, "agent(name)")
        self._tokens: list[Token[str | None]] = []

    def __enter__(self) -> str:
        self._tokens.append(_current.set(self._name))
        return self._name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())


def current_agent() -> str | None:
    """The name given by the innermost ``with agent(…)``; None outside of any."""
    return _current.get()


def checked_name(name: object, argument: str) -> str:
    """The name, if an agent can have it; else :class:`BadInput` that names ``argument``."""
    if isinstance(name, str) and name == name.strip() and 0 < len(name) <= 100 and name.isprintable():
        if not set("*?[") & set(name):
            return name
    raise BadInput(
        f"{argument}: {name!r} cannot name an agent. Give 1 to 100 printable characters "
        "without `*`, `?`, `[` and without blanks at the ends, such as 'judge'."
    )


def checked_agents(agents: object, argument: str = "agents") -> Agents | None:
    """The mapping, if it is one; else :class:`BadInput`."""
    if agents is None or callable(agents):
        return agents
    if not isinstance(agents, Mapping):
        raise BadInput(f"{argument}: {agents!r} is neither a mapping {{name: text}} nor a function of a Call.")
    for name, text in agents.items():
        checked_name(name, argument)
        if not isinstance(text, str) or not text:
            raise BadInput(f"{argument}[{name!r}]: {text!r} is no text. Give a part of this agent's system prompt.")
    return agents


# --- attribution ------------------------------------------------------------------------------


def attribute(call: Call, agents: Agents | None = None) -> str:
    """The agent that makes this call, by the order of the module's docstring. ``call.agent`` is not looked at."""
    named = current_agent() or by_runtime()
    if named is None and agents is not None:
        named = _by_mapping(call, agents)
    return named or _by_prompt(call) or _by_hash(call)


def by_runtime() -> str | None:
    """The agent that a framework is working for here; None where none says so."""
    for ask in runtime_agent:
        if name := ask():
            return name
    return None


def _by_mapping(call: Call, agents: Agents) -> str | None:
    if callable(agents):
        name = agents(call)
        return None if name is None else checked_name(name, "agents(call)")
    prompt = call.system_text + "\n" + _first_user_text(call)
    return next((name for name, text in agents.items() if text in prompt), None)


def _first_user_text(call: Call) -> str:
    first = next((message for message in call.messages if message.get("role") == "user"), None)
    return "" if first is None else text_of(first.get("content"))


def _by_prompt(call: Call) -> str | None:
    prompt = call.system_text
    if prompt:
        return role_of(prompt)
    opening = _first_user_text(call)[:_OPENING].lstrip()
    return role_of(opening) if opening[:4].lower().startswith(("you ", "your", "you'", "role")) else None


_OPENING = 2_000
_END = (
    r"(?=\s*(?:[.,;:!?\n(\[]|$)|\s+(?:who|whom|that|which|whose|for|with|working|in|at|on|to|and|from|tasked|charged"
    r"|responsible|assigned|speciali[sz](?:ed|es|ing)|helping|named|called|given)\b|\s+[-\u2013\u2014])"
)
_SENTENCE = r"(?:^|(?<=[.!?:;])\s)[\W_]*"
_STATES = (
    r"(?!(?:responsible|tasked|charged|asked|given|going|in|not|about|able|required|expected|here|currently|free|allowed"
    r"|being|part|to|provided|done|finished|ready|sure|likely|one)\b)"
)
_ROLES = tuple(
    re.compile(pattern + r"(?P<role>[^\W_][^.,;:!?\n]{0,80}?)" + _END, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"{_SENTENCE}you(?: are|['\u2019]re) [^.,;:!?\n]{{0,40}}\b(?:named|called) [\"'`*_]*",
        rf"{_SENTENCE}you(?: are|['\u2019]re) (?:(?:now|acting as|playing) )?(?:(?:an?|the|our|my) )?[\"'`*_]*{_STATES}",
        r"\byour name is [\"'`*_]*",
        r"\byour role is (?:to be )?(?:(?:an?|the|that of an?|that of the) )?[\"'`*_]*",
        r"^\W*role\W*:\W*(?:(?:an?|the) )?",
        r"\bact as (?:(?:an?|the) )?[\"'`*_]*",
    )
)
_NOBODY = re.compile(
    r"^(?:(?:an?|the|very|highly|helpful|useful|harmless|friendly|good|great|expert|skilled|capable|smart|ai|llm|language"
    r"|large|claude|assistant|model|agent|bot|chatbot|made|created|built|trained|developed|by|anthropic)\b[\s-]*)+$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?:^| )[A-Z]$")  # "You are A.", "You are agent B."


@lru_cache(maxsize=1024)
def role_of(prompt: str) -> str | None:
    """The role that a prompt gives, as a slug; None where it gives none, or one that fits everybody.

    >>> role_of("You are a senior researcher who checks facts."), role_of("You are a helpful assistant.")
    ('senior-researcher', None)
    """
    return next((slug for slug in _roles(prompt[:_OPENING]) if slug), None)


def _roles(prompt: str) -> Iterator[str]:
    for pattern in _ROLES:
        for match in pattern.finditer(prompt):
            role = match["role"].strip()
            if _LETTER.search(role) or not _NOBODY.match(role):
                yield "-".join([word.strip("_") for word in re.findall(r"\w+", role.lower())][:5])


def _by_hash(call: Call) -> str:
    """A name for whoever has this system prompt and these tools: ``agent-`` and six hexadecimal digits."""
    content = json.dumps([call.system_text, list(call.tools)], sort_keys=True, ensure_ascii=False, default=str)
    return "agent-" + blake2b(content.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()


# --- ordinals ---------------------------------------------------------------------------------


class Ordinals:
    """Counts each agent's calls of each endpoint, from 1, and tells retries from new calls.

    The client's retry of a call has the same body and the next number in its retry header: it
    shares the call's ordinal and differs in ``attempt``. Of several open calls with equal bodies
    the youngest is taken whose last attempt fits; which of two equal concurrent calls is which,
    nobody can see.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Endpoint], int] = {}
        self._open: dict[tuple[str, Endpoint, Hashable], dict[int, int]] = {}

    def assign(self, agent: str, endpoint: Endpoint, body: Hashable, retry: int = 0) -> tuple[int, int]:
        """``(ordinal, attempt)`` of the request that now arrives; ``retry`` is its retry header, 0 for a new call.

        A retry of a call that is not known (its body was changed) counts as a new one, at its attempt.
        """
        if retry < 0:
            raise BadInput(f"retry: {retry!r} is not a count of retries. Give 0 for a new call.")
        calls = self._open.setdefault((agent, endpoint, body), {})
        ordinal = next((o for o in reversed(calls) if calls[o] == retry), None) if retry else None
        if ordinal is None:
            ordinal = self._counts.get((agent, endpoint), 0) + 1
            self._counts[agent, endpoint] = ordinal
        calls[ordinal] = retry + 1
        return ordinal, retry + 1

    def close(self, agent: str, endpoint: Endpoint, body: Hashable, ordinal: int) -> None:
        """The call has succeeded: no retry can belong to it any more. Without this it stays a candidate."""
        self._open.get((agent, endpoint, body), {}).pop(ordinal, None)
