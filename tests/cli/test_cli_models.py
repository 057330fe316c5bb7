"""``--model``: who answers, by name, from a record, from a file of the user's, or for real."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dissonance.cli.models import Answering, _loaded, read_model
from dissonance.faults import EmptyContent, FaultPlan, RejectWork, Rule
from dissonance.faults.facts import facts
from dissonance.harness import BadInput, Gullible, Live, Scripted, Skeptical, load_run, save_cassette
from dissonance.harness.serve import serving
from dissonance.harness.wire.catalog import cost

from .conftest import TASK, Cli

SAID = "ACME sold nothing."
MODELS = f"""
from dissonance.harness import Scripted

SAYS = Scripted({SAID!r})

def made():
    return SAYS

def broken():
    raise RuntimeError("no such model")

NUMBER = 3
"""


@pytest.fixture(autouse=True)
def _models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``models.py``, which nothing remembers afterwards."""
    (folder / "models.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("models", None)
    _loaded.cache_clear()


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], float]]:
    """A server in the place of the real API; gives the US dollars that its calls have cost."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-live-0123456789")
    with serving(store=None, speed=1e6) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)

        def billed() -> float:
            calls = {call.id: call.model for call in server.history("run-1").calls()}
            return sum(cost(each.usage, calls[each.call]) for each in server.history("run-1").replies() if each.usage)

        yield billed


# --- by its words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (None, Gullible()),
        ("gullible:2", Gullible(elaborate=2)),
        ("skeptical:0.3", Skeptical(facts(), 0.3)),
        ("skeptical:0.3:0.1", Skeptical(facts(), 0.3, 0.1)),
    ],
)
def test_models_by_name(text: str | None, model: object) -> None:
    assert read_model(text).load() == model


@pytest.mark.parametrize("name", ["SAYS", "made"])
def test_a_model_in_python(name: str) -> None:
    loaded = read_model(f"models.py:{name}").load()
    assert loaded.describe() == Scripted(SAID).describe()


def test_live_names_its_limit_and_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-live-0123456789")
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    answering = read_model("live:0.50:claude-haiku-4-5")
    live = answering.load()
    assert answering.live and isinstance(live, Live)
    assert live.describe() == {
        "name": "Live",
        "base_url": "https://api.anthropic.com",
        "model": "claude-haiku-4-5",
        "usd": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gulible", "--model 'gulible': there is no model of this name; give gullible[:K], skeptical:CORRECTION"),
        ("gullible:x", "--model 'gullible:x': 'x' is no whole number of derived claims; give gullible[:K]"),
        ("skeptical", "--model 'skeptical': '' is no number; give "),
        ("skeptical:2", "Skeptical(correction=2.0): give a probability from 0 to 1"),
        ("recorded", "--model 'recorded': recorded names no file; give "),
        ("recorded:no.json", "cassette 'no.json' cannot be read: No such file or directory; give the path of one"),
        ("recorded:.", "'.' holds no run.json: give the folder of a stored run"),
        ("live", "--model 'live': live needs a spending limit in US dollars, as live:0.50; give "),
        ("live:cheap", "--model 'live:cheap': 'cheap' is no number; give "),
        ("live:0", "Live(usd=0.0): give the US dollars that may be spent, such as 0.50"),
        ("live:1", "Live: there is no key; give api_key=…, or set ANTHROPIC_API_KEY"),
        ("nofile.py:x", "--model: TARGET 'nofile.py:x': the file 'nofile.py' does not exist; "),
    ],
)
def test_models_that_are_none(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(BadInput) as caught:
        read_model(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sayes", "--model: TARGET 'models.py:sayes': models.py has no callable 'sayes'; "),
        ("NUMBER", "--model 'models.py:NUMBER': 3 has no reply() and describe(); give "),
        ("broken", "--model 'models.py:broken': it cannot be made: RuntimeError: no such model; give "),
    ],
)
def test_what_is_no_model_in_python(name: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        Answering(text=f"models.py:{name}").load()
    assert str(caught.value).startswith(message)


# --- in the commands --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_probe_asks_the_named_model_and_a_replay_the_same_one(folder: Path, cli: Cli) -> None:
    (folder / "loop.json").write_text(FaultPlan(rules=[Rule(fault=RejectWork())]).to_json())
    given = ["summary.py:summarise", "--task", TASK, "--plan", "loop.json", "--json"]
    probed = cli("probe", *given, "--model", "models.py:SAYS")
    path = probed.json["plans"][0]["run"]
    assert load_run(path).baseline is not None and load_run(probed.json["baseline"]["run"]).result == SAID
    replayed = cli("replay", path, "--json").json["plans"][0]
    assert (replayed["remark"], load_run(replayed["run"]).model["name"]) == ("Just as in the stored run.", "Scripted")
    other = cli("replay", path, "--json", "--model", "gullible").json["plans"][0]
    assert (other["remark"], load_run(other["run"]).model["name"]) == ("", "Gullible")


@pytest.mark.slow
def test_a_record_answers_what_was_asked_and_is_unknown_for_all_else(folder: Path, cli: Cli) -> None:
    """The workflow gives up on the empty reply; with another task it asks what was never asked."""
    (folder / "empty.json").write_text(FaultPlan(rules=[Rule(fault=EmptyContent())]).to_json())
    given = ["summary.py:summarise", "--plan", "empty.json", "--json", "--out", "out"]
    recorded = cli("probe", *given, "--task", TASK, "--model", "models.py:SAYS").json
    clean, faulty = recorded["baseline"]["run"], recorded["plans"][0]["run"]
    save_cassette(load_run(clean), "cassette.json")
    for source in (clean, "cassette.json"):
        again = cli("probe", *given, "--task", TASK, "--model", f"recorded:{source}").json
        assert load_run(again["baseline"]["run"]).result == SAID
    missed = cli("probe", *given, "--task", "Another.", "--model", f"recorded:{clean}")
    assert (missed.code, missed.json["reason"]) == (
        3,
        f"baseline broken: Recorded: nothing in {clean!r} answers call 1 of 'agent-6537a9'. The nearest request is "
        "call 1 of 'agent-6537a9', from which it differs in",
    )
    refused = cli("probe", *given, "--task", TASK, "--model", f"recorded:{faulty}")
    assert (refused.code, refused.out) == (2, "")
    assert "the replies of this run carry its faults; give a run without a plan" in refused.err


@pytest.mark.slow
def test_live_spends_no_more_than_its_limit_in_all_processes(
    upstream: Callable[[], float], folder: Path, cli: Cli
) -> None:
    """The baseline's calls count, too. With the output that is asked for, a call may cost half a cent."""
    (folder / "loop.json").write_text(FaultPlan(rules=[Rule(fault=RejectWork())]).to_json())
    given = ["review.py:review", "--task", TASK, "--plan", "loop.json", "--json"]
    probed = cli("probe", *given, "--model", "live:0.06", "--limit", "calls=50")
    (tried,) = probed.json["plans"]
    assert (tried["stopped_by"], tried["tier"]) == ("usd", "T3")
    spent = float(Path("dissonance-report/runs/spent").read_text())
    assert spent == pytest.approx(upstream())
    assert 0.03 < spent <= 0.06
    again = cli("replay", tried["run"], "--json")
    assert (again.code, again.out) == (2, "")
    assert "this run's model was 'live:0.06', which costs money: say so again by --model, or give another" in again.err


