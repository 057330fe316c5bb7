"""The post-mortem of an incident: a crew that reads the logs, orders them in time, and writes the report.

Run it with ``ANTHROPIC_API_KEY`` set: ``python postmortem.py "checkout was down on 3 May"``.
"""

import sys
from collections.abc import Mapping
from typing import Any

from crewai import LLM, Agent, Crew, Process, Task
from crewai.tasks.task_output import TaskOutput
from crewai.tools import tool

MODEL = "anthropic/claude-sonnet-4-6"
LOGS: Mapping[str, str] = {
    "gateway": "14:02 checkout-db refused 212 connections; 14:31 pool raised to 400; 14:33 errors end",
    "deploys": "13:58 release 8812 of checkout, pool size 40",
}


@tool("read_logs")
def read_logs(system: str) -> str:
    """Read the logs of a system: gateway or deploys."""
    return "\n".join(f"{name}: {lines}" for name, lines in LOGS.items())


def is_report(output: TaskOutput) -> tuple[bool, Any]:
    """A guardrail: the report names a time from the logs and is not broken off."""
    text = output.raw.strip()
    if "14:0" not in text:
        return False, "Name the times that the logs give."
    return True, text


def postmortem_crew(*, careful: bool = True) -> Crew:
    """The crew; its input is ``incident``.

    ``careful``: agents begin once and not three times (the client tries again by itself), call tools eight times at most,
    have a time limit for a call, and the report passes a guardrail. Without it, all of it is as CrewAI has it.
    """
    model = LLM(model=MODEL, max_tokens=800, **({"timeout": 60, "max_retries": 4} if careful else {}))
    bounds: dict[str, Any] = {"max_iter": 8, "max_retry_limit": 0} if careful else {}
    investigator = Agent(
        role="investigator",
        goal="Find out what happened from the logs.",
        backstory="You have been on call for years.",
        tools=[read_logs],
        llm=model,
        **bounds,
    )
    writer = Agent(
        role="writer",
        goal="Write a post-mortem without blame: what happened, when, why, and what is done about it.",
        backstory="You write for people who were not there.",
        llm=model,
        **bounds,
    )
    investigate = Task(
        description="Investigate: {incident}. Read the logs.",
        expected_output="What happened, with times.",
        agent=investigator,
    )
    write = Task(
        description="Write the post-mortem of: {incident}.",
        expected_output="A post-mortem with a timeline.",
        agent=writer,
        context=[investigate],
        **({"guardrail": is_report, "guardrail_max_retries": 2} if careful else {}),
    )
    return Crew(agents=[investigator, writer], tasks=[investigate, write], process=Process.sequential)


if __name__ == "__main__":
    print(postmortem_crew().kickoff(inputs={"incident": sys.argv[1]}).raw)
