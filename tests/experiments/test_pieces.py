"""Pieces of an experiment: in order on any number of processes, and never played twice."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from forks import on_a_disk_of

from dissonance.experiments import play
from dissonance.experiments.journal import Journal
from dissonance.experiments.loop_termination import EXPERIMENT, Settings
from dissonance.harness.errors import BadInput

PLAYED: list[int] = []


@dataclass(frozen=True)
class Square:
    x: int

    def __call__(self) -> int:
        PLAYED.append(self.x)
        return self.x**2


@dataclass(frozen=True)
class Interrupted:
    x: int

    def __call__(self) -> int:
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _none_played() -> None:
    PLAYED.clear()


PIECES = [Square(x) for x in range(5)]


def replayed(path: Path) -> list[int]:
    PLAYED.clear()
    with Journal(path) as journal:
        return play(PIECES, journal=journal)


def test_pieces_are_played_in_order_and_progress_is_told_of_each() -> None:
    ticks: list[tuple[int, int]] = []
    assert play(PIECES, progress=lambda done, total: ticks.append((done, total))) == [0, 1, 4, 9, 16]
    assert ticks == [(done, 5) for done in range(1, 6)]


def test_what_was_measured_before_an_interruption_is_not_played_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "it.journal"
    with pytest.raises(KeyboardInterrupt), Journal(path) as journal:
        play([*PIECES[:3], Interrupted(3), PIECES[4]], journal=journal)
    assert replayed(path) == [0, 1, 4, 9, 16]
    assert PLAYED == [3, 4]


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_record_that_a_kill_cut_short_is_dropped_and_the_rest_stands(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "it.journal"
    with Journal(path) as journal:
        play(PIECES[:3], journal=journal)
    os.truncate(path, path.stat().st_size - cut)
    assert replayed(path) == [0, 1, 4, 9, 16]
    assert PLAYED == [2, 3, 4]
    assert replayed(path) == [0, 1, 4, 9, 16]
    assert PLAYED == []


def test_damage_in_the_middle_costs_what_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "it.journal"
    with Journal(path) as journal:
        play(PIECES, journal=journal)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert replayed(path) == [0, 1, 4, 9, 16]
    assert 0 < len(PLAYED) < 5


def test_other_parameters_find_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "it.journal") as journal:
        play(PIECES, journal=journal)
        play([Square(7)], journal=journal)
    assert PLAYED == [0, 1, 2, 3, 4, 7]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match=r"it.journal': cannot keep what was measured: .*; what it holds is intact"):
        play(PIECES, journal=Journal(tmp_path / "file" / "it.journal"))


def _fill(path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot keep what was measured: File too large; what it holds is intact"):
        replayed(path)


def test_a_full_disk_is_told_and_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "it.journal"
    assert on_a_disk_of(150, lambda: _fill(path)) == 0
    assert replayed(path) == [0, 1, 4, 9, 16]
    assert 0 < len(PLAYED) < 5


@pytest.mark.slow
def test_two_processes_measure_the_same() -> None:
    tiny = Settings(seeds=1, minutes=2, samples=10, retries=((0.5, 4),), trees=())
    alone, together = EXPERIMENT.run(tiny), EXPERIMENT.run(tiny, workers=2)
    assert together.table.equals(alone.table)
    assert together.held == alone.held
    assert together.runaways == alone.runaways
