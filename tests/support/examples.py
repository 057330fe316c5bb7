"""Runs the tests of an application of ``examples`` as its user does: in its folder, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pages import blocks, matches, name_of

ROOT = Path(__file__).parents[2]


PAGE = (ROOT / "docs" / "frameworks.md").read_text()


def chaos(folder: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """``pytest -m chaos`` in a copy of the folder that lies where it lies here: below a project with settings of its own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copied = _copied(tmp_path)
    return _told("pytest -m chaos -p no:cacheprovider", copied / folder)


def page_holds(folder: str, tmp_path: Path) -> str | None:
    """Run what ``docs/frameworks.md`` has for this folder; what is said instead of what the page says, else None."""
    section = next(each for each in PAGE.split("\n## ") if f"In `examples/{folder}`" in each)
    (script,), (console,) = blocks(section, "python"), blocks(section, "console")
    place = _copied(tmp_path) / folder
    (place / name_of(script)).write_text(script)
    line, _, expected = console.partition("\n")
    done = _told(line.removeprefix("$ "), place)
    return None if matches(expected, done.stdout) else done.stdout


def pages_test(folder: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the test that the page ends with, beside the application of this folder."""
    (test,) = blocks(PAGE.partition("\n## A test of yours\n")[2], "python")
    place = _copied(tmp_path) / folder
    (place / name_of(test)).write_text(test)
    return _told(f"pytest {name_of(test)} -p no:cacheprovider", place)


def _copied(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=ignored))


def _told(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "PYTEST"))}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return subprocess.run(
        line, shell=True, cwd=folder, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
