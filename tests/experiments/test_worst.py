"""The runs that an experiment keeps: stored, shown, and played again from their folder alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dissonance.cli.main import main
from dissonance.experiments import again, run_experiments
from dissonance.experiments.loop_termination import EXPERIMENT
from dissonance.harness.errors import BadInput
from dissonance.harness.same import difference

pytestmark = pytest.mark.slow

TINY = {"loop_termination": {"seeds": 1, "minutes": 2, "samples": 10, "retries": ((0.5, 4),), "trees": ()}}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiments([EXPERIMENT], out=tmp_path_factory.mktemp("worst"), changes=TINY)


def kept(page: Path) -> Path:
    (folder,) = (page.parent / "runs").iterdir()
    return folder


def test_the_section_shows_the_kept_run_and_the_line_that_replays_it(written: Path) -> None:
    html = written.read_text()
    assert f"<code>dissonance replay {kept(written)}</code>" in html
    assert 'id="diagram-loop-termination-' in html


def test_a_kept_run_is_played_again_from_its_folder(written: Path) -> None:
    stored, now = again(kept(written))
    assert stored.calls == now.calls > 5
    assert difference(stored.history, now.history, now.tier) is None


def test_the_command_replays_it_and_says_that_it_is_the_same(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(kept(written)), "--checks", "terminates", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["plans"][0]["remark"] == "Just as in the stored run."


def test_another_call_takes_its_place_and_leaves_what_is_not_an_experiments(written: Path) -> None:
    before = kept(written)
    run_experiments([EXPERIMENT], out=written.parent, changes=TINY)
    assert kept(written) == before
    about = json.loads((before / "run.json").read_text())
    (before / "run.json").write_text(json.dumps(about | {"notes": {}}))
    with pytest.raises(BadInput, match="is there and holds no run of an experiment; move it"):
        run_experiments([EXPERIMENT], out=written.parent, changes=TINY)
    (before / "run.json").write_text(json.dumps(about))


def test_a_folder_of_another_version_is_refused(written: Path) -> None:
    about = json.loads((kept(written) / "run.json").read_text())
    made = about["notes"]["experiment"]
    (kept(written) / "run.json").write_text(json.dumps(about | {"notes": {"experiment": made | {"piece": 10**6}}}))
    with pytest.raises(BadInput, match="loop_termination has no piece 1000000; another version made it"):
        again(kept(written))
    (kept(written) / "run.json").write_text(json.dumps(about))
