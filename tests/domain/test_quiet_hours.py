"""Quiet hours and the digest's morning, also over midnight and on the nights when the clocks change."""

from datetime import UTC, date, datetime, time

import pytest

from draggonnb_pipelines.domain.quiet_hours import digest_moment, quiet_end

SAST, NEW_YORK = "Africa/Johannesburg", "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-23 19:59", None),
        ("2026-11-23 20:00", "2026-11-24 04:30"),
        ("2026-11-23 21:59", "2026-11-24 04:30"),
        ("2026-11-23 22:01", "2026-11-24 04:30"),
        ("2026-11-24 04:29", "2026-11-24 04:30"),
        ("2026-11-24 04:30", None),
    ],
)
def test_hours_that_pass_midnight_end_in_the_morning_of_the_readers_zone(now, ends):
    assert quiet_end(at(now), SAST, time(22), time(6, 30)) == (at(ends) if ends else None)


@pytest.mark.parametrize(("now", "ends"), [("2026-11-23 10:59", None), ("2026-11-23 11:30", "2026-11-23 12:00")])
def test_hours_within_a_day_end_on_that_day(now, ends):
    assert quiet_end(at(now), SAST, time(13), time(14)) == (at(ends) if ends else None)


def test_without_quiet_hours_nothing_is_held():
    assert quiet_end(at("2026-11-23 01:00"), SAST, None, None) is None


def test_an_end_that_the_clocks_skip_is_the_first_time_after_the_gap():
    # 8 March 2026: 02:00 EST is followed by 03:00 EDT, which is 07:00 UTC.
    assert quiet_end(at("2026-03-08 06:59"), NEW_YORK, time(22), time(2, 30)) == at("2026-03-08 07:00")
    assert quiet_end(at("2026-03-08 07:00"), NEW_YORK, time(22), time(2, 30)) is None


def test_an_end_that_comes_twice_is_the_first_one_and_hours_that_come_twice_are_quiet_twice():
    # 1 November 2026: 01:59 EDT (05:59 UTC) is followed by 01:00 EST (06:00 UTC).
    assert quiet_end(at("2026-11-01 05:10"), NEW_YORK, time(22), time(1, 30)) == at("2026-11-01 05:30")
    assert quiet_end(at("2026-11-01 05:45"), NEW_YORK, time(22), time(1, 30)) is None
    assert quiet_end(at("2026-11-01 06:10"), NEW_YORK, time(22), time(1, 30)) == at("2026-11-01 06:30")


def test_the_night_of_a_change_is_an_hour_shorter_or_longer_and_ends_at_the_same_wall_time():
    assert quiet_end(at("2026-03-08 03:00"), NEW_YORK, time(22), time(7)) == at("2026-03-08 11:00")
    assert quiet_end(at("2026-11-01 02:00"), NEW_YORK, time(22), time(7)) == at("2026-11-01 12:00")


@pytest.mark.parametrize(
    ("now", "zone", "day", "morning"),
    [
        ("2026-11-23 06:00", SAST, date(2026, 11, 23), "2026-11-23 06:00"),
        ("2026-11-23 05:59", SAST, date(2026, 11, 22), "2026-11-22 06:00"),
        ("2026-11-23 23:00", SAST, date(2026, 11, 23), "2026-11-23 06:00"),
        ("2026-11-23 23:00", "Pacific/Kiritimati", date(2026, 11, 24), "2026-11-23 18:00"),
        ("2026-03-08 12:00", NEW_YORK, date(2026, 3, 8), "2026-03-08 12:00"),
        ("2026-03-07 12:30", NEW_YORK, date(2026, 3, 6), "2026-03-06 13:00"),
    ],
)
def test_the_digest_that_is_due_is_that_of_the_last_eight_oclock(now, zone, day, morning):
    assert digest_moment(at(now), zone) == (day, at(morning))
