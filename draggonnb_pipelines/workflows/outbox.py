"""The outbox of a tenant: how what is to be said gets out, once, whatever happens between the row and the answer.

No channel takes an idempotency key, so each send is a row: pending -> sending (committed before the call) ->
sent | failed | unknown. A mail whose fate is unknown is repeated under its Message-ID, as the same mail; a WhatsApp
message is settled by its status webhook. What WhatsApp cannot deliver goes out as a mail in its place.
Lives here: taking, sending, recording and settling, for the news of leads (`lead_ids`) and for notices (`lead_ids`
None) alike. Not here: who is told what (`notifications.py`, `notices.py`), which rows that makes (`deliveries.py`), the
mail itself (`outgoing_mail.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.message_statuses import INBOX, TOPIC, apply_statuses
from draggonnb_pipelines.workflows.outgoing_mail import NO_SUCH_MAILBOX, outgoing_mail, read_files

NOTIFICATIONS = load_queries("notifications")

TAKE_AT_ONCE = 20  # rows between the intent and the answer: what a kill leaves to be settled
MAX_SEND_ATTEMPTS = 6
SEND_PATIENCE = timedelta(days=1)  # also how long a WhatsApp message may stay unknown before a person is asked
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)  # what servers that greylist ask for, and more
# An operator mends these; until then the messages wait, and none is lost.
MENDABLE = frozenset({ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.PERMISSION})
# Missing, paused, disabled: weeks may pass until Meta takes it back, and a mail goes out at once.
UNUSABLE_TEMPLATE = frozenset({"132001", "132015", "132016"})


@dataclass(frozen=True)
class Sent:
    """What one call made of one delivery. `not_before`: when it is tried again; `refused`: a mailbox that is not."""

    delivery_id: UUID
    status: str
    vendor_message_id: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    refused: str | None = None


async def settle_lost(stack: Stack, organization: Organization, lead_ids: list[UUID] | None) -> None:
    """Find out what became of sends that were cut off: by status webhooks, by the channel's life, by Message-ID.

    Unknown mails are to be sent again; what WhatsApp did not deliver gets its mail.
    """
    now = stack.now()
    settle_seconds = stack.settings.notification_settle_seconds
    async with stack.tenants.open(organization) as tenant:
        await NOTIFICATIONS.reap_lost(tenant.conn, lead_ids=lead_ids, now=now, settle_seconds=settle_seconds)
        await NOTIFICATIONS.resend_unknown_mails(tenant.conn, lead_ids=lead_ids)
        since = await NOTIFICATIONS.unknown_messages_since(tenant.conn, lead_ids=lead_ids, now=now)
    alive_at = None
    if since is not None:
        async with stack.master.connection() as conn:
            # Read before statuses are applied: one that comes now may be the very one that proves the message sent.
            alive_at = await INBOX.channel_alive_at(conn, topic=TOPIC, since=since)
    await apply_statuses(stack, organization)
    async with stack.tenants.open(organization) as tenant:
        if since is not None:
            await NOTIFICATIONS.settle_unknown_messages(
                tenant.conn,
                lead_ids=lead_ids,
                channel_alive_at=alive_at,
                now=now,
                patience_seconds=SEND_PATIENCE.total_seconds(),
            )
        await NOTIFICATIONS.plan_stand_ins(tenant.conn, since=now - SEND_PATIENCE)


async def send_some(stack: Stack, organization: Organization, lead_ids: list[UUID] | None) -> list[Sent]:
    """Take some, send them at once, record them in one statement; empty if none waits.

    What must not be sent (no consent to marketing, a mailbox that does not exist) is closed as it is taken.
    """
    async with stack.tenants.open(organization) as tenant:
        taken = NOTIFICATIONS.take_deliveries(
            tenant.conn,
            lead_ids=lead_ids,
            now=stack.now(),
            lease_seconds=stack.settings.notification_lease_seconds,
            row_limit=TAKE_AT_ONCE,
        )
        rows = [row async for row in taken]
        files = await read_files(tenant, rows)
    turned_away = [Sent(row["id"], row["status"]) for row in rows if row["status"] != "sending"]
    rows = [row for row in rows if row["status"] == "sending"]
    unusable = await _unusable_templates(stack, rows)
    sent = list(await asyncio.gather(*(_send(stack, organization, row, files, unusable) for row in rows)))
    if sent:
        await _record(stack, organization, sent)
    return turned_away + sent


async def _unusable_templates(stack: Stack, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The state of those templates that WhatsApp does not take at the moment, by name."""
    names = list({row["payload"]["template"] for row in rows if row["channel"] == "whatsapp"})
    if not names:
        return {}
    async with stack.master.connection() as conn:
        found = NOTIFICATIONS.unusable_templates(conn, names=names, language=stack.settings.whatsapp_language)
        return {row["name"]: row["status"] async for row in found}


