"""Runs that note at the same time when the same clients are due next."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, note_due
from tests.workflows.lead_work import master_rows

FAR = datetime(2099, 1, 1, tzinfo=UTC)
PAST = datetime(2026, 1, 1, tzinfo=UTC)


async def settle_all(conn: Connection, organizations: Sequence[Organization], *, at: datetime | None) -> None:
    """Each noted once, in this order."""
    count = len(organizations)
    await AGENDA.settle_agenda(
        conn,
        organization_ids=[organization.id for organization in organizations],
        times=[at] * count,
        troubles=[False] * count,
        seen_notes=[1] * count,
    )


async def settle_apart(stack: Stack, organizations: Sequence[Organization]) -> None:
    async with stack.master.connection() as conn:
        await settle_all(conn, organizations, at=None)


async def test_runs_that_settle_the_same_clients_in_different_orders_wait_for_each_other_and_never_for_ever(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    for organization in (agency, outsider):
        await note_due(stack.master, organization.id, PAST)
    low, high = sorted((agency, outsider), key=lambda organization: organization.id)

    async with stack.master.connection() as conn, conn.transaction():
        await settle_all(conn, [low], at=FAR)
        other = asyncio.create_task(settle_apart(stack, [high, low]))
        await asyncio.sleep(0.5)
        await settle_all(conn, [high], at=FAR)
    await other

    rows = await master_rows(stack, "select next_due_at::text as at, notes, failures from publishing_agenda")
    assert rows == [{"at": "infinity", "notes": 1, "failures": 0}] * 2
