"""The six patterns in CrewAI. ``chain``, ``fan_out`` and ``supervise`` give a crew, ``delegate`` and ``debate`` the class
of a flow, ``human_gate`` a coroutine of the task and the human.

As it comes, an agent whose call fails begins its task again twice, on top of the SDK's attempts; it may call 25 times
before it is made to answer; and half an answer is an answer. Guarded:

* ``max_retry_limit=0``: the SDK's own attempts are enough.
* ``max_iter``: how many calls an agent makes before it is made to answer.
* ``timeout`` of the model: one attempt at a call.
* a ``guardrail`` of each task: text that does not end as a sentence does is done once more, then an error. CrewAI keeps
  no stop reason, so that this is a guess by the text.
* in ``debate`` a count of rounds.
* in ``human_gate`` what was approved is done by code, and a human's time ends.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from dissonance.patterns.human import Human

from .settings import (
    CALL_SECONDS,
    DEFAULTS,
    ROUNDS,
    TOKENS,
    Role,
    Settings,
    answered,
    approval,
    briefing,
    checked_roles,
    missing,
)

try:
    from crewai import LLM, Agent, Crew, Process, Task
    from crewai.flow.flow import Flow, listen, or_, router, start
    from crewai.tools import tool
except ImportError as error:
    raise missing("crewai", error) from error

__all__ = ["APPROVE", "chain", "debate", "delegate", "fan_out", "human_gate", "supervise"]

APPROVE = "APPROVE"
"""The word with which the moderator of ``debate`` ends it."""

_ITERATIONS = 5
_VERDICT = f"Reply with {APPROVE}, or with REJECT and what is to be done better."


class Talk(BaseModel):
    """The state of a flow."""

    task: str = ""
    notes: list[str] = Field(default_factory=list)
    rounds: int = 0


class _Forgetful(Flow[Talk]):  # type: ignore[misc]  # untyped where CrewAI is not installed
    """A flow without the memory that each would get: a LanceDB on disk, with threads outside Python.

    It tells the terminal nothing: a flow has no ``verbose``, and fills the screen with a panel for each method.
    """

    _skip_auto_memory: ClassVar[bool] = True
    suppress_flow_events: bool = True


def chain(stages: Sequence[Role], settings: Settings = DEFAULTS) -> Any:
    """A task for each stage; its context is the task before it. The crew's input is ``task``."""
    agents = [_agent(role, settings) for role in checked_roles("stages", stages)]
    tasks: list[Any] = []
    for role, agent in zip(stages, agents, strict=True):
        tasks.append(_task(role, agent, settings, context=tasks[-1:]))
    return Crew(agents=agents, tasks=tasks, process=Process.sequential)


def fan_out(branches: Sequence[Role], join: Role, settings: Settings = DEFAULTS) -> Any:
    """A task with ``async_execution`` for each branch, and one that has them all as its context."""
    *workers, last = [_agent(role, settings) for role in (*checked_roles("branches", branches), join)]
    tasks = [_task(role, agent, settings, async_execution=True) for role, agent in zip(branches, workers, strict=True)]
    return Crew(agents=[*workers, last], tasks=[*tasks, _task(join, last, settings, context=tasks)])


def supervise(manager: Role, workers: Sequence[Role], settings: Settings = DEFAULTS) -> Any:
    """``Process.hierarchical``: a manager that delegates to its coworkers by a tool."""
    agents = [_agent(role, settings) for role in checked_roles("workers", workers)]
    lead = _agent(manager, settings, allow_delegation=True)
    task = Task(description="{task}", expected_output=manager.brief, **_guardrail(settings))
    return Crew(agents=agents, tasks=[task], process=Process.hierarchical, manager_agent=lead)


def delegate(head: Role, teams: Sequence[Sequence[Role]], settings: Settings = DEFAULTS) -> Any:
    """A flow of crews: each team is a crew, and the head gets their reports."""
    if not teams:
        raise ValueError("teams=[]: give at least one team of roles")

    class Delegation(_Forgetful):
        @start()
        async def work(self) -> None:
            for members in teams:
                self.state.notes.append(await _played(chain(members, settings), self.state.task))

        @listen(work)
        async def combine(self) -> str:
            return await _played(chain([head], settings), briefing(self.state.task, self.state.notes))

    return Delegation


