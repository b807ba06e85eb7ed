"""A restored database takes its place: what may have gone out since its backup is held, what came since is worked off.

Lives here: what keeps a restored client from doing things twice or not at all, and the change of names between. Does
not live here: how the database is filled and compared, and whose it is (`restores.py`, `server_restores.py`).
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import rename
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.postgres import dsn_for, long_connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import TENANT_MIGRATIONS, load_queries
from draggonnb_pipelines.workflows.operations.backup_sources import Taken
from draggonnb_pipelines.workflows.operations.client_copies import FRESH, KEPT
from draggonnb_pipelines.workflows.publishing.agenda import note_due

RESTORES = load_queries("restores")
ORGANIZATIONS = load_queries("organizations")
# Leads that are to be worked off again wait this long, so that no run takes them while the old database still serves.
REPLAY_WAIT_SECONDS = 900
_QUESTION = (
    "This client was restored from a backup of {at:%Y-%m-%d %H:%M} UTC. The post may have gone out since: is it public?"
)
_APPROVE_ANEW = "restored from a backup: look whether it is public, then approve it anew"


@dataclass(frozen=True)
class InPlace:
    """What became of the client's work. `other_deliveries`: what webhooks brought since besides leads."""

    held_posts: int
    replayed_leads: int
    other_deliveries: int


@dataclass(frozen=True)
class _Ledger:
    """Of the queue that is being replaced: rows that nobody has begun, and posts that somebody has."""

    untouched: list[UUID]
    begun_posts: list[UUID]


async def put_in_place(
    stack: Stack, organization: Organization, taken: Taken, *, by: str, replaces_old: bool
) -> InPlace:
    """The filled database `…_restoring` becomes the client's, and the one before it `…_before_restore`.

    1. migrations that came since, and what may have gone out is held  2. leads wait  3. the names  4. leads go; those
    that ended or were captured between 2 and 3 are found by a second look

    Args:
        replaces_old: there is a database that serves, whose ledger is read.

    Raises:
        OperatorError: the backup is older than the schema's history, a migration fails, or somebody would not leave.
    """
    name = organization.database_name
    assert name is not None
    held = await _make_ready(stack, organization, taken, name + FRESH, by=by, old=name if replaces_old else None)
    replayed = await _replay_leads(stack, organization, taken.started_at, wait_seconds=REPLAY_WAIT_SECONDS)
    aside = [(name, name + KEPT)] if replaces_old else []
    await rename(stack.tenants.server_dsn(organization), [*aside, (name + FRESH, name)])
    replayed |= await _replay_leads(stack, organization, taken.started_at, wait_seconds=0)
    await note_due(stack.master, organization.id, stack.now())
    async with stack.master.connection() as conn:
        await RESTORES.let_replayed_go(conn, ids=sorted(replayed))
        others = await RESTORES.other_deliveries(conn, organization_id=organization.id, since=taken.started_at)
    return InPlace(held, len(replayed), others)


async def _make_ready(
    stack: Stack, organization: Organization, taken: Taken, name: str, *, by: str, old: str | None
) -> int:
    """Returns how many posts a person is asked about."""
    its_server = stack.tenants.server_dsn(organization)
    dsn = dsn_for(its_server, name)
    await asyncio.to_thread(migrate, dsn, TENANT_MIGRATIONS)
    ledger = await _ledger_of(dsn_for(its_server, old)) if old else None
    question = _QUESTION.format(at=taken.started_at)
    async with long_connection(dsn) as conn, conn.transaction():
        untouched = ledger.untouched if ledger else None
        held = [row async for row in RESTORES.hold_posts(conn, untouched=untouched, question=question)]
        await RESTORES.read_back_calls(conn)
        await RESTORES.hold_unqueued(conn, reason=_APPROVE_ANEW, begun=ledger.begun_posts if ledger else None)
        await RESTORES.hold_messages(conn)
        metadata = json.dumps({"from": taken.file_name, "held_posts": len(held)})
        await ORGANIZATIONS.audit(
            conn, actor=by, action="backup.restored", resource=f"organization:{organization.slug}", metadata=metadata
        )
    return len(held)


async def _ledger_of(old_dsn: str) -> _Ledger | None:
    """None where it cannot be read any more."""
    try:
        async with long_connection(old_dsn) as conn:
            untouched = [row["id"] async for row in RESTORES.untouched_rows(conn)]
            return _Ledger(untouched, [row["post_id"] async for row in RESTORES.begun_posts(conn)])
    except psycopg.Error:
        return None


async def _replay_leads(stack: Stack, organization: Organization, since: datetime, *, wait_seconds: int) -> set[UUID]:
    async with stack.master.connection() as conn:
        rows = RESTORES.leads_to_replay(conn, organization_id=organization.id, since=since, wait_seconds=wait_seconds)
        return {row["id"] async for row in rows}
