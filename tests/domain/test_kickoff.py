"""Which half hour a new client gets, and the invitation to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest

from draggonnb_pipelines.domain.kickoff import invitation, next_half_hour
from draggonnb_pipelines.domain.wall_time import WallTimeRefused

ZONE = "Africa/Johannesburg"  # UTC+2 all year
HALF_HOUR = timedelta(minutes=30)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("now", "starts_at"),
    [
        ("2026-11-23T06:10", "2026-11-24T07:00"),  # Monday before office hours: Tuesday, 9:00
        ("2026-11-23T07:00", "2026-11-24T07:00"),  # to the minute a day ahead
        ("2026-11-23T07:01", "2026-11-24T07:30"),
        ("2026-11-23T14:30", "2026-11-24T14:30"),  # the last one of the day, 16:30 to 17:00
        ("2026-11-23T14:31", "2026-11-25T07:00"),
        ("2026-11-27T10:00", "2026-11-30T07:00"),  # Friday: Monday, since Saturday is no working day
        ("2026-12-15T10:00", "2026-12-17T07:00"),  # 16 December is the Day of Reconciliation
        ("2026-12-24T10:00", "2026-12-28T07:00"),  # Christmas, and the Day of Goodwill on a Saturday
        ("2027-03-20T10:00", "2027-03-23T07:00"),  # Human Rights Day on a Sunday is given on Monday the 22nd
    ],
)
def test_the_first_free_half_hour_is_in_office_hours_of_a_working_day(now: str, starts_at: str) -> None:
    assert next_half_hour(utc(now), ZONE, set()) == utc(starts_at)


def test_a_half_hour_that_is_given_away_is_passed_over() -> None:
    taken = {utc("2026-11-24T07:00") + number * HALF_HOUR for number in range(16)}

    assert next_half_hour(utc("2026-11-23T05:00"), ZONE, taken) == utc("2026-11-25T07:00")
    assert next_half_hour(utc("2026-11-23T05:00"), ZONE, taken - {utc("2026-11-24T09:00")}) == utc("2026-11-24T09:00")


def test_office_hours_are_those_of_the_agencys_clock_when_it_changes() -> None:
    # The clocks of Berlin go back on Sunday 25 October 2026.
    assert next_half_hour(utc("2026-10-22T05:00"), "Europe/Berlin", set()) == utc("2026-10-23T07:00")
    assert next_half_hour(utc("2026-10-24T05:00"), "Europe/Berlin", set()) == utc("2026-10-26T08:00")


def test_without_a_free_half_hour_within_sixty_days_there_is_none() -> None:
    now = utc("2026-11-23T05:00")
    taken = {now.replace(minute=0) + number * HALF_HOUR for number in range(62 * 48)}

    assert next_half_hour(now, ZONE, taken) is None


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(WallTimeRefused):
        next_half_hour(utc("2026-11-23T05:00"), "Africa/Nowhere", set())


def written(**change: object) -> str:
    values: dict[str, object] = {
        "uid": "one@draggonnb.example",
        "starts_at": utc("2026-11-24T07:00"),
        "ends_at": utc("2026-11-24T07:30"),
        "written_at": datetime(2026, 11, 23, 6, 0, 0, 123, tzinfo=UTC),
        "summary": "First call: Köffie, and more; with us",
        "description": "Thirty minutes.\nBEGIN:VALARM",
        "organizer": ("DraggonnB", "hello@draggonnb.example"),
        "attendees": [("The owner", "owner@kloof.example"), ("", "sales@draggonnb.example")],
    }
    return invitation(**values | change)  # pyright: ignore[reportArgumentType]


def test_an_invitation_says_who_when_and_under_which_identity_and_is_the_same_every_time() -> None:
    text = written()

    assert text == written()
    calendar = icalendar.Calendar.from_ical(text)
    event: Any = calendar.walk("VEVENT")[0]
    assert (str(calendar["METHOD"]), str(event["UID"]), event["SEQUENCE"]) == ("REQUEST", "one@draggonnb.example", 0)
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (utc("2026-11-24T07:00"), utc("2026-11-24T07:30"))
    assert event.decoded("DTSTAMP") == utc("2026-11-23T06:00")
    assert str(event["SUMMARY"]) == "First call: Köffie, and more; with us"
    assert str(event["ORGANIZER"]) == "mailto:hello@draggonnb.example"
    assert [(str(one), one.params.get("CN")) for one in event["ATTENDEE"]] == [
        ("mailto:owner@kloof.example", "The owner"),
        ("mailto:sales@draggonnb.example", None),
    ]
    assert {one.params["RSVP"] for one in event["ATTENDEE"]} == {"TRUE"}
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")), "RFC 5545, 3.1"


def test_text_of_strangers_adds_nothing_to_the_object() -> None:
    attendees = [('Ann"\r\nATTENDEE:mailto:x@y.z', "owner@kloof.example")]

    calendar = icalendar.Calendar.from_ical(written(attendees=attendees, summary="A\r\nBEGIN:VALARM"))

    assert [component.name for component in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    event: Any = calendar.walk("VEVENT")[0]
    assert str(event["ATTENDEE"]) == "mailto:owner@kloof.example"
    assert event["ATTENDEE"].params["CN"] == "AnnATTENDEE:mailto:x@y.z"
