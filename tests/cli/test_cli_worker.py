"""The process of a workflow: it answers, it is killed when it hangs, and it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissonance.cli.worker import Gone, Worker
from dissonance.harness.errors import BadInput

from .conftest import alive


def load(worker: Worker, target: str) -> None:
    worker.ask({"do": "load", "target": target}, 60)


def test_what_is_printed_does_not_come_between(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "import os, sys\nprint('{}')\nos.write(1, b'raw\\n')\nprint(sys.stdin.read() == '')\ndef main(task): ...\n"
    )
    printed: list[str] = []
    with Worker(printed.append) as worker:
        load(worker, "flow.py:main")
    assert sorted(printed) == ["True", "raw", "{}"]


def test_bad_input_is_raised_here(folder: Path) -> None:
    with Worker(lambda line: None) as worker, pytest.raises(BadInput, match=r"the file 'no\.py' does not exist"):
        load(worker, "no.py:main")


def test_one_that_hangs_is_killed_and_says_where_it_was(folder: Path) -> None:
    (folder / "ready.py").write_text("def main(task): ...\n")
    (folder / "flow.py").write_text("def wait():\n    while True:\n        pass\nwait()\n")
    with Worker(lambda line: None) as worker:
        load(worker, "ready.py:main")  # the two seconds are not those in which the process starts
        with pytest.raises(Gone) as gone:
            worker.ask({"do": "load", "target": "flow.py:main"}, 2.0)
    assert gone.value.killed
    assert str(gone.value).startswith("it did not come back within 2 s; it was at flow.py:")
    assert str(gone.value).endswith("in wait")


def test_one_that_ends_its_own_process_is_told_apart(folder: Path) -> None:
    (folder / "flow.py").write_text("import os\nos._exit(7)\n")
    with Worker(lambda line: None) as worker, pytest.raises(Gone) as gone:
        load(worker, "flow.py:main")
    assert (str(gone.value), gone.value.killed) == ("the workflow ended its process (exit code 7)", False)


def test_what_a_workflow_started_dies_with_it(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid)\n"
        "def main(task): ...\n"
    )
    printed: list[str] = []
    with Worker(printed.append) as worker:
        load(worker, "flow.py:main")
    assert not alive(int(printed[0]))
