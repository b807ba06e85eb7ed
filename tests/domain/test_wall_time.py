"""A publish time is a wall time in the client's zone; the clocks may skip it or show it twice."""

from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.wall_time import (
    Gap,
    Resolved,
    WallTime,
    WallTimeRefused,
    as_text,
    from_text,
    gap_at,
    in_words,
    publish_time,
    resolve,
    zone_named,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
# Wall times have no zone of their own.
wall = datetime.fromisoformat
JOHANNESBURG = "Africa/Johannesburg"
NEW_YORK = "America/New_York"


def refusal(value: str, zone: str = JOHANNESBURG) -> str:
    with pytest.raises(WallTimeRefused) as refused:
        publish_time(value, zone, now=NOW)
    return str(refused.value)


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        (wall("2026-12-01 09:00"), JOHANNESBURG, datetime(2026, 12, 1, 7, 0, tzinfo=UTC)),
        (wall("2026-12-01 09:00"), "Europe/London", datetime(2026, 12, 1, 9, 0, tzinfo=UTC)),
        (wall("2027-06-01 09:00"), "Europe/London", datetime(2027, 6, 1, 8, 0, tzinfo=UTC)),
        (wall("2026-03-08 01:59"), NEW_YORK, datetime(2026, 3, 8, 6, 59, tzinfo=UTC)),
        (wall("2026-03-08 03:00"), NEW_YORK, datetime(2026, 3, 8, 7, 0, tzinfo=UTC)),
        (wall("2026-12-01 09:00"), "Asia/Kathmandu", datetime(2026, 12, 1, 3, 15, tzinfo=UTC)),
        (wall("2026-12-01 09:00"), "Australia/Lord_Howe", datetime(2026, 11, 30, 22, 0, tzinfo=UTC)),
        (wall("2026-07-01 09:00"), "Australia/Lord_Howe", datetime(2026, 6, 30, 22, 30, tzinfo=UTC)),
    ],
)
def test_a_wall_time_is_one_instant(local: datetime, zone: str, utc: datetime):
    assert resolve(local, zone) == Resolved(utc, local, zone)


@pytest.mark.parametrize(
    ("local", "zone", "last_before", "first_after"),
    [
        (wall("2026-03-08 02:00"), NEW_YORK, wall("2026-03-08 01:59"), wall("2026-03-08 03:00")),
        (wall("2026-03-08 02:59"), NEW_YORK, wall("2026-03-08 01:59"), wall("2026-03-08 03:00")),
        (wall("2026-03-29 01:30"), "Europe/London", wall("2026-03-29 00:59"), wall("2026-03-29 02:00")),
        (
            wall("2026-10-04 02:15"),
            "Australia/Lord_Howe",
            wall("2026-10-04 01:59"),
            wall("2026-10-04 02:30"),
        ),
        # At midnight, and a whole day that an island left out.
        (wall("2026-09-06 00:30"), "America/Santiago", wall("2026-09-05 23:59"), wall("2026-09-06 01:00")),
        (wall("2011-12-30 12:00"), "Pacific/Apia", wall("2011-12-29 23:59"), wall("2011-12-31 00:00")),
    ],
)
def test_a_time_that_the_clocks_skip_is_refused_with_its_two_neighbours(
    local: datetime, zone: str, last_before: datetime, first_after: datetime
):
    with pytest.raises(WallTimeRefused) as refused:
        resolve(local, zone)

    assert refused.value.nearest == (last_before, first_after)
    assert gap_at(local, zone) == Gap(last_before, first_after)
    assert resolve(first_after, zone).utc - resolve(last_before, zone).utc == timedelta(minutes=1)


def test_the_refusal_of_a_gap_names_field_value_zone_and_neighbours():
    assert refusal("2027-03-14T02:30", NEW_YORK) == (
        "scheduled_for '2027-03-14 02:30': the clocks of America/New_York skip this time; "
        "the nearest real times are 2027-03-14 01:59 and 2027-03-14 03:00"
    )


