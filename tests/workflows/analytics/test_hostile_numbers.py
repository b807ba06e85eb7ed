"""Numbers under attack: strange rows, a clock that jumps, runs that die at the wrong moment, days that were missed."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.analytics.collection_reading import again_at
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots
from draggonnb_pipelines.workflows.publishing.publish_questions import answer_question
from tests.sandbox_process import Sandbox
from tests.workflows import collection_work
from tests.workflows.collection_work import SIX, ids_of, lookups, make_public, next_times, readings
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.measured_week import measured_week, published, report, stored
from tests.workflows.publish_work import connect
from tests.workflows.snapshot_work import at, clock, publish, read, snapshots, take


async def test_a_row_that_nobody_can_read_fails_its_own_client_and_no_other(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await tenant_rows(
        stack, outsider, "insert into social_platforms (id, name) values ('newnet', 'A new network') returning id"
    )
    await publish(stack, outsider, at("11-19 08:00"), "newnet")
    queue_id = await publish(stack, agency, at("11-19 08:00"))
    await read(stack, agency, queue_id, at("11-20 06:00"), {"views": 100})
    keys = [PartitionKey(one.slug, at("11-20 00:00").date()) for one in (agency, outsider)]

    report = await take_snapshots(clock(stack, "11-20 09:00"), "run-1", keys)

    assert (list(report.done), list(report.failed)) == ([keys[0]], [keys[1]])
    assert report.failed[keys[1]].startswith("unexpected ValueError")
    [row] = await snapshots(stack, agency)
    assert row["metrics"]["totals"]["views"]["value"] == 100
    assert await snapshots(stack, outsider) == []


@pytest.mark.parametrize("number", ["1e400", "-5e400", "9223372036854775808", "9007199254740993"])
async def test_a_stored_number_that_cannot_be_one_is_missing(stack: Stack, agency: Organization, number: str) -> None:
    queue_id = await publish(stack, agency, at("11-19 08:00"))
    await tenant_rows(
        stack,
        agency,
        "insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data)"
        " select platform_id, account_id, post_id, id, '2026-11-20 06:00+00', %s::jsonb from content_queue"
        " where id = %s returning id",
        f'{{"views": {number}, "reach": 70}}',
        queue_id,
    )

    report = await take(clock(stack, "11-20 09:00"), agency, "11-20")

    assert report.failed == {}
    [row] = await snapshots(stack, agency)
    totals = row["metrics"]["totals"]
    assert (totals["views"]["value"], totals["views"]["missing"], totals["reach"]["value"]) == (None, 1, 70)


async def test_what_came_late_on_a_day_restates_it_with_the_next_days_run(stack: Stack, agency: Organization) -> None:
    queue_id = await publish(stack, agency, at("11-19 08:00"))
    await take(clock(stack, "11-20 06:10"), agency, "11-20")
    await read(stack, agency, queue_id, at("11-20 06:30"), {"views": 100})  # the platform had asked for half an hour
    await read(stack, agency, queue_id, at("11-21 06:00"), {"views": 150})

    report = await take(clock(stack, "11-21 06:10"), agency, "11-21")
    again = await take(clock(stack, "11-21 06:20"), agency, "11-21")

    [done] = report.done.values()
    assert "day from 2026\\-11\\-19" in done.metadata["restated"].text.replace("2026-11-19", "2026\\-11\\-19")
    stored = [
        (str(row["period_start"]), row["version"], row["metrics"]["gained"]["views"]["value"])
        for row in await snapshots(stack, agency)
    ]
    assert sorted(stored) == [("2026-11-19", 1, None), ("2026-11-19", 2, 100), ("2026-11-20", 1, 50)]
    assert "restated" not in next(iter(again.done.values())).metadata


async def test_the_day_before_is_not_made_up_where_it_was_never_taken(stack: Stack, agency: Organization) -> None:
    await publish(stack, agency, at("11-18 08:00"))

    await take(clock(stack, "11-21 06:10"), agency, "11-21")

    assert [str(row["period_start"]) for row in await snapshots(stack, agency)] == ["2026-11-20"]


async def test_a_clock_that_jumps_back_during_a_run_asks_no_platform_again_and_again(
    stack: Stack, sandbox: Sandbox, agency: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draggonnb_pipelines.workflows.analytics.collection.CLAIM_POSTS", 2)
    [account] = (await connect(stack, agency, Platform.X)).values()
    await make_public(stack, sandbox, agency, account, Platform.X, *ids_of(Platform.X, agency, 4))
    jumps: Iterator[datetime] = iter([SIX] * 4)

    def now() -> datetime:
        return next(jumps, SIX - timedelta(days=3))

    report = await collect_metrics(dataclasses.replace(stack, now=now), "run-1", [collection_work.key(agency)])

    assert report.failed == {}
    assert lookups(sandbox) == 2
    assert len(await readings(stack, agency)) == 4
    assert all(later and later > SIX for later in (await next_times(stack, agency)).values())


@pytest.mark.parametrize(
    ("seconds", "waits"),
    [
        (-5.0, timedelta(minutes=1)),
        (float("nan"), timedelta(minutes=1)),
        (90.0, timedelta(seconds=90)),
        (1e300, timedelta(days=1)),
        (float("inf"), timedelta(days=1)),
    ],
)
def test_a_platform_may_ask_for_any_silence_and_gets_a_day_at_most(seconds: float, waits: timedelta) -> None:
    error = VendorError("x", ErrorClass.THROTTLED, "HTTP 429", retry_after_seconds=seconds)

    assert again_at(error, SIX) == SIX + waits


async def test_a_post_that_only_a_person_saw_is_not_asked_for(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    """Its platform's id is not known, so each day's question would be refused for a quarter of a year."""
    [account] = (await connect(stack, agency, Platform.X)).values()
    await make_public(stack, sandbox, agency, account, Platform.X, *ids_of(Platform.X, agency, 2))
    rows = await tenant_rows(
        stack,
        agency,
        "update content_queue set status = 'needs_review', platform_post_id = null, published_at = null,"
        " question = 'is it there?', attempts = 1 where platform_post_id = %s returning id",
        ids_of(Platform.X, agency, 1)[0],
    )

    assert await answer_question(stack, agency, rows[0]["id"], "published", by="operator") == "published"

    times = await next_times(stack, agency)
    assert times.pop(f"seen:{rows[0]['id']}") is None
    assert None not in times.values()


async def test_a_person_who_saw_a_post_has_it_read_within_the_hour(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    [account] = (await connect(stack, agency, Platform.X)).values()
    await make_public(stack, sandbox, agency, account, Platform.X, *ids_of(Platform.X, agency, 1))
    [row] = await tenant_rows(
        stack,
        agency,
        "update content_queue set status = 'needs_review', published_at = null, question = 'is it there?', attempts = 1"
        " returning id",
    )
    before = datetime.now(UTC)

    await answer_question(stack, agency, row["id"], "published", by="operator")

    [noted] = await master_rows(stack, "select measure_at from analytics_agenda")
    assert before < noted["measure_at"] <= datetime.now(UTC) + timedelta(hours=1)


HOSTILE_NAME = ('<script>alert(1)</script>\n*bold* [x](javascript:y)|{name}%s & "quotes" 咖啡 ☕ שלום ' * 4)[:200]


async def test_a_client_that_renamed_itself_to_markup_gets_its_report_as_words(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await measured_week(stack, agency)
    await published(
        stack, agency, Platform.FACEBOOK, "2026-11-18T08:00:00Z", "<img src=x onerror=alert(1)> ☕ 咖啡 \u202e"
    )
    before = await master_rows(stack, "select name from organizations where slug = 'draggonnb'")
    await master_rows(stack, "update organizations set name = %s where slug = 'draggonnb' returning id", HOSTILE_NAME)
    try:
        [done] = (await report(stack, agency)).done.values()
    finally:
        change = "update organizations set name = %s where slug = 'draggonnb' returning id"
        await master_rows(stack, change, before[0]["name"])

    [row] = await stored(stack, agency)
    assert "<script" not in row["html"]
    assert "onerror=alert(1)>" not in row["html"]
    assert "&lt;script&gt;" in row["html"]
    assert done.rows == 1
    files = await tenant_rows(stack, agency, "select name, content_type from report_files order by name")
    assert ("report.pdf", "application/pdf") in [(one["name"], one["content_type"]) for one in files]
    told = await tenant_rows(
        stack, agency, "select channel, status, last_error from notification_deliveries where channel = 'whatsapp'"
    )
    assert [(one["status"], one["last_error"]) for one in told if one["status"] == "failed"] == []
