"""The layers hold, and the contracts that say so notice a breach."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PORTIONS = ("cli", "experiments", "faults", "harness", "patterns", "plugin", "reports")

LINT = """
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from importlinter.cli import lint_imports

spec = ModuleSpec("dissonance", None, is_package=True)  # a namespace package with one portion, the copy
spec.submodule_search_locations = [sys.argv[1]]
sys.modules["dissonance"] = module_from_spec(spec)
sys.exit(lint_imports(config_filename=sys.argv[2], no_cache=True))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what is installed."""
    copy = tmp_path / "dissonance"
    for portion in PORTIONS:
        (source,) = importlib.import_module(f"dissonance.{portion}").__path__
        shutil.copytree(source, copy / portion, ignore=shutil.ignore_patterns("data", "*.pyc"))
    shutil.copy(str(importlib.import_module("dissonance.pytest_plugin").__file__), copy)
    return copy


def lint(package: Path) -> subprocess.CompletedProcess[str]:
    config = str(ROOT / "pyproject.toml")
    return subprocess.run([sys.executable, "-c", LINT, str(package), config], capture_output=True, text=True)


def test_the_layers_hold(package: Path) -> None:
    done = lint(package)
    assert (done.returncode, "Contracts: 3 kept, 0 broken." in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("harness/call.py", "import dissonance.faults", "Imports run one way"),
        ("faults/plan.py", "import dissonance.cli.main", "Imports run one way"),
        ("cli/main.py", "import dissonance.pytest_plugin", "Imports run one way"),
        ("cli/main.py", "import dissonance.plugin.record", "Imports run one way"),
        ("rogue.py", "", "Imports run one way"),
        ("patterns/agent.py", "import dissonance.harness", "Patterns know nothing of what tests them"),
        ("reports/page.py", "import dissonance.patterns", "Only experiments and the command import patterns"),
    ],
)
def test_a_breach_is_noticed(package: Path, module: str, line: str, broken: str) -> None:
    with (package / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint(package)
    assert (done.returncode, f"{broken} BROKEN" in done.stdout) == (1, True), done.stdout