def test_a_time_of_day_is_meant_to_the_minute():
    assert resolve(wall("2026-12-01 09:00:59.9"), JOHANNESBURG) == resolve(wall("2026-12-01 09:00"), JOHANNESBURG)


def test_the_half_hour_beside_a_short_gap_is_real():
    assert gap_at(wall("2026-10-04 02:30"), "Australia/Lord_Howe") is None
    assert gap_at(wall("2026-10-04 01:59"), "Australia/Lord_Howe") is None


@pytest.mark.parametrize(
    ("local", "zone", "first", "second"),
    [
        (
            wall("2026-11-01 01:30"),
            NEW_YORK,
            datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
            datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
        ),
        (
            wall("2026-10-25 01:30"),
            "Europe/London",
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
        (
            wall("2026-04-05 01:45"),
            "Australia/Lord_Howe",
            datetime(2026, 4, 4, 14, 45, tzinfo=UTC),
            datetime(2026, 4, 4, 15, 15, tzinfo=UTC),
        ),
    ],
)
def test_of_a_time_that_comes_twice_the_first_is_meant_unless_the_second_is_said(
    local: datetime, zone: str, first: datetime, second: datetime
):
    assert resolve(local, zone) == Resolved(first, local, zone)
    assert resolve(local, zone, fold=1) == Resolved(second, local, zone)


@pytest.mark.parametrize(
    ("value", "utc", "local"),
    [
        ("2026-12-01T09:00", datetime(2026, 12, 1, 7, 0, tzinfo=UTC), wall("2026-12-01 09:00")),
        (" 2026-12-01 09:00:59 ", datetime(2026, 12, 1, 7, 0, tzinfo=UTC), wall("2026-12-01 09:00")),
        ("2026-12-01T09:00:00.000Z", datetime(2026, 12, 1, 9, 0, tzinfo=UTC), wall("2026-12-01 11:00")),
        ("2026-12-01T09:00-05:00", datetime(2026, 12, 1, 14, 0, tzinfo=UTC), wall("2026-12-01 16:00")),
        ("2026-12-01T23:00+0545", datetime(2026, 12, 1, 17, 15, tzinfo=UTC), wall("2026-12-01 19:15")),
    ],
)
def test_a_time_with_an_offset_is_an_instant_and_keeps_the_clients_zone(value: str, utc: datetime, local: datetime):
    assert publish_time(value, JOHANNESBURG, now=NOW) == Resolved(utc, local, JOHANNESBURG)


def test_an_instant_may_be_the_second_of_two_equal_wall_times():
    at = publish_time("2027-11-07T06:30Z", NEW_YORK, now=NOW + timedelta(days=30))

    assert at == publish_time("2027-11-07T01:30", NEW_YORK, now=NOW + timedelta(days=30), fold=1)
    assert at.local == wall("2027-11-07 01:30")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2026-12-01",
        "09:00",
        "20261201T0900",
        "2026-W49-2T09:00",
        "2026-12-01T9:00",
        "2026-12-01T09:00+99:00",
        "2026-12-01T09:60",
        "٢٠٢٦-12-01T09:00",
    ],
)
def test_what_is_not_a_time_is_refused_with_an_example(value: str):
    assert refusal(value) == f"scheduled_for {value!r}: is not a time; write it as 2026-12-01T09:00"


@pytest.mark.parametrize("value", ["2027-02-29T09:00", "2026-13-01T09:00", "2026-12-01T24:00", "0001-01-01T00:00Z"])
def test_a_day_that_no_calendar_has_is_refused(value: str):
    assert refusal(value) == f"scheduled_for {value!r}: is no day or no time of the calendar"


