"""Which reading is a day's value: the first of its window, else the last before it, metric by metric."""

import math
from typing import Any

import pytest

from draggonnb_pipelines.domain import daily_values as room
from draggonnb_pipelines.domain.daily_values import METRICS, DailyValues, daily_values
from draggonnb_pipelines.domain.metrics import Metric
from tests.domain.engagement_work import day, post, reading, values_of


def of(values: DailyValues, metric: Metric, number: int = 0) -> list[tuple[Any, bool]]:
    """Value (None: missing) and freshness of each day."""
    place = METRICS.index(metric)
    rows = zip(values.value[number, place].tolist(), values.is_fresh[number, place].tolist(), strict=True)
    return [(None if math.isnan(value) else value, fresh) for value, fresh in rows]


def test_the_first_reading_of_a_window_is_the_value_and_later_ones_change_nothing() -> None:
    readings = [reading("a", "11-20 06:00", views=10), reading("a", "11-20 15:00", views=99)]

    values = values_of([post("a", "11-19 12:00")], readings, "11-19", "11-21")

    # The day after carries what was read last, which is the later one.
    assert of(values, Metric.VIEWS) == [(None, False), (10, True), (99, False)]


def test_a_window_begins_at_six_and_ends_a_microsecond_before_six() -> None:
    early, late = reading("a", "11-20 05:59:59.999999", views=1), reading("a", "11-20 06:00", views=2)

    values = values_of([post("a", "11-18 12:00")], [early, late], "11-18", "11-20")

    assert of(values, Metric.VIEWS) == [(None, False), (1, True), (2, True)]


def test_each_metric_has_its_own_first_reading() -> None:
    readings = [
        reading("a", "11-19 06:00", views=5, reach=3),
        reading("a", "11-20 06:00", views=9),
        reading("a", "11-20 07:00", views=11, reach=8),
    ]

    values = values_of([post("a", "11-18 12:00")], readings, "11-19", "11-21")

    assert of(values, Metric.VIEWS) == [(5, True), (9, True), (11, False)]
    assert of(values, Metric.REACH) == [(3, True), (8, True), (8, False)]
    assert of(values, Metric.SAVES) == [(None, False)] * 3
    places = values.source[0, METRICS.index(Metric.REACH)].tolist()
    assert [values.readings[place].collected_at.hour for place in places] == [6, 7, 7]


def test_what_was_read_long_before_the_days_is_carried_into_them() -> None:
    readings = [reading("a", "10-01 06:00", views=7, reach=4), reading("a", "10-08 06:00", views=8)]

    values = values_of([post("a", "09-30 12:00")], readings, "11-19", "11-20")

    assert of(values, Metric.VIEWS) == [(8, False), (8, False)]
    assert of(values, Metric.REACH) == [(4, False), (4, False)]


@pytest.mark.parametrize("value", [None, "12", True, [1], {"n": 1}])
def test_what_is_no_number_is_missing(value: object) -> None:
    values = values_of(
        [post("a", "11-19 12:00")], [reading("a", "11-20 06:00", views=value, reach=0)], "11-20", "11-20"
    )

    assert of(values, Metric.VIEWS) == [(None, False)]
    assert of(values, Metric.REACH) == [(0, True)]


def test_readings_after_the_last_day_and_of_other_posts_are_left_out() -> None:
    readings = [reading("other", "11-20 06:00", views=1), reading("a", "11-21 06:00", views=2)]

    values = values_of([post("a", "11-19 12:00")], readings, "11-19", "11-20")

    assert of(values, Metric.VIEWS) == [(None, False), (None, False)]
    assert [one.values for one in values.readings] == [{"views": 2}]


def test_clients_share_a_table_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same post id twice: nothing but its own client's readings may reach it.
    one = ([post("a", "11-19 12:00")], [reading("a", "11-20 06:00", views=10)])
    nobody: tuple[list[Any], list[Any]] = ([], [])
    other = ([post("b", "11-19 12:00"), post("a", "11-19 12:00")], [reading("a", "11-21 06:00", views=500)])

    together = daily_values([one, nobody, other], day("11-20"), day("11-21"))
    monkeypatch.setattr(room, "MAX_CELLS", 1)
    apart = daily_values([one, nobody, other], day("11-20"), day("11-21"))

    for values in (together, apart):
        assert [len(client.posts) for client in values] == [1, 0, 2]
        assert of(values[0], Metric.VIEWS) == [(10, True), (10, False)]
        assert of(values[2], Metric.VIEWS, 0) == [(None, False), (None, False)]
        assert of(values[2], Metric.VIEWS, 1) == [(None, False), (500, True)]
        assert values[2].source[1, 0].tolist() == [-1, 0]
