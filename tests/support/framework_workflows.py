"""The workflow of the conformance suite in each framework: a researcher with a tool, a writer, a judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MODEL = "claude-sonnet-4-6"
RESEARCHER = "Find out what is asked. Use the tool."
WRITER = "Write one paragraph from the notes."
JUDGE = "Judge the paragraph. Reply with 'APPROVE' or 'REVISE'."


def lookup(subject: str) -> str:
    """Look up a subject in the register of companies."""
    return f"{subject}: 12 employees since 2019"


# --- Claude's tool runner ---------------------------------------------------------------------


def claude_sync(streamed: bool = False) -> Callable[[str], Any]:
    from anthropic import Anthropic, beta_tool

    def play(task: str) -> str:
        client = Anthropic()

        def ask(system: str, text: str) -> str:
            request: Any = {"model": MODEL, "max_tokens": 400, "system": system, "messages": user(text)}
            if not streamed:
                return text_of(client.messages.create(**request))
            with client.messages.stream(**request) as stream:
                return text_of(stream.get_final_message())

        runner: Any = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=400,
            system=f"You are the researcher. {RESEARCHER}",
            tools=[beta_tool(lookup)],
            messages=user(task),
            stream=streamed,
        )
        notes = text_of(runner.until_done())
        for _ in range(2):
            draft = ask(f"You are the writer. {WRITER}", notes)
            if "REVISE" not in ask(f"You are the judge. {JUDGE}", draft):
                break
        return draft

    return play


def claude_async(streamed: bool = False) -> Callable[[str], Any]:
    from anthropic import AsyncAnthropic, beta_async_tool

    async def look_up(subject: str) -> str:
        """Look up a subject in the register of companies."""
        return lookup(subject)

    async def play(task: str) -> str:
        client = AsyncAnthropic()

        async def ask(system: str, text: str) -> str:
            request: Any = {"model": MODEL, "max_tokens": 400, "system": system, "messages": user(text)}
            if not streamed:
                return text_of(await client.messages.create(**request))
            async with client.messages.stream(**request) as stream:
                return text_of(await stream.get_final_message())

        runner: Any = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=400,
            system=f"You are the researcher. {RESEARCHER}",
            tools=[beta_async_tool(look_up, name="lookup")],
            messages=user(task),
            stream=streamed,
        )
        notes = text_of(await runner.until_done())
        for _ in range(2):
            draft = await ask(f"You are the writer. {WRITER}", notes)
            if "REVISE" not in await ask(f"You are the judge. {JUDGE}", draft):
                break
        return draft

    return play


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


# --- LangGraph --------------------------------------------------------------------------------


def langgraph(asynchronous: bool = False, streamed: bool = False) -> Any:
    from langchain_anthropic import ChatAnthropic
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    model: Any = ChatAnthropic(model_name=MODEL, max_tokens_to_sample=400, timeout=60, stop=None, streaming=streamed)
    tools = [tool(lookup)]
    armed = model.bind_tools(tools)

    def asked(state: Any, system: str) -> list[Any]:
        return [("system", system), *state["messages"]]

    def notes(state: Any) -> list[Any]:
        return [("system", WRITER), ("user", str(state["messages"][-1].content))]

    def draft(state: Any) -> list[Any]:
        return [("system", JUDGE), ("user", str(state["messages"][-1].content))]

    async def researcher_async(state: Any) -> Any:
        return {"messages": [await armed.ainvoke(asked(state, RESEARCHER))]}

    async def writer_async(state: Any) -> Any:
        return {"messages": [await model.ainvoke(notes(state))]}

    async def judge_async(state: Any) -> Any:
        return {"messages": [await model.ainvoke(draft(state))]}

    def researcher(state: Any) -> Any:
        return {"messages": [armed.invoke(asked(state, RESEARCHER))]}

    def writer(state: Any) -> Any:
        return {"messages": [model.invoke(notes(state))]}

    def judge(state: Any) -> Any:
        return {"messages": [model.invoke(draft(state))]}

    def after(state: Any) -> str:
        return "tools" if getattr(state["messages"][-1], "tool_calls", None) else "writer"

    def judged(state: Any) -> str:
        rounds = sum("REVISE" in str(message.content) for message in state["messages"])
        return "writer" if "REVISE" in str(state["messages"][-1].content) and rounds < 2 else END

    graph: Any = StateGraph(MessagesState)
    graph.add_node("researcher", researcher_async if asynchronous else researcher)
    graph.add_node("writer", writer_async if asynchronous else writer)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "researcher")
    graph.add_conditional_edges("researcher", after, ["tools", "writer"])
    graph.add_edge("tools", "researcher")
    graph.add_node("judge", judge_async if asynchronous else judge)
    graph.add_edge("writer", "judge")
    graph.add_conditional_edges("judge", judged, ["writer", END])
    return graph.compile()


# --- CrewAI -----------------------------------------------------------------------------------


def crews(streamed: bool = False) -> tuple[Any, Any]:
    """A crew that researches and writes, and one that judges."""
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    model = LLM(model=f"anthropic/{MODEL}", max_tokens=400, stream=streamed)
    researcher = Agent(
        role="researcher", goal=RESEARCHER, backstory="You keep a register.", llm=model, tools=[tool("lookup")(lookup)]
    )
    writer = Agent(role="writer", goal=WRITER, backstory="You write plainly.", llm=model)
    judge = Agent(role="judge", goal=JUDGE, backstory="You are strict.", llm=model)
    research = Task(description="{question}", expected_output="notes", agent=researcher)
    write = Task(description="Write it up.", expected_output="a paragraph", agent=writer, context=[research])
    decide = Task(description="{draft}", expected_output="one word", agent=judge)
    return Crew(agents=[researcher, writer], tasks=[research, write]), Crew(agents=[judge], tasks=[decide])


def crewai(streamed: bool = False) -> Callable[[str], Any]:
    def play(task: str) -> str:
        writing, judging = crews(streamed)
        for _ in range(2):
            draft = writing.kickoff(inputs={"question": task}).raw
            if "REVISE" not in judging.kickoff(inputs={"draft": draft}).raw:
                break
        return str(draft)

    return play


def crewai_async(streamed: bool = False) -> Callable[[str], Any]:
    async def play(task: str) -> str:
        writing, judging = crews(streamed)
        for _ in range(2):
            draft = (await writing.akickoff(inputs={"question": task})).raw
            if "REVISE" not in (await judging.akickoff(inputs={"draft": draft})).raw:
                break
        return str(draft)

    return play


# --- AutoGen ----------------------------------------------------------------------------------


def autogen_client() -> Any:
    from autogen_core.models import ModelFamily, ModelInfo
    from autogen_ext.models.anthropic import AnthropicChatCompletionClient

    return AnthropicChatCompletionClient(
        model=MODEL,
        max_tokens=400,
        model_info=ModelInfo(
            vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
        ),
    )


def autogen(streamed: bool = False) -> Any:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.conditions import TextMentionTermination
    from autogen_agentchat.teams import RoundRobinGroupChat

    client = autogen_client()
    researcher = AssistantAgent(
        "researcher",
        model_client=client,
        tools=[lookup],
        system_message=RESEARCHER,
        max_tool_iterations=10,
        model_client_stream=streamed,
    )
    writer = AssistantAgent("writer", model_client=client, system_message=WRITER, model_client_stream=streamed)
    judge = AssistantAgent("judge", model_client=client, system_message=JUDGE, model_client_stream=streamed)
    accepted = TextMentionTermination("APPROVE", sources=["judge"])
    return RoundRobinGroupChat([researcher, writer, judge], termination_condition=accepted, max_turns=6)
