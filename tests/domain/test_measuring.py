"""The cadence of measuring: what is public at 06:00 UTC has a reading of the day; old posts are asked for ever less."""

from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.measuring import day_of, next_day_begins, next_measure_at, window_of

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


def all_times(published_at: datetime) -> list[datetime]:
    times: list[datetime] = []
    at: datetime | None = published_at
    while at := next_measure_at(published_at, at):
        times.append(at)
    return times


def test_a_post_is_read_twenty_times_in_ninety_days() -> None:
    six = datetime(2026, 12, 2, 6, tzinfo=UTC)
    days = [0, 1, 2, 3, 4, 5, 6, 13, 20, 27, 34, 41, 48, 55, 62, 69, 76, 83]

    times = all_times(NOON)

    assert times == [NOON + timedelta(hours=1), NOON + timedelta(hours=6), *(six + timedelta(days=day) for day in days)]
    assert times[-1] - NOON == timedelta(days=83, hours=18)


@pytest.mark.parametrize(
    ("published", "first_three"),
    [
        ("12-01T05:59:59", ["12-01T06:00:00", "12-01T06:59:59", "12-01T11:59:59"]),
        ("12-01T06:00:00", ["12-01T07:00:00", "12-01T12:00:00", "12-02T06:00:00"]),
        ("12-01T01:30:00", ["12-01T02:30:00", "12-01T06:00:00", "12-01T07:30:00"]),
        ("12-01T05:00:00", ["12-01T06:00:00", "12-01T11:00:00", "12-02T06:00:00"]),
    ],
)
def test_whatever_is_public_at_six_is_read_at_six(published: str, first_three: list[str]) -> None:
    assert all_times(moment(published))[:3] == [moment(one) for one in first_three]


@pytest.mark.parametrize(
    ("measured", "then"),
    [
        ("12-01T13:00:02", "12-01T18:00:00"),  # a little late
        ("12-02T06:00:07", "12-03T06:00:00"),
        ("12-02T05:59:59", "12-02T06:00:00"),
        ("12-05T09:00:00", "12-06T06:00:00"),  # days were missed: they are over
        ("12-08T06:00:01", "12-15T06:00:00"),
        ("12-08T05:00:00", "12-08T06:00:00"),
        ("12-15T05:00:00", "12-15T06:00:00"),
        ("12-15T06:00:00", "12-22T06:00:00"),
    ],
)
def test_what_was_read_late_or_early_is_read_next_at_its_next_time(measured: str, then: str) -> None:
    assert next_measure_at(NOON, moment(measured)) == moment(then)


@pytest.mark.parametrize("days", [84, 89, 90, 91, 400])
def test_a_post_that_is_old_is_never_read_again(days: int) -> None:
    assert next_measure_at(NOON, NOON + timedelta(days=days)) is None


def test_the_time_is_the_same_in_whatever_zone_it_is_said() -> None:
    zone = datetime.fromisoformat("2026-12-01T14:00:00+02:00")

    assert next_measure_at(zone, zone + timedelta(hours=6)) == moment("12-02T06:00:00")


def test_a_day_has_the_readings_from_its_six_to_the_next() -> None:
    begins, ends = window_of(date(2026, 12, 1))

    assert (begins, ends) == (moment("12-01T06:00:00"), moment("12-02T06:00:00"))
    assert [day_of(one).day for one in (begins, ends - timedelta(microseconds=1), ends)] == [1, 1, 2]
    assert next_day_begins(begins) == ends
    assert next_day_begins(ends - timedelta(microseconds=1)) == ends
