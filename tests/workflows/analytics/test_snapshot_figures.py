"""The figures of snapshots against plain SQL, and one range made in one run against the same days one by one."""

from datetime import date, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.snapshot_work import at, busy_weeks, clock, gains_by_sql, publish, read, snapshots, take

LAST = date(2026, 11, 20)
DAYS = [f"{LAST - timedelta(days=number):%m-%d}" for number in range(29, -1, -1)]


def as_sql_counts(metrics: dict[str, Any]) -> dict[tuple[str, str], tuple[int | None, int | None]]:
    found = {
        (metric, platform): (part["gained"][metric]["value"], part["totals"][metric]["value"])
        for platform, part in metrics["platforms"].items()
        for metric in part["gained"]
    }
    return {key: pair for key, pair in found.items() if pair != (None, None)}


@pytest.mark.parametrize(
    ("zone", "seed"),
    [("Africa/Johannesburg", 1), ("Pacific/Auckland", 2), ("America/Los_Angeles", 3), ("Europe/London", 4)],
)
async def test_gains_and_totals_are_those_of_plain_sql(
    stack: Stack, agency: Organization, zone: str, seed: int
) -> None:
    # 1 November ends Los Angeles' summer time, 25 October London's.
    await master_rows(stack, "update organizations set timezone = %s where slug = 'draggonnb'", zone)
    await busy_weeks(stack, agency, LAST, 45, seed)

    try:
        report = await take(clock(stack, "11-25 09:00"), agency, *DAYS)
    finally:
        await master_rows(stack, "update organizations set timezone = default where slug = 'draggonnb'")

    assert (len(report.done), report.failed, report.waiting) == (len(DAYS), {}, {})
    rows = [row for row in await snapshots(stack, agency) if row["period"] == "day"]
    assert [row["period_end"] for row in rows] == [LAST - timedelta(days=number) for number in range(29, -1, -1)]
    for row in rows:
        expected = await gains_by_sql(stack, agency, row["period_end"], zone)
        assert as_sql_counts(row["metrics"]) == expected, row["period_start"]
        assert row["metrics"]["zone"] == zone
    assert sum(len(row["metrics"]["sources"]) for row in rows) > 30


async def test_thirty_days_in_one_run_are_the_days_one_by_one_to_the_digit(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await busy_weeks(stack, agency, LAST, 60, seed=5)
    later = clock(stack, "11-25 09:00")

    at_once = await take(later, agency, *DAYS)
    together = await snapshots(stack, agency)
    await tenant_rows(stack, agency, "delete from analytics_snapshots returning id")
    for day in DAYS:
        # Each day knows no reading that came after its own window.
        await take(clock(stack, f"{day} 09:00"), agency, day)
    apart = await snapshots(stack, agency)

    assert len(at_once.done) == 30
    assert len(together) == len(apart) == 31  # and the month of October
    assert [row["metrics"] for row in together] == [row["metrics"] for row in apart]
    assert {row["version"] for row in apart} == {1}
    assert any(row["metrics"]["best_times_note"] for row in together)
    assert await snapshots(stack, outsider) == []


async def test_readings_that_come_after_a_day_change_nothing_of_it(stack: Stack, agency: Organization) -> None:
    post = await publish(stack, agency, at("11-19 05:30"))
    for collected, views in (("11-19 06:30", 3), ("11-19 11:30", 9), ("11-20 06:00", 20)):
        await read(stack, agency, post, at(collected), {"views": views})
    await take(clock(stack, "11-20 06:05"), agency, "11-20")
    [then] = await snapshots(stack, agency)

    # The rest of that window, the days after it, and a post of the next day: half past seven in Johannesburg.
    await read(stack, agency, post, at("11-20 15:00"), {"views": 70})
    await read(stack, agency, post, at("11-21 06:00"), {"views": 90})
    new = await publish(stack, agency, at("11-20 05:30"))
    await read(stack, agency, new, at("11-20 06:30"), {"views": 11})
    await take(clock(stack, "11-21 06:05"), agency, "11-20", "11-21")

    [same, next_day] = await snapshots(stack, agency)
    assert same == then
    assert same["metrics"]["gained"]["views"]["value"] == 20
    assert next_day["metrics"]["gained"]["views"]["value"] == (90 - 20) + 11
