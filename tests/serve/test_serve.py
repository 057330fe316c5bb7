"""The loopback server, reached by the SDK and by bare sockets as a workflow in another process would."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from dissonance.cli.serve import Service, serve_until_told
from dissonance.faults import (
    At,
    Crash,
    CutStream,
    Disconnect,
    Fault,
    FaultPlan,
    Overloaded,
    RejectWork,
    Rule,
    SlowReply,
    Stall,
    StreamError,
    When,
)
from dissonance.harness import BadInput, Limits, Live, Pace, Scripted, load_run, run, terminates
from dissonance.harness.history import ReplyReceived
from dissonance.harness.serve import Server, serving

AT_ONCE = Scripted("ACME sold 1,200 units. The north grew. The south did not.", pace=Pace(0.0, 1e9))
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "system": "You are the writer.",
    "messages": [{"role": "user", "content": "What did ACME sell?"}],
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(model=AT_ONCE, store=None) as made:
        yield made


def client_of(url: str, key: str = "sk-secret", **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=key, **{"max_retries": 0, **options})


def asked(client: anthropic.Anthropic) -> anthropic.types.Message:
    with client:
        message: anthropic.types.Message = client.messages.create(**ASKED)
        return message


def streamed(client: anthropic.Anthropic) -> anthropic.types.Message:
    with client, client.messages.stream(**ASKED) as stream:
        return stream.get_final_message()


def got(server: Server, path: str, **headers: str) -> httpx2.Response:
    with httpx2.Client(base_url=server.url, headers=headers) as client:
        return client.get(path)


def posted(server: Server, path: str, body: object = None) -> httpx2.Response:
    with httpx2.Client(base_url=server.url) as client:
        return client.post(path, json=body)


# --- the API ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [asked, streamed], ids=["json", "stream"])
def test_the_sdk_gets_the_message_that_it_would_get_in_process(server: Server, ask: Any) -> None:
    inside = run(lambda: ask(client_of("https://api.anthropic.com")), model=AT_ONCE, store=None).result
    assert ask(client_of(server.run_url("same"))) == inside


def test_tokens_are_counted_and_models_listed(server: Server) -> None:
    def count(client: anthropic.Anthropic) -> anthropic.types.MessageTokensCount:
        return client.messages.count_tokens(model=ASKED["model"], messages=ASKED["messages"])

    inside = run(lambda: count(client_of("https://api.anthropic.com")), store=None).result
    with client_of(server.url) as client:
        counted = count(client)
        assert counted.input_tokens == inside.input_tokens
        assert client.models.retrieve(ASKED["model"]).id == ASKED["model"]


def test_the_history_is_that_of_a_run_in_process_but_for_its_times() -> None:
    rules = [Rule(at=At(agent="writer"), when=When(call=1, attempt=1), fault=Overloaded())]
    inside = run(
        lambda: asked(client_of("https://api.anthropic.com", max_retries=2)), model=AT_ONCE, plan=rules, store=None
    )
    with serving(model=AT_ONCE, plan=rules, store=None, speed=1000) as server:
        asked(client_of(server.run_url("same"), max_retries=2))
        served = server.end("same")
    assert _untimed(served.history) == _untimed(inside.history)
    assert served.faults["r1"].fired == served.faults["r1"].changed == served.faults["r1"].reached == 1


def _untimed(history: Sequence[Any]) -> list[Any]:
    """Calls, faults and replies without what depends on the clock."""
    kept = [event for event in history if event.kind in ("call", "fault", "reply")]
    return [
        {k: getattr(e, k) for k in e.__slots__ if k not in ("at", "seconds", "id", "call", "ends_at")} for e in kept
    ]


# --- endings, for real ------------------------------------------------------------------------


def spoiled(fault: Fault, ask: Any, **options: Any) -> tuple[BaseException | None, ReplyReceived]:
    """What the SDK raised, and the reply's event."""
    with serving(model=AT_ONCE, plan=[Rule(fault=fault)], store=None) as server:
        raised: BaseException | None = None
        try:
            ask(client_of(server.run_url("one"), **options))
        except Exception as error:
            raised = error
        made = _until_replied(server)
    return raised, made


def _until_replied(server: Server) -> ReplyReceived:
    """The server may see later than the client that the connection is gone."""
    for _ in range(2000):
        replies = server.history("one").replies()
        if replies:
            return replies[0]
        threading.Event().wait(0.002)
    raise AssertionError("no reply was recorded")


