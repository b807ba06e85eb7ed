"""The chart of a snapshot in Dagster: short, a bar for each day, and what is not known told apart."""

import pytest

from draggonnb_pipelines.workflows.analytics.snapshot_reports import days_chart
from tests.workflows.snapshot_work import bars_of


@pytest.mark.parametrize("series", [[10**9 + day for day in range(28)], [None, -(10**9), 10**9, 7] * 7])
def test_the_chart_is_short_enough_to_be_shown_without_a_click(series: list[int | None]) -> None:
    chart = f"![the last 28 days]({days_chart(series)})"

    assert len(chart) < 1000
    assert [place for place, _, _ in bars_of(chart)] == list(range(28))


def test_the_chart_tells_unknown_negative_and_last_days_apart() -> None:
    assert bars_of(days_chart([None, -5, 10, 5])) == [
        (0, "#c9c5bf", 6),
        (1, "#b91c1c", 45),
        (2, "#6fada8", 90),
        (3, "#0f766e", 45),
    ]
