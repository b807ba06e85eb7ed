"""What the tests of the analytics agenda do again and again. Not here: assertions about one matter."""

from datetime import date, datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import (
    Look,
    count_due,
    due_organizations,
    settle,
    snapshot_taken,
)
from tests.workflows.collection_work import SIX
from tests.workflows.lead_work import master_rows

NOON = SIX + timedelta(hours=6)


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
