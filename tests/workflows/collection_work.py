"""What the tests of collecting do again and again: posts that are public, a moment, what is stored and noted."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import account_id_of

SIX = datetime(2026, 12, 1, 6, tzinfo=UTC)
TODAY = SIX.date()
OF_X = "GET /x/2/tweets"
_POST = """
with post as (
    insert into social_posts (content, platform_ids, status, content_hash)
    select 'Post ' || id, array[%(platform)s], 'published', '' from unnest(%(ids)s::text[]) as given (id)
    returning id, substr(content, 6) as platform_post_id
)
insert into content_queue (post_id, platform_id, account_id, revision, publish_at, status, platform_post_id,
                           published_at, payload)
select id, %(platform)s, %(account)s, 1, %(at)s, 'published', platform_post_id, %(at)s, '{"text": "Post"}' from post
"""


def at(stack: Stack, moment: datetime) -> Stack:
    """The same stack, at another moment."""
    return dataclasses.replace(stack, now=lambda: moment)


def key(organization: Organization, days: int = 0) -> PartitionKey:
    return PartitionKey(organization.slug, TODAY + timedelta(days=days))


async def make_public(
    stack: Stack,
    sandbox: Sandbox,
    organization: Organization,
    account_id: UUID,
    platform: Platform,
    *ids: str,
    published_at: datetime = SIX - timedelta(hours=20),
) -> None:
    """Posts of an account that were published at a moment, in the ledger and at the platform."""
    external_id = account_id_of(organization, platform)
    for post_id in ids:
        sandbox.social_post(str(platform), post_id, external_id, published_at)
    values = {"platform": platform, "ids": list(ids), "account": account_id, "at": published_at}
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(_POST.encode(), values)


def ids_of(platform: Platform, organization: Organization, count: int, first: int = 1) -> list[str]:
    """Ids as the platform gives them."""
    page = account_id_of(organization, platform)
    shapes = {
        Platform.FACEBOOK: f"{page}_{{}}",
        Platform.INSTAGRAM: "1790000{:06d}",
        Platform.LINKEDIN: "urn:li:share:7{:018d}",
        Platform.X: "19{:017d}",
    }
    return [shapes[platform].format(number) for number in range(first, first + count)]


async def readings(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    """All that was read, in the order of the posts and of time."""
    return await tenant_rows(
        stack,
        organization,
        "select q.platform_post_id as post, m.platform_id, m.collected_at, m.engagement_data as counts, m.missing,"
        " m.is_gone, m.run_id from platform_metrics m join content_queue q on q.id = m.queue_id"
        " order by q.platform_post_id, m.collected_at",
    )


async def next_times(stack: Stack, organization: Organization) -> dict[str, datetime | None]:
    rows = await tenant_rows(stack, organization, "select platform_post_id, measure_at from content_queue")
    return {row["platform_post_id"]: row["measure_at"] for row in rows}


def lookups(sandbox: Sandbox) -> int:
    """How often X was asked for posts."""
    return sum(call["route"] == OF_X for call in sandbox.journal("x"))
