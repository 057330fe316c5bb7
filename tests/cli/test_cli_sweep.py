"""``dissonance sweep``: a grid of plans and parameters, its table, and going on with it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dissonance.cli.main import main

FLOW = """
from anthropic import AsyncAnthropic

async def flow(task, rounds=2):
    async with AsyncAnthropic(api_key="none") as client:
        for _ in range(rounds):
            answer = await client.messages.create(
                model="claude-sonnet-4-6", max_tokens=50,
                system="You are the judge. Respond with 'APPROVE' or 'REJECT'.",
                messages=[{"role": "user", "content": task}],
            )
            if "APPROVE" in answer.content[0].text:
                return "approved"
    return "given up"
"""


@pytest.fixture
def flow(tmp_path: Path) -> str:
    (tmp_path / "flow.py").write_text(FLOW)
    return f"{tmp_path / 'flow.py'}:flow"


def _sweep(flow: str, out: Path, *more: str) -> int:
    plans = ["--plan", "judge-never-accepts", "--plan", "rate-limit"]
    return main(
        ["sweep", flow, "--task", "draft", "--jobs", "1", "--seeds", "2", "--out", str(out), "--json", *plans, *more]
    )


@pytest.mark.slow
def test_a_sweep_has_a_row_for_each_plan_parameter_and_seed(
    flow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sweep(flow, tmp_path / "out", "--vary", "rounds=1,3", "--limit", "calls=2", "--keep") == 1
    told = json.loads(capsys.readouterr().out)
    table = pd.read_parquet(told["table"])
    expected = [("none", "pass"), ("judge-never-accepts", "pass/fail"), ("rate-limit", "pass")]
    found = [(arm, "/".join(rows["verdict"].unique())) for arm, rows in table.groupby("arm", sort=False)]
    assert found == expected
    assert (told["runs"], told["verdicts"]) == (12, {"fail": 2, "pass": 10})
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 2


@pytest.mark.slow
def test_a_sweep_goes_on_by_its_folder(flow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    _sweep(flow, out)
    whole = (out / "table.parquet").read_bytes()
    segment = out / "segments" / "0001.lines"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:2]))
    (out / "table.parquet").unlink()
    capsys.readouterr()
    main(["sweep", str(out), "--jobs", "1"])
    assert (out / "table.parquet").read_bytes() == whole
    assert "(6 runs, 4 played now)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vary", "rounds"], "--vary 'rounds': give NAME=VALUE,VALUE for a parameter of the workflow"),
        (["--vary", "arm=1"], "--vary 'arm=1': give NAME=VALUE,VALUE"),
        (["--plan", "nothing"], "--plan 'nothing': there is no such file, and no plan judge-never-accepts"),
        (["--address", "tcp://x"], "address='tcp://x': the local engine has none"),
    ],
)
def test_a_bad_option_is_named(
    flow: str, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sweep(flow, tmp_path / "out", *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_sweep_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(tmp_path)]) == 2
    assert "holds no sweep of this command: give a TARGET and --task TEXT" in capsys.readouterr().err
