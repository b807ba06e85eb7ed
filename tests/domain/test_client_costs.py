"""A client's week in money: shares by whole days, each figure calculated by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from draggonnb_pipelines.domain.client_costs import (
    PaidPeriod,
    PlanCost,
    rand_cents,
    revenue_of_week,
    vendor_cost_of_week,
    week_bounds,
)

MONDAY = date(2026, 11, 30)
LONG_AGO = date(2020, 1, 1)


def test_a_week_lies_between_two_mondays_of_the_clients_zone() -> None:
    assert week_bounds(MONDAY, "Africa/Johannesburg") == (
        datetime(2026, 11, 29, 22, tzinfo=UTC),
        datetime(2026, 12, 6, 22, tzinfo=UTC),
    )
    # Monday begins there while it is Sunday in UTC, and on the other side of the date line not before 11:00.
    assert week_bounds(MONDAY, "Pacific/Kiritimati")[0] == datetime(2026, 11, 29, 10, tzinfo=UTC)
    assert week_bounds(MONDAY, "Pacific/Pago_Pago")[0] == datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert week_bounds(MONDAY, "Nowhere/AtAll")[0] == datetime(2026, 11, 30, tzinfo=UTC)


def test_a_week_in_which_the_clocks_change_has_an_hour_less() -> None:
    starts_at, ends_at = week_bounds(date(2026, 3, 23), "Europe/Berlin")

    assert (starts_at, ends_at) == (datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


def test_a_week_begins_on_no_other_day() -> None:
    with pytest.raises(ValueError, match="2026-12-01 is a Tuesday: a week begins on a Monday"):
        week_bounds(date(2026, 12, 1), "Africa/Johannesburg")


def test_each_day_costs_its_part_of_its_own_month() -> None:
    costs = [PlanCost("supabase", LONG_AGO, Decimal(10)), PlanCost("n8n", LONG_AGO, Decimal("0.2"))]

    # 30 November: 10 / 30; six days of December: 6 x 10 / 31.
    assert vendor_cost_of_week(costs, MONDAY, LONG_AGO) == {
        "n8n": Decimal("0.045376"),
        "supabase": Decimal("2.268817"),
    }


def test_a_price_counts_from_its_own_day_on() -> None:
    costs = [
        PlanCost("supabase", date(2026, 12, 5), Decimal("31")),
        PlanCost("supabase", LONG_AGO, Decimal("15.5")),
        PlanCost("vercel", date(2026, 12, 6), Decimal("3.1")),
        PlanCost("server", date(2026, 12, 7), Decimal("100")),
    ]

    # 15.5 / 30 + 4 x 15.5 / 31 + 2 x 31 / 31; one day of 3.1 / 31; the server's price begins after the week.
    assert vendor_cost_of_week(costs, MONDAY, LONG_AGO) == {
        "server": Decimal(0),
        "supabase": Decimal("4.516667"),
        "vercel": Decimal("0.1"),
    }


@pytest.mark.parametrize(
    ("since", "usd"), [(date(2026, 12, 4), "3"), (date(2026, 12, 6), "1"), (date(2026, 12, 7), "0")]
)
def test_a_client_that_came_during_the_week_costs_from_then_on(since: date, usd: str) -> None:
    costs = [PlanCost("supabase", LONG_AGO, Decimal(31))]

    assert vendor_cost_of_week(costs, MONDAY, since) == {"supabase": Decimal(usd)}


def test_what_was_paid_in_advance_counts_in_the_weeks_that_it_is_for() -> None:
    whole = PaidPeriod(date(2026, 11, 20), date(2026, 12, 20), 300_000)
    ends = PaidPeriod(date(2026, 11, 2), date(2026, 12, 2), 300_000)
    begins = PaidPeriod(date(2026, 12, 2), date(2027, 1, 2), 310_000)

    assert revenue_of_week([whole], MONDAY) == 70_000
    assert revenue_of_week([ends], MONDAY) == 20_000
    assert revenue_of_week([ends, begins], MONDAY) == 20_000 + 50_000


def test_what_is_paid_for_other_weeks_brings_in_nothing_in_this_one() -> None:
    before = PaidPeriod(date(2026, 10, 30), MONDAY, 300_000)
    after = PaidPeriod(date(2026, 12, 7), date(2027, 1, 7), 300_000)

    assert revenue_of_week([before, after], MONDAY) == 0
    assert revenue_of_week([], MONDAY) == 0


def test_a_share_is_rounded_half_up_to_the_cent() -> None:
    # 304348 x 7 / 30 = 71014.53
    assert revenue_of_week([PaidPeriod(date(2026, 11, 20), date(2026, 12, 20), 304_348)], MONDAY) == 71_015
    assert rand_cents(Decimal("0.217"), Decimal("18")) == 391
    assert rand_cents(Decimal("0.0025"), Decimal("18")) == 5
    assert rand_cents(Decimal("0.0024"), Decimal("18")) == 4
