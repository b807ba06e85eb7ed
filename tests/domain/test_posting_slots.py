"""The next free slot, in the client's zone, past holidays and past the nights when the clocks change."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.posting_slots import DEFAULT_SLOTS, Slot, next_free_slot, public_holidays
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.wall_time import Resolved, WallTimeRefused

# Wall times have no zone of their own.
wall = datetime.fromisoformat
JOHANNESBURG = "Africa/Johannesburg"
MONDAY_AND_THURSDAY = (Slot(weekday=1, at=time(9)), Slot(weekday=4, at=time(17, 30)), Slot(weekday=4, at=time(8)))
# Sunday.
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def local(found: Resolved | None) -> datetime | None:
    return found.local if found else None


def test_the_first_slot_after_now_is_found_in_the_clients_zone():
    found = next_free_slot(MONDAY_AND_THURSDAY, JOHANNESBURG, NOW, set(), Platform.X)

    assert found == Resolved(datetime(2026, 11, 23, 7, 0, tzinfo=UTC), wall("2026-11-23 09:00"), JOHANNESBURG)


def test_slots_of_one_day_come_in_the_order_of_the_clock_and_taken_ones_are_passed_over():
    taken = {datetime(2026, 11, 23, 7, 0, tzinfo=UTC)}
    assert local(next_free_slot(MONDAY_AND_THURSDAY, JOHANNESBURG, NOW, taken, Platform.X)) == wall("2026-11-26 08:00")

    taken.add(datetime(2026, 11, 26, 6, 0, 31, tzinfo=UTC))
    found = next_free_slot(MONDAY_AND_THURSDAY, JOHANNESBURG, NOW, taken, Platform.X)
    assert local(found) == wall("2026-11-26 17:30")


def test_a_slot_at_this_very_instant_is_over():
    nine = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)

    assert local(next_free_slot(MONDAY_AND_THURSDAY, JOHANNESBURG, nine, set(), Platform.X)) == wall("2026-11-26 08:00")
    just_before = nine - timedelta(seconds=1)
    found = next_free_slot(MONDAY_AND_THURSDAY, JOHANNESBURG, just_before, set(), Platform.X)
    assert local(found) == wall("2026-11-23 09:00")


def test_the_weekday_is_that_of_the_clients_zone():
    # Monday 05:00 in Kathmandu is Sunday 23:15 UTC.
    found = next_free_slot((Slot(weekday=1, at=time(5)),), "Asia/Kathmandu", NOW, set(), Platform.X)

    assert found == Resolved(datetime(2026, 11, 22, 23, 15, tzinfo=UTC), wall("2026-11-23 05:00"), "Asia/Kathmandu")


def test_a_slot_serves_its_platforms_only():
    slots = (Slot(weekday=1, at=time(9), platforms=frozenset({Platform.LINKEDIN})), Slot(weekday=2, at=time(9)))

    assert local(next_free_slot(slots, JOHANNESBURG, NOW, set(), Platform.LINKEDIN)) == wall("2026-11-23 09:00")
    assert local(next_free_slot(slots, JOHANNESBURG, NOW, set(), Platform.X)) == wall("2026-11-24 09:00")
    assert next_free_slot(slots[:1], JOHANNESBURG, NOW, set(), Platform.X) is None


def test_a_client_without_slots_has_nine_o_clock_on_working_days():
    friday_noon = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)

    assert local(next_free_slot((), JOHANNESBURG, friday_noon, set(), Platform.X)) == wall("2026-11-30 09:00")
    assert [(slot.weekday, slot.at) for slot in DEFAULT_SLOTS] == [(day, time(9)) for day in (1, 2, 3, 4, 5)]


def test_a_slot_in_a_gap_of_the_clocks_does_not_exist_on_that_day():
    sunday = (Slot(weekday=7, at=time(2, 30)),)
    before = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)

    found = next_free_slot(sunday, "America/New_York", before, set(), Platform.X)

    assert found == Resolved(datetime(2026, 3, 15, 6, 30, tzinfo=UTC), wall("2026-03-15 02:30"), "America/New_York")


def test_a_slot_that_comes_twice_is_one_slot():
    sunday = (Slot(weekday=7, at=time(1, 30)),)
    before = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)

    first = next_free_slot(sunday, "America/New_York", before, set(), Platform.X)
    assert first
    assert first.utc == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)

    after = next_free_slot(sunday, "America/New_York", first.utc, set(), Platform.X)
    assert after
    assert after.utc == datetime(2026, 11, 8, 6, 30, tzinfo=UTC)


def test_public_holidays_are_left_out_where_that_is_wanted():
    every_day = tuple(Slot(weekday=day, at=time(9)) for day in range(1, 8))
    christmas_eve = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)

    kept = next_free_slot(every_day, JOHANNESBURG, christmas_eve, set(), Platform.X)
    skipped = next_free_slot(every_day, JOHANNESBURG, christmas_eve, set(), Platform.X, skip_holidays="ZA")

    assert local(kept) == wall("2026-12-25 09:00")
    assert local(skipped) == wall("2026-12-27 09:00")


def test_south_african_holidays_have_their_monday_in_place_of_a_sunday():
    days = public_holidays("ZA", 2027)

    assert days[date(2027, 3, 21)] == "Human Rights Day"
    assert days[date(2027, 3, 22)] == "Human Rights Day (observed)"
    assert days[date(2027, 12, 16)] == "Day of Reconciliation"
    assert date(2027, 3, 23) not in days
    assert date(2027, 9, 24) not in public_holidays("GB", 2027)


@pytest.mark.parametrize("country", ["QQ", "South Africa", "../ZA", "holidays"])
def test_a_country_without_a_calendar_is_named(country: str):
    with pytest.raises(ValueError, match="has no calendar of holidays; use a code such as ZA") as refused:
        next_free_slot((), JOHANNESBURG, NOW, set(), Platform.X, skip_holidays=country)

    assert repr(country) in str(refused.value)


def test_beyond_the_horizon_nothing_is_found():
    monday = (Slot(weekday=1, at=time(9)),)
    taken = {datetime(2026, 11, 23, 7, 0, tzinfo=UTC) + timedelta(weeks=week) for week in range(4)}

    assert next_free_slot(monday, JOHANNESBURG, NOW, taken, Platform.X, horizon_days=28) is None
    found = next_free_slot(monday, JOHANNESBURG, NOW, taken, Platform.X, horizon_days=29)
    assert local(found) == wall("2026-12-21 09:00")


def test_an_unknown_zone_is_refused():
    with pytest.raises(WallTimeRefused, match="timezone 'Kloof'"):
        next_free_slot((), "Kloof", NOW, set(), Platform.X)


def test_a_slot_is_read_from_json():
    slot = Slot.model_validate_json('{"weekday": 3, "at": "16:45", "platforms": ["x", "linkedin"]}')

    assert slot == Slot(weekday=3, at=time(16, 45), platforms=frozenset({Platform.X, Platform.LINKEDIN}))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"weekday": 0, "at": "09:00"}', "weekday"),
        ('{"weekday": 8, "at": "09:00"}', "weekday"),
        ('{"weekday": 1, "at": "09:00:30"}', "at"),
        ('{"weekday": 1, "at": "09:00Z"}', "at"),
        ('{"weekday": 1, "at": "25:00"}', "at"),
        ('{"weekday": 1, "at": "09:00", "platforms": ["myspace"]}', "platforms"),
    ],
)
def test_a_slot_that_cannot_be_is_refused_by_its_field(body: str, field: str):
    with pytest.raises(ValidationError) as refused:
        Slot.model_validate_json(body)

    assert [error["loc"][0] for error in refused.value.errors()] == [field]
