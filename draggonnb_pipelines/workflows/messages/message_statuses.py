"""What WhatsApp says of our messages: status webhooks, taken from the inbox and applied to the tenant's outbox.

A row that cannot be applied is closed as dead with its reason, and an organization whose database is away waits:
neither stops the others.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_id, reason_of

INBOX = load_queries("inbox")
NOTIFICATIONS = load_queries("notifications")
TOPIC = "whatsapp_status"
AT_ONCE = 500
# What one row's values bring about. Other database errors (away, another schema) are nobody's row's fault: rows wait.
ROW_FAULTS = (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError)
log = logging.getLogger(__name__)


@dataclass
class Applied:
    """How many statuses were applied, and why those of some organizations wait, by slug."""

    applied: int = 0
    waiting: dict[str, str] = field(default_factory=dict)


async def apply_all_statuses(stack: Stack) -> Applied:
    """Apply the waiting statuses of every organization.

    Raises:
        psycopg.OperationalError: the master database is away.
    """
    async with stack.master.connection() as conn:
        rows = INBOX.organizations_waiting(conn, topic=TOPIC, before=stack.now(), active_only=False)
        ids = {row["organization_id"] async for row in rows}
    done = Applied()
    for organization in (await organizations_by_id(stack, ids)).values():
        try:
            done.applied += await apply_statuses(stack, organization)
        except psycopg.OperationalError:
            raise  # the master's own: a tenant's comes as TenantUnavailable
        except (DraggonnbError, psycopg.Error) as error:
            done.waiting[organization.slug] = reason_of(error)
    return done


async def apply_statuses(stack: Stack, organization: Organization) -> int:
    """Apply the waiting statuses of one organization; returns how many. Applying one twice changes nothing.

    Raises:
        TenantUnavailable, psycopg.Error: its database is away or refuses every row; what is left waits.
    """
    applied = 0
    while True:
        async with stack.master.connection() as conn:
            waiting = INBOX.waiting_deliveries(conn, topic=TOPIC, organization_id=organization.id, row_limit=AT_ONCE)
            rows = [row async for row in waiting]
        if not rows:
            return applied
        async with stack.tenants.open(organization) as tenant:
            dead = await _apply(tenant, rows)
        done = [row["id"] for row in rows if row["id"] not in dead]
        async with stack.master.connection() as conn:
            await INBOX.close_deliveries(conn, ids=done)
            if dead:
                await INBOX.bury_deliveries(conn, ids=list(dead), errors=list(dead.values()))
                log.error("%d WhatsApp statuses of %s cannot be applied", len(dead), organization.slug)
        applied += len(done)


async def _apply(tenant: TenantDb, rows: Sequence[Mapping[str, Any]]) -> dict[UUID, str]:
    """Apply all of them in one go, or where that fails one by one; the ids of those that cannot be, and why."""
    dead: dict[UUID, str] = {}
    values: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        try:
            one = _values(tenant, row)
        except (SealBroken, ValueError, KeyError, TypeError, AttributeError) as error:
            dead[row["id"]] = f"it cannot be read: {type(error).__name__}"
        else:
            if one is not None:
                values[row["id"]] = one
    try:
        if values:
            await NOTIFICATIONS.apply_message_status(tenant.conn, list(values.values()))
    except ROW_FAULTS:
        for inbox_id, one in values.items():
            try:
                await NOTIFICATIONS.apply_message_status(tenant.conn, [one])
            except ROW_FAULTS as error:
                sqlstate = error.sqlstate if isinstance(error, psycopg.Error) else None
                dead[inbox_id] = f"the database does not take it: {type(error).__name__} {sqlstate or ''}".strip()
    return dead


def _values(tenant: TenantDb, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters of one status, or None for a message that is not one of this organization's."""
    status = json.loads(tenant.key.open(row["parsed_sealed"], parsed_context(tenant.organization.id)))
    slug, _, delivery_id = (status["callback_data"] or "").partition(":")
    try:
        ours = UUID(delivery_id)
    except ValueError:
        return None
    if slug != tenant.organization.slug:
        return None
    return {
        "id": ours,
        "status": status["status"],
        "vendor_message_id": status["message_id"],
        "now": row["received_at"],
        "error": f"WhatsApp error {status['error_code']}" if status["error_code"] else None,
    }
