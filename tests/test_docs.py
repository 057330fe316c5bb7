"""Every block of the guides in ``docs`` runs and says what the guide says."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pages import blocks, matches, name_of

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "custom-workflows.md").read_text()
FRAMEWORKS = (ROOT / "docs" / "frameworks.md").read_text()
STAGING = (ROOT / "docs" / "staging-ci.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project with the guide's files in it."""
    for block in blocks(GUIDE, "python"):
        (tmp_path / name_of(block)).write_text(block)
    return tmp_path


@pytest.fixture(scope="session")
def environment() -> Mapping[str, str]:
    """One in which the commands are those of this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC", "PYTEST"))}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])}


def told(line: str, folder: Path, environment: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env={**environment, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(GUIDE, "console"), ids=lambda block: str(block.splitlines()[0]))
def test_commands_print_what_is_said(folder: Path, environment: Mapping[str, str], block: str) -> None:
    line, _, expected = block.partition("\n")
    done = told(line.removeprefix("$ "), folder, environment)
    assert matches(expected, done.stdout), done.stdout


@pytest.mark.slow
def test_the_files_that_no_command_runs_pass(folder: Path, environment: Mapping[str, str]) -> None:
    named = set(re.findall(r"test_\w+\.py", "".join(blocks(GUIDE, "console"))))
    rest = sorted({name_of(block) for block in blocks(GUIDE, "python") if "def test_" in block} - named)
    done = told(f"pytest -q -W error::DeprecationWarning {' '.join(rest)}", folder, environment)
    assert (done.returncode, rest) == (0, ["test_crash.py", "test_kill.py", "test_mended.py"]), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "code"), [("test_mended.py", 0), ("test_complaints.py", 1), (None, 5)], ids=["held", "broke", "none"]
)
def test_the_script_ends_as_the_table_says(
    folder: Path, environment: Mapping[str, str], test: str | None, code: int
) -> None:
    for path in folder.glob("test_*.py"):
        if path.name != test:
            path.unlink()
    (script,) = (block for block in blocks(STAGING, "sh") if block.startswith("#!"))
    path = folder / "chaos.sh"
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    done = told("./chaos.sh", folder, environment, INSTALL="true", PROFILE="ci")
    assert done.returncode == code, done.stdout
    report = {each.name for each in (folder / "chaos-report").glob("*.*")} if code != 5 else set()
    assert report >= ({"index.html", "report.md", "junit.xml"} if code != 5 else set())
    assert f"| {code} |" in STAGING


@pytest.mark.slow
def test_the_steps_of_the_action_are_those_of_the_script(folder: Path, environment: Mapping[str, str]) -> None:
    yaml = pytest.importorskip("yaml")
    (block,) = blocks(STAGING, "yaml")
    action: dict[str, Any] = yaml.safe_load(block)
    steps = {step["name"]: step for step in action["jobs"]["chaos"]["steps"] if "name" in step}
    assert list(steps) == ["Install", "Chaos tests", "Summary", "Report"]
    script = blocks(STAGING, "sh")[0]
    assert steps["Install"]["run"] in script
    assert steps["Chaos tests"]["run"].replace("=staging", '="${PROFILE:-staging}"') in script
    for path in folder.glob("test_*.py"):
        if path.name != "test_mended.py":
            path.unlink()
    done = told(steps["Chaos tests"]["run"], folder, environment)
    assert done.returncode == 0 and re.search(r"^dissonance: seed \d+, profile staging", done.stdout, re.M), done.stdout
    assert told(steps["Summary"]["run"], folder, environment, GITHUB_STEP_SUMMARY="summary.md").returncode == 0
    assert (folder / "summary.md").read_text().startswith("# Dissonance\n")
    assert (folder / steps["Report"]["with"]["path"] / "index.html").is_file()


@pytest.mark.parametrize("text", [GUIDE, STAGING, FRAMEWORKS], ids=["guide", "staging", "frameworks"])
def test_links_lead_somewhere(text: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert links == [link for link in links if (ROOT / "docs" / link).exists()]


def test_the_options_are_those_that_there_are() -> None:
    from dissonance import pytest_plugin

    source = Path(str(pytest_plugin.__file__)).read_text()
    there = set(re.findall(r"^\* ``(--dissonance-\w+)", source, re.MULTILINE))
    assert set(re.findall(r"^\| `(--dissonance-\w+)", GUIDE, re.MULTILINE)) == there
