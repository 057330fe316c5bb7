"""A researcher and an analyst who reports, as the quickstart of CrewAI's documentation has them: a class of a crew.

https://docs.crewai.com/v1.11.1/en/quickstart, in other words, with the model id of Claude. The agents and tasks, which
stand in two YAML files there, are dictionaries here, and there is no tool that searches the web. CrewAI warns that it finds no files.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

from crewai import Agent, Crew, Process, Task
from crewai.project import CrewBase, agent, crew, task

MODEL = "anthropic/claude-sonnet-4-6"


@CrewBase
class ReportCrew:
    """Reports on a topic."""

    agents: list[Any]
    tasks: list[Any]

    @agent
    def researcher(self) -> Any:
        return Agent(
            role="{topic} researcher",
            goal="Find what is new in {topic}",
            backstory="You find what others overlook, and say it plainly.",
            llm=MODEL,
        )

    @agent
    def reporting_analyst(self) -> Any:
        return Agent(
            role="{topic} analyst",
            goal="Report on {topic} from the researcher's notes",
            backstory="You turn notes into reports that can be acted on.",
            llm=MODEL,
        )

    @task
    def research_task(self) -> Any:
        return Task(
            description="Look into {topic}.", expected_output="Up to ten notes on {topic}.", agent=self.researcher()
        )

    @task
    def reporting_task(self) -> Any:
        return Task(
            description="Make a section of each note.",
            expected_output="A report with a section for each note.",
            agent=self.reporting_analyst(),
        )

    @crew
    def crew(self) -> Any:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)
