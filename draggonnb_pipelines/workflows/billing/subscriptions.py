"""The daily look at subscriptions: what PayFast says of each, what follows, and who is told.

Lives here: asking PayFast, the one transaction in which a day has its effect, the report. Not here: what a day makes
of a subscription (`domain/subscriptions.py`), payments (`payments.py`), orders (`subscription_orders.py`).

A failed charge brings no notice: only a date that stands still tells of it. So PayFast is asked every day.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import SAST, rand, south_african_day
from draggonnb_pipelines.domain.reports import KeyReport, Markdown, PartitionKey, StepReport, markdown_text
from draggonnb_pipelines.domain.subscriptions import Seen, Subscription, on_day
from draggonnb_pipelines.errors import DraggonnbError, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.payfast_wire import Subscription as AtPayFast
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.subscription_changes import (
    SUBSCRIPTIONS,
    lock_subscription,
    open_token,
    planned_amount,
    read_subscription,
    write_change,
)
from draggonnb_pipelines.workflows.billing.subscription_notices import copy_to_client, tell_client
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of

log = logging.getLogger(__name__)
ACTOR = "daily look"
ASKED_AT_ONCE = 4
MAX_SILENCES = 5
LOOKS = 3
EVENTS_SHOWN = 12


@dataclass
class _Run:
    """One run's places at PayFast: after some silences, or refusals of our credentials, nobody else asks."""

    stack: Stack
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ASKED_AT_ONCE))
    silences: list[VendorError] = field(default_factory=list)

    async def fetch(self, token: str) -> AtPayFast:
        async with self.permits:
            if len(self.silences) >= MAX_SILENCES:
                raise self.silences[-1]
            try:
                return await self.stack.payfast.fetch(token)
            except VendorError as error:
                if error.is_transient:
                    self.silences.append(error)
                elif error.status in (401, 403):  # our credentials: no other token would fare better
                    self.silences += [error] * MAX_SILENCES
                raise


@dataclass(frozen=True)
class _Looked:
    subscription: Subscription
    steps: int = 0
    at_payfast: AtPayFast | None = None


