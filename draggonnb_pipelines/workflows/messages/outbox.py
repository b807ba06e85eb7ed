"""The outbox of a tenant: how what is to be said gets out, once, whatever happens between the row and the answer.

No channel takes an idempotency key, so each send is a row: pending -> sending (committed before the call) ->
sent | failed | unknown. A mail whose fate is unknown is repeated under its Message-ID, as the same mail; a WhatsApp
message is settled by its status webhook. What WhatsApp cannot deliver goes out as a mail in its place.
Lives here: taking, sending, recording and settling, for the news of leads (`lead_ids`) and for notices (`lead_ids`
None) alike. Not here: who is told what (`notifications.py`, `notices.py`), which rows that makes (`deliveries.py`), the
mail itself (`outgoing_mail.py`).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.quiet_hours import quiet_end
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.message_statuses import INBOX, TOPIC, apply_statuses
from draggonnb_pipelines.workflows.messages.outgoing_mail import NO_SUCH_MAILBOX, outgoing_mail, read_files

NOTIFICATIONS = load_queries("notifications")

TAKE_AT_ONCE = 16  # rows between the intent and the answer: what a kill leaves to be settled
CHANNELS = frozenset({"email", "whatsapp"})
MAX_SEND_ATTEMPTS = 6
SEND_PATIENCE = timedelta(days=1)  # also how long a WhatsApp message may stay unknown before a person is asked
MAIL_PATIENCE = timedelta(days=4)  # what RFC 5321, 4.5.4.1 asks of those who send; the news of a lead is old before
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)  # what servers that greylist ask for, and more
# An operator mends these; until then the messages wait, and none is lost.
MENDABLE = frozenset({ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.PERMISSION})
# What must be known or is owed, whatever its reader prefers.
NEEDED_EVENTS = [event.name for event in EVENTS.values() if not event.can_unsubscribe]
# Missing, paused, disabled: weeks may pass until Meta takes it back, and a mail goes out at once.
UNUSABLE_TEMPLATE = frozenset({"132001", "132015", "132016"})


@dataclass(frozen=True)
class Sent:
    """What one call made of one delivery. `not_before`: when it is tried again; `refused`: a mailbox that is not."""

    delivery_id: UUID
    channel: str
    status: str
    vendor_message_id: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    refused: str | None = None

    @property
    def is_settled(self) -> bool:
        return self.status not in ("pending", "unknown")


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
        await NOTIFICATIONS.plan_stand_ins(tenant.conn, since=now - SEND_PATIENCE, now=now)


async def send_all(
    stack: Stack, organization: Organization, lead_ids: list[UUID] | None, permits: asyncio.Semaphore | None = None
) -> int:
    """Send what waits, some at a time and each once; how many have gone out.

    A channel that settles nothing of some is left alone: what troubles them is trouble for its next ones too, and none
    for the other channel.

    Args:
        permits: of all who send at the same time. Rows are taken only when they can be sent, so that few are ever
            between the intent and the answer.
    """
    gone, channels, passed_over = 0, CHANNELS, list[UUID]()
    while channels:
        async with permits or nullcontext():
            sent = await _send_some(stack, organization, lead_ids, channels, passed_over)
        if not sent:
            break
        gone += sum(one.status == "sent" for one in sent)
        passed_over += [one.delivery_id for one in sent if one.status == "pending"]
        channels -= {one.channel for one in sent} - {one.channel for one in sent if one.is_settled}
    return gone


async def _send_some(
    stack: Stack,
    organization: Organization,
    lead_ids: list[UUID] | None,
    channels: Collection[str],
    passed_over: Sequence[UUID],
) -> list[Sent]:
    """Take some, send them at once, record them in one statement; empty if none waits.

    What must not be sent (no consent to marketing, a mailbox that does not exist) is closed as it is taken.
    """
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        taken = NOTIFICATIONS.take_deliveries(
            tenant.conn,
            lead_ids=lead_ids,
            channels=list(channels),
            passed_over=list(passed_over),
            needed_events=NEEDED_EVENTS,
            now=stack.now(),
            lease_seconds=stack.settings.notification_lease_seconds,
            row_limit=TAKE_AT_ONCE,
        )
        rows = [row async for row in taken]
        turned_away = [Sent(row["id"], row["channel"], row["status"]) for row in rows if row["status"] != "sending"]
        await NOTIFICATIONS.close_digested(tenant.conn, digest_ids=[one.delivery_id for one in turned_away])
        rows = [row for row in rows if row["status"] == "sending"]
        files = await read_files(tenant, rows)
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
    payload, channel = row["payload"], row["channel"]
    try:
        if channel == "email":
            await stack.mailer.send(outgoing_mail(stack, organization, row, files))
            return Sent(row["id"], channel, "sent")
        if state := unusable.get(payload["template"]):
            return Sent(row["id"], channel, "failed", None, f"WhatsApp's template {payload['template']} is {state}")
        vendor_id = await stack.whatsapp.send_template(
            to_e164=row["recipient"],
            template=payload["template"],
            language=stack.settings.whatsapp_language,
            parameters=payload["parameters"],
            callback_data=f"{organization.slug}:{row['id']}",
        )
        return Sent(row["id"], channel, "sent", vendor_id)
    except VendorError as error:
        status = _status_after(error, row, stack.now())
        refused = row["recipient"].lower() if channel == "email" and error.code in NO_SUCH_MAILBOX else None
        # The news of leads waits with the leads' own rows in the inbox.
        waits = status == "pending" and row["lead_id"] is None
        not_before = _again_at(error, row, organization, stack.now()) if waits else None
        return Sent(row["id"], channel, status, None, str(error), not_before, refused)


def _status_after(error: VendorError, row: Mapping[str, Any], now: datetime) -> str:
    """Unknown outcomes are settled, transient troubles and wrong credentials have days to pass, the rest is final."""
    if error.error_class is ErrorClass.AMBIGUOUS and row["attempts"] < MAX_SEND_ATTEMPTS:
        return "unknown"
    if error.code in UNUSABLE_TEMPLATE:
        return "failed"
    patience = MAIL_PATIENCE if row["channel"] == "email" and row["lead_id"] is None else SEND_PATIENCE
    if (error.is_transient or error.error_class in MENDABLE) and now - row["tried_since"] < patience:
        return "pending"
    return "failed" if error.error_class in (ErrorClass.INPUT, ErrorClass.BLOCKED) else "needs_review"


def _again_at(error: VendorError, row: Mapping[str, Any], organization: Organization, now: datetime) -> datetime:
    """At once after a lost connection; after a refusal for now later each time, since who greylists (RFC 6647) holds it
    against those who come again too soon. What may wait does not come back in its reader's quiet hours."""
    if not error.is_transient or error.status is None:
        return now
    asked = timedelta(seconds=error.retry_after_seconds or 0)
    again = now + max(asked, min(FIRST_PAUSE * 2 ** (row["attempts"] - 1), LONGEST_PAUSE))
    event = EVENTS.get(row["event"] or "")
    if event is None or not event.can_wait:
        return again
    return quiet_end(again, organization.timezone, row["quiet_from"], row["quiet_until"]) or again


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
            await NOTIFICATIONS.plan_stand_ins(tenant.conn, since=now - SEND_PATIENCE, now=now)