def debate(debaters: Sequence[Role], moderator: Role, settings: Settings = DEFAULTS) -> Any:
    """A flow with a router: the debaters speak in turn, until the moderator approves."""
    debaters = checked_roles("debaters", debaters)
    judge = Role(moderator.name, f"{moderator.brief} {_VERDICT}")

    class Debate(_Forgetful):
        @start()
        def begin(self) -> None:
            return None

        @listen(or_(begin, "again"))
        async def argue(self) -> None:
            for role in debaters:
                prompt = briefing(self.state.task, self.state.notes[-len(debaters) :])
                self.state.notes.append(await _played(chain([role], settings), prompt))

        @router(argue)
        async def moderate(self) -> str:
            self.state.rounds += 1
            said = await _played(_bare(judge, settings), briefing(self.state.task, self.state.notes[-len(debaters) :]))
            spent = settings.guarded and self.state.rounds >= ROUNDS
            return "settled" if said.strip().startswith(APPROVE) or spent else "again"

        @listen("settled")
        def conclude(self) -> str:
            return str(self.state.notes[-1])

    return Debate


def human_gate(
    drafter: Role, act: Callable[[str], str], settings: Settings = DEFAULTS
) -> Callable[[str, Human], Awaitable[str]]:
    """A draft, a question to the human, and ``act``. As it comes, the drafter has ``act`` as a tool."""

    def perform(action: str) -> str:
        """Do this, once a human has approved of it."""
        return act(action)

    async def in_the_crew(task: str, human: Human) -> str:
        agent = _agent(drafter, settings, tools=[tool("act")(perform)])
        first = _task(drafter, agent, settings)
        draft = await _played(Crew(agents=[agent], tasks=[first]), task)
        answer = await answered(human, approval(1, draft, settings))
        said = answer.comment if answer.decision == "reject" else str(answer.value or "Approved.")
        return await _played(Crew(agents=[agent], tasks=[first]), briefing(task, [draft, said]))

    async def by_code(task: str, human: Human) -> str:
        draft = await _played(chain([drafter], settings), task)
        answer = await answered(human, approval(1, draft, settings))
        if answer.decision == "reject":
            return f"Refused: {answer.comment}"
        return act(str(answer.value) if answer.decision == "edit" else draft)

    return by_code if settings.guarded else in_the_crew


# --- crews ------------------------------------------------------------------------------------


async def _played(crew: Any, task: str) -> str:
    return str((await crew.akickoff(inputs={"task": task})).raw)


def _bare(role: Role, settings: Settings) -> Any:
    agent = _agent(role, settings)
    task = Task(description="{task}", expected_output=role.brief, agent=agent)
    return Crew(agents=[agent], tasks=[task])


def _agent(role: Role, settings: Settings, **how: Any) -> Any:
    bounds = {"max_iter": _ITERATIONS, "max_retry_limit": 0} if settings.guarded else {}
    return Agent(role=role.name, goal=role.brief, backstory=role.system, llm=_model(settings), **bounds, **how)


def _task(role: Role, agent: Any, settings: Settings, **how: Any) -> Any:
    return Task(description="{task}", expected_output=role.brief, agent=agent, **_guardrail(settings), **how)


def _model(settings: Settings) -> Any:
    bounds: dict[str, Any] = {"timeout": CALL_SECONDS} if settings.guarded else {}
    return LLM(model=f"anthropic/{settings.model}", max_tokens=TOKENS, stream=settings.streamed, **bounds)


def _guardrail(settings: Settings) -> dict[str, Any]:
    return {"guardrail": lambda output: _ends(output), "guardrail_max_retries": 1} if settings.guarded else {}


def _ends(output: Any) -> tuple[bool, Any]:
    text = output.raw.rstrip()
    if text.endswith((".", "!", "?", '"', "”", ")", "]", "}", "|", "`")):
        return True, output.raw
    return False, "The answer breaks off: give it whole."
