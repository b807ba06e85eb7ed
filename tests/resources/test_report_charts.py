"""The charts, read back as pictures: their size, that a missing value is drawn as missing, the same bytes again."""

import io

import pytest
from PIL import Image

from draggonnb_pipelines.resources.report_charts import Bar, Interval, Legend, bars_chart, intervals_chart, line_chart

LEGEND = Legend("this week", "the week before", "no numbers")
ACCENT = (13, 106, 114)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def bars(*values: int | None) -> list[Bar]:
    return [Bar(label, value) for label, value in zip(DAYS, values, strict=True)]


def drawn(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return image.convert("RGB")


def share_of_accent(image: Image.Image, part: int, parts: int) -> float:
    """How much of one of several columns is drawn in the colour of known values."""
    width = image.width // parts
    column = image.crop((part * width, 0, (part + 1) * width, image.height))
    colors = column.getcolors(column.width * column.height) or []
    near = [count for count, color in colors if isinstance(color, tuple) and _is_accent(color)]
    return sum(near) / (column.width * column.height)


def _is_accent(color: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(color, ACCENT, strict=True))


def test_bars_are_as_high_as_their_values_and_what_is_missing_has_none() -> None:
    image = drawn(bars_chart(bars(100, 50, None, 0, 100, 25, 100), LEGEND, str))

    shares = [share_of_accent(image, part, 7) for part in range(7)]
    assert (image.width, image.height) == (1120, 500)
    assert shares[1] == pytest.approx(shares[0] / 2, rel=0.05)
    assert shares[5] == pytest.approx(shares[0] / 4, rel=0.05)
    assert shares[2] == 0
    assert shares[3] == 0
    # Missing and zero are not the same picture.
    assert bars_chart(bars(1, 1, None, 1, 1, 1, 1), LEGEND, str) != bars_chart(bars(1, 1, 0, 1, 1, 1, 1), LEGEND, str)


@pytest.mark.parametrize(
    "values",
    [(0, 0, 0, 0, 0, 0, 0), (None,) * 7, (-5, 3, -1, 0, 2, 1, None), (10**9, 1, 1, 1, 1, 1, 1)],
)
def test_any_values_make_a_picture(values: tuple[int | None, ...]) -> None:
    assert drawn(bars_chart(bars(*values), LEGEND, str)).width == 1120
    assert drawn(line_chart(bars(*values), str)).width == 1120


def test_labels_are_text_and_no_formulas() -> None:
    assert drawn(bars_chart([Bar("$\\frac{1}{2}$", 3)], LEGEND, lambda value: f"R${value}$")).width == 1120


def test_rates_lie_below_each_other_and_make_the_picture_as_high_as_it_needs() -> None:
    slots = [Interval(f"Monday {hour}:00", 0.05, 0.03, 0.07) for hour in range(4)]

    assert drawn(intervals_chart(slots, str)).height == 2 * (4 * 44 + 24)
    assert drawn(intervals_chart([Interval("Monday", 0.0, 0.0, 0.0)], str)).width == 1120


def test_the_same_figures_are_the_same_bytes_and_few_of_them() -> None:
    chart = bars_chart(bars(100, 50, None, 0, 100, 25, 100), LEGEND, str)

    assert chart == bars_chart(bars(100, 50, None, 0, 100, 25, 100), LEGEND, str)
    assert len(chart) < 40_000
