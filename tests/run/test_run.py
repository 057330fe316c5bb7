"""What a run says of a workflow, and what it records."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic
from doubles import PACE, SONNET, Answers, Rewrites, Says, request, said

from dissonance.harness import BadInput, BusyError, CheckFailed, Limits, Reply, Run, agent, run, terminates
from dissonance.harness.call import FaultMark
from dissonance.harness.history import CallSent, FaultFired, GuardFired, ReplyReceived, RunEnded, RunStarted, Stopped
from dissonance.harness.wire.table import error_reply

client = functools.cache(lambda: Anthropic(api_key="k"))
async_client = functools.cache(lambda: AsyncAnthropic(api_key="k"))


def ask(text: str = "Hello.", who: str = "writer") -> str:
    with agent(who):
        return str(client().messages.create(**request(text)).content[0].text)


async def async_ask(text: str = "Hello.", who: str = "writer") -> str:
    with agent(who):
        message = await async_client().messages.create(**request(text))
    return str(message.content[0].text)


def made(workflow: Any, task: Any = "t", **options: Any) -> Run:
    return run(workflow, task, **{"model": Says(), "store": None, **options})


# --- what a workflow may be -------------------------------------------------------------------


def factory() -> Any:
    return async_ask


@pytest.mark.parametrize(
    "workflow",
    [ask, async_ask, factory, lambda: ask, lambda: ask(), lambda: async_ask(), functools.partial(ask, who="writer")],
    ids=["sync", "async", "factory of async", "factory of sync", "task-less", "task-less async", "partial"],
)
def test_a_workflow_may_be(workflow: Any) -> None:
    done = made(workflow)
    assert (done.outcome, done.result, done.calls, done.tier) == ("completed", "writer says 1", 1, "T1")
    (reply,) = done.history.replies()
    assert reply.usage is not None
    assert done.seconds == 2.0 + reply.usage.output_tokens / 50


def test_a_human_is_handed_to_a_workflow_that_takes_one() -> None:
    assert made(lambda task, human: human, human="Ada").result == "Ada"


def needs_two(task: str, other: str) -> None:
    raise AssertionError("never called")


def needs_a_keyword(*, topic: str) -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workflow": needs_a_keyword}, "workflow='needs_a_keyword' needs the arguments topic, but is called with"),
        ({"workflow": 3}, "workflow=3 is not callable: give a function of the task"),
        (
            {"workflow": needs_two},
            "workflow='needs_two' needs the arguments task, other, but is called with the task alone",
        ),
        ({"plan": "p"}, "plan='p': give a FaultPlan, a list of its rules, or None"),
        ({"plan": [3]}, "plan: rule 1 is 3; give a Rule"),
        ({"plan": [Answers(Reply()), Answers(Reply())]}, "plan: two rules have the id 'answers'"),
        ({"model": 3}, "model=3 is no model: give Gullible"),
        ({"seed": "x"}, "seed='x': give a whole number"),
        ({"limits": 3}, "limits=3: give Limits"),
        ({"allow_hosts": "localhost"}, "allow_hosts='localhost': give a list of host names"),
        ({"agents": 3}, "agents: 3 is neither a mapping"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_names_the_argument_the_value_and_the_remedy(arguments: Any, message: str) -> None:
    with pytest.raises(BadInput, match=f"^{message.replace('(', '[(]').replace('{', '[{]')}"):
        run(**{"workflow": ask, "task": "t", "store": None, **arguments})


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "x", float("inf")])
def test_limits_are_positive_numbers(value: Any) -> None:
    with pytest.raises(BadInput, match=r"^Limits\(calls=.*\): give a whole number above 0$"):
        Limits(calls=value)


def test_virtual_time_is_capped_at_90_days() -> None:
    with pytest.raises(BadInput, match=r"give at most 7776000 \(90 days\)$"):
        Limits(seconds=1e9)


def test_a_run_owns_its_loop() -> None:
    async def inside() -> None:
        made(ask)

    with pytest.raises(BusyError, match=r"^run\(\) was called from a running event loop"):
        asyncio.run(inside())


def test_a_run_does_not_nest() -> None:
    done = made(lambda: made(ask))
    assert (done.outcome, type(done.error)) == ("failed", BusyError)


# --- how it ends ------------------------------------------------------------------------------


@dataclass
class Stoppable:
    stopped_by: str | None = None
    paused: bool = False


class Unfinished(Exception):
    stopped_by = "step budget"


def test_the_guard_that_names_itself_in_the_result() -> None:
    done = made(lambda: Stoppable(stopped_by="cycle detector"))
    assert (done.outcome, done.stopped_by) == ("completed", "cycle detector")


def raise_from_guard() -> None:
    try:
        raise Unfinished("enough")
    except Unfinished as error:
        raise RuntimeError("gave up") from error


def test_the_guard_that_names_itself_in_the_cause_of_an_exception() -> None:
    done = made(raise_from_guard)
    assert (done.outcome, done.stopped_by, done.error_text) == ("failed", "step budget", "RuntimeError: gave up")


def test_a_result_that_says_it_is_paused() -> None:
    assert made(lambda: Stoppable(paused=True)).outcome == "paused"


def leave() -> None:
    raise SystemExit(3)


def test_a_workflow_that_exits_the_process_has_crashed() -> None:
    assert (made(leave).outcome, made(leave).error_text) == ("crashed", "SystemExit: 3")


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_keyboard_interrupt_reaches_the_user_and_everything_is_put_back() -> None:
    before = (time.sleep, time.monotonic, threading.Lock, httpx2.Client._transport_for_url, random.getstate())
    with pytest.raises(KeyboardInterrupt):
        made(interrupt)
    assert before == (time.sleep, time.monotonic, threading.Lock, httpx2.Client._transport_for_url, random.getstate())


def for_ever(task: str) -> None:
    while True:
        ask()


async def in_parallel_for_ever(task: str) -> None:
    async def loop(name: str) -> None:
        while True:
            try:
                await async_ask(who=name)
            except Exception:  # as production code does
                await asyncio.sleep(1)

    await asyncio.gather(*[loop(f"a{number}") for number in range(5)])


def swallow_everything(task: str) -> None:
    while True:
        try:
            ask()
        except BaseException:
            time.sleep(1)


@pytest.mark.parametrize("workflow", [for_ever, in_parallel_for_ever, swallow_everything])
@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(calls=20), "calls"),
        (Limits(seconds=100), "seconds"),
        (Limits(tokens=300), "tokens"),
        (Limits(usd=0.002), "usd"),
    ],
    ids=["calls", "seconds", "tokens", "usd"],
)
def test_a_limit_stops_what_never_stops(workflow: Any, limits: Limits, limit: str) -> None:
    done = made(workflow, limits=limits)
    assert (done.outcome, done.stopped_by) == ("stopped_by_harness", limit)
    assert done.calls <= 20 or limit == "seconds"
    assert [event.limit for event in done.history if isinstance(event, Stopped)] == [limit]
    assert f"Limits({limit}=" in str(done.error_text) or limit == "seconds"


def test_the_call_after_the_last_allowed_one_is_refused() -> None:
    assert made(for_ever, limits=Limits(calls=7)).calls == 7


async def leaves_a_task(task: str) -> None:
    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(30)

    left = asyncio.create_task(slow_to_end())
    await asyncio.sleep(5)
    assert not left.done()


def test_what_a_workflow_leaves_behind_is_not_counted_as_its_time() -> None:
    assert (made(leaves_a_task).seconds, made(leaves_a_task).abandoned) == (5.0, ())


async def deadlock(task: str) -> None:
    await async_ask()
    await asyncio.get_running_loop().create_future()


def test_a_deadlock_is_an_outcome_that_names_the_waiting_task() -> None:
    done = made(deadlock)
    assert (done.outcome, done.stopped_by) == ("stopped_by_harness", "deadlock")
    assert "task 'workflow'" in str(done.error_text)
    assert "test_run.py" in str(done.error_text)


# --- what is recorded -------------------------------------------------------------------------


def test_the_whole_record_of_a_call() -> None:
    done = made(ask, "t", seed=4)
    started, call, reply, ended = done.history
    assert isinstance(started, RunStarted)
    assert isinstance(call, CallSent)
    assert started == RunStarted(
        id=0,
        at=0.0,
        workflow="ask",
        task=started.task,
        seed=4,
        model={"name": "Says"},
        rules=(),
    )
    assert call == CallSent(
        id=1, at=0.0, agent="writer", endpoint="messages", model=SONNET, ordinal=1, attempt=1, tokens=call.tokens,
        max_tokens=200, stream=False, system=call.system, tools=None, messages=call.messages, params=None,
    )  # fmt: skip
    assert done.history.request(call) == {
        "system": "You are the writer.",
        "tools": [],
        "messages": [{"role": "user", "content": "t"}],
    }
    assert isinstance(reply, ReplyReceived)
    assert (reply.call, reply.status, reply.ending, reply.stop_reason) == (1, 200, "complete", "end_turn")
    assert reply.usage is not None
    assert reply.seconds == reply.at == done.seconds == PACE.first_byte + reply.usage.output_tokens / 50
    assert done.history.reply_text(reply) == "writer says 1"
    assert (done.tokens, done.usd) == (reply.usage.total, reply.usd)
    assert isinstance(ended, RunEnded)
    assert (ended.outcome, ended.error, done.history.bodies.get(str(ended.result))) == (
        "completed",
        None,
        "writer says 1",
    )


def test_retries_share_the_ordinal_and_differ_in_attempt() -> None:
    def twice(task: str) -> None:
        ask()
        ask()

    done = made(twice, plan=[Answers(error_reply(529), times=1, attempts=2)])
    assert [(c.ordinal, c.attempt) for c in done.history.calls()] == [(1, 1), (1, 2), (1, 3), (2, 1)]


async def two_agents(task: str) -> list[str]:
    in_thread = await asyncio.to_thread(ask, "x", "reader")
    return [in_thread, *await asyncio.gather(async_ask(who="judge"), async_ask(who="writer"))]


def test_the_explicit_context_follows_tasks_and_threads() -> None:
    done = made(two_agents)
    assert done.result == ["reader says 1", "judge says 1", "writer says 1"]
    assert (done.tier, done.demoted_by) == ("T2", ("1 captured threads",))


def test_the_explicit_context_of_one_run_is_not_the_nexts() -> None:
    left_open = agent("judge")

    def asks(task: str) -> None:
        client().messages.create(**request("x"))

    def enters(task: str) -> None:
        left_open.__enter__()
        asks(task)

    named, unnamed = (made(workflow).history.calls()[0].agent for workflow in (enters, asks))
    assert (named, unnamed) == ("judge", "writer")


def test_what_patterns_log_becomes_events() -> None:
    import logging

    def guarded(task: str) -> None:
        event = {"kind": "guard", "agent": "judge", "guard": "step budget", "reason": "12 of 12", "step": 12}
        logging.getLogger("dissonance.patterns").info("stopped", extra={"event": event})

    assert made(guarded).history.guards() == [
        GuardFired(id=1, at=0.0, agent="judge", guard="step budget", reason="12 of 12", data={"step": 12})
    ]


# --- the four counters ------------------------------------------------------------------------


def counters(done: Run, rule: str) -> tuple[int, int, int]:
    count = done.faults[rule]
    return count.fired, count.reached, count.changed


def test_a_rule_that_changes_nothing_fires_without_changing() -> None:
    done = made(ask, plan=[Rewrites(lambda reply: reply)])
    assert counters(done, "rewrites") == (1, 1, 0)


def test_a_rule_that_never_fires() -> None:
    done = made(ask, plan=[Rewrites(lambda reply: None)])
    assert counters(done, "rewrites") == (0, 0, 0)
    (verdict,) = done.judge(terminates())
    assert (verdict.status, verdict.reason) == (
        "unknown",
        "nothing fired: no call of this run is one that the plan's rules are for",
    )
    assert "writer (1 call)" in verdict.next


async def impatient(task: str) -> str:
    try:
        return await asyncio.wait_for(async_ask(), 1.0)
    except TimeoutError:
        return "nobody"


def test_a_fault_whose_reply_nobody_waited_for_has_not_reached() -> None:
    done = made(impatient, plan=[Rewrites(lambda reply: reply.with_message(said("Lies.")))])
    assert (done.result, counters(done, "rewrites")) == ("nobody", (1, 0, 1))


async def patient(task: str) -> str:
    try:
        return await asyncio.wait_for(async_ask(), 5.0)
    except TimeoutError:
        return "nobody"


def test_a_delay_that_makes_the_client_give_up_has_reached() -> None:
    from dataclasses import replace

    done = made(patient, plan=[Rewrites(lambda reply: replace(reply, seconds=90.0))])
    assert (done.result, counters(done, "rewrites")) == ("nobody", (1, 1, 1))


def test_the_fault_event_says_what_was_changed() -> None:
    marks = FaultMark(fault="Lie", damages="a falsified reply", ends_at=9.0)
    done = made(ask, plan=[Rewrites(lambda reply: reply.with_message(said("Lies.")), id="r7", marks=marks)])
    (fault,) = done.history.faults()
    assert isinstance(fault, FaultFired)
    assert (fault.rule, fault.fault, fault.side, fault.changed) == ("r7", "Lie", "reply", True)
    assert (fault.damages, fault.ends_at) == ("a falsified reply", 9.0)
    before, after = (done.history.bodies.get(str(key)) for key in (fault.before, fault.after))
    assert (before["content"][0]["text"], after["content"][0]["text"]) == ("writer says 1", "Lies.")
    assert before["id"] == after["id"]


# --- the baseline -----------------------------------------------------------------------------


def test_the_baseline_is_the_same_without_faults() -> None:
    done = made(ask, plan=[Rewrites(lambda reply: reply.with_message(said("Lies.")))])
    assert done.baseline is not None
    assert (done.baseline.result, done.result) == ("writer says 1", "Lies.")
    assert done.faults["rewrites"].observed == 0  # nothing differs but the fault's own bytes
    assert made(ask).baseline is None


def test_the_baseline_runs_once_for_all_plans_of_a_workflow() -> None:
    plays: list[int] = []

    def counted(task: str) -> str:
        plays.append(1)
        return ask()

    for text in ("One.", "Two.", "Three."):
        made(counted, plan=[Rewrites(lambda reply, text=text: reply.with_message(said(text)))])
    assert len(plays) == 2 + 3  # the baseline, once more to see that it repeats, and three plans


def test_a_workflow_that_carries_state_over_is_not_repeatable() -> None:
    drafts: list[str] = []

    def carries(task: str) -> str:
        drafts.append(ask(" ".join(["Improve:", *drafts])))
        return drafts[-1]

    done = made(carries, plan=[Rewrites(lambda reply: reply.with_message(said("Lies.")))])
    (verdict,) = done.judge(terminates())
    assert verdict.status == "unknown"
    assert verdict.reason.startswith("not repeatable: two runs without any fault differ at event 1: call agent=writer")
    assert verdict.next.startswith("Give run() a factory")


def fails(task: str) -> None:
    raise ValueError("as always")


def test_a_broken_baseline_is_unknown_and_says_how() -> None:
    done = made(fails, plan=[Answers(Reply())])
    (verdict,) = done.judge(terminates())
    assert (verdict.status, verdict.reason) == (
        "unknown",
        "baseline broken: without any fault the workflow failed (ValueError: as always)",
    )
    assert "Scripted" in verdict.next


def test_a_failure_is_run_again_before_it_is_reported() -> None:
    plays: list[int] = []

    def counted(task: str) -> None:
        plays.append(1)
        for_ever(task)

    done = made(counted, limits=Limits(calls=5))
    assert [verdict.status for verdict in done.judge(terminates(), terminates(within_calls=3))] == ["fail", "fail"]
    assert len(plays) == 2
    assert done.same_twice is None


def test_a_failure_is_run_again_also_from_within_a_running_loop() -> None:
    done = made(for_ever, limits=Limits(calls=5))

    async def inside() -> None:
        (verdict,) = done.judge(terminates())
        assert (verdict.status, done.same_twice) == ("fail", None)

    asyncio.run(inside())


def test_a_failure_that_does_not_repeat_is_unknown_and_says_where() -> None:
    rounds: list[str] = []

    def carries_over(task: str) -> None:
        while True:
            rounds.append(ask(" ".join(rounds) or "Begin."))

    (verdict,) = made(carries_over, limits=Limits(calls=5)).judge(terminates())
    assert (verdict.status, verdict.tier) == ("unknown", "T3")
    where = "event 1: call agent=writer call=1 at 0 s, but the second time with other tokens and messages"
    assert verdict.demoted_by == (f"a second run that differs at {where}",)
    assert verdict.reason.endswith(f"but a second run of the same plan differs at {where}")
    assert verdict.next.startswith("Find what the workflow keeps from run to run")


def test_what_demotes_a_run_is_named_in_it_and_in_each_verdict() -> None:
    def starts_a_process(task: str) -> None:
        ask(task)
        subprocess.run([sys.executable, "-c", ""], check=True)

    done = made(starts_a_process)
    culprits = (f"child process {sys.executable!r}",)
    assert (done.tier, done.demoted_by) == ("T3", culprits)
    verdicts = done.judge(terminates(), terminates(within_seconds=5))
    assert [(each.status, each.tier, each.demoted_by) for each in verdicts] == [
        ("pass", "T3", culprits),
        ("unknown", "T3", culprits),
    ]
    assert "times of tier T3 do not repeat" in verdicts[1].reason
    with pytest.raises(CheckFailed, match=f"Demoted to T3 by {re.escape(culprits[0])}"):
        done.check(terminates(within_seconds=5))


@pytest.mark.parametrize("how", ["subprocess", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_stopped_run_leaves_no_child_process_behind(how: str) -> None:
    children: list[int] = []

    def never_ends(task: str) -> None:
        if how == "subprocess":
            children.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]).pid)
        elif (pid := os.fork()) == 0:
            signal.pause()
        else:
            children.append(pid)
        while True:
            ask(task)

    done = run(never_ends, "Go.", limits=Limits(calls=3), store=None)
    name = sys.executable if how == "subprocess" else "os.fork"
    assert (done.outcome, done.abandoned) == ("stopped_by_harness", (f"child process {name!r}, which was killed",))
    if how == "fork":
        assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def test_the_child_process_of_a_run_that_ends_by_itself_may_go_on() -> None:
    children: list[subprocess.Popen[bytes]] = []

    def starts_a_server(task: str) -> None:
        children.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]))
        ask(task)

    done = run(starts_a_server, "Go.", store=None)
    assert (done.outcome, done.abandoned, children[0].poll()) == ("completed", (), None)
    children[0].kill()
    children[0].wait()


def crashing_check(done: Run) -> Any:
    raise ZeroDivisionError("oops")


def test_a_check_that_crashes_is_unknown() -> None:
    (verdict,) = made(ask).judge(crashing_check)  # type: ignore[arg-type]
    assert verdict.status == "unknown"
    assert verdict.reason.startswith("the check crashed: ZeroDivisionError: oops (crashing_check, line ")


def test_a_failed_check_raises_with_reason_evidence_and_replay_line(tmp_path: Any) -> None:
    done = made(for_ever, limits=Limits(calls=5), store=tmp_path)
    with pytest.raises(CheckFailed) as caught:
        done.check()
    assert "terminates: fail (T1): " in str(caught.value)
    assert str(caught.value).splitlines()[-1] == f"Replay: dissonance replay {tmp_path / '00001-for_ever'}"


# --- what is the caller's own -----------------------------------------------------------------


@dataclass(frozen=True)
class Broken(Says):
    def reply(self, call: Any, past: Any) -> Reply:
        raise ZeroDivisionError("in the model")


def test_an_error_of_the_callers_model_is_not_taken_for_one_of_the_connection() -> None:
    with pytest.raises(ZeroDivisionError, match="in the model"):
        made(ask, model=Broken())


def test_no_key_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert made(lambda: Anthropic().messages.create(**request()).model).result == SONNET
    assert "ANTHROPIC_API_KEY" not in os.environ


def test_the_back_off_of_the_sdk_is_seeded() -> None:
    def waits(seed: int) -> list[float]:
        done = made(ask, plan=[Answers(error_reply(529), attempts=2)], seed=seed, baseline=False)
        return [call.at for call in done.history.calls()]

    assert waits(1) == waits(1) != waits(2)
    assert all(0.375 <= waits(seed)[1] <= 0.5 for seed in range(5))


def test_the_real_clock_goes_on_outside() -> None:
    seen: list[float] = []
    outside = threading.Event()

    def other() -> None:
        outside.wait(5)
        seen.append(time.monotonic())

    thread = threading.Thread(target=other)
    thread.start()
    begun = time.monotonic()
    made(lambda: time.sleep(1e6))
    outside.set()
    thread.join()
    assert 0 <= seen[0] - begun < 60


@pytest.mark.parametrize("check", ["terminates", terminates], ids=["name", "class"])
def test_what_is_no_check_is_refused(check: Any) -> None:
    made = run(lambda task: task, "x", store=None)
    with pytest.raises(BadInput) as caught:
        made.check(check)
    assert str(caught.value) == "'terminates' is no check: give one that is made, such as terminates()"
