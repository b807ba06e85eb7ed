"""What WhatsApp says of our messages: status webhooks, taken from the inbox and applied to the tenant's outbox."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

INBOX = load_queries("inbox")
NOTIFICATIONS = load_queries("notifications")
TOPIC = "whatsapp_status"
AT_ONCE = 500


async def apply_statuses(stack: Stack, organization: Organization) -> int:
    """Apply the waiting statuses of one organization; returns how many. Applying one twice changes nothing."""
    applied = 0
    while True:
        async with stack.master.connection() as conn:
            waiting = INBOX.waiting_deliveries(conn, topic=TOPIC, organization_id=organization.id, row_limit=AT_ONCE)
            rows = [row async for row in waiting]
        if not rows:
            return applied
        async with stack.tenants.open(organization) as tenant:
            values = [one for row in rows if (one := _values(tenant, row)) is not None]
            if values:
                await NOTIFICATIONS.apply_message_status(tenant.conn, values)
        async with stack.master.connection() as conn:
            await INBOX.close_deliveries(conn, ids=[row["id"] for row in rows])
        applied += len(rows)


def _values(tenant: TenantDb, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters of one status, or None for a message that is not one of ours."""
    status = json.loads(tenant.key.open(row["parsed_sealed"], parsed_context(tenant.organization.id)))
    _, _, delivery_id = (status["callback_data"] or "").partition(":")
    try:
        ours = UUID(delivery_id)
    except ValueError:
        return None
    return {
        "id": ours,
        "status": status["status"],
        "vendor_message_id": status["message_id"],
        "now": row["received_at"],
        "error": f"WhatsApp error {status['error_code']}" if status["error_code"] else None,
    }
