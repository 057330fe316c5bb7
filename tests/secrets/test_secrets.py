"""Canaries in the place of secrets, wherever a workflow may have one; then every output is searched for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anthropic
import httpx2
import pytest

from dissonance.faults import FaultPlan, Overloaded, Rule, When
from dissonance.harness import CassetteMiss, CheckFailed, Live, Recorded, run, save_cassette, terminates
from dissonance.harness.secrets import Hidden, is_secret_name, without_secrets
from dissonance.harness.serve import serving

ENVIRONMENT = {"ANTHROPIC_API_KEY": "sk-ant-canary-env-1111", "BILLING_TOKEN": "tok-canary-env-2222"}

WORKFLOW = """
import os

import anthropic
import httpx2

SERVERS = [
    {
        "type": "url",
        "name": "x",
        "url": "https://me:pw-canary-3333@tools.example/?api_key=query-canary-4444",
        "authorization_token": "mcp-canary-5555",
    }
]


def client(**options):
    headers = {"x-gateway-token": "gw-canary-6666", "cookie": "session=jar-canary-7777"}
    return anthropic.Anthropic(api_key="sk-ant-canary-kwarg-8888", default_headers=headers, max_retries=1, **options)


def leaky(task, options={}, url="https://billing.example/?token=query-canary-9999", servers=SERVERS):
    '''Says its keys to the model and to whoever reads its errors.'''
    with client(**options) as api:
        said = f"{task} My key is {api.api_key}, and the other one {os.environ['BILLING_TOKEN']}."
        message = api.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=100,
            system="You are the writer.",
            messages=[{"role": "user", "content": said}],
            extra_body={"mcp_servers": servers},
        )
    try:
        httpx2.get(url, headers={"authorization": "Bearer tool-canary-0000"})
    except httpx2.ConnectError:
        pass
    raise RuntimeError(f"401 for {api.api_key} and {os.environ['ANTHROPIC_API_KEY']}: {message.content[0].text}")
"""

TEST = """
import pytest

from dissonance.faults import Overloaded, Rule, When
from dissonance.harness import terminates
from leaky import leaky


@pytest.mark.chaos
def test_leaky(dissonance):
    run = dissonance.run(leaky, "Go.", plan=[Rule(when=When(attempt=1), fault=Overloaded())])
    run.check(terminates())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a workflow that has secrets everywhere, in an environment that has some."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "leaky.py").write_text(WORKFLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("leaky", None)


def leaks(folder: Path, *said: str) -> list[str]:
    """Where a canary is, with what is around it."""
    found = []
    own = ("leaky.py", "test_leaky.py")
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()}
    outputs = {
        str(path): text for path, text in texts.items() if path.name not in own and "__pycache__" not in path.parts
    }
    outputs |= {f"said {number}": text for number, text in enumerate(said)}
    for name, text in outputs.items():
        place = text.find("canary-")
        if place >= 0:
            found.append(f"{name}: …{text[max(0, place - 60) : place + 30]}…")
    assert any(outputs.values()), "nothing was written, so that nothing was looked at"
    return found


def _commanded(*arguments: str) -> str:
    """What a command prints, both ways."""
    code = "import sys; from dissonance.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=dict(os.environ)
    )
    return done.stdout + done.stderr


def test_no_canary_is_in_a_stored_run_its_cassette_or_the_message_of_its_check(project: Path) -> None:
    from leaky import leaky  # type: ignore[import-not-found]

    made = run(leaky, "Go.", plan=[Rule(when=When(attempt=1), fault=Overloaded())], store=project / "runs")
    save_cassette(made, project / "cassette.json")
    with pytest.raises(CheckFailed) as caught:
        made.check(terminates())
    assert leaks(project, str(caught.value), made.error_text or "", repr(made.model)) == []
    assert "[secret]" in (made.error_text or "")
    assert "My key is [secret]" in (project / "cassette.json").read_text()


