"""Posts that come again keep their wall time, and never come in a burst."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.recurrence import Planned, RecurrenceRule, next_to_make, occurrences
from draggonnb_pipelines.domain.wall_time import Resolved, WallTimeRefused

# Wall times have no zone of their own.
wall = datetime.fromisoformat
JOHANNESBURG = "Africa/Johannesburg"
NEW_YORK = "America/New_York"
DAILY = RecurrenceRule(unit="days", at=time(9), starts_on=date(2026, 11, 2))


def utc(day: int, hour: int, minute: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def locals_of(found: list[Resolved]) -> list[datetime]:
    return [moment.local for moment in found]


def test_every_third_day_is_counted_from_the_start():
    rule = RecurrenceRule(every=3, unit="days", at=time(9), starts_on=date(2026, 11, 2))

    found = occurrences(rule, JOHANNESBURG, utc(1, 0), utc(12, 0))

    assert found == [
        Resolved(utc(2, 7), wall("2026-11-02 09:00"), JOHANNESBURG),
        Resolved(utc(5, 7), wall("2026-11-05 09:00"), JOHANNESBURG),
        Resolved(utc(8, 7), wall("2026-11-08 09:00"), JOHANNESBURG),
        Resolved(utc(11, 7), wall("2026-11-11 09:00"), JOHANNESBURG),
    ]


def test_every_second_week_counts_weeks_from_the_monday_of_the_first():
    # Starts on a Wednesday, so the Monday of that week is past and its Friday is not.
    rule = RecurrenceRule(every=2, unit="weeks", weekdays={1, 5}, at=time(17), starts_on=date(2026, 11, 4))  # pyright: ignore[reportArgumentType]

    found = locals_of(occurrences(rule, JOHANNESBURG, utc(1, 0), utc(5, 0, month=12)))

    assert found == [wall(f"2026-11-{day:02} 17:00") for day in (6, 16, 20, 30)] + [wall("2026-12-04 17:00")]


def test_weeks_without_weekdays_mean_the_weekday_of_the_start():
    rule = RecurrenceRule(unit="weeks", at=time(8), starts_on=date(2026, 11, 5))

    assert locals_of(occurrences(rule, JOHANNESBURG, utc(1, 0), utc(20, 0))) == [
        wall("2026-11-05 08:00"),
        wall("2026-11-12 08:00"),
        wall("2026-11-19 08:00"),
    ]


def test_both_ends_of_the_rule_are_included():
    rule = DAILY.model_copy(update={"until": date(2026, 11, 4)})

    assert locals_of(occurrences(rule, JOHANNESBURG, utc(1, 0, month=1), utc(1, 0, year=2030))) == [
        wall(f"2026-11-{day:02} 09:00") for day in (2, 3, 4)
    ]


def test_a_window_has_its_end_but_not_its_beginning_so_that_windows_meet_without_seam():
    seven = utc(3, 7)

    assert locals_of(occurrences(DAILY, JOHANNESBURG, utc(2, 7), seven)) == [wall("2026-11-03 09:00")]
    assert occurrences(DAILY, JOHANNESBURG, seven, utc(4, 6, 59)) == []


@pytest.mark.parametrize(
    ("zone", "start", "instants"),
    [
        (NEW_YORK, date(2026, 3, 7), [utc(7, 14, month=3), utc(8, 13, month=3), utc(9, 13, month=3)]),
        (NEW_YORK, date(2026, 10, 31), [utc(31, 13, month=10), utc(1, 14), utc(2, 14)]),
        ("Europe/London", date(2026, 3, 28), [utc(28, 9, month=3), utc(29, 8, month=3), utc(30, 8, month=3)]),
        (
            "Australia/Lord_Howe",
            date(2026, 10, 3),
            [utc(2, 22, 30, month=10), utc(3, 22, month=10), utc(4, 22, month=10)],
        ),
        ("Asia/Kathmandu", date(2026, 11, 1), [utc(1, 3, 15), utc(2, 3, 15), utc(3, 3, 15)]),
    ],
)
def test_the_wall_time_stays_when_the_clocks_change(zone: str, start: date, instants: list[datetime]):
    rule = RecurrenceRule(unit="days", at=time(9), starts_on=start, until=start + timedelta(days=2))

    found = occurrences(rule, zone, utc(1, 0, month=1), utc(31, 0, month=12))

    assert [moment.utc for moment in found] == instants
    assert {moment.local.time() for moment in found} == {time(9)}


def test_on_the_day_of_a_gap_the_occurrence_moves_to_the_first_real_time_after_it():
    rule = RecurrenceRule(unit="days", at=time(2, 30), starts_on=date(2026, 3, 7), until=date(2026, 3, 9))

    assert occurrences(rule, NEW_YORK, utc(1, 0, month=3), utc(31, 0, month=3)) == [
        Resolved(utc(7, 7, 30, month=3), wall("2026-03-07 02:30"), NEW_YORK),
        Resolved(utc(8, 7, 0, month=3), wall("2026-03-08 03:00"), NEW_YORK),
        Resolved(utc(9, 6, 30, month=3), wall("2026-03-09 02:30"), NEW_YORK),
    ]


def test_a_time_that_comes_twice_occurs_once():
    rule = RecurrenceRule(unit="days", at=time(1, 30), starts_on=date(2026, 11, 1), until=date(2026, 11, 1))

    assert [moment.utc for moment in occurrences(rule, NEW_YORK, utc(1, 0), utc(3, 0))] == [utc(1, 5, 30)]


def test_a_day_that_an_island_left_out_does_not_double_the_next():
    rule = RecurrenceRule(unit="days", at=time(0), starts_on=date(2011, 12, 29), until=date(2011, 12, 31))

    found = occurrences(rule, "Pacific/Apia", utc(1, 0, month=12, year=2011), utc(5, 0, month=1, year=2012))

    assert locals_of(found) == [wall("2011-12-29 00:00"), wall("2011-12-31 00:00")]


def test_the_next_occurrence_is_made_ahead_of_its_time():
    planned = next_to_make(DAILY, JOHANNESBURG, since=utc(3, 7), now=utc(3, 8), has_open=False)

    assert planned == Planned(Resolved(utc(4, 7), wall("2026-11-04 09:00"), JOHANNESBURG), missed=0)


def test_the_next_occurrence_may_be_later_today():
    planned = next_to_make(DAILY, JOHANNESBURG, since=utc(3, 6, 59), now=utc(3, 6, 59), has_open=False)

    assert planned == Planned(Resolved(utc(3, 7), wall("2026-11-03 09:00"), JOHANNESBURG), missed=0)


def test_nothing_is_made_while_an_occurrence_is_open():
    assert next_to_make(DAILY, JOHANNESBURG, since=utc(3, 7), now=utc(20, 8), has_open=True) is None


def test_after_an_outage_only_the_newest_missed_occurrence_is_made():
    planned = next_to_make(DAILY, JOHANNESBURG, since=utc(3, 7), now=utc(10, 8), has_open=False)

    assert planned == Planned(Resolved(utc(10, 7), wall("2026-11-10 09:00"), JOHANNESBURG), missed=6)


def test_an_occurrence_that_went_out_late_is_not_followed_by_those_missed_before_it():
    # That of the 3rd went out on the 10th, after the outage; the next is that of the 11th.
    planned = next_to_make(DAILY, JOHANNESBURG, since=utc(10, 8), now=utc(10, 8, 1), has_open=False)

    assert planned == Planned(Resolved(utc(11, 7), wall("2026-11-11 09:00"), JOHANNESBURG), missed=0)


def test_an_occurrence_that_was_cancelled_ahead_of_its_time_is_not_made_again():
    planned = next_to_make(DAILY, JOHANNESBURG, since=utc(4, 7), now=utc(3, 8), has_open=False)

    assert planned == Planned(Resolved(utc(5, 7), wall("2026-11-05 09:00"), JOHANNESBURG), missed=0)


def test_a_rule_of_a_year_finds_its_next_day_and_an_ended_rule_none():
    yearly = RecurrenceRule(every=366, unit="days", at=time(9), starts_on=date(2026, 11, 2))
    planned = next_to_make(yearly, JOHANNESBURG, since=utc(2, 7), now=utc(2, 7), has_open=False)
    assert planned == Planned(Resolved(utc(3, 7, year=2027), wall("2027-11-03 09:00"), JOHANNESBURG), missed=0)

    ended = DAILY.model_copy(update={"until": date(2026, 11, 3)})
    assert next_to_make(ended, JOHANNESBURG, since=utc(3, 7), now=utc(3, 8), has_open=False) is None


def test_a_rule_that_begins_later_waits_for_its_start():
    rule = RecurrenceRule(every=52, unit="weeks", weekdays=frozenset({1}), at=time(9), starts_on=date(2027, 3, 3))

    planned = next_to_make(rule, JOHANNESBURG, since=utc(2, 7), now=utc(3, 8), has_open=False)

    assert planned
    assert planned.at.local == wall("2028-02-28 09:00")


def test_a_rule_run_over_a_year_with_an_outage_never_posts_twice_within_a_day():
    rule = RecurrenceRule(unit="days", at=time(2, 30), starts_on=date(2026, 1, 1))
    now, since, made = utc(1, 0, month=1), utc(1, 0, month=1), []

    while now < utc(31, 0, month=12):
        planned = next_to_make(rule, NEW_YORK, since=since, now=now, has_open=False)
        assert planned
        # Down for three weeks in May: what was due then goes out on the 22nd.
        up_again = utc(22, 12, month=5)
        went_out = up_again if utc(1, 0, month=5) < planned.at.utc < up_again else planned.at.utc
        made.append(went_out)
        now = since = went_out

    gaps = [later - earlier for earlier, later in pairwise(made)]
    assert len(made) == 365 - 21
    assert min(gaps) == timedelta(hours=18, minutes=30)
    assert sorted(gaps)[1:4] == [timedelta(hours=23, minutes=30)] * 2 + [timedelta(hours=24)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"every": 0}, "greater than or equal to 1"),
        ({"every": 367}, "every 367 days: 366 days is the most"),
        ({"unit": "weeks", "every": 53}, "every 53 weeks: 52 weeks is the most"),
        ({"unit": "minutes"}, "Input should be 'days' or 'weeks'"),
        ({"weekdays": [1]}, "weekdays go with weeks"),
        ({"unit": "weeks", "weekdays": [0]}, "greater than or equal to 1"),
        ({"until": "2026-11-01"}, "until 2026-11-01 lies before starts_on 2026-11-02"),
        ({"at": "09:00:01"}, "wall time in whole minutes"),
        ({"times": ["09:00", "10:00"]}, "Extra inputs are not permitted"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(change: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        RecurrenceRule.model_validate(DAILY.model_dump() | change)


def test_an_unknown_zone_is_refused():
    with pytest.raises(WallTimeRefused, match="timezone 'SAST'"):
        occurrences(DAILY, "SAST", utc(1, 0), utc(2, 0))