@pytest.mark.parametrize(
    ("fault", "ask", "raised", "ending"),
    [
        (Disconnect(), asked, anthropic.APIConnectionError, "failure"),
        (CutStream(after=2), streamed, None, "cut"),
        (CutStream(after=2, cleanly=False), streamed, httpx2.ReadError, "reset"),
        (StreamError(after=1), streamed, anthropic.APIStatusError, "error_event"),
        (Stall(), asked, anthropic.APITimeoutError, "stall"),
        (Disconnect(how="read_timeout"), asked, anthropic.APITimeoutError, "failure"),
        (Stall(after=1), streamed, httpx2.ReadTimeout, "stall"),
        (SlowReply(seconds=600), asked, anthropic.APITimeoutError, "abandoned"),
    ],
    ids=["disconnect", "cut", "reset", "error event", "no end", "no answer", "stall", "slow"],
)
def test_a_client_meets_the_ending(fault: Fault, ask: Any, raised: Any, ending: str) -> None:
    error, reply = spoiled(fault, ask, timeout=1.0)  # real seconds, that a loaded machine needs to answer at all
    assert (type(error) if error is not None else None) == raised
    assert reply.ending == ending


def test_a_reset_is_a_reset_of_the_connection() -> None:
    """Not a clean end, which some clients take for the end of a body."""
    with serving(model=AT_ONCE, plan=[Rule(fault=Disconnect())], store=None) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(_raw_request())
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def _raw_request() -> bytes:
    body = json.dumps(ASKED).encode()
    head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2026-10-21\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


# --- runs -------------------------------------------------------------------------------------


def test_runs_are_told_apart_by_path_and_by_key(server: Server) -> None:
    asked(client_of(server.run_url("by-path"), key="sk-1:by-key"))
    asked(client_of(server.url, key="sk-1:by-key"))
    asked(client_of(server.url, key="sk-1"))
    asked(client_of(server.url, key="sk-2"))
    asked(client_of(server.url, key="sk-1"))
    assert server.names() == ["by-path", "by-key", "run-1", "run-2"]
    assert [len(server.history(name).calls()) for name in server.names()] == [1, 1, 2, 1]


def test_a_name_begins_a_new_run_when_its_last_one_has_ended(tmp_path: Path) -> None:
    with serving(model=AT_ONCE, store=tmp_path) as server:
        asked(client_of(server.run_url("a")))
        first = server.end("a", result={"units": 1200})
        asked(client_of(server.run_url("a")))
        second = server.end("a", error="no units")
    assert (first.outcome, first.result, second.outcome, second.error_text) == (
        "completed",
        {"units": 1200},
        "failed",
        "RecordedError: no units",
    )
    assert first.path != second.path and first.path is not None
    stored = load_run(first.path)
    assert (stored.calls, stored.tier, stored.result) == (1, "T3", {"units": 1200})
    assert [verdict.status for verdict in first.judge(terminates())] == ["pass"]


def test_a_run_that_nobody_ended_is_ended_with_the_server(tmp_path: Path) -> None:
    with serving(model=AT_ONCE, store=tmp_path) as server:
        asked(client_of(server.run_url("a")))
    assert load_run(tmp_path / "latest").outcome == "completed"


def test_the_limits_hold_and_the_refusal_is_none_that_the_sdk_retries(server: Server) -> None:
    with serving(model=AT_ONCE, store=None, limits=Limits(calls=2)) as limited:
        client = client_of(limited.run_url("a"), max_retries=5)
        with client:
            for _ in range(2):
                client.messages.create(**ASKED)
            with pytest.raises(anthropic.PermissionDeniedError, match=r"stopped by the harness \(calls\)"):
                client.messages.create(**ASKED)
        made = limited.end("a")
    assert (made.outcome, made.stopped_by, made.calls) == ("stopped_by_harness", "calls", 2)
    assert [verdict.status for verdict in made.judge(terminates())] == ["fail"]


def test_a_loop_is_found_by_a_fault_at_the_server() -> None:
    """A workflow elsewhere that asks until it is accepted never ends when its judge never accepts."""
    rules = [Rule(at=At(agent="judge"), fault=RejectWork())]
    judge = {**ASKED, "system": "You are the judge. Respond with 'APPROVE' or 'REJECT'."}
    with serving(plan=rules, store=None, speed=1e6, limits=Limits(calls=5)) as server:
        with client_of(server.run_url("loop")) as client, pytest.raises(anthropic.PermissionDeniedError):
            while "APPROVE" not in client.messages.create(**judge).content[0].text:
                pass
        made = server.end("loop")
    assert [verdict.status for verdict in made.judge(terminates())] == ["fail"]
    assert made.faults["r1"].fired == 5


def test_a_model_that_breaks_ends_the_run_and_not_the_server() -> None:
    with serving(model=Scripted({"judge": "APPROVE"}), store=None) as server:
        for name in ("a", "b"):
            with pytest.raises(anthropic.PermissionDeniedError, match="ScriptExhausted"):
                asked(client_of(server.run_url(name)))
            assert server.end(name).stopped_by == "model"


