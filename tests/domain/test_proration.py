"""Shares of a month: exact to the cent, whatever the amounts and the days."""

from datetime import date

import pytest

from draggonnb_pipelines.domain.proration import difference_for_the_rest, share_of

NOVEMBER = {"period_start": date(2026, 11, 1), "period_end": date(2026, 12, 1)}


@pytest.mark.parametrize(
    ("amount", "days", "of_days", "share"),
    [
        (200000, 30, 30, 200000),
        (200000, 0, 30, 0),
        (200000, 20, 30, 133333),
        (200000, 10, 30, 66667),
        (1, 1, 2, 1),  # half a cent is a cent
        (1, 1, 3, 0),
        (99_999_999, 13, 28, 46428571),
        (0, 5, 31, 0),
    ],
)
def test_a_share_is_rounded_half_up_to_the_cent(amount: int, days: int, of_days: int, share: int) -> None:
    assert share_of(amount, days=days, of_days=of_days) == share


def test_the_parts_of_any_month_are_the_whole_to_the_cent() -> None:
    for amount in (1, 333, 150000, 349999, 12_345_677):
        for of_days in (28, 29, 30, 31):
            for days in range(of_days + 1):
                parts = share_of(amount, days=days, of_days=of_days) + share_of(
                    amount, days=of_days - days, of_days=of_days
                )
                assert parts - amount in (0, 1), (amount, days, of_days)


@pytest.mark.parametrize(("amount", "days", "of_days"), [(-1, 1, 30), (1, 31, 30), (1, -1, 30), (1, 0, 0)])
def test_what_is_no_share_is_refused(amount: int, days: int, of_days: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        share_of(amount, days=days, of_days=of_days)


@pytest.mark.parametrize(
    ("today", "difference"),
    [
        (date(2026, 11, 1), 200000),
        (date(2026, 11, 11), 133333),
        (date(2026, 11, 30), 6667),
        (date(2026, 12, 1), 0),
        (date(2026, 12, 9), 0),
        (date(2026, 10, 9), 200000),
    ],
)
def test_a_larger_plan_costs_its_difference_for_the_days_that_are_left(today: date, difference: int) -> None:
    assert difference_for_the_rest(150000, 350000, **NOVEMBER, today=today) == difference


def test_a_smaller_plan_costs_nothing_more() -> None:
    assert difference_for_the_rest(350000, 150000, **NOVEMBER, today=date(2026, 11, 11)) == 0