async def _send(
    stack: Stack,
    organization: Organization,
    row: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    unusable: Mapping[str, str],
) -> Sent:
    payload = row["payload"]
    try:
        if row["channel"] == "email":
            await stack.mailer.send(outgoing_mail(stack, organization, row, files))
            return Sent(row["id"], "sent")
        if state := unusable.get(payload["template"]):
            return Sent(row["id"], "failed", None, f"WhatsApp's template {payload['template']} is {state}")
        vendor_id = await stack.whatsapp.send_template(
            to_e164=row["recipient"],
            template=payload["template"],
            language=stack.settings.whatsapp_language,
            parameters=payload["parameters"],
            callback_data=f"{organization.slug}:{row['id']}",
        )
        return Sent(row["id"], "sent", vendor_id)
    except VendorError as error:
        now = stack.now()
        status = _status_after(error, row["attempts"], now - row["created_at"])
        refused = row["recipient"].lower() if row["channel"] == "email" and error.code in NO_SUCH_MAILBOX else None
        # The news of leads waits with the leads' own rows in the inbox.
        waits = status == "pending" and row["lead_id"] is None
        return Sent(
            row["id"], status, None, str(error), now + _pause(error, row["attempts"]) if waits else None, refused
        )


def _status_after(error: VendorError, attempts: int, age: timedelta) -> str:
    """Unknown outcomes are settled, transient troubles and wrong credentials have a day to pass, the rest is final."""
    if error.error_class is ErrorClass.AMBIGUOUS and attempts < MAX_SEND_ATTEMPTS:
        return "unknown"
    if error.code in UNUSABLE_TEMPLATE:
        return "failed"
    if (error.is_transient or error.error_class in MENDABLE) and age < SEND_PATIENCE:
        return "pending"
    return "failed" if error.error_class in (ErrorClass.INPUT, ErrorClass.BLOCKED) else "needs_review"


def _pause(error: VendorError, attempts: int) -> timedelta:
    """None after a lost connection; after a refusal for now longer each time, since who greylists (RFC 6647) holds it
    against those who come again too soon."""
    if not error.is_transient or error.status is None:
        return timedelta(0)
    asked = timedelta(seconds=error.retry_after_seconds or 0)
    return max(asked, min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE))


async def _record(stack: Stack, organization: Organization, sent: Sequence[Sent]) -> None:
    now = stack.now()
    refused = [one for one in sent if one.refused]
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await NOTIFICATIONS.record_sends(
            tenant.conn,
            ids=[one.delivery_id for one in sent],
            statuses=[one.status for one in sent],
            vendor_ids=[one.vendor_message_id for one in sent],
            errors=[one.error for one in sent],
            not_before=[one.not_before for one in sent],
            now=now,
            settle_seconds=stack.settings.notification_settle_seconds,
        )
        await NOTIFICATIONS.close_digested(tenant.conn, digest_ids=[one.delivery_id for one in sent])
        if refused:
            await NOTIFICATIONS.refuse_addresses(
                tenant.conn,
                addresses=[one.refused for one in refused],
                reasons=[one.error for one in refused],
                now=now,
            )
        if any(one.status == "failed" for one in sent):
            await NOTIFICATIONS.plan_stand_ins(tenant.conn, since=now - SEND_PATIENCE)
