"""The tiny workflow of the conformance suite in each framework: a researcher with a tool, then a writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MODEL = "claude-sonnet-4-6"
RESEARCHER = "Find out what is asked. Use the tool."
WRITER = "Write one paragraph from the notes."


def lookup(subject: str) -> str:
    """Look up a subject in the register of companies."""
    return f"{subject}: 12 employees since 2019"


# --- Claude's tool runner ---------------------------------------------------------------------


def claude_sync(streamed: bool = False) -> Callable[[str], Any]:
    from anthropic import Anthropic, beta_tool

    def play(task: str) -> Any:
        client = Anthropic()
        runner: Any = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=400,
            system=f"You are the researcher. {RESEARCHER}",
            tools=[beta_tool(lookup)],
            messages=[{"role": "user", "content": task}],
            stream=streamed,
        )
        notes = text_of(runner.until_done())
        system = f"You are the writer. {WRITER}"
        messages: Any = [{"role": "user", "content": notes}]
        if streamed:
            with client.messages.stream(model=MODEL, max_tokens=400, system=system, messages=messages) as stream:
                return text_of(stream.get_final_message())
        return text_of(client.messages.create(model=MODEL, max_tokens=400, system=system, messages=messages))

    return play


def claude_async(streamed: bool = False) -> Callable[[str], Any]:
    from anthropic import AsyncAnthropic, beta_async_tool

    async def look_up(subject: str) -> str:
        """Look up a subject in the register of companies."""
        return lookup(subject)

    async def play(task: str) -> Any:
        client = AsyncAnthropic()
        runner: Any = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=400,
            system=f"You are the researcher. {RESEARCHER}",
            tools=[beta_async_tool(look_up, name="lookup")],
            messages=[{"role": "user", "content": task}],
            stream=streamed,
        )
        notes = text_of(await runner.until_done())
        system = f"You are the writer. {WRITER}"
        messages: Any = [{"role": "user", "content": notes}]
        if streamed:
            async with client.messages.stream(model=MODEL, max_tokens=400, system=system, messages=messages) as stream:
                return text_of(await stream.get_final_message())
        return text_of(await client.messages.create(model=MODEL, max_tokens=400, system=system, messages=messages))

    return play


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

    async def researcher_async(state: Any) -> Any:
        return {"messages": [await armed.ainvoke(asked(state, RESEARCHER))]}

    async def writer_async(state: Any) -> Any:
        return {"messages": [await model.ainvoke(notes(state))]}

    def researcher(state: Any) -> Any:
        return {"messages": [armed.invoke(asked(state, RESEARCHER))]}

    def writer(state: Any) -> Any:
        return {"messages": [model.invoke(notes(state))]}

    def after(state: Any) -> str:
        return "tools" if getattr(state["messages"][-1], "tool_calls", None) else "writer"

    graph: Any = StateGraph(MessagesState)
    graph.add_node("researcher", researcher_async if asynchronous else researcher)
    graph.add_node("writer", writer_async if asynchronous else writer)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "researcher")
    graph.add_conditional_edges("researcher", after, ["tools", "writer"])
    graph.add_edge("tools", "researcher")
    graph.add_edge("writer", END)
    return graph.compile()


# --- CrewAI -----------------------------------------------------------------------------------


def crewai(streamed: bool = False) -> Any:
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    model = LLM(model=f"anthropic/{MODEL}", max_tokens=400, stream=streamed)
    researcher = Agent(
        role="researcher", goal=RESEARCHER, backstory="You keep a register.", llm=model, tools=[tool("lookup")(lookup)]
    )
    writer = Agent(role="writer", goal=WRITER, backstory="You write plainly.", llm=model)
    research = Task(description="{question}", expected_output="notes", agent=researcher)
    write = Task(description="Write it up.", expected_output="a paragraph", agent=writer, context=[research])
    crew = Crew(agents=[researcher, writer], tasks=[research, write])
    return crew


def crewai_async(streamed: bool = False) -> Callable[[str], Any]:
    async def play(task: str) -> Any:
        made: Any = crewai(streamed=streamed)
        return await made.akickoff(inputs={"question": task})

    return play


# --- AutoGen ----------------------------------------------------------------------------------


def autogen(streamed: bool = False) -> Any:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.teams import RoundRobinGroupChat
    from autogen_core.models import ModelFamily, ModelInfo
    from autogen_ext.models.anthropic import AnthropicChatCompletionClient

    client = AnthropicChatCompletionClient(
        model=MODEL,
        max_tokens=400,
        model_info=ModelInfo(
            vision=False, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
        ),
    )
    researcher = AssistantAgent(
        "researcher",
        model_client=client,
        tools=[lookup],
        system_message=RESEARCHER,
        reflect_on_tool_use=True,
        model_client_stream=streamed,
    )
    writer = AssistantAgent("writer", model_client=client, system_message=WRITER, model_client_stream=streamed)
    return RoundRobinGroupChat([researcher, writer], max_turns=2)
