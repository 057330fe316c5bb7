"""A sweep loses nothing that it acknowledged: kills, damage, full disks."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path

import pytest
from forks import killed, on_a_disk_of, seconds_at_work
from swept import GRID, measure

from dissonance.harness import BadInput
from dissonance.harness.sweep import Progress, sweep
from dissonance.harness.sweep.segments import Segments

SEEDS = 60
TOTAL = 6 * SEEDS


def _play(folder: Path, started: int) -> None:
    def tell(progress: Progress) -> None:
        nonlocal started
        if started >= 0:
            os.write(started, b".")
            started = -1

    sweep(measure, GRID, seeds=SEEDS, folder=folder, progress=tell)


def _acknowledged(folder: Path) -> dict[int, object]:
    segments = Segments(folder / "segments", TOTAL)  # refuses a case that stands there twice
    return dict(segments.rows())


@pytest.mark.slow
def test_a_kill_at_any_instant_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """200 kills were made once in this way; see the figures in ``benchmarks``."""
    draw = random.Random(7)
    sweep(measure, GRID, seeds=SEEDS, folder=tmp_path / "whole")
    whole = (tmp_path / "whole" / "table.parquet").read_bytes()
    length = seconds_at_work(partial(_play, tmp_path / "uncut"))
    cut = 0
    for round in range(12):
        folder = tmp_path / str(round)
        before: dict[int, object] = {}
        while killed(partial(_play, folder), draw.uniform(0, length)):
            cut += 1
            now = _acknowledged(folder)
            assert before.items() <= now.items()
            before = now
        assert (folder / "table.parquet").read_bytes() == whole
        assert len(_acknowledged(folder)) == TOTAL
    assert cut > 0


def test_what_a_kill_left_of_a_line_is_played_again(tmp_path: Path) -> None:
    whole = sweep(measure, GRID, seeds=2, folder=tmp_path).path.read_bytes()
    segment = tmp_path / "segments" / "0001.lines"
    segment.write_bytes(segment.read_bytes()[:-9])
    swept = sweep(measure, GRID, seeds=2, folder=tmp_path)
    assert (swept.played, swept.path.read_bytes()) == (1, whole)


def test_a_damaged_line_is_told_and_the_rest_stays(tmp_path: Path) -> None:
    whole = sweep(measure, GRID, seeds=2, folder=tmp_path).path.read_bytes()
    segment = tmp_path / "segments" / "0001.lines"
    intact = segment.read_bytes()
    segment.write_bytes(intact.replace(b"drawn", b"Drawn", 1))
    with pytest.raises(BadInput, match=r"0001\.lines', line 1: the file was damaged; remove the file to play its runs"):
        sweep(measure, GRID, seeds=2, folder=tmp_path)
    segment.unlink()
    assert sweep(measure, GRID, seeds=2, folder=tmp_path).path.read_bytes() == whole


def _fill(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"a result cannot be kept: File too large; the \d+ results there are intact"):
        sweep(measure, GRID, seeds=SEEDS, folder=folder)


def test_a_full_disk_is_told_and_what_is_there_stays(tmp_path: Path) -> None:
    assert on_a_disk_of(5_000, partial(_fill, tmp_path / "full")) == 0
    kept = _acknowledged(tmp_path / "full")
    assert 0 < len(kept) < TOTAL
    swept = sweep(measure, GRID, seeds=SEEDS, folder=tmp_path / "full")
    assert swept.played == TOTAL - len(kept)


def _fill_with_the_table(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"table.parquet' cannot be written: .*; the results are intact: make room"):
        sweep(measure, GRID, seeds=SEEDS, folder=folder)


def test_a_disk_that_is_full_when_the_table_is_written_is_told_and_the_results_stay(tmp_path: Path) -> None:
    swept = sweep(measure, GRID, seeds=SEEDS, folder=tmp_path)
    whole = swept.path.read_bytes()
    swept.path.unlink()
    assert on_a_disk_of(len(whole) // 2, partial(_fill_with_the_table, tmp_path)) == 0
    assert not swept.path.exists()
    again = sweep(measure, GRID, seeds=SEEDS, folder=tmp_path)
    assert (again.played, again.path.read_bytes()) == (0, whole)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be used: Not a directory; give another one"):
        sweep(measure, GRID, folder=tmp_path / "file" / "sweep")


def test_two_processes_do_not_share_a_sweep(tmp_path: Path) -> None:
    def inner(progress: Progress) -> None:
        with pytest.raises(BadInput, match="another process is at work on this sweep"):
            sweep(measure, GRID, seeds=2, folder=tmp_path)

    sweep(measure, GRID, seeds=2, folder=tmp_path, progress=inner)
