"""Every block of code in the README runs and says what the README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dissonance.faults import FaultPlan

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def name_of(block: str) -> str:
    found = re.match(r"# (\w+\.py)\n", block)
    assert found, f"a Python block begins with its file's name, not {block[:40]!r}"
    return found[1]


def commands(block: str) -> list[tuple[str, str]]:
    """The lines after ``$``, each with what it prints; ``...`` stands for anything."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


def matches(expected: str, said: str) -> bool:
    """Whether that was said. The width of a gap does not matter."""
    expected, said = (" ".join(text.split()) for text in (expected, said))
    return re.fullmatch(re.escape(expected).replace(r"\.\.\.", ".*"), said) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with the README's files in it."""
    for block in blocks("python"):
        (tmp_path / name_of(block)).write_text(block)
    return tmp_path


@pytest.fixture(scope="session")
def environment() -> Mapping[str, str]:
    """One in which the commands are those of this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "PYTEST"))}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])}


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.split()[1])
def test_commands_print_what_is_said(folder: Path, environment: Mapping[str, str], block: str) -> None:
    for line, expected in commands(block):
        done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert matches(expected, done.stdout), f"$ {line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", blocks("python"), ids=name_of)
def test_a_file_runs(folder: Path, environment: Mapping[str, str], block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", name_of(block)], cwd=folder, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("block", blocks("json"))
def test_a_plan_is_one(block: str) -> None:
    assert FaultPlan.from_json(block).rules


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_make_knows_the_command(line: str) -> None:
    assert shutil.which("make") and line.startswith("make ")
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links == [link for link in links if (ROOT / link).exists()]


def test_the_commands_are_those_that_there_are(environment: Mapping[str, str]) -> None:
    told = set(re.findall(r"^\| `dissonance (\w+)", README, re.MULTILINE))
    done = subprocess.run(["dissonance", "--help"], env=environment, capture_output=True, text=True, check=True)
    assert told == set(re.findall(r"^│ (\w+) ", done.stdout.partition("Commands")[2], re.MULTILINE))
