"""The page in a real browser: no error, no request, no sideways scrolling, in light and dark, from phone to desk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissonance.harness.checks.verdict import Verdict
from dissonance.reports import Case, probe_report, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.slow

WATCH = """
<script>
window.errors = [];
addEventListener("error", (e) => window.errors.push(String(e.message || e.target.outerHTML)), true);
addEventListener("unhandledrejection", (e) => window.errors.push(String(e.reason)));
console.error = (...parts) => window.errors.push(parts.join(" "));
</script>
"""

MEASURE = """
<script>
addEventListener("load", () => {
  const inside = document.documentElement.clientWidth;
  const scrolls = (e) => e.closest(".scroll, .skip, svg defs");
  const wide = [...document.querySelectorAll("body *")]
    .filter((e) => !scrolls(e) && e.getBoundingClientRect().right > inside + 1)
    .map((e) => e.tagName + ": " + e.textContent.trim().slice(0, 40));
  const clipped = [...document.querySelectorAll("figure svg")].flatMap((svg) => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")]
      .filter((t) => { const b = t.getBoundingClientRect(); return b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1; })
      .map((t) => t.textContent);
  });
  document.body.dataset.seen = JSON.stringify({
    inside,
    scrollWidth: document.documentElement.scrollWidth,
    wide,
    clipped,
    requests: performance.getEntriesByType("resource").map((r) => r.name).filter((n) => !n.startsWith("data:")),
    paper: getComputedStyle(document.body).backgroundColor,
    opened: document.querySelector("details").open,
    errors: window.errors,
  });
});
</script>
"""


def seen(page: Path, width: int, dark: bool = False, anchor: str = "") -> dict[str, Any]:
    """What the browser reports of the page, shown in a frame of this width (its window has a minimum)."""
    assert CHROMIUM is not None, "install chromium: these tests look at the page in it"
    watched = page.with_name("watched.html")
    html = page.read_text().replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{MEASURE}</body>", 1)
    watched.write_text(html)
    frame = page.with_name("frame.html")
    frame.write_text(
        f'<iframe id="f" width="{width}" height="900" style="border:0" src="watched.html{anchor}"></iframe>'
        "<script>f.onload = () => setTimeout(() => { document.title = f.contentDocument.body.dataset.seen; }, 50)</script>"
    )
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", f"--user-data-dir={page.parent / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--window-size={max(width, 600)},1000",
            "--virtual-time-budget=3000", "--dump-dom", frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None, done.stdout[:500] + done.stderr[-500:]
    found = json.loads(title.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def page(make_run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    long = "an argument that is very long and has_no_place_where_it_could_be_broken_" + "x" * 80
    verdict = Verdict(status="fail", check="terminates", reason=f"would not have stopped: {long}", evidence=(1, 400))
    endless = make_run(
        150, stopped=True, outcome="stopped_by_harness", stopped_by="seconds", baseline=make_run(2, faults=False),
        path=Path("runs") / ("y" * 90), plan=({"id": "r1", "fault": {"kind": "RejectWork"}},),
    )  # fmt: skip
    guarded = make_run(3, guard=True)
    cases = [
        Case(name="endless", question="Does it end?", run=endless, verdicts=[verdict], advice=["Bound it."]),
        Case(
            name="guarded",
            question="Does it end?",
            run=guarded,
            verdicts=[Verdict(status="pass", check="c", reason="r")],
        ),
    ]
    return write_report(probe_report("Probe", cases), tmp_path_factory.mktemp("browser"))


@pytest.mark.parametrize("width", [380, 768, 1440])
def test_nothing_overflows_fails_or_is_fetched(page: Path, width: int) -> None:
    found = seen(page, width)
    assert found["inside"] <= width
    assert found["inside"] > width - 30
    expected: dict[str, Any] = {"wide": [], "clipped": [], "requests": [], "errors": []}
    assert {key: found[key] for key in expected} == expected
    assert found["scrollWidth"] <= found["inside"]


@pytest.mark.parametrize(
    ("dark", "paper"), [(False, "rgb(255, 255, 254)"), (True, "rgb(20, 23, 27)")], ids=["light", "dark"]
)
def test_it_follows_the_readers_light(page: Path, dark: bool, paper: str) -> None:
    assert seen(page, 768, dark)["paper"] == paper


@pytest.mark.parametrize(("anchor", "opened"), [("", False), ("#events-endless-400", True)], ids=["no-anchor", "event"])
def test_a_link_to_an_event_opens_its_list(page: Path, anchor: str, opened: bool) -> None:
    assert seen(page, 768, anchor=anchor)["opened"] is opened
