"""Durable state: each thing once, by whichever process and however often, on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from forks import fork, joined
from sqlalchemy import Connection, text

from dissonance.patterns.human import HumanAnswer, HumanRequest
from dissonance.patterns.store import SCHEMA, Store, StoreError, database, tables

REJECT = HumanAnswer(decision="reject", by="deadline")
APPROVE = HumanAnswer(decision="approve", by="Ann")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    with Store(store_url, clock=clock) as store:
        yield store


def request(id: str = "ask-1", deadline: float | None = 900.0, action: Any = None) -> HumanRequest:
    return HumanRequest(id=id, summary="Pay.", action=action or {"pay": 120}, reason="amount", deadline=deadline)


# --- runs and checkpoints ---------------------------------------------------------------------


def test_what_was_saved_is_there_after_a_restart_in_order(store: Store, store_url: str) -> None:
    store.save("run", "b", {"text": "é\x00\ud800"})
    store.save("run", "a", None)
    store.save("other", "a", 1)
    with Store(store_url) as again:
        assert [(each.stage, each.value) for each in again.checkpoints("run")] == [
            ("b", {"text": "é\x00\ud800"}),
            ("a", None),
        ]
        assert again.checkpoint("run", "c") is None


def test_the_first_to_save_a_stage_wins(store: Store) -> None:
    first, second = store.save("run", "stage", (1, 2)), store.save("run", "stage", "other")
    assert (first.value, first.new, second.value, second.new) == ([1, 2], True, [1, 2], False)


def test_runs_are_unfinished_until_they_are_finished(store: Store) -> None:
    for run, pattern in [("r2", "chain"), ("r1", "gate"), ("r3", "gate")]:
        store.open(run, pattern, {"n": (run,)})
    store.open("r1", "gate", {"n": ["r1"]})  # it goes on
    store.finish("r3")
    store.finish("r3")
    assert [run.id for run in store.unfinished()] == ["r2", "r1"]
    assert [(run.id, run.task) for run in store.unfinished("gate")] == [("r1", {"n": ["r1"]})]


def test_one_id_for_two_tasks_is_refused(store: Store) -> None:
    store.open("r1", "gate", "one")
    with pytest.raises(StoreError) as caught:
        store.open("r1", "gate", "two")
    assert str(caught.value) == "run='r1' is known as 'gate' with another task: give each run an id of its own"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "nan is no JSON value (Out of range float values are not JSON compliant"),
        ({1, 2}, "{1, 2} is no JSON value (Object of type set is not JSON serializable"),
    ],
)
def test_only_json_is_kept(store: Store, value: Any, problem: str) -> None:
    with pytest.raises(StoreError) as caught:
        store.save("run", "stage", value)
    assert str(caught.value).startswith(problem)
    assert store.checkpoints("run") == ()


# --- asks and answers -------------------------------------------------------------------------


def test_an_ask_waits_in_the_queue_until_it_is_answered(store: Store, clock: Clock) -> None:
    asked = [store.ask("run", request(id, deadline), REJECT) for id, deadline in [("z", None), ("a", 900.0)]]
    assert store.pending() == tuple(asked)
    assert [(ask.run, ask.asked_at, ask.deadline_at, ask.notified) for ask in asked] == [
        ("run", 1000.0, None, False),
        ("run", 1000.0, 1900.0, False),
    ]
    assert store.decision("z") is None
    assert store.answer("z", APPROVE).counts
    assert [ask.request.id for ask in store.pending()] == ["a"]
    assert store.decision("z") == APPROVE


def test_asking_again_changes_nothing(store: Store, clock: Clock) -> None:
    first = store.ask("run", request(), REJECT)
    clock.now += 100
    assert store.ask("run", request(deadline=5.0, action={"pay": 1}), APPROVE) == first
    store.notified("ask-1")
    assert store.ask("run", request(), REJECT).notified


def test_the_first_answer_counts_and_all_are_kept(store: Store) -> None:
    store.ask("run", request(), REJECT)
    edit = HumanAnswer(decision="edit", value={"pay": 1}, by="Bo", comment="less")
    assert [store.answer("ask-1", answer).counts for answer in (edit, APPROVE, edit)] == [True, False, False]
    assert store.answer("ask-1", APPROVE).decided == store.decision("ask-1") == edit
    assert store.answers("ask-1") == (edit, APPROVE, edit, APPROVE)


@pytest.mark.parametrize("looked", [True, False], ids=["somebody looked", "nobody looked"])
def test_past_the_deadline_the_default_counts_and_a_late_answer_does_not(
    store: Store, clock: Clock, looked: bool
) -> None:
    store.ask("run", request(), REJECT)
    clock.now += 899.0
    assert store.decision("ask-1") is None
    clock.now += 1.0
    assert store.pending() == ()
    if looked:
        assert store.decision("ask-1") == REJECT
    late = store.answer("ask-1", APPROVE)
    assert (late.counts, late.decided, store.decision("ask-1")) == (False, REJECT, REJECT)
    assert store.answers("ask-1") == (REJECT, APPROVE)


@pytest.mark.parametrize("method", ["answer", "decision"])
def test_an_unknown_ask_is_named(store: Store, method: str) -> None:
    arguments = ("nobody's", APPROVE) if method == "answer" else ("nobody's",)
    with pytest.raises(StoreError) as caught:
        getattr(store, method)(*arguments)
    assert str(caught.value) == 'ask="nobody\'s": there is no such ask; pending() lists those that are open'


# --- effects ----------------------------------------------------------------------------------


def ledger(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS ledger (n INTEGER)"))


def pay(connection: Connection, action: Any) -> Any:
    connection.execute(text("INSERT INTO ledger VALUES (:n)"), {"n": action})
    return {"paid": action}


def paid(store: Store) -> list[int]:
    with store.transaction() as connection:
        return sorted(connection.execute(text("SELECT n FROM ledger")).scalars())


def test_an_effect_happens_once_a_key(store: Store) -> None:
    ledger(store)
    effects = [store.perform("k", 7, pay), store.perform("k", 8, pay), store.perform("l", 9, pay)]
    assert [(each.action, each.result) for each in effects] == [(7, {"paid": 7}), (7, {"paid": 7}), (9, {"paid": 9})]
    assert paid(store) == [7, 9]


def test_a_failing_effect_leaves_nothing_behind(store: Store) -> None:
    ledger(store)

    def fails(connection: Connection, action: Any) -> Any:
        pay(connection, action)
        raise RuntimeError("no funds")

    with pytest.raises(RuntimeError, match="no funds"):
        store.perform("k", 7, fails)
    assert (store.effect("k"), paid(store)) == (None, [])
    assert store.perform("k", 7, pay).done


def test_a_planned_effect_is_done_once(store: Store) -> None:
    assert (store.plan("k", 7).done, store.plan("k", 8).action) == (False, 7)
    assert [store.done("k", result).result for result in ("first", "second")] == ["first", "first"]
    assert store.plan("k", 7).done
    with pytest.raises(StoreError, match="no such effect was planned: call plan"):
        store.done("l", None)


# --- many processes ---------------------------------------------------------------------------


def _contend(url: str, who: int) -> None:
    """What each of several processes does at once, with the same ids."""
    won = Counter[str]()
    with Store(url) as store:
        for n in range(12):
            won["saved"] += store.save("run", f"stage-{n}", who).new
            store.ask("run", request(f"ask-{n}"), REJECT)
            won["answered"] += store.answer(f"ask-{n}", HumanAnswer(decision="approve", by=str(who))).counts
            store.perform(f"key-{n}", n, pay)
        store.save(f"won-{who}", "all", dict(won))


def test_four_processes_on_one_store_lose_and_double_nothing(store_url: str) -> None:
    with Store(store_url) as store:
        ledger(store)
    children = [fork(partial(_contend, store_url, who)) for who in range(4)]
    assert [joined(child) for child in children] == [0] * 4
    with Store(store_url) as store:
        won = [Counter(store.checkpoints(f"won-{who}")[0].value) for who in range(4)]
        assert sum(won, Counter()) == {"saved": 12, "answered": 12}
        assert paid(store) == list(range(12))
        assert [len(store.answers(f"ask-{n}")) for n in range(12)] == [4] * 12


def test_four_processes_open_a_new_store_at_once(store_url: str) -> None:
    children = [fork(lambda: Store(store_url).close()) for _ in range(4)]
    assert [joined(child) for child in children] == [0] * 4


# --- the database -----------------------------------------------------------------------------


def test_a_new_version_migrates_an_old_store_once(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE added (n INTEGER)"))

    store.save("run", "stage", 1)
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, second))
    for _ in range(2):
        with Store(store_url) as newer, newer.transaction() as connection:
            assert connection.execute(text("SELECT version FROM dissonance_schema")).scalar_one() == SCHEMA + 1
            assert connection.execute(text("SELECT count(*) FROM added")).scalar_one() == 0
    assert store.checkpoint("run", "stage") is not None


def test_a_store_of_a_newer_release_is_refused(store: Store, store_url: str) -> None:
    with store.transaction() as connection:
        connection.execute(text("UPDATE dissonance_schema SET version = 99"))
    with pytest.raises(StoreError) as caught:
        Store(store_url)
    assert str(caught.value) == f"the store has schema 99, this release knows {SCHEMA}: install a newer dissonance"


@pytest.mark.parametrize(
    ("url", "shown"), [("state.db", "state.db"), ("mysql://me:secret@host/db", "mysql://me:***@host/db")]
)
def test_a_url_that_it_cannot_use_is_refused(url: str, shown: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert str(caught.value) == f"url={shown!r}: give sqlite:///FILE or postgresql://USER@HOST/DATABASE"


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"PostgreSQL needs psycopg: install dissonance\[postgres\]"):
        database.Database("postgresql://me:secret@host/db")


def test_state_in_memory_is_one_for_all_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Store("sqlite://") as store, ThreadPoolExecutor(4) as pool:
        saved = list(pool.map(lambda n: store.save("run", "stage", n), range(20)))
    assert sum(each.new for each in saved) == 1


@pytest.mark.slow
def test_importing_the_patterns_does_not_load_a_database() -> None:
    code = "import sys, dissonance.patterns; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
