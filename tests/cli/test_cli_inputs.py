"""Arguments: each wrong one is told with its value and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dissonance.cli.inputs import check_out, named_checks, plans_to_try, read_limits, read_task
from dissonance.faults import EmptyContent, FaultPlan, RejectWork, Rule, standard_battery
from dissonance.harness import Limits
from dissonance.harness.errors import BadInput, PlanError


def message_of(function: Callable[[], object]) -> str:
    with pytest.raises(BadInput) as error:
        function()
    return str(error.value)


# --- the task ---------------------------------------------------------------------------------


def test_a_task_is_text_or_a_file(folder: Path) -> None:
    (folder / "task.txt").write_bytes(b"\xef\xbb\xbfdraft the notice\n")
    assert read_task("draft", None) == "draft"
    assert read_task(None, Path("task.txt")) == "draft the notice\n"


@pytest.mark.parametrize(
    ("text", "file", "message"),
    [
        (None, None, "no task is given; give --task TEXT or --task-file FILE"),
        ("draft", "task.txt", "--task and --task-file 'task.txt' are both given; give one of them"),
        (" ", None, "--task ' ': the task is empty; give some text"),
        (None, "empty.txt", "--task-file 'empty.txt': the task is empty; give some text"),
        (
            None,
            "no.txt",
            "--task-file 'no.txt' cannot be read: No such file or directory; give the path of a text file",
        ),
        (None, "folder", "--task-file 'folder' is a folder; give a text file"),
        (
            None,
            "zero.bin",
            "--task-file 'zero.bin' is not text: byte 0x00 at 3; give a UTF-8 text file, not a binary one",
        ),
        (
            None,
            "picture.png",
            "--task-file 'picture.png' is not text: byte 0x89 at 0; give a UTF-8 text file, not a binary one",
        ),
        (None, "long.txt", "--task-file 'long.txt': 10,000,001 bytes are too many; give a text of at most 10,000,000"),
    ],
)
def test_a_task_that_is_none(folder: Path, text: str | None, file: str | None, message: str) -> None:
    (folder / "empty.txt").write_text("\n")
    (folder / "folder").mkdir()
    (folder / "zero.bin").write_bytes(b"abc\0")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (folder / "long.txt").write_bytes(b"x" * 10_000_001)
    assert message_of(lambda: read_task(text, None if file is None else Path(file))) == message


# --- the folder -------------------------------------------------------------------------------


def test_a_folder_for_the_report_need_not_exist(folder: Path) -> None:
    assert check_out(Path("a/b")) == Path("a/b")
    assert not (folder / "a").exists()


@pytest.mark.parametrize("out", ["summary.py", "summary.py/report"])
def test_a_file_is_no_folder(out: str) -> None:
    assert message_of(lambda: check_out(Path(out))) == (
        f"--out {out!r}: 'summary.py' is not a folder; give the path of a folder"
    )


# --- checks and limits ------------------------------------------------------------------------


def test_checks_by_name() -> None:
    assert named_checks(None) is None
    assert named_checks("terminates, no_silent_damage,terminates") == ("terminates", "no_silent_damage")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (",", "--checks ',' names no check; there are: "),
        ("terminate", "--checks 'terminate': there is no check of this name; did you mean 'terminates'?"),
    ],
)
def test_checks_that_are_none(text: str, start: str) -> None:
    assert message_of(lambda: named_checks(text)).startswith(start)


def test_limits_by_name() -> None:
    assert read_limits(["calls=7", "usd=0.5"], Limits(tokens=9)) == Limits(calls=7, usd=0.5, tokens=9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calls", "--limit 'calls': give NAME=N, such as calls=100; did you mean 'calls'?"),
        ("cals=3", "--limit 'cals=3': give NAME=N, such as calls=100; did you mean 'calls'?"),
        ("calls=x", "--limit 'calls=x': 'x' is no number; give NAME=N, such as calls=100"),
        ("calls=0", "Limits(calls=0): give a whole number above 0"),
        ("calls=1.5", "Limits(calls=1.5): give a whole number above 0"),
    ],
)
def test_limits_that_are_none(text: str, message: str) -> None:
    assert message_of(lambda: read_limits([text], Limits())) == message


# --- plans ------------------------------------------------------------------------------------


def test_without_a_plan_it_is_the_standard_battery() -> None:
    assert plans_to_try(None, None) == standard_battery()


def test_named_checks_narrow_the_battery() -> None:
    """A plan is not judged by a check that has nothing to look at in it."""
    tried = plans_to_try(None, ["no_silent_damage"])
    assert {each.checks for each in tried} == {("no_silent_damage",)}
    assert [each.name for each in tried] == [
        each.name for each in standard_battery() if "no_silent_damage" in each.checks
    ]


def test_a_check_that_no_plan_of_the_battery_names_judges_all_of_them() -> None:
    tried = plans_to_try(None, ["costs", "no_silent_damage"])
    assert {each.checks for each in tried} == {("costs",), ("costs", "no_silent_damage")}
    assert len(tried) == len(standard_battery())


def test_a_plan_is_judged_by_what_its_faults_do(folder: Path) -> None:
    for name, fault in (("loop", RejectWork()), ("damage", EmptyContent())):
        (folder / f"{name}.json").write_text(FaultPlan(rules=[Rule(fault=fault)]).to_json())
    (loop,), (damage,) = plans_to_try(Path("loop.json"), None), plans_to_try(Path("damage.json"), None)
    assert (loop.name, loop.checks) == ("loop", ("terminates",))
    assert (damage.name, damage.checks) == ("damage", ("terminates", "no_silent_damage"))


def test_a_plan_without_rules_is_an_error(folder: Path) -> None:
    (folder / "plan.json").write_text(FaultPlan().to_json())
    with pytest.raises(PlanError, match="the plan has no rule, so nothing would be tried; add one"):
        plans_to_try(Path("plan.json"), None)
