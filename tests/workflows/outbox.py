"""The outbox of the sales team as tests see it: its rows, and the status webhooks that settle them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.workflows.lead_work import (
    master_rows,
    tenant_rows,
)

ONE_CHANNEL = "select status, attempts, last_error from notification_deliveries where channel = %s"


def after(**duration: float) -> Any:
    at = datetime.now(UTC) + timedelta(**duration)
    return lambda: at


async def delivery_on(stack: Stack, organization: Organization, channel: str) -> dict[str, Any]:
    [row] = await tenant_rows(stack, organization, ONE_CHANNEL, channel)
    return row


async def bring_status(
    stack: Stack,
    organization: Organization,
    status: str,
    *,
    delivery_id: UUID | str | None = None,
    callback_data: str | None = None,
    message_id: str = "wamid.of-the-status",
    received_at: datetime | None = None,
    error_code: int | None = None,
) -> None:
    """A status webhook as the API stores it; without `delivery_id` it is about our one WhatsApp message."""
    if not callback_data and not delivery_id:
        query = "select id from notification_deliveries where channel = 'whatsapp'"
        [delivery_id] = [row["id"] for row in await tenant_rows(stack, organization, query)]
    parsed = {
        "message_id": message_id,
        "status": status,
        "callback_data": callback_data or f"{organization.slug}:{delivery_id}",
        "timestamp": None,
        "error_code": error_code,
    }
    sealed = stack.tenants.key(organization).seal(json.dumps(parsed).encode(), parsed_context(organization.id))
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, received_at)"
        " values (%s, 'whatsapp_status', 'whatsapp', %s, %s, %s)",
        organization.id,
        str(uuid4()),
        sealed,
        received_at or datetime.now(UTC),
    )