def test_no_canary_is_in_the_message_of_a_miss(project: Path) -> None:
    from leaky import leaky

    made = run(leaky, "Go.", store=None)
    save_cassette(made, project / "cassette.json")
    with pytest.raises(CassetteMiss) as caught:
        run(leaky, "Stay.", model=Recorded(project / "cassette.json"), store=None)
    assert leaks(project, str(caught.value)) == []


def test_no_canary_gets_through_the_server(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    token = "tok-canary-serve-1234"
    with serving(store=project / "runs", speed=1e6, token=token) as server:
        leaky_key = f"{token}:one"
        with anthropic.Anthropic(base_url=server.url, api_key=leaky_key) as client:
            client.messages.create(
                model="claude-sonnet-4-6",
                max_tokens=50,
                messages=[{"role": "user", "content": f"My key is {leaky_key}, or {ENVIRONMENT['BILLING_TOKEN']}."}],
            )
        with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {token}"}) as admin:
            said = [admin.get(path).text for path in ("/dissonance", "/dissonance/runs/one/history")]
            said.append(admin.get("/dissonance", headers={"authorization": "Bearer x"}).text)
        server.end("one", result=f"done with {token}")
    out = capfd.readouterr()
    assert leaks(project, *said, out.out, out.err) == []


def test_no_canary_of_a_live_model_is_shown(project: Path) -> None:
    from leaky import leaky

    live = Live(usd=0.10, api_key="sk-ant-canary-live-5678", base_url="http://127.0.0.1:9")
    with serving(store=None, speed=1e6) as upstream:
        asking = Live(usd=0.10, api_key="sk-ant-canary-live-5678", base_url=upstream.url)
        for number, model in enumerate((live, asking)):  # one that nobody answers, one that gets an answer
            made = run(partial(leaky, servers=None), "Go.", model=model, store=project / f"runs{number}")
            assert leaks(project, repr(model), str(model.describe()), made.error_text or "") == []
            model.close()
    assert asking.spent > 0 == live.spent


@pytest.mark.slow
def test_no_canary_is_in_what_the_commands_print_and_write(project: Path) -> None:
    plan = project / "plan.json"
    plan.write_text(json.dumps(FaultPlan(rules=[Rule(when=When(attempt=1), fault=Overloaded())]).describe()))
    said = _commanded("probe", "leaky.py:leaky", "--task", "Go.", "--plan", str(plan), "--out", "report")
    again = _commanded("check", "report/runs/latest")
    assert "baseline broken" in said
    assert (project / "report" / "index.html").is_file()
    assert leaks(project, said, again) == []


@pytest.mark.slow
def test_no_canary_is_in_what_pytest_prints_and_writes(project: Path) -> None:
    (project / "test_leaky.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "--dissonance-report=report",
    ]
    done = subprocess.run([*command, "test_leaky.py"], capture_output=True, text=True, cwd=project)
    assert done.returncode == 1, done.stdout + done.stderr
    names = {path.name for path in (project / "report").iterdir()}
    assert {"index.html", "report.md", "junit.xml"} <= names
    assert leaks(project, done.stdout, done.stderr) == []


# --- the nets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authorization", "X-Api-Key", "authorization_token", "client_secret", "password"])
def test_a_name_that_says_so_is_one_of_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["max_tokens", "budget_tokens", "tokenizer", "keyboard", "monkey", "author", "type"])
def test_a_name_that_only_looks_like_it_is_none(name: str) -> None:
    assert not is_secret_name(name)


def test_what_holds_no_secret_stays_the_same_object() -> None:
    value = {"a": ["https://example.com/?page=2", {"max_tokens": 3}], "b": None}
    assert without_secrets(value) is value
    assert Hidden(["sk-ant-0123456789"]).clean_json(value) is value


def test_the_longer_of_two_secrets_is_blanked_whole() -> None:
    assert Hidden(["sk-ant-01234", "sk-ant-01234-more-5"]).clean("x sk-ant-01234-more-5 y") == "x [secret] y"
