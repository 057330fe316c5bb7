"""Pages in a real browser: no error, no request, no sideways scrolling, by day and night, on phones, desks and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser

from dissonance.harness.checks.verdict import Verdict
from dissonance.reports import Case, probe_report, write_report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

SAMPLE = Path(__file__).parents[2] / "reports" / "sample" / "index.html"
PAGES = ["probe", "sample"]

WIDE = """
(() => {
  const inside = document.documentElement.clientWidth;
  const scrolls = (e) => e.closest(".scroll, .skip, svg defs");
  return [...document.querySelectorAll("body *")]
    .filter((e) => !scrolls(e) && e.getBoundingClientRect().right > inside + 1)
    .map((e) => e.tagName + ": " + e.textContent.trim().slice(0, 40));
})()
"""
"""What reaches beyond the window's right edge, apart from what scrolls by itself."""

CLIPPED = """
[...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  const out = (b) => b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1;
  return [...svg.querySelectorAll("text")].filter((t) => out(t.getBoundingClientRect())).map((t) => t.textContent);
})
"""
"""Words of a figure that are cut off at its edge."""

BEYOND_THE_SHEET = """
[...document.querySelectorAll("main *")]
  .filter((e) => !(e.closest("svg") && e.tagName !== "svg") && e.getBoundingClientRect().right > 701)
  .map((e) => e.tagName + " in " + (e.closest("[id]") || {}).id)
"""

BROKEN_ANCHORS = """
[...document.querySelectorAll('a[href^="#"]')]
  .map((a) => decodeURIComponent(a.getAttribute("href").slice(1)))
  .filter((id) => document.getElementById(id) === null)
"""

AXE = """
axe.run({resultTypes: ["violations"]}).then((found) => found.violations.map(
  (v) => `${v.impact}: ${v.id}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 120)}`))
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def probe(make_run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    long = "an argument that is very long and has_no_place_where_it_could_be_broken_" + "x" * 80
    verdict = Verdict(status="fail", check="terminates", reason=f"would not have stopped: {long}", evidence=(1, 400))
    endless = make_run(
        150, stopped=True, outcome="stopped_by_harness", stopped_by="seconds", baseline=make_run(2, faults=False),
        path=Path("runs") / ("y" * 90), plan=({"id": "r1", "fault": {"kind": "RejectWork"}},),
    )  # fmt: skip
    guarded = make_run(3, guard=True)
    held = [Verdict(status="pass", check="c", reason="r")]
    cases = [
        Case(name="endless", question="Does it end?", run=endless, verdicts=[verdict], advice=["Bound it."]),
        Case(name="guarded", question="Does it end?", run=guarded, verdicts=held),
    ]
    return write_report(probe_report("Probe", cases), tmp_path_factory.mktemp("browser"))


@pytest.fixture
def page(request: pytest.FixtureRequest, probe: Path) -> str:
    return (probe if request.param == "probe" else SAMPLE).as_uri()


each_page = pytest.mark.parametrize("page", PAGES, indirect=True)


@each_page
@pytest.mark.parametrize("width", [380, 768, 1440])
def test_nothing_overflows_fails_or_is_fetched(window: Browser, page: str, width: int) -> None:
    window.open(page, width=width)
    assert {
        "wide": window.evaluate(WIDE),
        "clipped": window.evaluate(CLIPPED),
        "problems": window.problems(),
        "requests": window.requests(),
    } == {"wide": [], "clipped": [], "problems": [], "requests": [page]}
    assert window.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@each_page
def test_a_printed_page_is_whole(window: Browser, page: str) -> None:
    """On paper nothing scrolls, so all must be inside; 700 px is what a sheet of A4 is wide within its margins."""
    window.open(page, width=700, media="print")
    window.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert window.evaluate(BEYOND_THE_SHEET) == []
    assert window.evaluate(CLIPPED) == []
    assert window.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert window.evaluate("[...document.querySelectorAll('details')].every((d) => d.open)")


@each_page
def test_every_anchor_resolves(window: Browser, page: str) -> None:
    window.open(page)
    assert window.evaluate("document.querySelectorAll('a[href^=\"#\"]').length") > 5
    assert window.evaluate(BROKEN_ANCHORS) == []


@each_page
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(window: Browser, page: str, dark: bool) -> None:
    """https://github.com/dequelabs/axe-core, with all its rules."""
    window.open(page, width=1024, dark=dark)
    window.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    window.evaluate(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";0")
    assert window.evaluate(AXE) == []


@pytest.mark.parametrize(
    ("dark", "media", "paper"),
    [
        (False, "screen", "rgb(255, 255, 254)"),
        (True, "screen", "rgb(20, 23, 27)"),
        (True, "print", "rgb(255, 255, 254)"),
    ],
    ids=["light", "dark", "paper"],
)
def test_it_follows_the_readers_light(window: Browser, probe: Path, dark: bool, media: str, paper: str) -> None:
    window.open(probe.as_uri(), dark=dark, media=media)
    assert window.evaluate("getComputedStyle(document.body).backgroundColor") == paper


@pytest.mark.parametrize(("anchor", "opened"), [("", False), ("#events-endless-400", True)], ids=["no-anchor", "event"])
def test_a_link_to_an_event_opens_its_list(window: Browser, probe: Path, anchor: str, opened: bool) -> None:
    window.open(probe.as_uri() + anchor)
    assert window.evaluate("document.querySelector('#events-endless').open") is opened


def test_the_keyboard_reaches_the_findings_first_and_then_every_figure_and_table(window: Browser, probe: Path) -> None:
    window.open(probe.as_uri())
    for kind in ("rawKeyDown", "keyUp"):
        window.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert window.evaluate("document.activeElement.getAttribute('href')") == "#findings"
    assert window.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    assert window.evaluate("[...document.querySelectorAll('.scroll')].every((e) => e.tabIndex === 0)")
