"""A day is unusual only against the client's own four weeks before it."""

import math
from datetime import date, timedelta

import numpy as np
import pytest

from draggonnb_pipelines.domain.anomalies import anomalies


def found(*values: float, at: int | None = None) -> list[dict[str, object]]:
    """The anomalies of the last day, or of one place."""
    place = len(values) - 1 if at is None else at
    series = {"views": np.array(values, dtype=float)}
    return anomalies(series, range(place, place + 1), lambda n: date(2026, 11, 1) + timedelta(days=n))


def test_a_day_far_above_the_usual_is_told_with_what_was_expected() -> None:
    # Median 100; distances 0 or 10, their median 10, so the spread is 10/0.6745 and the cut 3.5 of it.
    usual = [90, 100, 110, 100, 90, 110] * 5

    assert found(*usual[:28], 500) == [
        {
            "figure": "views",
            "value": 500,
            "expected": 100.0,
            "low": round(100 - 3.5 * 10 / 0.6745, 6),
            "high": round(100 + 3.5 * 10 / 0.6745, 6),
            "day": "2026-11-29",
            "text": "views gained on 2026-11-29: 500, more than usual;"
            " between 48 and 152 were expected from the 28 days before",
        }
    ]
    assert found(*usual[:28], 151) == []
    assert [one["value"] for one in found(*usual[:28], -20)] == [-20]


def test_fourteen_days_are_a_baseline_and_thirteen_are_not() -> None:
    assert len(found(*[100.0] * 14, 900)) == 1
    assert found(*[100.0] * 13, 900) == []
    assert found(*[100.0] * 13, *[math.nan] * 10, 900) == []


def test_days_that_are_not_known_are_neither_baseline_nor_unusual() -> None:
    assert found(*[100.0] * 20, math.nan) == []
    assert len(found(*[100.0] * 14, *[math.nan] * 14, 900)) == 1


@pytest.mark.parametrize(("value", "is_unusual"), [(0, False), (3, False), (4, True)])
def test_a_client_that_gains_nothing_needs_more_than_the_noise_of_counting(value: int, is_unusual: bool) -> None:
    assert bool(found(*[0.0] * 28, value)) is is_unusual


def test_one_good_day_does_not_hide_the_next() -> None:
    assert len(found(*[100.0, 104.0] * 10, 5000, 5000)) == 1


def test_what_lies_farther_back_than_28_days_is_forgotten() -> None:
    assert found(*[100_000.0] * 28, *[100.0] * 28, 101) == []


def test_the_farthest_ten_are_shown_in_the_order_of_days() -> None:
    values = [100.0] * 40 + [1000.0 + number for number in range(12)]
    series = {"views": np.array(values)}

    shown = anomalies(series, range(40, 52), lambda n: date(2026, 1, 1) + timedelta(days=n))

    assert [one["value"] for one in shown] == [1000 + number for number in range(2, 12)]
