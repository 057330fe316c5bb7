"""Fault-free workflows with tools and hand-offs end under ``Gullible`` after the calls that one would expect."""

from __future__ import annotations

from typing import Any

import pytest

TASK = "Write a notice: ACME opens its plant in Bonn on 3 March 2027. It employs 240 people."
DRAFT = "Write a notice: ACME opens its plant in Bonn on 3 March 2027.\nIt employs 240 people."


def _tool(tool: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": tool, "description": tool, "input_schema": schema}


TEXT = {"type": "string"}
SEARCH = _tool("search", query=TEXT)
THREE = [SEARCH, _tool("read_page", url={"type": "string", "format": "uri"}), _tool("calculate", expression=TEXT)]


async def _found(name: str, arguments: Any) -> str:
    return f"{name} found that BETA leads by 7 points."


async def one_tool(sdk: Any) -> Any:
    return await sdk.loop("You are the clerk. Use your tools.", TASK, [SEARCH], _found)


async def three_tools(sdk: Any) -> Any:
    return await sdk.loop("You are the clerk.", TASK, THREE, _found)


async def parallel_tools(sdk: Any) -> Any:
    return await sdk.loop("You are the clerk. Call independent tools in parallel.", TASK, THREE, _found)


async def two_questions(sdk: Any) -> list[str]:
    """A chat: the tool is used once for each question, though a text stands beside each result."""
    messages: list[Any] = []
    used = []
    for question in ("How many people does ACME employ?", "And how many does BETA employ?"):
        messages.append({"role": "user", "content": question})
        while True:
            reply = await sdk.ask("You are the clerk.", messages, tools=[SEARCH])
            messages.append({"role": "assistant", "content": [block.model_dump() for block in reply.content]})
            use = next((block for block in reply.content if block.type == "tool_use"), None)
            if use is None:
                break
            used.append(use.name)
            result = {"type": "tool_result", "tool_use_id": use.id, "content": "240 people."}
            messages.append({"role": "user", "content": [result, {"type": "text", "text": "Go on."}]})
    return used


async def forced_extraction(sdk: Any) -> Any:
    tool = _tool("record", name=TEXT, people={"type": "integer"})
    reply = await sdk.ask(
        "You are the clerk.", TASK, tools=[SEARCH, tool], tool_choice={"type": "tool", "name": "record"}
    )
    return reply.content[0].input


async def forced_route(sdk: Any) -> list[str]:
    """A supervisor whose choice is a forced tool."""
    forced = {
        "tools": [_tool("route", next={"enum": ["writer", "FINISH"]})],
        "tool_choice": {"type": "tool", "name": "route"},
    }
    notes, visited = TASK, []
    while (word := (await sdk.ask("You are the supervisor.", notes, **forced)).content[0].input["next"]) != "FINISH":
        visited.append(word)
        notes += "\n" + await sdk.say("You are the writer.", notes)
    return visited


async def approval_by_tools(sdk: Any) -> list[str]:
    used: list[str] = []

    async def use(name: str, arguments: Any) -> str:
        used.append(name)
        return "Done."

    tools = [_tool("reject_claim"), _tool("approve_claim"), _tool("fetch_document", id=TEXT)]
    await sdk.loop("You are the adjuster.", "Claim 17 of ACME over 900 euros.", tools, use)
    return used


async def swarm(sdk: Any) -> str:
    """Control moves by tools, in one shared conversation; each agent could hand back."""
    tools = {
        "triage": [_tool("transfer_to_refunds")],
        "refunds": [_tool("transfer_to_triage"), _tool("pay_refund", amount={"type": "number"})],
    }
    who = "triage"
    messages: list[Any] = [{"role": "user", "content": "Order 4711 of ACME arrived broken."}]
    while True:
        reply = await sdk.ask(f"You are the {who} agent.", messages, tools=tools[who])
        use = next((block for block in reply.content if block.type == "tool_use"), None)
        if use is None:
            return who
        who = use.name.removeprefix("transfer_to_") if use.name.startswith("transfer_to_") else who
        messages.append({"role": "assistant", "content": [block.model_dump() for block in reply.content]})
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "Carried out."}
        messages.append({"role": "user", "content": [result]})


