"""Fault-free workflows that talk in text and JSON end under ``Gullible`` after the calls that one would expect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

TASK = "Write a notice: ACME opens its plant in Bonn on 3 March 2027. It employs 240 people."
DRAFT = "Write a notice: ACME opens its plant in Bonn on 3 March 2027.\nIt employs 240 people."


def _object(**properties: Any) -> dict[str, Any]:
    """Asks for structured output: an object with these properties, all required."""
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


async def chain_of_three(sdk: Any) -> str:
    text = TASK
    for role in ("researcher", "writer", "editor"):
        text = await sdk.say(f"You are the {role}. Do your part and pass it on.", text)
    return text


async def critic_with_a_word(sdk: Any) -> Any:
    critic = "You are a critic. Give feedback. Respond with 'APPROVE' when your feedback is addressed."
    draft = await sdk.say("You are the primary. You write notices.", TASK)
    while "APPROVE" not in (review := await sdk.say(critic, draft)):
        draft = await sdk.say("You are the primary. You write notices.", f"{draft}\n\nFeedback: {review}")
    return draft


async def round_robin_chat(sdk: Any) -> list[str]:
    """Each sees the whole chat, its own lines as the assistant's, until somebody says APPROVE."""
    chat = [("user", TASK)]
    systems = {
        "primary": "You are the primary. Write the notice.",
        "critic": "You are the critic. Provide constructive feedback. Respond with 'APPROVE' once it is good.",
    }
    while "APPROVE" not in chat[-1][1]:
        who = ("primary", "critic")[(len(chat) - 1) % 2]
        lines = [{"role": "assistant" if name == who else "user", "content": text} for name, text in chat]
        chat.append((who, await sdk.say(systems[who], lines)))
    return [text for _, text in chat[1:]]


async def router(sdk: Any) -> str:
    task = "The technical manual of ACME's pump is missing page 4."
    answer = await sdk.say("You are the router.", task, **_object(route={"enum": ["billing", "technical", "sales"]}))
    route = json.loads(answer)["route"]
    return f"{route}: {await sdk.say(f'You are the {route} specialist.', task)}"


async def supervisor_with_finish(sdk: Any) -> list[str]:
    """The supervisor of the LangGraph tutorials: workers in a list, FINISH at its end."""
    system = (
        "You are a supervisor tasked with managing a conversation between the following workers: researcher, coder. "
        "Given the user request, respond with the worker to act next. When finished, respond with FINISH. "
        "Choose one of: researcher, coder, FINISH."
    )
    state: list[str] = [TASK]
    visited: list[str] = []
    while (word := await sdk.say(system, "\n\n".join(state))) != "FINISH":
        visited.append(word)
        state.append(f"{word}: " + await sdk.say(f"You are the {word}. Do your task.", "\n\n".join(state)))
    return visited


async def supervisor_by_schema(sdk: Any) -> list[str]:
    choice = _object(next={"type": "string", "enum": ["writer", "checker", "FINISH"]})
    notes, visited = TASK, []
    while (worker := json.loads(await sdk.say("You are the supervisor.", notes, **choice))["next"]) != "FINISH":
        visited.append(worker)
        notes += "\n" + await sdk.say(f"You are the {worker}.", notes)
    return visited


async def blind_supervisor(sdk: Any) -> list[str]:
    """It is never shown what its workers did."""
    system = "You are the boss. Pick the next worker, one of: miner, smith, FINISH."
    visited = []
    while (word := await sdk.say(system, "Make a ring.")) != "FINISH":
        visited.append(word)
        await sdk.say(f"You are the {word}.", "Work.")
    return visited


async def writer_and_editor(sdk: Any) -> Any:
    verdict = _object(approved={"type": "boolean"}, feedback={"type": "string"})
    draft = await sdk.say("You are the writer.", TASK)
    while not (said := json.loads(await sdk.say("You are the editor.", f"Draft:\n{draft}", **verdict)))["approved"]:
        draft = await sdk.say("You are the writer.", f"{draft}\n{said['feedback']}")
    return draft


async def judge_of_given_texts(sdk: Any) -> int:
    """No model wrote what it judges."""
    score = _object(score={"type": "integer", "minimum": 1, "maximum": 5}, reason={"type": "string"})
    rounds = 1
    while json.loads(await sdk.say("You are the judge.", f"Essay {rounds}: ACME is in Bonn.", **score))["score"] < 4:
        rounds += 1
    return rounds


async def judge_in_plain_json(sdk: Any) -> bool:
    system = 'You are the judge. Reply with JSON only: {"verdict": "accept" | "reject", "reason": "..."}'
    return bool(json.loads(await sdk.say(system, "ACME is in Bonn."))["verdict"] == "accept")


async def plan_in_the_prompt(sdk: Any) -> str:
    plan = await sdk.say('You are the planner. Respond with JSON only: {"steps": ["first step", "second step"]}', TASK)
    results = [await sdk.say("You are the worker.", step) for step in json.loads(plan)["steps"]]
    return str(await sdk.say("You are the reporter.", "\n".join(results)))


async def plan_by_schema(sdk: Any) -> list[str]:
    step = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
    answer = await sdk.say(
        "You are the planner.", TASK, **_object(plan={"type": "array", "items": step, "maxItems": 3})
    )
    tasks = [item["task"] for item in json.loads(answer)["plan"]]
    return list(await asyncio.gather(*(sdk.say("You are the worker.", task) for task in tasks)))


