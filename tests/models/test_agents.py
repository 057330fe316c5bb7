"""Who made a call, and the how-manieth of its agent it is."""

from __future__ import annotations

from typing import Any

import pytest

from dissonance.harness.agents import Ordinals, agent, attribute, checked_agents, current_agent, role_of, runtime_agent
from dissonance.harness.call import Call
from dissonance.harness.errors import BadInput

ROLES = {
    "You are the judge.": "judge",
    "You are a senior researcher who checks facts.": "senior-researcher",
    "You are fact_checker. Check the facts.": "fact_checker",
    "You are a technical specialist for pumps.": "technical-specialist",
    "You are an engineer specialising in pumps.": "engineer",
    "You are A.": "a",
    "You are agent B. You disagree.": "agent-b",
    "You are an assistant called _Max_.": "max",
    "Your name is Ada.": "ada",
    "# Role: Data Analyst\nBe brief.": "data-analyst",
    "Be brief. Act as the editor.": "editor",
    "You are a helpful assistant.": None,
    "You are Claude, made by Anthropic.": None,
    "You are responsible for the plan.": None,
    "Summarise the text.": None,
}


@pytest.mark.parametrize("prompt", ROLES)
def test_the_role_that_a_prompt_gives(prompt: str) -> None:
    assert role_of(prompt) == ROLES[prompt]


def call(system: str | None = None, said: str = "Write.", **more: Any) -> Call:
    return Call(id=0, system=system, messages=[{"role": "user", "content": said}], **more)


def test_the_sources_of_a_name_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = call("You are the judge.")
    names = [attribute(asked), attribute(asked, {"critic": "the judge"})]
    monkeypatch.setattr("dissonance.harness.agents.runtime_agent", [lambda: None, lambda: "node"])
    names.append(attribute(asked, {"critic": "the judge"}))
    with agent("outer"), agent("inner"):
        names.append(attribute(asked, {"critic": "the judge"}))
    assert names == ["judge", "critic", "node", "inner"]
    assert (current_agent(), runtime_agent) == (None, [])


def test_a_function_may_name_agents() -> None:
    assert attribute(call("You are the judge."), lambda call: "critic" if call.system else None) == "critic"
    assert attribute(call(said="You are the judge. Judge."), lambda call: None) == "judge"


def test_a_call_without_any_name_is_told_by_its_prompt_and_tools() -> None:
    plain, same, other = call("Be brief."), call("Be brief.", "Read."), call("Be brief.", tools=[{"name": "x"}])
    names = [attribute(each) for each in (plain, same, other)]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("agent-") and len(name) == 12 for name in names)


@pytest.mark.parametrize("name", ["", " x", "a*", "a\nb", "x" * 101, 3])
def test_a_bad_name_is_refused(name: Any) -> None:
    with pytest.raises(BadInput) as caught:
        agent(name)
    assert str(caught.value).startswith(f"agent(name): {name!r} cannot name an agent. ")


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        (3, "agents: 3 is neither a mapping {name: text} nor a function of a Call."),
        ({"judge": ""}, "agents['judge']: '' is no text. Give a part of this agent's system prompt."),
    ],
)
def test_a_bad_mapping_is_refused(agents: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked_agents(agents)
    assert str(caught.value) == message


# --- ordinals ---------------------------------------------------------------------------------


def test_ordinals_count_by_agent_and_endpoint() -> None:
    o = Ordinals()
    calls = [("a", "messages"), ("a", "messages"), ("b", "messages"), ("a", "count_tokens")]
    assert [o.assign(name, endpoint, str(n)) for n, (name, endpoint) in enumerate(calls)] == [  # type: ignore[arg-type]
        (1, 1),
        (2, 1),
        (1, 1),
        (1, 1),
    ]


def test_a_retry_shares_its_ordinal() -> None:
    o = Ordinals()
    assert [o.assign("a", "messages", "x", n) for n in (0, 1, 2)] == [(1, 1), (1, 2), (1, 3)]
    assert o.assign("a", "messages", "x") == (2, 1)


def test_of_two_equal_calls_the_retry_belongs_to_the_one_that_is_open() -> None:
    o = Ordinals()
    o.assign("a", "messages", "x")
    o.assign("a", "messages", "x")
    o.close("a", "messages", "x", 2)
    assert o.assign("a", "messages", "x", 1) == (1, 2)


def test_a_retry_of_an_unknown_call_counts_as_a_new_one() -> None:
    assert Ordinals().assign("a", "messages", "x", 2) == (1, 3)
