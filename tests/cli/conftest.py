"""Workflows of a user's: files outside the project that use ``anthropic`` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dissonance.cli.main import main

ASK = """
import anthropic

client = anthropic.AsyncAnthropic(api_key="none")


async def ask(system, text):
    message = await client.messages.create(
        model="claude-sonnet-4-5", max_tokens=300, system=system, messages=[{"role": "user", "content": text}]
    )
    if not message.content or message.stop_reason == "refusal":
        raise RuntimeError("no answer")
    return message.content[0].text
"""

SUMMARY = (
    ASK
    + '''
async def summarise(task):
    """One call; gives up where it gets no answer."""
    return await ask("You summarise.", task)
'''
)

REVIEW = (
    ASK
    + '''
def review():
    """A factory: the loop has no end but the judge's word."""
    async def work(task):
        draft = await ask("You are a writer.", task)
        while "APPROVE" not in await ask("You are a judge. Respond with 'APPROVE' or 'REJECT'.", draft):
            draft = await ask("You are a writer.", task + draft)
        return draft
    return work
'''
)

TASK = "Summarise: ACME sold 1,200 units in May 2024."


@dataclass(frozen=True)
class Ran:
    """What a command came back with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of every test here, with the two workflows in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "summary.py").write_text(SUMMARY)
    (tmp_path / "review.py").write_text(REVIEW)
    return tmp_path


@pytest.fixture(scope="session")
def review() -> str:
    """The code of ``review.py``."""
    return REVIEW


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in this process; a probe's child is a process of its own all the same."""

    def call(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture
def imports() -> Iterator[None]:
    """What a test imports in this process is forgotten."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts this Python with some code; the process does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def alive(pid: int) -> bool:
    """Whether a process runs: one that is dead, and that nobody has waited for, does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