async def tend_subscriptions(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """Look at the subscriptions of these organizations; may be repeated and killed at any time.

    1. ask PayFast, without holding anything
    2. one transaction: the row as PayFast and the day make it, an event for each change, the organization's status
    3. the next charge at PayFast is set to what was agreed, where it differs
    4. the client is told, and its own copies are brought up to date

    A PayFast that is away leaves its keys waiting; credentials that it does not take fail them.
    """
    slugs = list(dict.fromkeys(key.slug for key in keys))
    organizations = await organizations_by_slug(stack, slugs)
    async with stack.master.connection() as conn:
        ids = {row["slug"]: row["id"] async for row in SUBSCRIPTIONS.subscriptions_of(conn, slugs=slugs)}
    run = _Run(stack)

    async def of_client(slug: str) -> KeyReport | DraggonnbError | psycopg.Error:
        try:
            return await _tend(run, organizations[slug], ids[slug])
        except (DraggonnbError, psycopg.Error) as error:
            log.warning("run %s: subscription of %s: %s", run_id, slug, reason_of(error))
            return error

    ends = dict(zip(ids, await asyncio.gather(*map(of_client, ids)), strict=True))
    done: dict[PartitionKey, KeyReport] = {}
    failed: dict[PartitionKey, str] = {}
    waiting: dict[PartitionKey, str] = {}
    for key in keys:
        end = ends.get(key.slug)
        if isinstance(end, KeyReport):
            done[key] = end
        elif end is not None:
            waits = isinstance(end, TenantUnavailable) or (isinstance(end, VendorError) and end.is_transient)
            (waiting if waits else failed)[key] = reason_of(end)
    return StepReport(done=done, failed=failed, waiting=waiting).with_idle(keys)


async def _tend(run: _Run, organization: Organization, subscription_id: UUID) -> KeyReport:
    stack = run.stack
    async with stack.master.connection() as conn:
        token = await open_token(stack, conn, subscription_id)
    looked = await _look(run, subscription_id, token)
    if looked.at_payfast and token:
        await _agree_on_amount(stack, looked.subscription, looked.at_payfast, token)
    # What was changed may have suspended or resumed it.
    organization = (await organizations_by_slug(stack, [organization.slug]))[organization.slug]
    await tell_client(stack, organization, looked.subscription, token)
    await copy_to_client(stack, organization, looked.subscription)
    return await _report(stack, looked)


async def _look(run: _Run, subscription_id: UUID, token: str | None) -> _Looked:
    """Ask PayFast and write what follows; once more where the row was changed in between, say by a payment."""
    stack = run.stack
    for _ in range(LOOKS):
        async with stack.master.connection() as conn:
            before = await read_subscription(conn, subscription_id)
        if before.status == "expired":
            return _Looked(before)
        try:
            # What is cancelled stays so, and PayFast may forget it.
            found = await run.fetch(token) if token and before.cancelled_at is None else None
        except VendorError as error:
            async with stack.master.connection() as conn:
                await SUBSCRIPTIONS.not_seen(conn, id=subscription_id, reason=reason_of(error))
            raise
        now = stack.now()
        async with stack.master.connection() as conn, conn.transaction():
            locked = await lock_subscription(conn, subscription_id)
            if locked.version != before.version:
                continue
            seen = Seen(found.status_text, found.run_date) if found else await _from_books(conn, locked)
            after, steps = on_day(locked, seen, now, south_african_day(now))
            await write_change(conn, locked, after, steps, actor=ACTOR, now=now)
            await SUBSCRIPTIONS.saw_payfast(
                conn, id=subscription_id, status=seen.status_text, run_date=seen.run_date, now=now
            )
        return _Looked(after, len(steps), found)
    async with stack.master.connection() as conn:
        return _Looked(await read_subscription(conn, subscription_id))


async def _from_books(conn: Connection, now: Subscription) -> Seen:
    """What is known of a subscription that PayFast is not asked about. Without its token, since its first notice was
    lost, only PayFast's history tells of its charges: late is one whose day was read to its end and brought none."""
    if now.cancelled_at is not None:
        return Seen("CANCELLED", None)
    was_read = now.paid_until and await SUBSCRIPTIONS.was_read(
        conn, day=now.paid_until, ended_at=datetime.combine(now.paid_until + timedelta(days=1), time(), SAST)
    )
    return Seen("UNKNOWN", now.paid_until if was_read else None)


async def _agree_on_amount(stack: Stack, now: Subscription, found: AtPayFast, token: str) -> None:
    """Set PayFast's next charge to what it is to be; the same again changes nothing there."""
    if found.run_date is None or found.status_text != "ACTIVE" or not now.is_live:
        return
    async with stack.master.connection() as conn:
        if await SUBSCRIPTIONS.has_open_change(conn, subscription_id=now.id):
            return
        amount = await planned_amount(conn, now.id, found.run_date)
    if amount != found.amount_cents:
        await stack.payfast.update(token, amount_cents=amount)


async def _report(stack: Stack, looked: _Looked) -> KeyReport:
    now, found = looked.subscription, looked.at_payfast
    async with stack.master.connection() as conn:
        recent = SUBSCRIPTIONS.recent_events(conn, subscription_id=now.id, row_limit=EVENTS_SHOWN)
        events = [row async for row in recent]
    metadata: dict[str, Any] = {
        "status": now.status,
        "plan": now.plan_key,
        "price (ZAR)": rand(now.amount_cents),
        "paid until": str(now.paid_until or "nothing paid yet"),
        "history": Markdown(_table(events)),
    }
    if found:
        metadata |= {"at PayFast": found.status_text, "next charge": str(found.run_date or "none")}
    return KeyReport(rows=looked.steps, metadata=metadata)


def _table(events: Sequence[dict[str, Any]]) -> str:
    lines = ["| when (UTC) | what | status | plan | R | by |", "|---|---|---|---|---|---|"]
    for event in events:
        cells = (f"{event['at']:%Y-%m-%d %H:%M}", event["kind"], event["status"], event["plan_key"])
        shown = [markdown_text(cell) for cell in (*cells, rand(event["amount_cents"]), event["actor"])]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)