def test_what_does_not_repeat_itself_is_not_proved(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-live-0123456789")
    ran = cli("probe", "summary.py:summarise", "--task", TASK, "--model", "live:1", "--prove")
    assert (ran.code, ran.err) == (
        2,
        "error: --model 'live:1' and --prove are both given; the real API does not repeat itself\n",
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's, of the workflow's model
def test_a_run_that_a_sweep_kept_is_played_again_with_its_parameters(folder: Path, cli: Cli) -> None:
    (folder / "rounds.py").write_text(
        (folder / "review.py")
        .read_text()
        .replace("def review():", "def review(rounds=9):")
        .replace("        while", "        for _ in range(rounds):\n         if")
    )
    given = [
        "rounds.py:review",
        "--task",
        TASK,
        "--vary",
        "rounds=1,4",
        "--plan",
        "judge-never-accepts",
        "--seeds",
        "1",
    ]
    swept = cli("sweep", *given, "--limit", "calls=6", "--keep", "--jobs", "1", "--out", "out", "--json")
    assert swept.json["verdicts"] == {"fail": 1, "pass": 3}
    (kept,) = Path("out/runs").glob("case-*/*-review")
    again = cli("replay", kept, "--json")
    (tried,) = again.json["plans"]
    assert (again.code, tried["name"], tried["remark"]) == (1, "judge-never-accepts", "Just as in the stored run.")
    assert json.loads((kept / "run.json").read_text())["notes"]["parameters"] == {"rounds": 4}
    assert (load_run(tried["run"]).calls, load_run(kept).calls) == (6, 6)
