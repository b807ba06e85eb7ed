"""Snapshots are versions: taken when a day is over, once for the same figures, and restated in the open."""

import asyncio
from datetime import date, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.snapshot_versions import period_snapshot
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.snapshot_work import at, bars_of, clock, publish, read, snapshots, take

DAY = PartitionKey("draggonnb", date(2026, 11, 20))


async def one_post(stack: Stack, organization: Organization) -> None:
    post = await publish(stack, organization, at("11-19 08:00"))
    await read(stack, organization, post, at("11-20 06:00"), {"views": 100, "reach": 80, "reactions": 4, "comments": 4})


async def test_a_snapshot_says_what_its_day_was_and_which_readings_say_so(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    await one_post(stack, agency)

    report = await take(clock(stack, "11-20 06:01"), agency, "11-20")

    [row] = await snapshots(stack, agency)
    assert (row["period"], row["period_start"], row["period_end"]) == ("day", date(2026, 11, 19), date(2026, 11, 20))
    assert (row["version"], row["restates"], row["changes"], row["run_id"]) == (1, None, {}, "run-1")
    [reading] = await tenant_rows(stack, agency, "select id from platform_metrics")
    assert row["metrics"]["sources"] == {"facebook": [str(reading["id"])]}
    assert row["metrics"]["rate_by_reach"] == {"value": 0.1, "posts": 1}
    assert row["metrics"]["restated"] is False
    done = report.done[DAY]
    assert (done.rows, done.metadata["version"], done.metadata["posts"], done.metadata["readings"]) == (1, 1, 1, 1)
    assert "| all | 1 | 100 | 80 | 4 | 4 | not known | not known | 8 | 10.00 % | – |" in done.metadata["figures"].text
    assert bars_of(done.metadata["engagements by day"].text) == [
        *[(day, "#c9c5bf", 6) for day in range(27)],
        (27, "#0f766e", 90),
    ]
    assert "restated" not in done.metadata
    ledger = await master_rows(stack, "select asset, day, rows from asset_ledger")
    assert ledger == [{"asset": "analytics_snapshots", "day": date(2026, 11, 20), "rows": 1}]
    agenda = await master_rows(stack, "select snapshot_day from analytics_agenda where snapshot_day is not null")
    assert agenda == [{"snapshot_day": date(2026, 11, 20)}]
    assert await snapshots(stack, outsider) == []
    assert sandbox.journal() == []


async def test_the_same_figures_are_the_same_version(stack: Stack, agency: Organization) -> None:
    await one_post(stack, agency)
    await take(clock(stack, "11-20 06:01"), agency, "11-20")
    before = await snapshots(stack, agency)

    again = await take(clock(stack, "11-23 10:00"), agency, "11-20", run_id="run-2")

    assert await snapshots(stack, agency) == before
    assert again.done[DAY].rows == 1
    assert again.done[DAY].metadata["version"] == 1


async def test_runs_at_once_make_one_version(stack: Stack, agency: Organization) -> None:
    await one_post(stack, agency)
    now = clock(stack, "12-01 07:00")

    reports = await asyncio.gather(*(take(now, agency, "11-20", "11-21", "12-01", run_id=f"run-{n}") for n in range(6)))

    assert [(len(report.done), report.failed, report.waiting) for report in reports] == [(3, {}, {})] * 6
    rows = await snapshots(stack, agency)
    assert [(row["period"], row["period_start"].day, row["version"]) for row in rows] == [
        ("day", 19, 1),
        ("day", 20, 1),
        ("day", 30, 1),
        ("month", 1, 1),
    ]


async def test_late_readings_restate_a_day_and_say_what_they_changed(stack: Stack, agency: Organization) -> None:
    await one_post(stack, agency)
    late = await publish(stack, agency, at("11-19 09:00"), "linkedin")
    await take(clock(stack, "11-20 06:01"), agency, "11-20")

    await read(stack, agency, late, at("11-20 13:00"), {"views": 50, "reach": 20, "reactions": 4})
    report = await take(clock(stack, "11-20 14:00"), agency, "11-20", run_id="run-2")

    first, second = await snapshots(stack, agency)
    assert (second["version"], second["restates"], second["run_id"]) == (2, first["id"], "run-2")
    assert (first["metrics"]["restated"], second["metrics"]["restated"]) == (False, True)
    assert first["metrics"]["totals"]["views"] == {"value": 100, "posts": 1, "missing": 1, "carried": 0}
    assert second["metrics"]["totals"]["views"] == {"value": 150, "posts": 2, "missing": 0, "carried": 0}
    assert second["changes"]["totals.views.value"] == [100, 150]
    assert second["changes"]["rate_by_reach.value"] == [0.1, 0.12]
    assert "totals.saves.value" not in second["changes"]
    words = report.done[DAY].metadata["restated"].text
    assert words.startswith("day from 2026-11-19, version 2 restates version 1: ")


async def test_restatements_that_cross_each_other_end_with_all_readings(stack: Stack, agency: Organization) -> None:
    await one_post(stack, agency)
    now = clock(stack, "11-23 09:00")
    post = await publish(stack, agency, at("11-19 10:00"))

    async def restate(number: int) -> None:
        await read(stack, agency, post, at("11-20 06:30") - timedelta(minutes=number), {"views": 1000 + number})
        await take(now, agency, "11-20")

    await asyncio.gather(*map(restate, range(8)))

    rows = await snapshots(stack, agency)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["restates"] for row in rows[1:]] == [row["id"] for row in rows[:-1]]
    # The earliest reading of the window counts, and what has been restated by it stays so.
    assert rows[-1]["metrics"]["totals"]["views"]["value"] == 100 + 1007


