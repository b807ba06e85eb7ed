"""The charts of a report, as small PNG images on a light ground of their own.

Lives here: drawing. Not here: which figures are drawn and their words (`workflows/analytics/report_content.py`).
1,120 pixels wide, to be shown at 560: Outlook shows PNG and no SVG, and a phone shrinks it to 320, so letters are large
and few. The ground is not transparent, so that a mail program in the dark does not put dark letters on dark paper.
The same figures give the same bytes. Matplotlib is used by its objects alone (no pyplot: it keeps every figure); its
caches of letters are not safe for threads, so a process draws one chart at a time.
"""

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

# Before the import below: it lists the machine's fonts at length.
logging.getLogger("matplotlib.font_manager").setLevel(logging.WARNING)

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import FontProperties  # noqa: E402
from matplotlib.transforms import IdentityTransform  # noqa: E402

WIDTH_PX = 560
_SCALE = 2
_FONTS = Path(__file__).parent / "fonts"
_GROUND, _INK, _SOFT, _LINE = "#f6f4ef", "#1d2129", "#5a5f69", "#d9d4c8"
_ACCENT, _PALE, _GOLD = "#0d6a72", "#c3d9d8", "#b9770e"
_COLORS_IN_PNG = 96


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, with the value of the period before beside it; None: not known, which is drawn as such."""

    label: str
    value: int | None
    previous: int | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with the interval in which it lies, all as fractions."""

    label: str
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Legend:
    """The words in a chart of bars."""

    now: str
    before: str
    unknown: str


def bars_chart(bars: Sequence[Bar], legend: Legend, number: Callable[[float], str]) -> bytes:
    """Bars side by side, each with its number on top and a paler one of the period before; PNG.

    Args:
        number: how the reader's language writes one.
    """
    figure, axes = _canvas(height_px=250)
    top = max([value for bar in bars for value in (bar.value, bar.previous) if value is not None], default=0) or 1
    lowest = min([value for bar in bars for value in (bar.value, bar.previous) if value is not None] + [0])
    span = top - lowest
    has_previous = any(bar.previous is not None for bar in bars)
    width = 0.38 if has_previous else 0.56
    for place, bar in enumerate(bars):
        own = place + (width / 2 + 0.02 if has_previous else 0)
        if bar.previous is not None:
            axes.bar(place - width / 2 - 0.02, bar.previous, width, color=_PALE)
        if bar.value is None:
            axes.bar(own, span * 0.62, width, color="none", edgecolor=_SOFT, linestyle=(0, (3, 3)), linewidth=1)
            _text(axes, own, span * 0.31, legend.unknown, 12, color=_SOFT, rotation=90)
        else:
            axes.bar(own, bar.value, width, color=_ACCENT)
            _text(axes, own, max(bar.value, 0) + span * 0.035, number(bar.value), 15, bold=True, va="bottom")
        _text(axes, place, lowest - span * 0.05, bar.label, 14, color=_SOFT, va="top")
    axes.plot([-0.5, len(bars) - 0.5], [0, 0], color=_LINE, linewidth=1)
    axes.set_xlim(-0.55, len(bars) - 0.45)
    axes.set_ylim(lowest - span * 0.18, top + span * 0.4)
    if has_previous:
        _legend(figure, axes, ((_ACCENT, legend.now), (_PALE, legend.before)))
    return _png(figure)


def line_chart(bars: Sequence[Bar], number: Callable[[float], str]) -> bytes:
    """One value after the other as a line with gaps where one is not known; the last is marked; PNG."""
    figure, axes = _canvas(height_px=190)
    values = [float("nan") if bar.value is None else float(bar.value) for bar in bars]
    known = [bar.value for bar in bars if bar.value is not None] or [0]
    top, lowest = max(*known, 1), min(*known, 0)
    span = top - lowest
    places = range(len(bars))
    axes.fill_between(places, values, lowest, color=_PALE, alpha=0.55, linewidth=0)
    axes.plot(places, values, color=_ACCENT, linewidth=2.5, marker="o", markersize=6)
    for place, bar in enumerate(bars):
        if bar.value is not None and (place == len(bars) - 1 or bar.value == top):
            _text(axes, place, bar.value + span * 0.1, number(bar.value), 15, bold=True, va="bottom")
        _text(axes, place, lowest - span * 0.1, bar.label, 13, color=_SOFT, va="top")
    axes.set_xlim(-0.45, len(bars) - 0.55)
    axes.set_ylim(lowest - span * 0.32, top + span * 0.38)
    return _png(figure)


def intervals_chart(intervals: Sequence[Interval], percent: Callable[[float], str]) -> bytes:
    """Rates as dots on the interval in which each lies, one below the other; PNG."""
    figure, axes = _canvas(height_px=44 * len(intervals) + 24)
    right = max(one.high for one in intervals) or 1.0
    for row, one in enumerate(intervals):
        axes.plot([0, right], [row, row], color=_LINE, linewidth=1)
        axes.plot([one.low, one.high], [row, row], color=_PALE, linewidth=9, solid_capstyle="round")
        axes.plot([one.rate], [row], color=_ACCENT if row else _GOLD, marker="o", markersize=10)
        _text(axes, -right * 0.04, row, one.label, 14, ha="right", va="center")
        _text(axes, right * 1.05, row, percent(one.rate), 15, bold=True, ha="left", va="center")
    axes.set_xlim(-right * 0.52, right * 1.26)
    axes.set_ylim(len(intervals) - 0.4, -0.6)
    return _png(figure)


def _canvas(*, height_px: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_PX / 100, height_px / 100), dpi=100 * _SCALE, facecolor=_GROUND)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set_axis_off()
    return figure, axes


def _text(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    size_px: float,
    *,
    bold: bool = False,
    color: str = _INK,
    ha: str = "center",
    va: str = "center",
    rotation: float = 0,
) -> None:
    # Points are 1/72 of an inch and our inch has 100 pixels. `parse_math` off: a $ is a $.
    axes.text(
        x, y, words, fontproperties=_font(bold), fontsize=size_px * 0.72, color=color, ha=ha, va=va,
        rotation=rotation, parse_math=False,
    )  # fmt: skip


def _legend(figure: Figure, axes: Axes, entries: Sequence[tuple[str, str]]) -> None:
    """From the right edge to the left: a square and its words, as wide as the words turn out."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    width_px, height_px = canvas.get_width_height()
    right, y = width_px - 12 * _SCALE, height_px - 14 * _SCALE
    for color, words in reversed(entries):
        shown = axes.text(right, y, words, fontproperties=_font(False), fontsize=13 * 0.72, color=_SOFT)
        shown.set(transform=IdentityTransform(), ha="right", va="center", parse_math=False)
        left = shown.get_window_extent(canvas.get_renderer()).x0 - 10 * _SCALE
        axes.plot([left], [y], transform=IdentityTransform(), marker="s", markersize=8, color=color, clip_on=False)
        right = left - 16 * _SCALE


@cache
def _font(bold: bool) -> FontProperties:
    return FontProperties(fname=str(_FONTS / f"DejaVuSansCondensed{'-Bold' if bold else ''}.ttf"))


def _png(figure: Figure) -> bytes:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()), "raw", "RGBA", 0, 1)
    # A palette: a third of the bytes, and these charts have few colours.
    small = drawn.convert("RGB").quantize(_COLORS_IN_PNG, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    written = io.BytesIO()
    small.save(written, "PNG", dpi=(96 * _SCALE, 96 * _SCALE))
    return written.getvalue()
