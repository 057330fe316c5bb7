"""Figures are built from the data that they are given."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from dissonance.harness.errors import BadInput
from dissonance.harness.history import CallSent, History
from dissonance.reports import Cell, Picture, cost_curves, latency, matrix, space_time
from dissonance.reports.spacetime import SHOWN_AT_END, SHOWN_AT_START
from dissonance.reports.theme import DARK, LIGHT, drawing, to_png, to_svg

Make = Callable[..., History]


def bars(picture: Picture) -> list[Rectangle]:
    patches = picture.figure.axes[0].patches
    return [patch for patch in patches if isinstance(patch, Rectangle) and patch.get_gid()]


def test_each_call_is_a_bar_from_sent_to_received_in_its_agents_lane(make_history: Make) -> None:
    picture = space_time(make_history(1), name="d", caption="c")
    drawn = [(bar.get_gid(), bar.get_x(), bar.get_width(), bar.get_y() + 0.3) for bar in bars(picture)]
    assert drawn == [("e1", 0.0, 4.0, 0.0), ("e3", 5.0, 4.0, 1.0), ("e6", 10.0, 4.0, 1.0)]


def test_a_failed_call_is_empty_and_a_retry_hatched(make_history: Make) -> None:
    plain, failed, retry = bars(space_time(make_history(1), name="d", caption="c"))
    filled = [to_rgba(bar.get_facecolor())[3] > 0 for bar in (plain, failed, retry)]
    assert filled == [True, False, True]
    assert [bar.get_hatch() for bar in (plain, failed, retry)] == [None, None, "/////"]


def test_a_long_run_leaves_out_its_middle_and_says_how_much(make_history: Make) -> None:
    picture = space_time(make_history(150), name="d", caption="c")
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert len(bars(picture)) == SHOWN_AT_START + SHOWN_AT_END
    assert texts == [f"{301 - SHOWN_AT_START - SHOWN_AT_END} calls\n22 min 5 s"]
    assert "301 calls of 2 agents (writer, judge)" in picture.alt


def test_an_agent_that_acts_in_the_middle_alone_has_no_lane(make_history: Make) -> None:
    events = list(make_history(150))
    middle = next(place for place in range(len(events) // 2, len(events)) if isinstance(events[place], CallSent))
    events[middle] = replace(events[middle], agent="compactor")
    picture = space_time(History(events), name="d", caption="c")
    assert [label.get_text() for label in picture.figure.axes[0].get_yticklabels()] == ["writer", "judge"]
    assert "301 calls of 3 agents (writer, judge, compactor)" in picture.alt


def test_an_empty_history_still_gives_a_diagram() -> None:
    assert to_png(space_time(History(), name="d", caption="c").figure)


def test_latency_shades_what_the_fault_struck(make_history: Make) -> None:
    picture = latency(make_history(2), make_history(2, faults=False), name="l", caption="c")
    axes = picture.figure.axes[0]
    shaded = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in shaded] == [
        (5.0, 9.0),
        (10.0, 14.0),
        (20.0, 24.0),
    ]
    assert [line.get_label() for line in axes.lines] == ["baseline, without the fault", "writer", "judge"]


def test_cost_curves_end_at_the_totals(make_history: Make) -> None:
    history = make_history(3)
    picture = cost_curves({"a": history}, name="c", caption="c", until=2700)
    dollars, tokens = (np.asarray(axes.lines[0].get_ydata())[-1] for axes in picture.figure.axes)
    replies = history.replies()
    assert dollars == pytest.approx(sum(reply.usd for reply in replies))
    assert tokens == sum(r.usage.input_tokens + r.usage.output_tokens for r in replies if r.usage)


def test_a_matrix_shows_each_cell_with_sign_and_words() -> None:
    cells = {("loop", "none"): Cell("fail", "500 calls"), ("loop", "budget"): Cell("pass", "12 calls")}
    picture = matrix(cells, ["loop"], ["none", "budget"], name="m", caption="c")
    assert [text.get_text() for text in picture.figure.axes[0].texts] == ["✗", "500 calls", "✓", "12 calls"]
    assert picture.alt.endswith("none: none; budget: loop.")


def test_a_cell_outside_the_matrix_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"cells=\[\('x', 'none'\)\] stand in no row and column"):
        matrix({("x", "none"): Cell("pass", "")}, ["loop"], ["none"], name="m", caption="c")


def test_svg_colours_follow_the_page_and_png_is_light(make_history: Make) -> None:
    picture = space_time(make_history(2, guard=True), name="d", caption="c")
    svg = to_svg(picture.figure, picture.name, picture.alt, picture.titles)
    assert "var(--bar)" in svg
    assert not set(re.findall(r"#[0-9a-f]{6}\b", svg)) & set(LIGHT.values())
    corner = imread(BytesIO(to_png(picture.figure)))[0, 0]
    assert corner.tolist() == [1.0, 1.0, 1.0, 1.0]


def test_numbers_in_the_words_of_an_svg_stay_whole() -> None:
    with drawing() as figure:
        figure.subplots().set_title("$0.00123 #1c2026")
    assert ">$0.00123 #1c2026<" in to_svg(figure, "f", "alt")


def test_svgs_repeat_and_do_not_share_ids(make_history: Make) -> None:
    def drawn(name: str) -> str:
        return to_svg(latency(make_history(2), name=name, caption="c").figure, name, "alt")

    def ids(svg: str) -> set[str]:
        return set(re.findall(r'\bid="([^"]+)"', svg))

    assert drawn("a") == drawn("a")
    assert ids(drawn("a"))
    assert not ids(drawn("a")) & ids(drawn("b"))


def test_every_reference_inside_an_svg_resolves(make_history: Make) -> None:
    picture = latency(make_history(4), name="l", caption="c")
    svg = to_svg(picture.figure, picture.name, picture.alt)
    wanted = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    assert wanted
    assert wanted <= set(re.findall(r'\bid="([^"]+)"', svg))


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["ink", "muted", "blue", "fault", "good"])
def test_text_colours_have_contrast_on_the_page(palette: dict[str, str], role: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    light, dark = sorted((_luminance(palette[role]), _luminance(palette["paper"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["sky", "green", "yellow", "orange", "purple"])
def test_line_colours_have_contrast_on_the_page(palette: dict[str, str], role: str) -> None:
    """WCAG 2.2, 1.4.11: at least 3 to 1."""
    light, dark = sorted((_luminance(palette[role]), _luminance(palette["paper"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_a_theme_has_one_colour_a_role_in_both_lights() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert len(set(LIGHT.values())) == len(LIGHT)


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    from matplotlib import rcParams

    before = dict(rcParams)
    with drawing() as figure:
        figure.subplots()
    assert dict(rcParams) == before
