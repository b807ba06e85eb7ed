"""When Dagster's daemon is silent, when a schedule is late, and when nothing of ours is loaded."""

from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.ticks import DaemonReading, Instigator, clocks_apart, last_due

NOW = datetime(2026, 11, 23, 12, 40, tzinfo=UTC)
FRESH = {"SENSOR": 3.0, "SCHEDULER": 29.0, "QUEUED_RUN_COORDINATOR": 12.0}


def schedule(cron: str, *, last_good: datetime | None = None, since: datetime | None = None) -> Instigator:
    return Instigator("books_daily", cron, None, since, last_good)


def sensor(*, every: float = 5, last_good: datetime | None = None, since: datetime | None = None) -> Instigator:
    return Instigator("lead_inbox", None, timedelta(seconds=every), since, last_good)


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("*/15 * * * *", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        ("40 * * * *", NOW),
        ("41 * * * *", datetime(2026, 11, 23, 11, 41, tzinfo=UTC)),
        ("0 4 * * *", datetime(2026, 11, 23, 4, 0, tzinfo=UTC)),
        ("30 2 * * 0", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
    ],
)
def test_the_last_due_moment_of_a_cron_line(cron: str, due: datetime):
    assert last_due(cron, NOW) == due


def test_a_schedule_is_late_five_minutes_after_a_tick_that_did_not_succeed():
    last_hour = datetime(2026, 11, 23, 11, 36, tzinfo=UTC)

    assert not schedule("36 * * * *", last_good=last_hour).is_late(NOW)  # four minutes late: the daemon catches up
    assert schedule("34 * * * *", last_good=datetime(2026, 11, 23, 11, 34, tzinfo=UTC)).is_late(NOW)
    assert not schedule("34 * * * *", last_good=datetime(2026, 11, 23, 12, 34, tzinfo=UTC)).is_late(NOW)


def test_a_schedule_that_was_switched_on_after_its_moment_is_not_late():
    assert not schedule("0 4 * * *", since=datetime(2026, 11, 23, 9, 0, tzinfo=UTC)).is_late(NOW)
    assert schedule("0 4 * * *", since=datetime(2026, 11, 22, 9, 0, tzinfo=UTC)).is_late(NOW)


def test_a_sensor_is_late_after_five_intervals_and_two_minutes_at_least():
    assert not sensor(last_good=NOW - timedelta(seconds=119)).is_late(NOW)
    assert sensor(last_good=NOW - timedelta(seconds=121)).is_late(NOW)
    assert not sensor(every=60, last_good=NOW - timedelta(seconds=299)).is_late(NOW)
    assert sensor(every=60, last_good=NOW - timedelta(seconds=301)).is_late(NOW)


def test_a_sensor_that_was_just_switched_on_is_not_late_and_one_that_never_ticked_is():
    assert not sensor(since=NOW - timedelta(seconds=30)).is_late(NOW)
    assert sensor(since=NOW - timedelta(minutes=10)).is_late(NOW)


def test_a_daemon_that_beats_has_no_faults():
    assert DaemonReading(FRESH, ()).faults() == []


def test_every_silent_daemon_type_is_named_and_so_is_one_that_never_ran():
    reading = DaemonReading(FRESH | {"SENSOR": 400.0, "BACKFILL": 121.0}, ())
    without = DaemonReading({"SENSOR": 3.0}, ())

    assert reading.faults() == ["no heartbeat of BACKFILL, SENSOR for 400 s"]
    assert without.faults() == ["QUEUED_RUN_COORDINATOR, SCHEDULER has never run"]
    assert DaemonReading({}, ()).faults() == ["the Dagster daemon has never run"]


def test_a_silent_code_location_is_not_hidden_by_a_sensor_that_ticks_each_hour():
    often, seldom = (
        sensor(last_good=NOW - timedelta(seconds=121)),
        sensor(every=3600, last_good=NOW - timedelta(hours=1)),
    )

    assert not seldom.is_late(NOW)
    assert DaemonReading(FRESH, (often, seldom)).code_location(NOW) == "silent"
    assert DaemonReading(FRESH, (often, sensor(every=3600, last_good=NOW))).code_location(NOW) == "loaded"


def test_a_code_location_is_silent_when_the_daemon_lives_and_not_one_sensor_ticks():
    good, bad = sensor(last_good=NOW), sensor(last_good=NOW - timedelta(minutes=10))

    assert DaemonReading(FRESH, (good, bad)).code_location(NOW) == "loaded"
    assert DaemonReading(FRESH, (bad, bad)).code_location(NOW) == "silent"
    assert DaemonReading({"SENSOR": 400.0}, (bad,)).code_location(NOW) == "unknown"
    assert DaemonReading(FRESH, ()).code_location(NOW) == "unknown"


def test_the_late_are_named_by_kind():
    late = sensor(last_good=NOW - timedelta(minutes=10))
    reading = DaemonReading(FRESH, (late, schedule("0 4 * * *"), schedule("0 5 * * *", last_good=NOW)))

    assert reading.late(NOW, schedules=False) == ["lead_inbox"]
    assert reading.late(NOW, schedules=True) == ["books_daily"]


def test_clocks_may_be_a_minute_apart_and_beyond_it_the_side_and_the_seconds_are_said():
    assert [clocks_apart(seconds) for seconds in (0.0, 60.0, -60.0)] == [None, None, None]
    assert clocks_apart(60.6) == "this machine's clock is 61 s ahead of the database's"
    assert clocks_apart(-7200.0) == "this machine's clock is 7200 s behind the database's"
