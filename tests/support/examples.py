"""Runs the tests of an application of ``examples`` as its user does: in its folder, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def chaos(folder: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """``pytest -m chaos`` in a copy of the folder that lies where it lies here: below a project with settings of its own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "PYTEST"))}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    line = ["pytest", "-m", "chaos", "-p", "no:cacheprovider"]
    return subprocess.run(
        line,
        cwd=tmp_path / "examples" / folder,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
