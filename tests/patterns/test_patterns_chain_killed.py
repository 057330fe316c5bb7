"""``kill -9`` at 200 random instants in a chain: no stage that was kept is repeated, none is lost."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from forks import killed, seconds_at_work
from pydantic import BaseModel
from sqlalchemy import NullPool, create_engine, text

from dissonance.patterns import Outcome, Pattern, Stage, Usage, chain
from dissonance.patterns.store import Checkpoint, Store

KILLS = 200
STAGES = ("extract", "analyse", "draft", "edit")


class State(BaseModel):
    task: str
    extract: str = ""
    analyse: str = ""
    draft: str = ""
    edit: str = ""


def noting(log: Path, stage: str) -> Pattern[str]:
    """Work that leaves a line behind before it is done, whatever happens then."""

    async def work(prompt: str) -> Outcome[str]:
        task = prompt.split("\n")[1]
        with open(log, "ab", buffering=0) as lines:
            lines.write(f"{task} {stage}\n".encode())
        await asyncio.sleep(0)
        return Outcome(output=f"{stage} of {task}", finished=True, steps=1, usage=Usage(calls=1))

    return work


def work(kind: type[Store], url: str, log: Path, numbers: Sequence[int], started: int) -> None:
    """Go on with what others left, then do more."""
    with kind(url) as store:
        stages = [Stage(name, noting(log, name), sees=["task"]) for name in STAGES]
        pattern = chain(State, stages, store=store)

        async def all_of_it() -> None:
            os.write(started, b".")
            await pattern.resume()
            for number in numbers:
                await pattern(str(number), run=str(number))

        asyncio.run(all_of_it())


def kept(url: str) -> dict[tuple[str, str], object]:
    """What the store holds, by run and stage; read without the store."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT run, stage, value FROM dissonance_checkpoints"))
        return {(row.run, row.stage): row.value for row in rows}


def killed_often(kind: type[Store], url: str, log: Path, kills: int) -> tuple[list[int], list[str]]:
    """Kill children at work; which runs were begun, and each stage that was worked on although it was kept before."""
    length = statistics.median(seconds_at_work(partial(work, kind, url, log, [number])) for number in range(1000, 1005))
    chance = random.Random(url.partition(":")[0])
    before: dict[tuple[str, str], object] = {}
    repeated: list[str] = []
    tries = left = 0
    while left < kills:
        read = log.stat().st_size
        hit = killed(partial(work, kind, url, log, [tries]), chance.uniform(0.0, length))
        length *= 1.05 if hit else 0.95  # about every second one hits, however fast the machine is just now
        left += hit
        begun = log.read_bytes()[read:].decode().splitlines()
        repeated += [line for line in begun if tuple(line.split()) in before]
        now = kept(url)
        assert {each: now.get(each) for each in before} == before, "what was kept is lost or has changed"
        before = now
        tries += 1
        assert tries < 1000, f"{kills - left} kills are missing: the children end too fast to be killed"
    return [*range(tries), *range(1000, 1005)], repeated


@pytest.mark.slow
def test_killed_at_random_instants_no_stage_is_repeated_or_lost(store_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    begun, repeated = killed_often(Store, store_url, log, KILLS)
    assert not killed(partial(work, Store, store_url, log, begun), 60.0)
    assert repeated == []
    with Store(store_url) as store:
        assert store.unfinished() == ()
        result = asyncio.run(
            chain(State, [Stage(n, noting(log, n), sees=["task"]) for n in STAGES], store=store)("7", run="7")
        )
    assert result.output == State(task="7", **{stage: f"{stage} of 7" for stage in STAGES})
    assert (result.made, result.resumed, result.usage.calls) == ((), STAGES, 4)
    assert set(kept(store_url)) == {(str(run), stage) for run in begun for stage in STAGES}
    lines = log.read_text().splitlines()
    assert 0 < len(lines) - len(set(lines)) <= KILLS, "a kill costs the stage that was at work, and no other"


class Forgetful(Store):
    """The wrong way: it keeps, and does not look."""

    saving = False

    def checkpoint(self, run: str, stage: str) -> Checkpoint | None:
        return super().checkpoint(run, stage) if self.saving else None

    def save(self, run: str, stage: str, value: object) -> Checkpoint:
        self.saving = True
        try:
            return super().save(run, stage, value)
        finally:
            self.saving = False


@pytest.mark.slow
def test_the_kills_find_a_chain_that_does_not_look(tmp_path: Path) -> None:
    _, repeated = killed_often(Forgetful, f"sqlite:///{tmp_path / 'state.db'}", tmp_path / "log", KILLS // 10)
    assert repeated
