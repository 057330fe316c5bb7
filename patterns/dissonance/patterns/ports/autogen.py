"""The six patterns in AutoGen. Each function gives a team; ``human_gate`` a coroutine of the task and the human.

As it comes, a team goes on until its termination condition holds, which is a word in somebody's reply, and half an
answer is an answer. Guarded:

* ``max_turns``: as many turns as the pattern needs, whatever is said in them.
* ``TimeoutTermination``: the whole team. ``task.cancel()`` does not end a team, this does.
* ``timeout`` of the client: one attempt at a call.
* a reply whose stop reason is not the end of a turn raises :class:`Unusable`; a team passes it on as RuntimeError.
* in ``human_gate`` a human's time ends, and the drafter has no tool that acts: as it comes, only its prompt keeps it
  from acting unasked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from dissonance.patterns.human import Human

from .settings import (
    CALL_SECONDS,
    DEFAULTS,
    ROUNDS,
    TOKENS,
    Role,
    Settings,
    Unusable,
    answered,
    approval,
    checked_roles,
    missing,
)

try:
    from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
    from autogen_agentchat.conditions import (
        HandoffTermination,
        TextMentionTermination,
        TextMessageTermination,
        TimeoutTermination,
    )
    from autogen_agentchat.messages import HandoffMessage
    from autogen_agentchat.teams import DiGraphBuilder, GraphFlow, RoundRobinGroupChat, SelectorGroupChat, Swarm
    from autogen_core.models import ModelFamily, ModelInfo
    from autogen_core.tools import FunctionTool
    from autogen_ext.models.anthropic import AnthropicChatCompletionClient
except ImportError as error:
    raise missing("autogen", error) from error

__all__ = ["APPROVE", "chain", "debate", "delegate", "fan_out", "human_gate", "supervise"]

APPROVE = "APPROVE"
"""The word that ends ``supervise`` and ``debate``, if the reviewer or the moderator says it."""

_TEAM_SECONDS = 20 * CALL_SECONDS
_VERDICT = f"Reply with {APPROVE}, or with REJECT and what is to be done better."


def chain(stages: Sequence[Role], settings: Settings = DEFAULTS) -> Any:
    """Each stage speaks once; it sees all that was said before it."""
    stages = checked_roles("stages", stages)
    return RoundRobinGroupChat(_agents(stages, settings), max_turns=len(stages), **_ended(settings))


def fan_out(branches: Sequence[Role], join: Role, settings: Settings = DEFAULTS) -> Any:
    """A graph: the branches at once, then ``join``."""
    branches = checked_roles("branches", branches)
    *workers, last = _agents([*branches, join], settings)
    graph = DiGraphBuilder()
    for agent in (*workers, last):
        graph.add_node(agent)
    for agent in workers:
        graph.add_edge(agent, last)
    bounds = {"max_turns": len(branches) + 1} if settings.guarded else {}
    return GraphFlow([*workers, last], graph=graph.build(), **bounds, **_ended(settings))


def supervise(worker: Role, reviewer: Role, settings: Settings = DEFAULTS) -> Any:
    """A model selects who speaks next, until the reviewer approves: one call more a turn where there is a choice."""
    agents = [_agent(worker, settings), _agent(reviewer, settings, _VERDICT)]
    return SelectorGroupChat(
        agents, model_client=_client(settings), **_turns(2 * ROUNDS, settings), **_ended(settings, reviewer)
    )


def delegate(head: Role, teams: Sequence[Sequence[Role]], settings: Settings = DEFAULTS) -> Any:
    """Each team is one member of the head's team (``SocietyOfMindAgent``), which says one thing for all of it."""
    if not teams:
        raise ValueError("teams=[]: give at least one team of roles")
    societies = [
        SocietyOfMindAgent(f"team_{number}", chain(members, settings), _client(settings))
        for number, members in enumerate(teams, 1)
    ]
    return RoundRobinGroupChat([*societies, _agent(head, settings)], max_turns=len(societies) + 1, **_ended(settings))


def debate(debaters: Sequence[Role], moderator: Role, settings: Settings = DEFAULTS) -> Any:
    """The debaters and the moderator speak in turn, until the moderator approves."""
    debaters = checked_roles("debaters", debaters)
    agents = [*_agents(debaters, settings), _agent(moderator, settings, _VERDICT)]
    return RoundRobinGroupChat(agents, **_turns(ROUNDS * len(agents), settings), **_ended(settings, moderator))


