"""The written report: whole, self-contained, linked, readable by machines and people."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from gzip import decompress
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from dissonance.harness.checks.verdict import Verdict
from dissonance.harness.errors import BadInput
from dissonance.harness.history import Event
from dissonance.reports import (
    Case,
    Download,
    Finding,
    Interval,
    Note,
    Report,
    Section,
    Table,
    plan_in_short,
    plan_sentence,
    probe_report,
    space_time,
    write_report,
)
from dissonance.reports.render import _TOLD

RULE = {"id": "r1", "at": {"agent": "judge"}, "fault": {"kind": "RejectWork"}}


class Page(HTMLParser):
    """What tests ask of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        self.loaded += [str(given[key]) for key in ("src", "srcset", "action") if given.get(key)]
        if tag == "link":
            self.loaded.append(str(given["href"]))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


def verdict(status: Any, reason: str = "because", evidence: tuple[int, ...] = ()) -> Verdict:
    return Verdict(status=status, check="terminates", reason=reason, evidence=evidence)


@pytest.fixture(scope="module")
def cases(make_run: Callable[..., Any]) -> list[Case]:
    endless = make_run(
        150, stopped=True, outcome="stopped_by_harness", stopped_by="seconds", plan=(RULE,),
        baseline=make_run(2, faults=False), path=Path("runs/it's here"),
    )  # fmt: skip
    return [
        Case(name="held <b>well</b>", question="Does it end?", run=make_run(2, guard=True), verdicts=[verdict("pass")]),
        Case(
            name="endless", question="Does it end?", run=endless, advice=["Give it a budget."],
            verdicts=[verdict("fail", "would not have stopped", (1, 400, 740)), verdict("pass")],
        ),
        Case(name="dark", question="Does it end?", run=make_run(1), verdicts=[verdict("unknown", "nothing fired")]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def written(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, str, Path]:
    out = tmp_path_factory.mktemp("written") / "deep" / "report"
    page = write_report(probe_report("Probe of review", cases), out)
    html = page.read_text()
    return Page(html), html, page


def test_it_loads_nothing(written: tuple[Page, str, Path]) -> None:
    page, html, _ = written
    assert page.loaded == ["data:,"]
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_it_stays_small(written: tuple[Page, str, Path]) -> None:
    assert len(written[1].encode()) < 400_000


def test_ids_are_unique_and_every_anchor_resolves(written: tuple[Page, str, Path]) -> None:
    page, _, _ = written
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert len(page.ids) == len(set(page.ids))
    assert anchors
    assert set(anchors) <= set(page.ids)


def test_headings_descend_by_single_steps(written: tuple[Page, str, Path]) -> None:
    levels = written[0].headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_each_figure_says_in_words_what_it_shows(written: tuple[Page, str, Path]) -> None:
    page, html, _ = written
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == html.count("<figcaption>") == 6
    assert all(p["role"] == "img" and len(str(p["aria-label"])) > 30 for p in pictures)


def test_tables_name_their_columns_and_rows(written: tuple[Page, str, Path]) -> None:
    headers = [attributes.get("scope") for tag, attributes in written[0].tags if tag == "th"]
    assert set(headers) == {"col", "row"}


def test_pictures_and_tables_lie_beside_it(written: tuple[Page, str, Path]) -> None:
    folder = written[2].parent
    pictures = sorted(folder.glob("figures/*.png"))
    assert len(pictures) == 6
    assert all(picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 3000 for picture in pictures)
    frame = pd.read_csv(folder / "tables" / "plans.csv")
    assert frame[["plan", "verdict", "calls"]].to_numpy().tolist() == [
        ["endless", "fail", 301],
        ["dark", "unknown", 3],
        ["held <b>well</b>", "pass", 5],
    ]


def test_what_broke_comes_first_with_its_replay_line(written: tuple[Page, str, Path]) -> None:
    manifest = json.loads((written[2].parent / "report.json").read_text())
    assert manifest["status"] == "fail"
    assert manifest["findings"] == [
        {
            "section": "endless",
            "status": "fail",
            "sentence": "would not have stopped",
            "tier": "T1",
            "replay": """dissonance replay 'runs/it'"'"'s here'""",
        },
        {"section": "dark", "status": "unknown", "sentence": "nothing fired", "tier": "T1", "replay": ""},
        {"section": "held-b-well-b", "status": "pass", "sentence": "because", "tier": "T1", "replay": ""},
    ]


def test_text_of_the_user_is_escaped(written: tuple[Page, str, Path]) -> None:
    assert "<b>well</b>" not in written[1]
    assert "held &lt;b&gt;well&lt;/b&gt;" in written[1]


def test_evidence_links_to_events_even_from_the_middle_of_a_long_run(written: tuple[Page, str, Path]) -> None:
    page, html, _ = written
    assert {"#events-endless-1", "#events-endless-400", "#events-endless-740"} <= set(page.links)
    assert "events are left out here" in html


def test_the_plan_can_be_taken_out_of_the_page(written: tuple[Page, str, Path]) -> None:
    data = [link for link in written[0].links if link.startswith("data:application/json;base64,")]
    assert [json.loads(b64decode(link.partition(",")[2])) for link in data] == [{"schema": 1, "rules": [RULE]}]


def test_the_smallest_breaking_plan_stands_in_words(written: tuple[Page, str, Path]) -> None:
    assert (
        "The smallest that breaks it: on every call of agent &#39;judge&#39;, the model rejects the work." in written[1]
    )


def test_writing_again_gives_the_same_bytes_and_removes_what_is_gone(cases: list[Case], tmp_path: Path) -> None:
    first = write_report(probe_report("Probe", cases), tmp_path).read_bytes()
    assert write_report(probe_report("Probe", cases), tmp_path).read_bytes() == first
    (tmp_path / "figures" / "mine.png").write_bytes(b"mine")
    write_report(probe_report("Probe", cases[:1]), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == [
        "diagram-held-b-well-b.png",
        "latency-held-b-well-b.png",
        "mine.png",
    ]


def test_a_manifest_that_was_tampered_with_removes_nothing_outside(cases: list[Case], tmp_path: Path) -> None:
    out = tmp_path / "report"
    out.mkdir()
    (tmp_path / "precious.png").write_bytes(b"x")
    (out / "report.json").write_text(json.dumps({"files": ["../precious.png", "/etc/x.png", 3]}))
    write_report(probe_report("Probe", cases[:1]), out)
    assert (tmp_path / "precious.png").exists()


def test_nothing_is_written_where_the_folder_is_a_file(cases: list[Case], tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("mine")
    with pytest.raises(BadInput, match="cannot write the report: File exists; give the path of a folder"):
        write_report(probe_report("Probe", cases), target)
    assert target.read_text() == "mine"


def test_a_probe_without_runs_is_an_error() -> None:
    with pytest.raises(BadInput, match="give at least one run"):
        probe_report("Probe", [])


def section(name: str, *blocks: Any, status: Any = "pass") -> Section:
    found = Finding(status=status, sentence="Yes.")
    return Section(name=name, title=name, question="Is it?", verdict=found, blocks=blocks)


def found(status: Any, sentence: str, section: str = "") -> Finding:
    return Finding(status=status, sentence=sentence, section=section)


def test_the_front_page_says_what_breaks_and_what_stops_it_and_folds_the_rest() -> None:
    findings = [
        found("fail", "a breaks", "a"),
        found("fail", "alone"),
        found("fail", "a breaks again", "a"),
        found("pass", "b holds", "b"),
        found("pass", "a is stopped", "a"),
        found("pass", "b holds again", "b"),
    ]
    report = Report(title="t", lead="l", findings=findings, sections=[section("a"), section("b")])
    told = [
        (group.section and group.section.name, [f.sentence for f in group.shown], [f.sentence for f in group.others])
        for group in report.front
    ]
    assert told == [
        ("a", ["a breaks", "a is stopped"], ["a breaks again"]),
        (None, ["alone"], []),
        ("b", ["b holds"], ["b holds again"]),
    ]


def test_a_finding_of_a_section_that_is_not_there_is_an_error() -> None:
    with pytest.raises(BadInput, match="section='x' of a finding is not in the report: name one of its sections"):
        Report(title="t", lead="l", findings=[found("pass", "s", "x")], sections=[section("a")])


def test_a_large_table_in_the_page_is_packed_and_a_small_one_is_not(tmp_path: Path) -> None:
    large = b"x,y\n" + b"1,2\n" * 4000
    downloads = [Download(filename="l.csv", media_type="text/csv", content=large)]
    downloads.append(Download(filename="s.csv", media_type="text/csv", content=b"x\n1\n"))
    report = Report(title="t", lead="l", findings=[], sections=[section("a")], downloads=downloads)
    page = Page(write_report(report, tmp_path).read_text())
    links = {str(given["download"]): str(given["href"]) for tag, given in page.tags if "download" in given}
    assert sorted(links) == ["l.csv.gz", "s.csv"]
    assert decompress(b64decode(links["l.csv.gz"].partition(",")[2])) == large
    assert b64decode(links["s.csv"].partition(",")[2]) == b"x\n1\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "name='a' occurs twice in the report: give each section, figure and table its own"),
        (["A b"], "name='A b' in the report: use lower case letters, digits and hyphens"),
    ],
    ids=["twice", "form"],
)
def test_names_are_checked(names: list[str], message: str) -> None:
    with pytest.raises(BadInput) as error:
        Report(title="t", lead="l", findings=[], sections=[section(name) for name in names])
    assert str(error.value) == message


def test_the_worst_section_gives_the_reports_status() -> None:
    sections = [section("a"), section("b", status="unknown")]
    assert Report(title="t", lead="l", findings=[], sections=sections).status == "unknown"


def test_numbers_stand_to_the_right_and_intervals_with_their_n(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": ["x"], "rate": [0.5]})
    shown = pd.DataFrame({"arm": ["x"], "calls": [Interval(1.5, 1.2, 1.8, 40)], "ok": [True]})
    table = Table(name="t", frame=frame, shown=shown, caption="c")
    page = write_report(
        Report(title="t", lead="l", findings=[], sections=[section("s", table, Note(text="n", heading="h"))]), tmp_path
    )
    html = page.read_text()
    assert '<th scope="row">x</th><td class="n">1.5 <small>(1.2 to 1.8, n 40)</small></td>' in html
    assert (tmp_path / "tables" / "t.csv").read_text() == "arm,rate\nx,0.5\n"


def test_two_diagrams_of_one_run_need_two_names(make_run: Callable[..., Any]) -> None:
    history = make_run(1).history
    pictures = [space_time(history, name="d", caption="c") for _ in range(2)]
    with pytest.raises(BadInput, match="'d' occurs twice"):
        Report(title="t", lead="l", findings=[], sections=[section("s", *pictures)])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "No fault is injected."),
        ([RULE], "On every call of agent 'judge', the model rejects the work."),
        ([{"id": "mine", "does": "?"}], "Rule mine."),
    ],
    ids=["none", "one", "foreign"],
)
def test_a_plan_in_words(rules: list[dict[str, Any]], words: str) -> None:
    assert plan_sentence(rules) == words


def test_the_page_tells_every_kind_of_event() -> None:
    kinds = {each.__dataclass_fields__["kind"].default for each in get_args(Event)}
    assert set(_TOLD) == kinds


def test_a_plan_of_many_rules_is_told_in_short() -> None:
    rules = [RULE | {"id": f"r{number}"} for number in range(20)]
    assert plan_in_short(rules[:6]) == plan_sentence(rules[:6])
    assert plan_in_short(rules) == f"{plan_sentence(rules[:6])} And 14 more rules, which stand in its plan.json."
