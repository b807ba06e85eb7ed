"""Whose week has no report: once it is over where the client is, and not again and again for who cannot be served."""

from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import (
    DueWeek,
    figures_failed,
    week_reported,
    weeks_due,
    weeks_to_report,
)
from tests.workflows.analytics_agenda_work import due, entry, taken
from tests.workflows.collection_work import TODAY, at
from tests.workflows.lead_work import master_rows

MONDAY = date(2026, 12, 7)
MONDAY_AT_SIX = datetime(2026, 12, 7, 6, tzinfo=UTC)
WEEK = date(2026, 11, 30)


async def test_a_week_is_due_once_its_sunday_has_a_snapshot_and_no_more_after_its_report(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await master_rows(stack, "update organizations set created_at = '2026-01-01' returning id")
    on_monday = at(stack, MONDAY_AT_SIX)
    assert await weeks_to_report(on_monday) == []

    await taken(stack, MONDAY - timedelta(days=1), agency)
    assert await weeks_to_report(on_monday) == []
    on_sunday = at(stack, MONDAY_AT_SIX - timedelta(days=1))
    assert await weeks_to_report(on_sunday) == [DueWeek("draggonnb", WEEK - timedelta(days=7))]
    await taken(stack, MONDAY, agency, outsider)
    await taken(stack, TODAY, agency)  # made again by a backfill
    both = await weeks_to_report(on_monday)
    async with stack.master.connection() as conn:
        await week_reported(conn, [agency.id], WEEK)
        await week_reported(conn, [agency.id], WEEK - timedelta(days=7))
        left = await weeks_due(conn, MONDAY_AT_SIX, 10)

    assert both == [DueWeek("draggonnb", WEEK), DueWeek("outsider", WEEK)]
    assert left == [DueWeek("outsider", WEEK)]
    assert (await entry(stack, agency))["snapshot_day"] == MONDAY
    await taken(stack, MONDAY + timedelta(days=20), agency)  # two reports were never written: the last week counts
    later = at(stack, MONDAY_AT_SIX + timedelta(days=20))
    assert await weeks_to_report(later) == [DueWeek("draggonnb", MONDAY + timedelta(days=7))]
    assert await weeks_to_report(at(stack, MONDAY_AT_SIX + timedelta(days=400))) == []


@pytest.mark.parametrize(
    ("zone", "over"),
    [
        ("Africa/Johannesburg", MONDAY_AT_SIX),
        ("Pacific/Kiritimati", MONDAY_AT_SIX),  # Monday there begins on Sunday at 10:00 UTC, and is measured at six
        ("Pacific/Honolulu", MONDAY_AT_SIX + timedelta(hours=4)),
        ("Not/A_Zone", MONDAY_AT_SIX),
    ],
)
async def test_a_week_is_due_at_the_clocks_own_moment_however_far_the_snapshots_are_ahead(
    stack: Stack, agency: Organization, outsider: Organization, zone: str, over: datetime
) -> None:
    change = "update organizations set timezone = %s where slug = 'outsider' returning id"
    await master_rows(stack, "update organizations set created_at = '2026-01-01' returning id")
    await master_rows(stack, change, zone)
    try:
        await taken(stack, MONDAY + timedelta(days=400), outsider)
        async with stack.master.connection() as conn:
            await week_reported(conn, [outsider.id], WEEK - timedelta(days=7))

        assert await weeks_to_report(at(stack, over - timedelta(seconds=1))) == []
        assert await weeks_to_report(at(stack, over)) == [DueWeek("outsider", WEEK)]
        assert "outsider" not in await due(stack, MONDAY_AT_SIX)
    finally:
        await master_rows(stack, change, "Africa/Johannesburg")


async def test_figures_that_failed_are_asked_for_later_each_time_and_at_once_after_a_success(
    stack: Stack, agency: Organization
) -> None:
    await master_rows(stack, "update organizations set created_at = '2026-01-01' returning id")
    await taken(stack, MONDAY, agency)
    on_monday = at(stack, MONDAY_AT_SIX)
    waits = []
    for _ in range(7):
        async with stack.master.connection() as conn:
            await figures_failed(conn, MONDAY_AT_SIX, [agency.id])
        [row] = await master_rows(stack, "select figures_at from analytics_agenda")
        waits.append((row["figures_at"] - MONDAY_AT_SIX) // timedelta(minutes=1))

    assert waits == [15, 30, 60, 120, 240, 360, 360]
    assert await weeks_to_report(at(stack, MONDAY_AT_SIX + timedelta(hours=5, minutes=59))) == []
    assert await weeks_to_report(at(stack, MONDAY_AT_SIX + timedelta(hours=6))) == [DueWeek("draggonnb", WEEK)]
    assert "draggonnb" not in await due(stack, MONDAY_AT_SIX + timedelta(hours=5))
    await taken(stack, MONDAY, agency)
    assert await weeks_to_report(on_monday) == [DueWeek("draggonnb", WEEK)]


async def test_who_came_after_the_week_gets_no_report_of_it(stack: Stack, agency: Organization) -> None:
    before = await master_rows(stack, "select slug, created_at from organizations")
    monday = datetime(2026, 12, 6, 22, tzinfo=UTC)  # in Johannesburg
    created = "update organizations set created_at = %s where slug = %s returning id"
    await taken(stack, MONDAY, agency)
    try:
        await master_rows(stack, created, monday, "draggonnb")
        assert await weeks_to_report(at(stack, MONDAY_AT_SIX)) == []
        await master_rows(stack, created, monday - timedelta(seconds=1), "draggonnb")
        assert await weeks_to_report(at(stack, MONDAY_AT_SIX)) == [DueWeek("draggonnb", WEEK)]
    finally:
        for row in before:
            await master_rows(stack, created, row["created_at"], row["slug"])