def test_a_time_up_to_five_minutes_past_is_taken_as_it_stands():
    assert publish_time("2026-11-23T09:55", JOHANNESBURG, now=NOW).utc == NOW - timedelta(minutes=5)

    assert refusal("2026-11-23T09:54") == (
        "scheduled_for '2026-11-23T09:54': is 6 minutes in the past; 5 minutes at most is taken as now"
    )
    assert "is 3 days 1 hour in the past" in refusal("2026-11-20T09:00")


def test_a_time_up_to_a_year_ahead_is_taken():
    assert publish_time("2027-11-24T10:00", JOHANNESBURG, now=NOW).utc == NOW + timedelta(days=366)

    assert refusal("2027-11-24T10:01") == (
        "scheduled_for '2027-11-24T10:01': is 366 days ahead; 366 days at most can be planned"
    )


def test_the_refusal_names_the_callers_field():
    with pytest.raises(WallTimeRefused) as refused:
        publish_time("soon", JOHANNESBURG, now=NOW, field="posts[2].publish_at")

    assert (refused.value.field, refused.value.value) == ("posts[2].publish_at", "soon")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Africa/Johanesburg", "did you mean Africa/Johannesburg?"),
        ("africa/johannesburg", "did you mean Africa/Johannesburg?"),
        ("Johannesburg", "did you mean Africa/Johannesburg?"),
        ("New York", "did you mean America/New_York?"),
        ("+02:00", "use one such as Africa/Johannesburg"),
        ("SAST", "use one such as Africa/Johannesburg"),
        ("", "use one such as Africa/Johannesburg"),
        ("../etc/passwd", "use one such as Africa/Johannesburg"),
        ("localtime", "use one such as Africa/Johannesburg"),
    ],
)
def test_an_unknown_zone_is_refused_with_names_that_come_close(zone: str, hint: str):
    with pytest.raises(WallTimeRefused) as refused:
        resolve(wall("2026-12-01 09:00"), zone)

    assert str(refused.value) == f"timezone {zone!r}: is not an IANA time zone; {hint}"


def test_a_known_zone_is_itself():
    assert zone_named("Asia/Kathmandu").key == "Asia/Kathmandu"


@pytest.mark.parametrize(
    ("local", "zone", "fold", "text"),
    [
        (wall("2026-12-01 09:00"), JOHANNESBURG, 0, "2026-12-01 09:00 Africa/Johannesburg"),
        (wall("2026-11-01 01:30"), NEW_YORK, 0, "2026-11-01 01:30 America/New_York"),
        (wall("2026-11-01 01:30"), NEW_YORK, 1, "2026-11-01 01:30-05:00 America/New_York"),
        (wall("2026-04-05 01:45"), "Australia/Lord_Howe", 1, "2026-04-05 01:45+10:30 Australia/Lord_Howe"),
    ],
)
def test_the_stored_text_means_the_same_instant_when_it_is_read_back(local: datetime, zone: str, fold: int, text: str):
    resolved = resolve(local, zone, fold=fold)

    assert as_text(resolved) == text
    assert from_text(text) == WallTime(local, zone, fold)
    assert resolve(local, zone, fold=from_text(text).fold) == resolved


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("2026-12-01 09:00", "needs a zone"),
        ("2026-12-01 09:00+03:00 Africa/Johannesburg", "does not have that offset"),
        ("2026-12-01 09:00 Africa/Nowhere", "is not an IANA time zone"),
        ("Africa/Johannesburg", "is not a time"),
    ],
)
def test_a_stored_text_that_was_tampered_with_is_refused(text: str, detail: str):
    with pytest.raises(WallTimeRefused, match=detail) as refused:
        from_text(text)

    assert refused.value.field == "scheduled_local"


def test_a_publish_time_names_no_zone_of_its_own():
    assert "the organization's zone is used" in refusal("2026-12-01 09:00 Europe/London")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1, seconds=59), "1 minute"),
        (timedelta(minutes=125), "2 hours 5 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(days=1, minutes=59), "1 day"),
        (timedelta(days=3, hours=4, minutes=5), "3 days 4 hours"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(duration: timedelta, words: str):
    assert in_words(duration) == words
