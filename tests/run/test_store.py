"""A stored run: its folder, what survives a kill, and reading it back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from doubles import Answers, Rewrites, Says, request, said
from forks import on_a_disk_of

from dissonance.harness import BadInput, Limits, Run, agent, load_run, run, terminates
from dissonance.harness.wire.table import error_reply


def pair(task: str) -> str:
    client = Anthropic(api_key="k")
    with agent("writer"):
        draft = client.messages.create(**request(task)).content[0].text
    with agent("judge"):
        return str(client.messages.create(**request(draft)).content[0].text)


def lie(text: str = "Lies.") -> list[Rewrites]:
    return [Rewrites(lambda reply: reply.with_message(said(text)), id="r1")]


def stored(store: Path, **options: Any) -> Run:
    return run(pair, "t", **{"model": Says(), "store": store, **options})


def test_the_folder_holds_plan_run_history_and_bodies(tmp_path: Path) -> None:
    done = stored(tmp_path / "runs", plan=lie(), notes={"why": "a test"})
    assert done.path == tmp_path / "runs" / "00002-pair"
    assert sorted(str(path.relative_to(done.path)) for path in done.path.rglob("*")) == [
        "bodies", "bodies/parts.jsonl", "history.jsonl", "plan.json", "run.json",
    ]  # fmt: skip
    assert json.loads((done.path / "plan.json").read_text()) == {
        "schema": 1,
        "rules": [{"id": "r1", "fault": {"kind": "Rewrites"}}],
    }
    about = json.loads((done.path / "run.json").read_text())
    assert (about["schema"], about["workflow"], about["task"], about["outcome"]) == (1, "pair", "t", "completed")
    assert about["baseline"]["run"] == "00001-pair-baseline"
    assert about["notes"] == {"why": "a test"}
    assert (tmp_path / "runs" / "latest").resolve() == done.path
    assert len((done.path / "history.jsonl").read_text().splitlines()) == len(done.history)


def test_each_content_is_stored_once(tmp_path: Path) -> None:
    done = stored(tmp_path, plan=lie())
    assert done.path is not None
    lines = (done.path / "bodies" / "parts.jsonl").read_text().splitlines()
    hashes = [json.loads(line)["hash"] for line in lines]
    assert len(hashes) == len(set(hashes)) == len(done.history.bodies)


def test_a_stored_run_reads_back_as_it_was(tmp_path: Path) -> None:
    done = stored(tmp_path, plan=lie())
    assert done.path is not None
    again = load_run(done.path)
    for name in ("workflow", "task", "seed", "model", "plan", "outcome", "stopped_by", "result", "calls", "seconds",
                 "tokens", "usd", "tier", "demoted_by", "faults", "baseline_problem", "path", "history"):  # fmt: skip
        assert getattr(again, name) == getattr(done, name), name
    assert again.judge(terminates()) == done.judge(terminates())
    assert again.baseline is not None
    assert done.baseline is not None
    assert again.baseline.history == done.baseline.history
    assert again.replay_line == done.replay_line


def test_a_failure_is_kept_as_text(tmp_path: Path) -> None:
    done = stored(tmp_path, plan=[Answers(error_reply(400, message="No."), agent="judge")])
    assert done.path is not None
    again = load_run(done.path)
    assert again.error_text == done.error_text
    assert str(again.error) == done.error_text
    assert str(done.error_text).startswith("BadRequestError: ")


def test_a_run_that_was_stopped_has_no_error_of_its_own(tmp_path: Path) -> None:
    done = stored(tmp_path, limits=Limits(calls=1))
    assert done.path is not None
    again = load_run(done.path)
    assert (again.outcome, again.stopped_by, again.error) == ("stopped_by_harness", "calls", None)


def test_without_its_baseline_folder_a_run_still_knows_how_that_went(tmp_path: Path) -> None:
    done = stored(tmp_path / "a", plan=lie())
    assert done.path is not None
    moved = done.path.rename(tmp_path / "alone")
    again = load_run(moved)
    assert again.baseline is not None
    assert (again.baseline.outcome, again.baseline.calls) == ("completed", 2)


KILLED = """
import os, sys
sys.path[:0] = {path!r}
from test_store_workflow import pair_and_die
from doubles import Says
from dissonance.harness import run
run(pair_and_die, "t", model=Says(), store={store!r})
"""


def test_a_kill_in_the_middle_loses_nothing_recorded(tmp_path: Path) -> None:
    (tmp_path / "test_store_workflow.py").write_text(
        "import os\nfrom anthropic import Anthropic\nfrom doubles import request\n"
        "def pair_and_die(task):\n"
        "    client = Anthropic(api_key='k')\n"
        "    for n in range(3): client.messages.create(**request(f'{task}{n}'))\n"
        "    os._exit(9)\n"
    )
    support = Path(__file__).parent.parent / "support"
    code = KILLED.format(path=[str(tmp_path), str(support)], store=str(tmp_path / "runs"))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    again = load_run(tmp_path / "runs" / "latest")
    assert (again.outcome, again.calls, again.error_text) == (
        "crashed",
        3,
        "the process was killed before the run ended",
    )
    assert [again.history.reply_text(reply) for reply in again.history.replies()] == [
        "writer says 1", "writer says 2", "writer says 3",
    ]  # fmt: skip
    assert again.judge(terminates())[0].status != "pass"


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    done = stored(tmp_path)
    assert done.path is not None
    history = done.path / "history.jsonl"
    history.write_bytes(history.read_bytes()[:-9])
    assert len(load_run(done.path).history) == len(done.history) - 1


def spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoiled(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return spoiled


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "run.json").unlink(), "holds no run.json: give the folder of a stored run"),
        (spoil("run.json", lambda data: data[:-9]), "is not JSON"),
        (spoil("run.json", lambda data: b"[]"), "holds no JSON object"),
        (
            spoil("run.json", lambda data: data.replace(b'"schema": 1', b'"schema": 99')),
            "schema is 99, but this version",
        ),
        (
            spoil("history.jsonl", lambda data: data.replace(b'"kind":"call"', b'"kind":"cake"')),
            "not an event of schema 1",
        ),
        (spoil("history.jsonl", lambda data: b""), "the history is empty"),
        (lambda folder: (folder / "history.jsonl").unlink(), "cannot be read"),
        (spoil("bodies/parts.jsonl", lambda data: data.replace(b"says", b"said")), "not a content with its hash"),
    ],
    ids=["no run.json", "cut", "list", "version", "event", "empty", "no history", "body"],
)
def test_a_damaged_folder_is_refused_with_the_reason(tmp_path: Path, damage: Any, message: str) -> None:
    done = stored(tmp_path)
    assert done.path is not None
    damage(done.path)
    with pytest.raises(BadInput, match=message):
        load_run(done.path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist: give the folder of a stored run"):
        load_run(tmp_path / "nowhere")


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="no folder can be made there"):
        stored(tmp_path / "file")


def test_the_default_store_is_ignored_by_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(pair, "t", model=Says())
    assert done.path == tmp_path / ".dissonance" / "runs" / "00001-pair"
    assert (tmp_path / ".dissonance" / ".gitignore").read_text() == "*\n"
    assert done.replay_line == "dissonance replay .dissonance/runs/00001-pair"


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    first = stored(tmp_path)
    (tmp_path / "00002-pair").mkdir()  # by another process
    assert (first.path, stored(tmp_path).path) == (tmp_path / "00001-pair", tmp_path / "00003-pair")


def test_what_has_no_json_is_kept_without_its_address(tmp_path: Path) -> None:
    done = run(lambda: object(), store=tmp_path, model=Says())
    assert done.path is not None
    assert load_run(done.path).result == "<object object>"


# --- disks ------------------------------------------------------------------------------------


def _chatter(task: str) -> str:
    for _ in range(20):
        task = pair(f"{task} and more")
    return task


def _fill(store: Path) -> None:
    with pytest.raises(BadInput) as caught:
        run(_chatter, "t", model=Says(), store=store)
    (path,) = (each for each in store.iterdir() if each.name != "latest")
    assert str(caught.value) == (
        f"{str(path)!r}: the run cannot be stored: File too large; what is there of it is intact, and so are the other "
        "runs: make room, or give another store, and run it again"
    )


def test_a_full_disk_is_told_when_the_run_has_ended_and_what_is_there_can_be_read(tmp_path: Path) -> None:
    assert on_a_disk_of(4_000, lambda: _fill(tmp_path)) == 0
    (path,) = tmp_path.glob("0*")
    kept = load_run(path)
    whole = run(_chatter, "t", model=Says(), store=None).history
    assert (kept.outcome, kept.error_text) == ("crashed", "the process was killed before the run ended")
    assert 2 < len(kept.history) < len(whole)
    assert list(kept.history) == list(whole)[: len(kept.history)]


def test_a_disk_that_is_full_at_once_is_told(tmp_path: Path) -> None:
    def fill() -> None:
        with pytest.raises(BadInput, match="the run cannot be stored: File too large; what is there of it is intact"):
            stored(tmp_path)

    assert on_a_disk_of(10, fill) == 0


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="no folder can be made there: Not a directory; give another one"):
        stored(tmp_path / "file" / "runs")