async def test_whoever_has_seen_less_does_not_take_a_version_back(stack: Stack, agency: Organization) -> None:
    await one_post(stack, agency)
    now = clock(stack, "11-23 09:00")
    await take(now, agency, "11-20")
    late = await publish(stack, agency, at("11-19 10:00"))
    await read(stack, agency, late, at("11-20 07:00"), {"views": 1000})
    await take(now, agency, "11-20")
    restated = await snapshots(stack, agency)

    # Once more, with a run that begins while the reading and the version made of it are being committed.
    async with stack.tenants.open(agency) as tenant:
        for table, of_the_second in (
            ("platform_metrics", "(collected_at at time zone 'UTC')::time = '07:00'"),
            ("analytics_snapshots", "version = 2"),
        ):
            await tenant.conn.execute(
                f"create temp table kept_{table} as select * from {table} where {of_the_second}".encode()
            )
            await tenant.conn.execute(f"delete from {table} where {of_the_second}".encode())
        async with tenant.conn.transaction():
            await tenant.conn.execute("lock table analytics_snapshots in access exclusive mode")
            run = asyncio.create_task(take(now, agency, "11-20"))
            await _until_somebody_waits(stack, agency)
            for table in ("platform_metrics", "analytics_snapshots"):
                await tenant.conn.execute(f"insert into {table} select * from kept_{table}".encode())
        report = await run

    assert list(report.done) == [DAY]
    assert await snapshots(stack, agency) == restated