async def debate(sdk: Any) -> list[str]:
    """The debater that agrees ends it."""
    said: list[str] = []
    while not said or said[-1] != "I agree":
        who = "optimist" if len(said) % 2 == 0 else "pessimist"
        system = f'You are the {who}. Argue your position. If the other convinces you, reply with "I agree".'
        said.append(await sdk.say(system, "\n\n".join([TASK, *said])))
    return said


async def self_refinement(sdk: Any) -> str:
    """One agent, in its own conversation, until it says DONE."""
    messages: list[Any] = [{"role": "user", "content": TASK}]
    system = "You are the author. Improve the text. Say DONE when nothing is left."
    while (text := await sdk.say(system, messages)) != "DONE":
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "Continue."}]
    return str(messages[1]["content"])


async def fan_out_and_merge(sdk: Any) -> str:
    companies = {"ACME": 4, "BETA": 5, "GAMMA": 6}
    parts = await asyncio.gather(
        *(sdk.say(f"You are the analyst of {name}.", f"{name} grew by {n} %.") for name, n in companies.items())
    )
    return str(await sdk.say("You are the merger.", "\n\n".join(parts)))


async def selector_chat(sdk: Any) -> list[str]:
    """The prompt of AutoGen's SelectorGroupChat; the agents end it."""
    chat, visited = [f"user: {TASK}"], []
    while not chat[-1].endswith("TERMINATE"):
        selector = (
            "Your role is selector. You are in a role play game. The following roles are available:\nplanner: Plans.\ncoder: Codes.\n"
            "Read the following conversation. Then select the next role from ['planner', 'coder'] to play. "
            "Only return the role."
        )
        visited.append(await sdk.say(selector, "\n\n".join(chat)))
        system = f"You are the {visited[-1]}. When the task is complete, reply TERMINATE."
        chat.append(f"{visited[-1]}: {await sdk.say(system, 'The chat so far:' + chr(10) + chr(10).join(chat))}")
    return visited


async def react_in_text(sdk: Any) -> str:
    """An agent that must keep to the format of ReAct prompts, CrewAI's among them, or is asked again."""
    system = (
        "You are the researcher. You have these tools: search. Use the following format:\n\nThought: think\n"
        "Action: the action to take, one of [search]\nAction Input: its input\n\nOnce you know enough:\n\n"
        "Thought: I now know the final answer\nFinal Answer: the final answer"
    )
    messages: list[Any] = [{"role": "user", "content": f"Current Task: {TASK}\n\nBegin!\n\nThought:"}]
    while "Final Answer:" not in (text := await sdk.say(system, messages)):
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "I did not understand."}]
    return str(text.partition("Final Answer: ")[2])


async def plan_and_replan(sdk: Any) -> list[str]:
    """The plan-and-execute of the LangGraph tutorials, in plain JSON."""
    replanner = 'You are the replanner. Respond with JSON: {"action": "respond" | "plan", "steps": ["..."]}'
    steps = json.loads(await sdk.say("You are the planner. Output a JSON array of strings, one a step.", TASK))
    done: list[str] = []
    while steps:
        done.append(await sdk.say("You are the executor.", steps[0]))
        again = json.loads(await sdk.say(replanner, f"Objective: {TASK}\nDone: {done}\nRemaining: {steps[1:]}"))
        steps = again["steps"] if again["action"] == "plan" else []
    return done


CASES: list[tuple[Any, list[str], object]] = [
    (chain_of_three, ["researcher", "writer", "editor"], DRAFT),
    (critic_with_a_word, ["primary", "critic"], DRAFT),
    (round_robin_chat, ["primary", "critic"], [DRAFT, "APPROVE"]),
    (router, ["router", "technical-specialist"], "technical: The technical manual of ACME's pump is missing page 4."),
    (supervisor_with_finish, ["supervisor", "researcher", "supervisor"], ["researcher"]),
    (supervisor_by_schema, ["supervisor", "writer", "supervisor"], ["writer"]),
    (blind_supervisor, ["boss", "miner", "boss"], ["miner"]),
    (writer_and_editor, ["writer", "editor"], DRAFT),
    (judge_of_given_texts, ["judge"], 1),
    (judge_in_plain_json, ["judge"], True),
    (plan_in_the_prompt, ["planner", "worker", "worker", "reporter"], DRAFT),
    (plan_by_schema, ["planner", "worker", "worker"], DRAFT.split("\n")),
    (debate, ["optimist", "pessimist"], [DRAFT, "I agree"]),
    (selector_chat, ["selector", "planner"] * 2, ["planner", "planner"]),
    (react_in_text, ["researcher"], DRAFT),
    (plan_and_replan, ["planner", "executor", "replanner"], DRAFT.split("\n")[:1]),
    (self_refinement, ["author", "author"], DRAFT),
    (
        fan_out_and_merge,
        ["analyst-of-acme", "analyst-of-beta", "analyst-of-gamma", "merger"],
        "ACME grew by 4 %.\nBETA grew by 5 %.\nGAMMA grew by 6 %.",
    ),
]


@pytest.mark.parametrize(("workflow", "agents", "result"), CASES, ids=[case[0].__name__ for case in CASES])
def test_it_ends_after_the_obvious_calls(play: Any, workflow: Any, agents: list[str], result: object) -> None:
    played = play(workflow, task=TASK)
    assert (played.agents, played.result) == (agents, result)


@pytest.mark.parametrize("workflow", [case[0] for case in CASES], ids=[case[0].__name__ for case in CASES])
def test_it_ends_as_well_when_nobody_names_the_task(play: Any, workflow: Any) -> None:
    """A workflow may build its prompts itself, so that the run's task says nothing."""
    named, unnamed = play(workflow, task=TASK), play(workflow)
    assert unnamed.agents == named.agents
