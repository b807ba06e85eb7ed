"""Periods, percentages and thresholds of the metrics that a plan limits."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from draggonnb_pipelines.domain.usage import ALWAYS, MetricUse, month_of, period_of, zone_of

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))


def use(used: int, limit: int | None, *, reserved: int = 0, metric: str = "posts_monthly") -> MetricUse:
    return MetricUse(metric, *period_of(metric, date(2026, 11, 23)), used, reserved, limit)


@pytest.mark.parametrize(
    ("taken", "limit", "reached"),
    [
        (0, 10, 0),
        (7, 10, 0),
        (8, 10, 80),
        (9, 10, 80),
        (10, 10, 100),
        (35, 10, 100),
        (23, 29, 0),  # 79.3 %
        (24, 29, 80),  # 82.8 %
        (2, 3, 0),
        (3, 3, 100),
        (0, 0, 0),
        (1, 0, 100),
        (10**12, None, 0),
    ],
)
def test_a_threshold_is_reached_by_whole_places_and_never_by_rounding(
    taken: int, limit: int | None, reached: int
) -> None:
    assert use(taken, limit).reached == reached
    assert use(0, limit, reserved=taken).reached == reached


def test_what_is_planned_counts_like_what_is_done() -> None:
    planned = use(3, 10, reserved=5)

    assert (planned.taken, planned.percent, planned.reached) == (8, 80.0, 80)


@pytest.mark.parametrize(
    ("taken", "limit", "bar"),
    [
        (0, 10, "░░░░░░░░░░ 0.0 %"),
        (99, 100, "█████████░ 99.0 %"),
        (10, 10, "██████████ 100.0 %"),
        (25, 10, "██████████ 250.0 %"),
        (1, 0, "██████████ 100.0 %"),
        (5, None, "no limit"),
    ],
)
def test_a_bar_is_full_only_where_nothing_is_left(taken: int, limit: int | None, bar: str) -> None:
    assert use(taken, limit).bar == bar


def test_a_month_is_the_organizations_and_what_exists_has_none() -> None:
    assert month_of(date(2026, 12, 31)) == (date(2026, 12, 1), date(2027, 1, 1))
    assert period_of("api_calls", date(2026, 11, 30)) == NOVEMBER
    assert period_of("users", date(2026, 11, 30)) == period_of("social_accounts", date(2030, 1, 1)) == ALWAYS


def test_a_count_begins_again_at_midnight_of_the_zone() -> None:
    johannesburg = use(1, 10).resets_at(ZoneInfo("Africa/Johannesburg"))

    assert johannesburg == datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    assert use(1, 10, metric="users").resets_at(UTC) is None


@pytest.mark.parametrize("name", ["Africa/Johannesburgh", "", "../etc/passwd", "Africa"])
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert zone_of(name) is UTC
