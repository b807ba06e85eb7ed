"""The agenda of the numbers: who is to be looked into, whose day has no snapshot, whose week no report."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics_agenda import (
    ANALYTICS_AGENDA,
    DueClient,
    DueWeek,
    Look,
    clients_to_measure,
    count_due,
    due_organizations,
    note_measuring,
    settle,
    snapshot_taken,
    week_reported,
    weeks_due,
    weeks_to_report,
)
from tests.workflows.collection_work import SIX, TODAY, at
from tests.workflows.lead_work import master_rows
from tests.workflows.publish_work import approve, connect, publish

NOON = SIX + timedelta(hours=6)
MONDAY = date(2026, 12, 7)
WEEK = date(2026, 11, 30)


async def entry(stack: Stack, organization: Organization) -> dict[str, Any]:
    [row] = await master_rows(
        stack,
        "select nullif(measure_at, 'infinity') as measure_at, notes, failures, snapshot_day, week_reported"
        " from analytics_agenda where organization_id = %s",
        organization.id,
    )
    return row


async def settled(stack: Stack, *looks: Look, now: datetime = NOON) -> None:
    async with stack.master.connection() as conn:
        await settle(conn, now, looks)


async def due(stack: Stack, now: datetime) -> list[str]:
    async with stack.master.connection() as conn:
        slugs = await due_organizations(conn, now, 10)
        assert await count_due(conn, now) == len(slugs)
    return slugs


async def taken(stack: Stack, day: date, *organizations: Organization) -> None:
    async with stack.master.connection() as conn:
        await snapshot_taken(conn, [organization.id for organization in organizations], day)


async def test_a_public_post_is_noted_for_an_hour_later_or_for_six_and_the_earliest_counts(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)
    await note_measuring(stack.master, [agency.id, outsider.id], NOON)
    await note_measuring(stack.master, [agency.id], NOON + timedelta(hours=1))
    await note_measuring(stack.master, [], NOON)

    assert (await entry(stack, agency))["measure_at"] == NOON + timedelta(hours=1)
    assert ((await entry(stack, agency))["notes"], (await entry(stack, outsider))["notes"]) == (2, 1)
    assert await due(stack, NOON + timedelta(minutes=59)) == []
    assert await due(stack, NOON + timedelta(hours=1)) == ["draggonnb", "outsider"]
    await note_measuring(stack.master, [outsider.id], SIX - timedelta(minutes=5))
    assert (await entry(stack, outsider))["measure_at"] == SIX


async def test_publishing_notes_its_clients_once_whatever_the_number_of_posts(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await connect(stack, agency, Platform.X)
    for number in range(3):
        await approve(stack, agency, f"Roast number {number}.", platforms=("x",))
    before = datetime.now(UTC)

    await publish(stack, agency)
    await publish(stack, outsider)

    row = await entry(stack, agency)
    assert row["notes"] == 1
    assert before < row["measure_at"] <= datetime.now(UTC) + timedelta(hours=1)
    assert await master_rows(stack, "select from analytics_agenda where organization_id = %s", outsider.id) == []


async def test_a_look_puts_off_what_it_saw_and_not_what_was_noted_meanwhile(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)
    for organization in (agency, outsider):
        await note_measuring(stack.master, [organization.id], SIX)
    await note_measuring(stack.master, [outsider.id], SIX)  # during the look

    await settled(
        stack, Look(agency.id, None, has_trouble=False, seen_notes=1), Look(outsider.id, None, False, seen_notes=1)
    )

    assert (await entry(stack, agency))["measure_at"] is None
    assert (await entry(stack, outsider))["measure_at"] == SIX + timedelta(hours=1)
    assert await due(stack, NOON) == ["outsider"]


async def test_trouble_comes_again_in_ten_minutes_and_later_each_time_or_at_its_own_time(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    waits = []
    for _ in range(8):
        await settled(stack, Look(agency.id, None, has_trouble=True, seen_notes=0))
        waits.append((await entry(stack, agency))["measure_at"] - NOON)
    await settled(stack, Look(outsider.id, NOON + timedelta(hours=1), has_trouble=True, seen_notes=0))

    minutes = [wait // timedelta(minutes=1) for wait in waits]
    assert minutes == [10, 20, 40, 80, 160, 320, 360, 360]
    assert (await entry(stack, agency))["failures"] == 8
    assert ((await entry(stack, outsider))["failures"], (await entry(stack, outsider))["measure_at"]) == (
        1,
        NOON + timedelta(hours=1),
    )
    await settled(stack, Look(agency.id, None, has_trouble=False, seen_notes=0))
    assert (await entry(stack, agency))["failures"] == 0


@pytest.mark.parametrize(
    ("zone", "moment", "is_due"),
    [
        ("Africa/Johannesburg", SIX - timedelta(seconds=1), False),
        ("Africa/Johannesburg", SIX, True),
        ("Pacific/Auckland", SIX, True),
        ("America/Los_Angeles", SIX, False),  # still yesterday there, until 08:00 UTC
        ("America/Los_Angeles", SIX + timedelta(hours=2), True),
    ],
)
async def test_a_day_lacks_its_snapshot_once_it_is_over_where_the_client_is(
    stack: Stack, agency: Organization, outsider: Organization, zone: str, moment: datetime, is_due: bool
) -> None:
    await taken(stack, TODAY, outsider)
    await taken(stack, TODAY - timedelta(days=1), agency)
    await master_rows(stack, "update organizations set timezone = %s where slug = 'draggonnb' returning id", zone)
    try:
        assert await due(stack, moment) == (["draggonnb"] if is_due else [])
        await taken(stack, TODAY, agency)
        assert await due(stack, moment) == []
    finally:
        johannesburg = "update organizations set timezone = 'Africa/Johannesburg' where slug = 'draggonnb' returning id"
        await master_rows(stack, johannesburg)


async def test_a_client_that_came_a_minute_before_six_is_looked_into_and_one_that_came_later_not_before_tomorrow(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    created = "update organizations set created_at = %s where slug = %s returning id"
    before = await master_rows(stack, "select slug, created_at from organizations")
    try:
        await master_rows(stack, created, SIX - timedelta(minutes=1), "draggonnb")
        await master_rows(stack, created, SIX + timedelta(minutes=1), "outsider")

        assert await due(stack, SIX + timedelta(minutes=2)) == ["draggonnb"]
        assert sorted(await due(stack, SIX + timedelta(days=1))) == ["draggonnb", "outsider"]
    finally:
        for row in before:
            await master_rows(stack, created, row["created_at"], row["slug"])


async def test_a_run_gets_who_is_due_and_who_asked_and_a_snapshot_after_trouble(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)

    assert await clients_to_measure(at(stack, NOON), everyone=False) == []
    asked = await clients_to_measure(at(stack, NOON), everyone=False, asked=["outsider"])
    assert asked == [DueClient("outsider", needs_snapshot=False)]
    await settled(stack, Look(agency.id, NOON, has_trouble=True, seen_notes=0))
    assert await clients_to_measure(at(stack, NOON), everyone=False) == [DueClient("draggonnb", needs_snapshot=True)]
    assert await clients_to_measure(at(stack, SIX), everyone=True) == [
        DueClient("draggonnb", needs_snapshot=True),
        DueClient("outsider", needs_snapshot=True),
    ]
    early = await clients_to_measure(at(stack, SIX - timedelta(hours=1)), everyone=True)
    assert [one.needs_snapshot for one in early] == [False, False]


async def test_a_week_is_due_once_its_sunday_has_a_snapshot_and_no_more_after_its_report(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await master_rows(stack, "update organizations set created_at = '2026-01-01' returning id")
    assert await weeks_to_report(stack) == []

    await taken(stack, MONDAY - timedelta(days=1), agency)
    assert await weeks_to_report(stack) == [DueWeek("draggonnb", WEEK - timedelta(days=7))]
    await taken(stack, MONDAY, agency, outsider)
    await taken(stack, TODAY, agency)  # made again by a backfill
    both = await weeks_to_report(stack)
    async with stack.master.connection() as conn:
        assert await ANALYTICS_AGENDA.count_weeks(conn) == 2
        await week_reported(conn, [agency.id], WEEK)
        await week_reported(conn, [agency.id], WEEK - timedelta(days=7))
        left = await weeks_due(conn, 10)

    assert both == [DueWeek("draggonnb", WEEK), DueWeek("outsider", WEEK)]
    assert left == [DueWeek("outsider", WEEK)]
    assert (await entry(stack, agency))["snapshot_day"] == MONDAY
    await taken(stack, MONDAY + timedelta(days=20), agency)  # two reports were never written: the last week counts
    assert (await weeks_to_report(stack))[1] == DueWeek("draggonnb", MONDAY + timedelta(days=7))


async def test_who_came_after_the_week_gets_no_report_of_it(stack: Stack, agency: Organization) -> None:
    before = await master_rows(stack, "select slug, created_at from organizations")
    monday = datetime(2026, 12, 6, 22, tzinfo=UTC)  # in Johannesburg
    created = "update organizations set created_at = %s where slug = %s returning id"
    await taken(stack, MONDAY, agency)
    try:
        await master_rows(stack, created, monday, "draggonnb")
        assert await weeks_to_report(stack) == []
        await master_rows(stack, created, monday - timedelta(seconds=1), "draggonnb")
        assert await weeks_to_report(stack) == [DueWeek("draggonnb", WEEK)]
    finally:
        for row in before:
            await master_rows(stack, created, row["created_at"], row["slug"])
