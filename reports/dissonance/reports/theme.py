"""Colours by role, and a figure as SVG (light and dark) and as PNG.

A figure is drawn once, with the light colours. In its SVG each colour of the theme becomes a CSS
variable, so that the page's style sheet decides; the PNG keeps the light colours on white. The
hues are those of Okabe and Ito (*Color Universal Design*, 2008), darkened or lightened for
contrast; each use of a colour also has a glyph, a hatch or a word, so none depends on hue alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any, Final
from zlib import crc32

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

__all__ = [
    "DARK",
    "DEEPEST",
    "GLYPH",
    "LIGHT",
    "SAID",
    "SERIES",
    "Style",
    "drawing",
    "taint_roles",
    "theme_css",
    "to_png",
    "to_svg",
]

LIGHT: Final[Mapping[str, str]] = {
    "ink": "#1c2026",
    "muted": "#5b6470",
    "grid": "#d6dae0",
    "paper": "#fffffe",
    "blue": "#0072b2",
    "sky": "#3a97d0",
    "green": "#007a5a",
    "yellow": "#8f7700",
    "orange": "#a86400",
    "purple": "#a64d84",
    "fault": "#c13b00",
    "good": "#00684b",
    "good-tint": "#d5efe5",
    "bad-tint": "#fbdccb",
    "unknown-tint": "#e9e5d3",
    "bar": "#a9cfe8",
    "taint-0": "#5a1a4e",
    "taint-1": "#8b3879",
    "taint-2": "#c78cba",
    "taint-3": "#dcb3d3",
    "taint-4": "#efdcea",
}
DARK: Final[Mapping[str, str]] = {
    "ink": "#e8eaed",
    "muted": "#a3acb8",
    "grid": "#363c45",
    "paper": "#14171b",
    "blue": "#5cb3ee",
    "sky": "#9ad4f7",
    "green": "#2fc79a",
    "yellow": "#f0e442",
    "orange": "#f0ac2e",
    "purple": "#e29cc4",
    "fault": "#ff8a50",
    "good": "#4fd6ab",
    "good-tint": "#12402f",
    "bad-tint": "#57270f",
    "unknown-tint": "#3d3a29",
    "bar": "#1d5379",
    "taint-0": "#f8d2ee",
    "taint-1": "#e3a0cf",
    "taint-2": "#8a4f7b",
    "taint-3": "#643a5a",
    "taint-4": "#44293d",
}
DEEPEST: Final = 4
"""The greatest depth that has a colour of its own; what is deeper has the same, and its number."""

GLYPH: Final[Mapping[str, str]] = {"pass": "\N{CHECK MARK}", "fail": "\N{BALLOT X}", "unknown": "?"}
"""The sign that stands beside each verdict's colour."""

SAID: Final[Mapping[str, str]] = {"pass": "held", "fail": "broke", "unknown": "not known"}
"""The word that stands beside it."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one line of a plot is told from the others: colour role, marker, dash."""

    role: str
    marker: str
    dash: LineStyleType


SERIES: Final = (
    Style("blue", "o", "-"),
    Style("fault", "s", "--"),
    Style("green", "^", "-."),
    Style("purple", "D", ":"),
    Style("orange", "v", (0, (5, 1, 1, 1, 1, 1))),
    Style("muted", "P", (0, (1, 1))),
    Style("sky", "X", "-"),
    Style("yellow", "*", "--"),
)
"""The styles of a plot's lines, in order."""

_RC: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dissonance",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelcolor": LIGHT["ink"],
    "ytick.labelcolor": LIGHT["ink"],
    "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
}
_ROLE_OF: Final = {value: role for role, value in LIGHT.items()}


def taint_roles(depth: int) -> tuple[str, str]:
    """The role of a claim's colour at this depth, and of a text upon it.

    >>> taint_roles(0), taint_roles(9)
    (('taint-0', 'paper'), ('taint-4', 'ink'))
    """
    return f"taint-{min(depth, DEEPEST)}", "paper" if depth < 2 else "ink"


