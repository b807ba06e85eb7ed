"""What each client did and cost in a week: counted in its database, kept in master for the agency's report.

Lives here: counting and keeping. Not here: the arithmetic (`domain/client_costs.py`), the report over all clients
(`agency_report.py`), the client's own report (`weekly_reports.py`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.client_costs import ClientWeek, week_bounds
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.x_metrics import READ_USD
from draggonnb_pipelines.sql import load_queries

COSTS = load_queries("client_costs")


async def client_week(tenant: TenantDb, week_start: date) -> ClientWeek:
    """Count one week, Monday to Sunday in the client's zone, without its engagements.

    Raises:
        ValueError: the day is no Monday.
    """
    starts_at, ends_at = week_bounds(week_start, tenant.organization.timezone)
    row = await COSTS.week_of_client(tenant.conn, starts_at=starts_at, ends_at=ends_at)
    return ClientWeek(
        posts=row["posts"],
        readings=row["readings"],
        engagements=None,
        tokens=row["tokens"],
        ai_cost_usd=row["ai_cost_usd"],
        x_posts=row["x_posts"],
        x_reads=row["x_reads"],
        x_cost_usd=row["x_posts_usd"] + row["x_reads"] * READ_USD,
    )


async def note_client_week(
    stack: Stack, organization: Organization, week_start: date, snapshot_metrics: Mapping[str, Any] | None
) -> ClientWeek:
    """Count a client's week and keep it in master; again, it is counted anew and the row follows.

    Args:
        snapshot_metrics: of the week's snapshot, for the engagements that the client gained; None where there is none.

    Raises:
        TenantUnavailable: its database is away; what was kept stays.
        ValueError: the day is no Monday.
    """
    async with stack.tenants.open(organization) as tenant:
        week = await client_week(tenant, week_start)
    gained = ((snapshot_metrics or {}).get("engagements") or {}).get("gained")
    async with stack.master.connection() as conn:
        await COSTS.put_client_week(
            conn,
            organization_id=organization.id,
            week_start=week_start,
            posts=week.posts,
            readings=week.readings,
            engagements=gained,
            ai_cost_usd=week.ai_cost_usd,
            x_cost_usd=week.x_cost_usd,
            figures=Jsonb({"tokens": week.tokens, "x_posts": week.x_posts, "x_reads": week.x_reads}),
        )
    return week