@pytest.mark.parametrize("speed", [0, -1, float("inf")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(BadInput, match="speed="), serving(speed=speed):
        pass


def test_a_plan_for_what_the_server_has_no_part_in_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(FaultPlan(rules=[Rule(id="r1", fault=Crash())]).describe()))
    with pytest.raises(BadInput, match="rule 'r1' is for the workflow's process"):
        serve_until_told(Service(plan=plan))


def test_an_address_that_is_taken_is_refused(server: Server) -> None:
    with pytest.raises(BadInput, match=f"port={server.port}: cannot listen there"), serving(port=server.port):
        pass


def test_a_live_model_is_asked_by_several_runs_at_once_and_breaks_none() -> None:
    """A chaos proxy: faults in front of the real API, for which another server stands."""
    with serving(model=AT_ONCE, store=None) as real:
        live = Live(usd=1.0, api_key="sk-live", base_url=real.run_url("real"))
        rules = [Rule(at=At(agent="writer"), when=When(call=2), fault=Overloaded())]
        with serving(model=live, plan=rules, store=None, speed=1e6) as proxy:
            for name in ("a", "b"):
                with client_of(proxy.run_url(name)) as client:
                    client.messages.create(**ASKED)
                    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
                        client.messages.create(**ASKED)
        live.close()
        assert len(real.history("real").calls()) == 2
        assert real.history("real").replies()[0].usd * 2 == pytest.approx(live.spent)


# --- who may ----------------------------------------------------------------------------------


def test_beyond_loopback_it_asks_for_a_token_that_it_makes() -> None:
    with serving(model=AT_ONCE, store=None, host="0.0.0.0") as server:
        assert server.token is not None and not server.local
        url = f"http://127.0.0.1:{server.port}"
        with pytest.raises(anthropic.AuthenticationError):
            asked(client_of(url, key="guess:a"))
        asked(client_of(url, key=f"{server.token}:a"))
        assert server.names() == ["a"]
        with httpx2.Client(base_url=url) as client:
            assert client.get("/dissonance").status_code == 401
            assert client.get("/dissonance", headers={"authorization": f"Bearer {server.token}"}).status_code == 200


def test_a_token_that_cannot_stand_in_a_key_is_refused_and_not_shown() -> None:
    with pytest.raises(BadInput) as caught, serving(token="se:cret"):
        pass
    assert "se:cret" not in str(caught.value)


def test_a_web_page_that_points_its_own_name_at_the_machine_gets_nothing(server: Server) -> None:
    assert got(server, "/dissonance", host="evil.example").status_code == 403


# --- the admin endpoint -----------------------------------------------------------------------


def test_a_test_in_another_process_reads_history_and_verdicts(server: Server) -> None:
    asked(client_of(server.run_url("a")))
    events = [json.loads(line) for line in got(server, "/dissonance/runs/a/history").text.splitlines()]
    assert [event["kind"] for event in events] == ["run_started", "call", "reply"]
    said = got(server, f"/dissonance/runs/a/bodies/{events[2]['body']}").json()
    assert said["content"][0]["text"].startswith("ACME sold")
    assert got(server, "/dissonance/runs/a").json()["open"] is True
    assert got(server, "/dissonance/runs/a/verdicts").status_code == 409
    ended = posted(server, "/dissonance/runs/a/end", {"result": "done"}).json()
    assert (ended["open"], ended["outcome"], ended["calls"]) == (False, "completed", 1)
    verdicts = got(server, "/dissonance/runs/a/verdicts?checks=terminates").json()["verdicts"]
    assert [(each["status"], each["tier"]) for each in verdicts] == [("pass", "T3")]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/dissonance/runs/b", 404, "there is no run 'b'"),
        ("/dissonance/runs/a/bodies/00", 404, "no event names"),
        ("/dissonance/runs/a/verdicts?checks=nothing", 400, "give some of terminates"),
    ],
)
def test_what_is_not_there_is_named(server: Server, path: str, status: int, said: str) -> None:
    asked(client_of(server.run_url("a")))
    answer = got(server, path)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_an_end_that_says_nothing_readable_is_refused(server: Server) -> None:
    asked(client_of(server.run_url("a")))
    assert posted(server, "/dissonance/runs/a/end", ["x"]).status_code == 400


# --- the process ------------------------------------------------------------------------------

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-P", "-c", "import sys; from dissonance.cli.main import main; sys.exit(main())", *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
"""


@pytest.mark.slow
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Which leaves no server behind that a crashed run has started."""
    given = ["serve", "--port", "0", "--store", str(tmp_path)]
    parent = subprocess.run([sys.executable, "-c", _PARENT, *given], capture_output=True, text=True, check=True)
    pid = int(parent.stdout.split()[0])
    for _ in range(400):
        if not _is_alive(pid):
            return
        threading.Event().wait(0.05)
    raise AssertionError("it is still there")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
