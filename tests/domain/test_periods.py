"""Days, weeks and months in the organization's own zone, and when they are over."""

from datetime import UTC, date, datetime

import pytest

from draggonnb_pipelines.domain.periods import Period, periods_of


def test_a_month_is_taken_on_the_first_day_of_the_next() -> None:
    assert periods_of(date(2026, 11, 23)) == [Period("day", date(2026, 11, 22), date(2026, 11, 23))]
    assert periods_of(date(2027, 1, 1)) == [
        Period("day", date(2026, 12, 31), date(2027, 1, 1)),
        Period("month", date(2026, 12, 1), date(2027, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("zone", "over"),
    [
        ("Africa/Johannesburg", datetime(2026, 11, 1, 22, tzinfo=UTC)),
        ("Pacific/Auckland", datetime(2026, 11, 1, 11, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        ("America/Chicago", datetime(2026, 11, 2, 6, tzinfo=UTC)),
        ("Nowhere/Atlantis", datetime(2026, 11, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_day_is_over_at_midnight_of_its_zone(zone: str, over: datetime) -> None:
    assert Period.starting("day", date(2026, 11, 1)).over_at(zone) == over


def test_a_midnight_that_the_clocks_skip_is_over_when_they_go_on() -> None:
    # Cairo went from 23:59:59 on 23 April 2026 to 01:00.
    assert Period.starting("day", date(2026, 4, 23)).over_at("Africa/Cairo") == datetime(2026, 4, 23, 22, tzinfo=UTC)


def test_a_period_before_is_of_the_same_kind() -> None:
    assert Period.starting("day", date(2026, 3, 1)).previous == Period.starting("day", date(2026, 2, 28))
    assert Period.starting("week", date(2026, 11, 16)).previous == Period.starting("week", date(2026, 11, 9))
    assert Period.starting("month", date(2026, 3, 1)).previous == Period.starting("month", date(2026, 2, 1))


@pytest.mark.parametrize(
    ("kind", "start", "words"),
    [
        ("week", date(2026, 11, 17), "a week begins on a Monday"),
        ("month", date(2026, 11, 2), "a month begins on its first day"),
        ("year", date(2026, 1, 1), "a period is one of day, week, month"),
    ],
)
def test_what_is_no_period_is_refused(kind: str, start: date, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Period.starting(kind, start)  # pyright: ignore[reportArgumentType]
