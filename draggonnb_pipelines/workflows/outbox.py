"""The outbox of a tenant: how what is to be said gets out, once, whatever happens between the row and the answer.

No channel takes an idempotency key, so each send is a row: pending -> sending (committed before the call) ->
sent | failed | unknown. A mail whose fate is unknown is repeated under its Message-ID, as the same mail.
Lives here: taking, sending and recording, for the news of leads (`lead_ids`) and for notices (`lead_ids` None) alike.
Not here: who is told what (`notifications.py`, `notices.py`), settling unknown WhatsApp messages (`notifications.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.mail import Mail
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

NOTIFICATIONS = load_queries("notifications")

TAKE_AT_ONCE = 20  # rows between the intent and the answer: what a kill leaves to be settled
MAX_SEND_ATTEMPTS = 6
SEND_PATIENCE = timedelta(days=1)
# An operator mends these; until then the messages wait, and none is lost.
MENDABLE = frozenset({ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.PERMISSION})


@dataclass(frozen=True)
class Sent:
    """What one call made of one delivery."""

    delivery_id: UUID
    status: str
    vendor_message_id: str | None = None
    error: str | None = None


async def take_back_lost(stack: Stack, tenant: TenantDb, lead_ids: list[UUID] | None) -> None:
    """Sends that a kill cut off become unknown, and unknown mails are to be sent again under their Message-ID."""
    settle_seconds = stack.settings.notification_settle_seconds
    await NOTIFICATIONS.reap_lost(tenant.conn, lead_ids=lead_ids, now=stack.now(), settle_seconds=settle_seconds)
    await NOTIFICATIONS.resend_unknown_mails(tenant.conn, lead_ids=lead_ids)


async def send_some(stack: Stack, organization: Organization, lead_ids: list[UUID] | None) -> list[Sent]:
    """Take some, send them at once, record them in one statement; empty if none waits."""
    async with stack.tenants.open(organization) as tenant:
        taken = await _take(stack, tenant, lead_ids)
    sent = list(await asyncio.gather(*(_send(stack, organization, row) for row in taken)))
    if sent:
        await _record(stack, organization, sent)
    return sent


def goes_on(sent: Sequence[Sent]) -> bool:
    """Whether to send more now: not after a trouble that passes, which the next row would meet too."""
    return bool(sent) and all(one.status != "pending" for one in sent)


async def _take(stack: Stack, tenant: TenantDb, lead_ids: list[UUID] | None) -> list[dict[str, Any]]:
    taken = NOTIFICATIONS.take_deliveries(
        tenant.conn,
        lead_ids=lead_ids,
        now=stack.now(),
        lease_seconds=stack.settings.notification_lease_seconds,
        row_limit=TAKE_AT_ONCE,
    )
    return [row async for row in taken]


async def _send(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> Sent:
    try:
        if row["channel"] == "email":
            mail = row["payload"]
            await stack.mailer.send(
                Mail(
                    message_id=row["message_id"],
                    to=row["recipient"],
                    subject=mail["subject"],
                    text=mail["text"],
                    html=mail["html"],
                    calendar=mail.get("calendar"),
                )
            )
            return Sent(row["id"], "sent")
        vendor_id = await stack.whatsapp.send_template(
            to_e164=row["recipient"],
            template=row["payload"]["template"],
            language=stack.settings.whatsapp_language,
            parameters=row["payload"]["parameters"],
            callback_data=f"{organization.slug}:{row['id']}",
        )
        return Sent(row["id"], "sent", vendor_id)
    except VendorError as error:
        age = stack.now() - row["created_at"]
        return Sent(row["id"], _status_after(error, row["attempts"], age), None, str(error))


def _status_after(error: VendorError, attempts: int, age: timedelta) -> str:
    """Unknown outcomes are settled, transient troubles and wrong credentials have a day to pass, the rest is final."""
    if error.error_class is ErrorClass.AMBIGUOUS and attempts < MAX_SEND_ATTEMPTS:
        return "unknown"
    if (error.is_transient or error.error_class in MENDABLE) and age < SEND_PATIENCE:
        return "pending"
    return "failed" if error.error_class in (ErrorClass.INPUT, ErrorClass.BLOCKED) else "needs_review"


async def _record(stack: Stack, organization: Organization, sent: Sequence[Sent]) -> None:
    async with stack.tenants.open(organization) as tenant:
        await NOTIFICATIONS.record_sends(
            tenant.conn,
            ids=[one.delivery_id for one in sent],
            statuses=[one.status for one in sent],
            vendor_ids=[one.vendor_message_id for one in sent],
            errors=[one.error for one in sent],
            now=stack.now(),
            settle_seconds=stack.settings.notification_settle_seconds,
        )
