"""A week of a client as its readings tell it: posts that became public, and what was read of them.

Not here: figures that were made already (`report_work.py`), assertions.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.weekly_reports import write_week_reports
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.post_reviews import add_post
from tests.workflows.publish_work import connect

WEEK = date(2026, 11, 16)
MONDAY_MORNING = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


async def report(
    stack: Stack, *organizations: Organization, week: date = WEEK, at: datetime = MONDAY_MORNING, run_id: str = "run-1"
) -> StepReport:
    keys = [PartitionKey(organization.slug, week) for organization in organizations]
    return await write_week_reports(variant(stack, now=lambda: at), run_id, keys)


async def published(stack: Stack, organization: Organization, platform: Platform, at: str, text: str) -> UUID:
    """A post that became public at this moment; the id of its place in the queue."""
    account = (await connect(stack, organization, platform))[platform]
    post_id = await add_post(stack, organization, status="published", platform_ids=[platform])
    [row] = await tenant_rows(
        stack,
        organization,
        "insert into content_queue (post_id, platform_id, account_id, revision, publish_at, status, payload,"
        " platform_post_id, platform_url, published_at) values (%s, %s, %s, 1, %s, 'published', %s, %s, %s, %s)"
        " returning id",
        post_id, platform, account, at, Jsonb({"text": text}), f"{platform}-{at}",
        f"https://{platform}.example/{at}", at,
    )  # fmt: skip
    return row["id"]


async def read(stack: Stack, organization: Organization, queue_id: UUID, at: str, **values: Any) -> None:
    """A reading of a post; a metric that is None was asked for and not given."""
    given = {name: value for name, value in values.items() if value is not None}
    missing = {name: "the answer holds null" for name, value in values.items() if value is None}
    await tenant_rows(
        stack,
        organization,
        "insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data,"
        " missing) select platform_id, account_id, post_id, id, %s, %s, %s from content_queue where id = %s",
        at, Jsonb(given), Jsonb(missing), queue_id,
    )  # fmt: skip


async def measured_week(stack: Stack, organization: Organization) -> dict[str, UUID]:
    """A post on Facebook on Tuesday and one on X on Thursday: 240 people reached, 16 and 9 engagements."""
    facebook = await published(stack, organization, Platform.FACEBOOK, "2026-11-17T08:00:00Z", "Fresh beans on Friday")
    x = await published(stack, organization, Platform.X, "2026-11-19T10:00:00Z", "Closed on Monday")
    await read(stack, organization, facebook, "2026-11-18T06:00:01Z",
               views=100, reach=80, reactions=5, comments=1, shares=0)  # fmt: skip
    await read(stack, organization, facebook, "2026-11-23T06:00:01Z",
               views=300, reach=240, reactions=12, comments=3, shares=1)  # fmt: skip
    await read(stack, organization, x, "2026-11-20T06:00:01Z",
               views=50, reactions=2, comments=0, shares=0, quotes=0, saves=0)  # fmt: skip
    await read(stack, organization, x, "2026-11-23T06:00:01Z",
               views=200, reactions=7, comments=1, shares=1, quotes=0, saves=0)  # fmt: skip
    return {"facebook": facebook, "x": x}


async def stored(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    return await tenant_rows(
        stack,
        organization,
        "select week_start, version, content, html from weekly_reports order by week_start, version",
    )