def theme_css() -> str:
    """The roles as CSS variables: light, dark by the reader's preference, light again for print."""
    light = _variables(LIGHT)
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{light}}}}}\n"
    )


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"--{role}:{value};" for role, value in colours.items())


@contextmanager
def drawing(width: float = 7.6, height: float = 4.0) -> Iterator[Figure]:
    """An empty figure, in inches; all that is drawn inside the ``with`` has this theme.

    >>> with drawing(4, 3) as figure:
    ...     axes = figure.subplots()
    """
    with rc_context(_RC):
        yield Figure(figsize=(width, height), layout="constrained", facecolor="none")


def to_png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as PNG, light, on white."""
    buffer = BytesIO()
    with rc_context(_RC):
        FigureCanvasAgg(figure).print_figure(
            buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None}
        )
    return buffer.getvalue()


def to_svg(figure: Figure, name: str, alt: str, titles: Mapping[str, str] | None = None) -> str:
    """The figure as an inline SVG element whose colours follow the page.

    ``name`` keeps its ids apart from those of other figures in the page. ``titles`` gives the
    artists with these gids a title, which browsers show on hover.
    """
    buffer = BytesIO()
    with rc_context(_RC):
        FigureCanvasSVG(figure).print_figure(buffer, format="svg", metadata=_NO_METADATA)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    for pattern, replacement in _SHORTER:
        text = pattern.sub(replacement, text)
    text = re.sub(r'="[^"]*"', _shorter_attribute, text)
    text = _INVISIBLE.sub("", text)
    text = _without_bare_groups(text)
    for gid, title in (titles or {}).items():
        text = text.replace(f'<g id="{gid}">', f"<g><title>{escape(title)}</title>", 1)
    prefix = f"s{crc32(name.encode()):08x}"
    places = {id: f"{prefix}-{place}" for place, id in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))}
    text = re.sub(r'(\bid="|url\(#|href="#)([^")]+)', lambda match: match[1] + places[match[2]], text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)


_NO_METADATA: Final[dict[str, Any]] = {"Date": None, "Creator": None, "Format": None, "Type": None}

_SHORTER: Final = (
    (re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<defs>\s*</defs>", re.DOTALL), ""),
    (re.compile(r'(?<=<g) id="(?:[a-z]+\w*|matplotlib\.axis)_\d+"'), ""),  # numbered by matplotlib, named by nobody
    (re.compile(r' transform="rotate\(-0 [^"]*"'), ""),
    (re.compile(r"(?<=>)\s*\n\s*(?=<)"), ""),
    (re.compile(r"\s*\n\s*"), "\n"),
)
_INVISIBLE: Final = re.compile(r'<path d="[^"]*" style="fill:none"/>|<defs></defs>')
_RECTANGLE: Final = re.compile(r"M(\S+) ([^L]+)L([^ ]+) \2L\3 ([^L]+)L\1 \4(?:L\1 \2)?z")
_SET_BY_CSS: Final = re.compile(r"(?:font-family: 'DejaVu Sans'|stroke-linejoin: miter)(?:; )?")


def _shorter_attribute(match: re.Match[str]) -> str:
    """Colours by role, numbers to a hundredth of a point, which is finer than any screen, no needless space."""
    text = re.sub(r"#[0-9a-f]{6}\b", _as_variable, match.group())
    text = re.sub(r"(\d+\.\d\d)\d+", r"\1", text)
    text = _SET_BY_CSS.sub("", text).replace("; ", ";").replace(": ", ":")
    if not text.startswith('="M'):
        return text
    return _RECTANGLE.sub(r"M\1 \2H\3V\4H\1z", re.sub(r"\s*([MLCQHVzZ])\s*", r"\1", text))


def _without_bare_groups(text: str) -> str:
    """A group that says nothing of what it holds is left out where it holds one element or none."""
    before = ""
    while before != text:
        before = text
        text = re.sub(r"<g>(<(?:path|use)\b[^>]*/>|<text\b[^>]*>[^<]*</text>|)</g>|<g/>", r"\1", text)
    return text


def _as_variable(match: re.Match[str]) -> str:
    role = _ROLE_OF.get(match.group())
    return f"var(--{role})" if role else match.group()