def human_gate(
    drafter: Role, act: Callable[[str], str], settings: Settings = DEFAULTS
) -> Callable[[str, Human], Awaitable[str]]:
    """A draft, a hand-off to the human, and ``act``.

    As it comes, a ``Swarm``: the drafter has the tool ``act`` and hands over to the human, who answers in the chat; the
    team's state is saved meanwhile and loaded into a new one. Guarded, the draft is asked about and done by code.
    """

    async def in_the_chat(task: str, human: Human) -> str:
        team = _swarm(drafter, act, settings)
        draft = _last(await team.run(task=task))
        state = await team.save_state()
        answer = await answered(human, approval(1, draft, settings))
        resumed = _swarm(drafter, act, settings)
        await resumed.load_state(state)
        said = answer.comment if answer.decision == "reject" else str(answer.value or "Approved.")
        return _last(await resumed.run(task=HandoffMessage(source="user", target=drafter.name, content=said)))

    async def by_code(task: str, human: Human) -> str:
        draft = _last(await chain([drafter], settings).run(task=task))
        answer = await answered(human, approval(1, draft, settings))
        if answer.decision == "reject":
            return f"Refused: {answer.comment}"
        return act(str(answer.value) if answer.decision == "edit" else draft)

    return by_code if settings.guarded else in_the_chat


# --- teams ------------------------------------------------------------------------------------


def _ended(settings: Settings, judge: Role | None = None) -> dict[str, Any]:
    """What ends a team: the judge's word, and time where it is guarded."""
    conditions: list[Any] = [] if judge is None else [TextMentionTermination(APPROVE, sources=[judge.name])]
    if settings.guarded:
        conditions.append(TimeoutTermination(_TEAM_SECONDS))
    if not conditions:
        return {}
    return {"termination_condition": conditions[0] if len(conditions) == 1 else conditions[0] | conditions[1]}


def _turns(most: int, settings: Settings) -> dict[str, Any]:
    return {"max_turns": most} if settings.guarded else {}


def _swarm(drafter: Role, act: Callable[[str], str], settings: Settings) -> Any:
    async def perform(action: str) -> str:
        return act(action)

    agent = AssistantAgent(
        drafter.name,
        model_client=_client(settings),
        system_message=f"{drafter.system} Ask the user for approval before you act.",
        tools=[FunctionTool(perform, name="act", description="Do this.")],
        handoffs=["user"],
        model_client_stream=settings.streamed,
    )
    said = TextMessageTermination(drafter.name)  # else the drafter speaks again, and Claude takes no prefill
    return Swarm([agent], termination_condition=HandoffTermination(target="user") | said)


def _last(result: Any) -> str:
    return str(result.messages[-1].content)


# --- agents -----------------------------------------------------------------------------------


def _agents(roles: Sequence[Role], settings: Settings) -> list[Any]:
    return [_agent(role, settings) for role in roles]


def _agent(role: Role, settings: Settings, addition: str = "") -> Any:
    return AssistantAgent(
        role.name,
        model_client=_client(settings),
        system_message=f"{role.system} {addition}".strip(),
        description=role.brief,
        model_client_stream=settings.streamed,
    )


def _client(settings: Settings) -> Any:
    kind, bounds = (_Whole, {"timeout": CALL_SECONDS}) if settings.guarded else (AnthropicChatCompletionClient, {})
    return kind(
        model=settings.model,
        max_tokens=TOKENS,
        model_info=ModelInfo(
            vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
        ),
        **bounds,
    )


class _Whole(AnthropicChatCompletionClient):  # type: ignore[misc]  # untyped where AutoGen is not installed
    """A client that gives whole replies, or raises Unusable."""

    async def create(self, *args: Any, **kwargs: Any) -> Any:
        return _checked(await super().create(*args, **kwargs))

    async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for part in super().create_stream(*args, **kwargs):
            yield part if isinstance(part, str) else _checked(part)


def _checked(result: Any) -> Any:
    if result.finish_reason not in ("stop", "function_calls"):
        raise Unusable(f"the reply ended with finish_reason={result.finish_reason!r}")
    return result