async def relay(sdk: Any) -> list[str]:
    """Each hands over to any of the others; nobody is handed to twice."""
    names = ["planner", "analyst", "writer"]
    who, text, visited = "planner", TASK, ["planner"]
    while True:
        tools = [_tool(f"handoff_to_{name}", notes=TEXT) for name in names if name != who]
        reply = await sdk.ask(f"You are the {who}.", text, tools=tools)
        use = next((block for block in reply.content if block.type == "tool_use"), None)
        if use is None:
            return visited
        who, text = use.name.removeprefix("handoff_to_"), use.input["notes"]
        visited.append(who)


async def agents_as_tools(sdk: Any) -> Any:
    async def use(name: str, arguments: Any) -> str:
        return str(await sdk.say(f"You are the {name.removeprefix('delegate_to_')}.", arguments["task"]))

    tools = [_tool("delegate_to_researcher", task=TEXT), _tool("delegate_to_writer", task=TEXT)]
    return await sdk.loop("You are the orchestrator.", TASK, tools, use)


async def recursive_delegation(sdk: Any, task: str = TASK) -> Any:
    """An agent whose only tool calls the same agent again, with the task that it hands down."""

    async def use(name: str, arguments: Any) -> str:
        return str(await recursive_delegation(sdk, arguments["task"]))

    return await sdk.loop("You are the lead.", f"Current task: {task}", [_tool("delegate_task", task=TEXT)], use)


async def hierarchy(sdk: Any, level: int = 0, task: str = TASK) -> Any:
    """A director, a lead and a worker; each delegates by a tool of its own."""
    names = ("director", "lead", "worker")

    async def use(name: str, arguments: Any) -> str:
        return str(await hierarchy(sdk, level + 1, arguments["task"]))

    if level == 2:
        return await sdk.say("You are the worker.", task)
    tools = [_tool(f"delegate_to_{names[level + 1]}", task=TEXT)]
    return await sdk.loop(f"You are the {names[level]}.", task, tools, use)


async def any_tool_until_submitted(sdk: Any) -> list[str]:
    """A tool is demanded each time; the one that submits ends it."""
    used: list[str] = []
    messages: list[Any] = [{"role": "user", "content": TASK}]
    while "submit_answer" not in used:
        tools = [_tool("submit_answer", answer=TEXT), SEARCH]
        reply = await sdk.ask("You are the clerk.", messages, tools=tools, tool_choice={"type": "any"})
        used.append(reply.content[0].name)
        messages.append({"role": "assistant", "content": [block.model_dump() for block in reply.content]})
        result = {"type": "tool_result", "tool_use_id": reply.content[0].id, "content": "Carried out."}
        messages.append({"role": "user", "content": [result]})
    return used


FOUND = "{} found that BETA leads by 7 points."
ALL_FOUND = "\n".join([DRAFT, *(FOUND.format(tool["name"]) for tool in THREE)])
CASES: list[tuple[Any, list[str], object]] = [
    (one_tool, ["clerk"] * 2, f"{DRAFT}\n{FOUND.format('search')}"),
    (three_tools, ["clerk"] * 4, ALL_FOUND),
    (parallel_tools, ["clerk"] * 2, ALL_FOUND),
    (two_questions, ["clerk"] * 4, ["search", "search"]),
    (forced_extraction, ["clerk"], {"name": DRAFT.replace("\n", " "), "people": 1}),
    (forced_route, ["supervisor", "writer", "supervisor"], ["writer"]),
    (approval_by_tools, ["adjuster"] * 3, ["fetch_document", "approve_claim"]),
    (swarm, ["triage-agent", "refunds-agent", "refunds-agent"], "refunds"),
    (relay, ["planner", "analyst", "writer"], ["planner", "analyst", "writer"]),
    (agents_as_tools, ["orchestrator", "researcher", "orchestrator", "writer", "orchestrator"], DRAFT),
    (recursive_delegation, ["lead"] * 3, DRAFT),
    (hierarchy, ["director", "lead", "worker", "lead", "director"], DRAFT),
    (any_tool_until_submitted, ["clerk"] * 2, ["search", "submit_answer"]),
]


@pytest.mark.parametrize(("workflow", "agents", "result"), CASES, ids=[case[0].__name__ for case in CASES])
def test_it_ends_after_the_obvious_calls(play: Any, workflow: Any, agents: list[str], result: object) -> None:
    played = play(workflow, task=TASK)
    assert (played.agents, played.result) == (agents, result)
