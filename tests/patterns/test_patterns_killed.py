"""``kill -9`` at 200 random instants at the human gate: no action lost, none done twice."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forks import killed, seconds_at_work
from sqlalchemy import Connection, text

from dissonance.patterns import Outcome, Usage
from dissonance.patterns.effects import InTransaction, Sink, Taker
from dissonance.patterns.human import HumanAnswer, HumanRequest
from dissonance.patterns.human_gate import human_gate
from dissonance.patterns.proposal import Proposal
from dissonance.patterns.store import Effect, Store

KILLS = 200


class Contradicts:
    """Approves, approves again, and takes it back; from time to time the first word is no."""

    async def ask(self, request: HumanRequest) -> HumanAnswer:
        assert request.submit is not None
        first, second = ("reject", "approve") if request.action["n"] % 5 == 0 else ("approve", "reject")
        for decision in (first, first):
            await asyncio.sleep(0)
            await request.submit(HumanAnswer.model_validate({"decision": decision, "by": "Ann"}))
        return HumanAnswer.model_validate({"decision": second, "by": "Bo"})


async def propose(task: str) -> Outcome[Proposal[Any]]:
    proposal = Proposal[Any](action={"n": int(task)}, summary=f"Pay invoice {task}.", confidence=0.8)
    return Outcome(output=proposal, finished=True, steps=1, usage=Usage())


def pay(connection: Connection, action: Any) -> Any:
    connection.execute(text("INSERT INTO paid VALUES (:n)"), action)
    return action["n"]


def mailbox(folder: Path) -> Callable[[str, Any], Any]:
    """A mail service outside the database that honours the key; what it did survives the kill of its client."""

    async def send(key: str, action: Any) -> Any:
        try:
            os.close(os.open(folder / key, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return "was sent"
        return "sent"

    return send


def work(url: str, effect: Taker, numbers: Sequence[int], started: int) -> None:
    """Go on with what others left, then do more."""
    with Store(url) as store:
        gate = human_gate(propose, effect, store=store, human=Contradicts(), notify=lambda request: None)

        async def all_of_it() -> None:
            os.write(started, b".")
            await gate.resume()
            for number in numbers:
                await gate(str(number), run=f"invoice-{number}")

        asyncio.run(all_of_it())


def killed_often(url: str, effect: Taker, kills: int) -> list[int]:
    """Kill children at work at random instants, each of which goes on where others were killed; what was begun."""
    length = statistics.median(seconds_at_work(partial(work, url, effect, [number])) for number in range(1000, 1005))
    chance = random.Random(f"{type(effect).__name__} {url.partition(':')[0]}")
    tries = 0
    while kills:
        hit = killed(partial(work, url, effect, [tries]), chance.uniform(0.0, length))
        length *= 1.05 if hit else 0.95  # about every second one hits, however fast the machine is just now
        kills -= hit
        tries += 1
        assert tries < 1000, f"{kills} kills are missing: the children end too fast to be killed"
    return [*range(tries), *range(1000, 1005)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["in the transaction", "by a sink"])
def test_killed_at_random_instants_nothing_is_lost_and_nothing_done_twice(
    store_url: str, kind: str, tmp_path: Path
) -> None:
    effect = InTransaction(pay) if kind == "in the transaction" else Sink(mailbox(tmp_path))
    with Store(store_url) as store, store.transaction() as connection:
        connection.execute(text("CREATE TABLE paid (n INTEGER)"))
    begun = killed_often(store_url, effect, KILLS // 2)
    assert not killed(partial(work, store_url, effect, begun), 60.0)

    approved = sorted(number for number in begun if number % 5)
    with Store(store_url) as store:
        assert store.unfinished() == ()
        with store.transaction() as connection:
            paid = sorted(connection.execute(text("SELECT n FROM paid")).scalars())
    sent = sorted(int(file.name.removeprefix("invoice-")) for file in tmp_path.glob("invoice-*"))
    assert (paid, sent) == ((approved, []) if kind == "in the transaction" else ([], approved))


@dataclass(frozen=True)
class DoneThenNoted:
    """The wrong way: the effect, then the note."""

    folder: Path

    async def take(self, store: Store, key: str, action: Any) -> Effect:
        planned = store.plan(key, action)
        if not planned.done:
            with open(self.folder / "mail", "a") as mail:
                mail.write(f"{key}\n")
            await asyncio.sleep(0.02)  # as slow as a mail service, so that kills fall between it and the note
        return store.done(key, "sent")


@pytest.mark.slow
def test_the_kills_find_an_effect_that_is_noted_only_afterwards(tmp_path: Path) -> None:
    effect, url = DoneThenNoted(tmp_path), f"sqlite:///{tmp_path / 'state.db'}"
    for _ in range(10):
        begun = killed_often(url, effect, KILLS // 4)
        assert not killed(partial(work, url, effect, begun), 60.0)
        if max(Counter((tmp_path / "mail").read_text().split()).values()) > 1:
            return
    raise AssertionError("500 kills did not find it")
