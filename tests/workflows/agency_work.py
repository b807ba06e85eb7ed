"""Clients as the agency's weekly report meets them: what they published and cost, what they paid. Not here: assertions.

The week of the tests is 23 to 29 November 2026, which lies wholly in a month of 30 days.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import KeyReport
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.agency_report import write_agency_report
from tests.workflows.billing_work import empty_books
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows, tenant_rows, variant
from tests.workflows.post_reviews import add_post
from tests.workflows.publish_work import connect

WEEK = date(2026, 11, 23)
MONDAY_MORNING = datetime(2026, 11, 30, 6, 30, tzinfo=UTC)
FIRST, LAST = "2026-11-22T22:00:00Z", "2026-11-29T21:59:59Z"
BEFORE, AFTER = "2026-11-22T21:59:59Z", "2026-11-29T22:00:00Z"


def forget_weeks(world: World) -> None:
    """The master database is shared by all tests of the workflows."""
    with psycopg.connect(world.dsn, autocommit=True) as conn:
        conn.execute("delete from client_weeks")
        conn.execute("delete from agency_reports")
        empty_books(world.dsn)
        conn.execute("update organizations set status = 'active', created_at = '2026-11-01'")


async def report(stack: Stack, run_id: str = "run-1", *, at: datetime = MONDAY_MORNING, **settings: Any) -> KeyReport:
    return await write_agency_report(variant(stack, now=lambda: at, **settings), run_id, WEEK)


@contextlib.asynccontextmanager
async def database_away(stack: Stack, organization: Organization) -> AsyncIterator[None]:
    """For a while its database cannot be reached; connections that were open are gone."""
    change = "update organizations set database_name = %s where id = %s"
    await stack.tenants.__aexit__(None, None, None)
    await master_rows(stack, change, f"gone-{organization.slug}", organization.id)
    try:
        yield
    finally:
        await master_rows(stack, change, organization.database_name, organization.id)


async def reports(stack: Stack) -> list[dict[str, Any]]:
    return await master_rows(stack, "select * from agency_reports order by week_start, version")


async def published(stack: Stack, organization: Organization, platform: Platform, *moments: str, usd: str) -> None:
    """Posts that became public at these moments, each of which cost so much."""
    account = (await connect(stack, organization, platform))[platform]
    for number, at in enumerate(moments):
        post_id = await add_post(stack, organization, status="published", platform_ids=[platform])
        await tenant_rows(
            stack,
            organization,
            "insert into content_queue (post_id, platform_id, account_id, revision, publish_at, status, cost_usd,"
            " platform_post_id, published_at) values (%s, %s, %s, 1, %s, 'published', %s, %s, %s)",
            post_id, platform, account, at, usd, f"{platform}-{number}-{at}", at,
        )  # fmt: skip


async def measured(
    stack: Stack, organization: Organization, platform: Platform, *moments: str, is_gone: bool = False
) -> None:
    """Readings of the posts of one network; a post that is gone costs nothing at X."""
    for at in moments:
        await tenant_rows(
            stack,
            organization,
            "insert into platform_metrics (platform_id, account_id, queue_id, collected_at, engagement_data, is_gone)"
            " select platform_id, account_id, id, %s, '{}', %s from content_queue where platform_id = %s"
            " order by published_at limit 1",
            at, is_gone, platform,
        )  # fmt: skip


async def asked_claude(stack: Stack, organization: Organization, at: str, tokens: int, usd: str) -> None:
    await tenant_rows(
        stack,
        organization,
        "insert into ai_generation_log (request_hash, usable, purpose, prompt_name, prompt_hash, model, prompt,"
        " input_tokens, cost_usd, created_at)"
        " values (encode(sha256(%s), 'hex'), true, 'content', 'p', 'h', 'm', '{}', %s, %s, %s)",
        f"{at}{tokens}{usd}".encode(), tokens, usd, at,
    )  # fmt: skip


async def busy_week(stack: Stack, client: Organization) -> None:
    """Three posts of which two are on X, seven readings of which three are paid for, and 1,500 tokens; more of all of
    it a second before the week and at the moment of its end."""
    await published(stack, client, Platform.X, FIRST, LAST, BEFORE, AFTER, usd="0.1075")
    await published(stack, client, Platform.FACEBOOK, LAST, BEFORE, usd="0")
    await measured(stack, client, Platform.X, FIRST, "2026-11-25T06:00:00Z", LAST, BEFORE, AFTER)
    await measured(stack, client, Platform.X, "2026-11-26T06:00:00Z", is_gone=True)
    await measured(stack, client, Platform.FACEBOOK, FIRST, "2026-11-25T06:00:00Z", LAST, AFTER)
    for at, tokens, usd in ((FIRST, 1000, "0.25"), (LAST, 500, "0.1"), (BEFORE, 7, "0.4"), (AFTER, 9, "0.8")):
        await asked_claude(stack, client, at, tokens, usd)


async def paid(stack: Stack, slug: str, net_cents: int, start: str, end: str) -> None:
    """An invoice of the growth plan that was paid for these days."""
    await master_rows(
        stack,
        "with s as (insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents)"
        "  select id, 'growth', 'active', 'DRG-' || slug, 350000 from organizations where slug = %s"
        "  returning id, organization_id)"
        " insert into invoices (organization_id, subscription_id, number, period_start, period_end, net_cents,"
        "  vat_cents, amount_cents, status, paid_at)"
        " select organization_id, id, (select count(*) + 1 from invoices), %s, %s, %s, 0, %s, 'paid', now() from s",
        slug, start, end, net_cents, net_cents,
    )  # fmt: skip


async def other_client(stack: Stack, slug: str, *, status: str = "active", **week: Any) -> None:
    """A client whose database cannot be reached, with a week that its own report has left behind, or none."""
    key = uuid4()
    await master_rows(
        stack,
        "insert into organizations (id, slug, name, status, database_name, data_key_wrapped, plan_key, created_at)"
        " values (%s, %s, %s, %s, %s, %s, 'starter', '2026-11-01')",
        key, slug, slug.title(), status, f"gone-{slug}", stack.vault.new_data_key(key),
    )  # fmt: skip
    if week:
        names, places = ", ".join(week), ", ".join(["%s"] * len(week))
        await master_rows(
            stack,
            f"insert into client_weeks (organization_id, week_start, {names})"
            f" select id, '2026-11-23', {places} from organizations where slug = %s",
            *week.values(),
            slug,
        )