async def _until_somebody_waits(stack: Stack, organization: Organization) -> None:
    async with asyncio.timeout(8):
        while not await tenant_rows(stack, organization, "select pid from pg_locks where not granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_day_that_is_not_over_in_its_zone_waits(stack: Stack, agency: Organization) -> None:
    await master_rows(stack, "update organizations set timezone = 'America/Los_Angeles' where slug = 'draggonnb'")
    post = await publish(stack, agency, at("11-20 07:30"))  # half past eleven in the evening of the 19th
    try:
        too_early = await take(clock(stack, "11-20 05:59"), agency, "11-20")
        not_over = await take(clock(stack, "11-20 07:59"), agency, "11-20")
        not_read = await take(clock(stack, "11-20 08:00"), agency, "11-20")
        none_yet = await snapshots(stack, agency)
        await read(stack, agency, post, at("11-20 08:30"), {"views": 6})
        read_by_now = await take(clock(stack, "11-20 09:00"), agency, "11-20")
    finally:
        await master_rows(stack, "update organizations set timezone = default where slug = 'draggonnb'")

    assert too_early.waiting == {DAY: "its posts are measured at 2026-11-20 06:00 UTC"}
    assert not_over.waiting == {DAY: "its day in America/Los_Angeles ends at 2026-11-20 08:00 UTC"}
    assert not_read.waiting == {DAY: "its last posts of that day are read for the first time within the next two hours"}
    assert none_yet == []
    assert list(read_by_now.done) == [DAY]
    [row] = await snapshots(stack, agency)
    assert row["metrics"]["gained"]["views"] == {"value": 6, "posts": 1, "missing": 0, "carried": 0}


async def test_a_last_post_that_nobody_could_read_holds_no_day_back(stack: Stack, agency: Organization) -> None:
    await master_rows(stack, "update organizations set timezone = 'America/Los_Angeles' where slug = 'draggonnb'")
    await publish(stack, agency, at("11-20 07:30"))
    try:
        report = await take(clock(stack, "11-20 10:00"), agency, "11-20")
    finally:
        await master_rows(stack, "update organizations set timezone = default where slug = 'draggonnb'")

    assert list(report.done) == [DAY]
    [row] = await snapshots(stack, agency)
    assert row["metrics"]["totals"]["views"] == {"value": None, "posts": 0, "missing": 1, "carried": 0}


async def test_an_organization_created_at_0559_without_posts_has_its_day(stack: Stack, agency: Organization) -> None:
    await tenant_rows(stack, agency, "update organizations set created_at = '2026-11-20 05:59Z' returning id")

    report = await take(clock(stack, "11-20 06:00"), agency, "11-20")

    assert (report.done[DAY].rows, report.failed, report.waiting) == (1, {}, {})
    [row] = await snapshots(stack, agency)
    assert row["metrics"]["posts"] == {"published": 0, "measured": 0, "by_platform": {}}
    assert row["metrics"]["totals"]["views"] == {"value": None, "posts": 0, "missing": 0, "carried": 0}


async def test_a_day_without_readings_is_told_to_the_operator(stack: Stack, agency: Organization) -> None:
    await publish(stack, agency, at("11-19 08:00"))

    report = await take(clock(stack, "11-20 09:00"), agency, "11-20")

    metadata = report.done[DAY].metadata
    assert metadata["days without readings"] == "2026-11-19: these numbers cannot be had again"
    assert "| facebook | all | 1 | no reading of the post by then |" in metadata["missing"].text


async def test_a_post_that_was_taken_back_stays_in_the_days_before(stack: Stack, agency: Organization) -> None:
    post = await publish(stack, agency, at("11-19 08:00"), status="undone")
    await read(stack, agency, post, at("11-20 06:00"), {"views": 12})

    await take(clock(stack, "11-20 09:00"), agency, "11-20")

    [row] = await snapshots(stack, agency)
    assert row["metrics"]["posts"]["published"] == 1
    assert row["metrics"]["totals"]["views"]["value"] == 12


async def test_a_client_whose_database_is_away_fails_alone(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await one_post(stack, agency)
    other = PartitionKey("outsider", DAY.day)
    nobody = PartitionKey("nobody", DAY.day)
    await master_rows(stack, "update organizations set database_name = 'is-not-there' where slug = 'outsider'")
    try:
        report = await take_snapshots(clock(stack, "11-20 09:00"), "run-1", [DAY, other, nobody])
    finally:
        await master_rows(
            stack, "update organizations set database_name = %s where slug = 'outsider'", outsider.database_name
        )

    assert list(report.done) == [DAY]
    assert set(report.failed) == {other, nobody}
    assert report.failed[nobody] == "there is no such organization"
    assert "is-not-there" in report.failed[other]
    agenda = await master_rows(
        stack,
        "select o.slug, snapshot_day is not null as is_taken, figures_failures from analytics_agenda a"
        " join organizations o on o.id = a.organization_id order by 1",
    )
    assert agenda == [
        {"slug": "draggonnb", "is_taken": True, "figures_failures": 0},
        {"slug": "outsider", "is_taken": False, "figures_failures": 1},
    ]


@pytest.mark.parametrize(("status", "ends"), [("provisioning", "waiting"), ("closed", "done"), ("suspended", "done")])
async def test_who_has_no_database_has_no_snapshot(stack: Stack, agency: Organization, status: str, ends: str) -> None:
    await master_rows(stack, "update organizations set status = %s where slug = 'draggonnb'", status)
    try:
        report = await take(clock(stack, "11-20 09:00"), agency, "11-20")
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'draggonnb'")

    assert list(getattr(report, ends)) == [DAY]
    assert len(await snapshots(stack, agency)) == (1 if status == "suspended" else 0)


async def test_a_week_is_a_snapshot_of_its_own_and_the_same_as_long_as_nothing_changes(
    stack: Stack, agency: Organization
) -> None:
    await one_post(stack, agency)
    monday = date(2026, 11, 16)

    async with stack.tenants.open(agency) as tenant:
        first = await period_snapshot(tenant, "week", monday, run_id="run-1")
        again = await period_snapshot(tenant, "week", monday, run_id="run-2")
        post = (await tenant_rows(stack, agency, "select id from content_queue"))[0]["id"]
        await read(stack, agency, post, at("11-23 06:00"), {"views": 300, "reach": 200, "reactions": 4, "comments": 6})
        restated = await period_snapshot(tenant, "week", monday, run_id="run-3")
        with pytest.raises(ValueError, match="a week begins on a Monday"):
            await period_snapshot(tenant, "week", date(2026, 11, 17), run_id=None)

    assert (first["period_start"], first["period_end"], first["version"]) == (monday, date(2026, 11, 23), 1)
    assert again["id"] == first["id"]
    assert (restated["version"], restated["restates"], restated["run_id"]) == (2, first["id"], "run-3")
    assert restated["changes"]["totals.views.value"] == [100, 300]
    assert restated["changes"]["totals.views.carried"] == [1, 0]
    assert restated["metrics"]["days_without_readings"] == ["2026-11-20", "2026-11-21"]
    assert len(await snapshots(stack, agency)) == 2
