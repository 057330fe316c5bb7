"""Cassettes, and the model that plays them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import pytest

from dissonance.faults import At, Overloaded, RejectWork, Rule, When
from dissonance.harness import BadInput, CassetteMiss, Recorded, Run, run, save_cassette
from dissonance.harness.models.cassette import Cassette

TASK = "ACME sold 1,200 units in May 2024."


def ask(system: str, text: str, *, stream: bool = False, **options: Any) -> str:
    request: dict[str, Any] = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 200,
        "system": system,
        "messages": [{"role": "user", "content": text}],
        **options,
    }
    with anthropic.Anthropic(api_key="sk-canary-0123456789") as client:
        if stream:
            with client.messages.stream(**request) as events:
                return events.get_final_message().content[0].text  # type: ignore[union-attr]
        return str(client.messages.create(**request).content[0].text)


def review(task: str) -> str:
    """A draft that is judged until it is accepted."""
    draft = ask("You are a writer.", task)
    for _ in range(3):
        if "APPROVE" in ask("You are a judge. Respond with 'APPROVE' or 'REJECT'.", draft):
            break
    return draft


def events(made: Run) -> list[Any]:
    return [event for event in made.history if event.kind in ("call", "reply", "run_ended")]


def test_a_recorded_run_is_the_run_again(tmp_path: Path) -> None:
    first = run(review, TASK, store=None)
    save_cassette(first, tmp_path / "cassette.json")
    again = run(review, TASK, model=Recorded(tmp_path / "cassette.json"), store=None)
    assert events(again) == events(first)
    assert (again.result, again.usd, again.tokens) == (first.result, first.usd, first.tokens)


def test_a_request_that_was_made_again_is_answered_in_the_same_order(tmp_path: Path) -> None:
    """The judge is asked the same thing twice, and says first no, then yes."""
    rejected = [Rule(at=At(agent="judge"), when=When(call=1), fault=RejectWork())]
    first = run(review, TASK, plan=rejected, baseline=False, store=None)
    again = run(review, TASK, model=Recorded(Cassette.of(first.history)), store=None)
    texts = [again.history.reply_text(reply) for reply in again.history.replies("judge")]
    assert texts == [first.history.reply_text(reply) for reply in first.history.replies("judge")]
    assert len(set(texts)) == 2


def test_a_retry_gets_what_the_retry_got() -> None:
    overloaded = [Rule(at=At(agent="writer"), when=When(attempt=1), fault=Overloaded())]
    first = run(review, TASK, plan=overloaded, baseline=False, store=None)
    again = run(review, TASK, model=Recorded(Cassette.of(first.history)), store=None)
    assert [reply.status for reply in again.history.replies("writer")] == [529, 200]
    assert again.result == first.result


def test_a_fault_in_front_of_a_cassette_does_not_use_it_up() -> None:
    first = run(review, TASK, store=None)
    overloaded = [Rule(at=At(agent="judge"), when=When(attempt=1), fault=Overloaded())]
    again = run(review, TASK, model=Recorded(Cassette.of(first.history)), plan=overloaded, store=None)
    assert again.faults["r1"].fired == 1
    assert again.result == first.result


def test_a_stream_is_served_from_a_reply_that_was_none() -> None:
    first = run(lambda: ask("You are a writer.", TASK), store=None)
    again = run(
        lambda: ask("You are a writer.", TASK, stream=True), model=Recorded(Cassette.of(first.history)), store=None
    )
    assert again.result == first.result


def test_a_miss_shows_the_nearest_request_and_what_differs(tmp_path: Path) -> None:
    save_cassette(run(review, TASK, store=None), tmp_path / "c.json")
    with pytest.raises(CassetteMiss) as caught:
        run(review, TASK.replace("1,200", "1,300"), model=Recorded(tmp_path / "c.json"), store=None)
    said = str(caught.value)
    assert "nothing in" in said and "answers call 1 of 'writer'" in said
    assert "The nearest request is call 1 of 'writer'" in said
    assert "messages.0.content: recorded 'ACME sold 1,200" in said
    assert "now 'ACME sold 1,300" in said


def test_no_secret_is_in_a_cassette(tmp_path: Path) -> None:
    servers = [
        {
            "type": "url",
            "name": "x",
            "url": "https://me:pw-canary@host/?token=query-canary",
            "authorization_token": "mcp-canary",
        }
    ]

    def workflow(task: str) -> str:
        return ask("You are a writer.", task, extra_body={"mcp_servers": servers})

    save_cassette(run(workflow, TASK, store=None), tmp_path / "c.json")
    text = (tmp_path / "c.json").read_text()
    assert "canary" not in text
    assert "ACME" in text
    again = run(workflow, TASK, model=Recorded(tmp_path / "c.json"), store=None)
    assert again.error is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("nothing", "is not JSON"),
        ('{"cassette": 99}', "version 99"),
        ('{"cassette": 1, "takes": [{}]}', "a take is damaged"),
        ('{"cassette": 1, "takes": []}', "is empty"),
    ],
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=said):
        Recorded(path)
