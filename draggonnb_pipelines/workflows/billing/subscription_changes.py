"""One change of a subscription, written down: its row, its history, what follows for the organization.

Lives here: the statements that every change is made of, for payments, orders and the daily look alike, and what the
next charges are planned to be. Not here: what changes (`domain/subscriptions.py`), who is told
(`subscription_notices.py`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.subscriptions import Charge, Step, Subscription, amount_due
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

SUBSCRIPTIONS = load_queries("subscriptions")
_SAVED = ("plan_key", "status", "amount_cents", "started_on", "trial_ends_on", "paid_until", "paused_until",
          "grace_until", "cancelled_at", "suspended_at", "next_plan_key", "next_amount_cents", "next_from")  # fmt: skip


async def lock_subscription(conn: Connection, subscription_id: UUID) -> Subscription:
    """The row as it is now; nobody else changes it until the transaction ends.

    Raises:
        LookupError: there is none.
    """
    row = await SUBSCRIPTIONS.lock_subscription(conn, id=subscription_id)
    if row is None:
        raise LookupError(f"no subscription {subscription_id}")
    return Subscription(**row)


async def read_subscription(conn: Connection, subscription_id: UUID) -> Subscription:
    """The row as it is now, not locked."""
    return Subscription(**await SUBSCRIPTIONS.subscription(conn, id=subscription_id))


async def write_change(
    conn: Connection, before: Subscription, after: Subscription, steps: Sequence[Step], *, actor: str, now: datetime
) -> None:
    """In the caller's transaction, with the row locked: the row, an event for each step, and the organization."""
    if after != before:
        values = {name: value for name, value in asdict(after).items() if name in _SAVED}
        await SUBSCRIPTIONS.save_subscription(conn, id=after.id, **values)
        await SUBSCRIPTIONS.organization_follows(
            conn,
            organization_id=after.organization_id,
            plan_key=after.plan_key,
            ends=before.suspended_at is None and after.suspended_at is not None,
            begins=before.suspended_at is not None and after.suspended_at is None,
        )
    for step in steps:
        await SUBSCRIPTIONS.note_event(
            conn,
            subscription_id=after.id,
            event_key=event_key(after.id, step),
            kind=step.kind,
            status=after.status,
            plan_key=after.plan_key,
            amount_cents=step.details.get("amount_cents", after.amount_cents),
            actor=actor,
            details=Jsonb(step.details),
            now=now,
        )


def event_key(subscription_id: UUID, step: Step) -> str:
    return f"{step.kind}:{subscription_id}:{step.suffix}".removesuffix(":")


async def planned_amount(conn: Connection, subscription_id: UUID, day: date) -> int:
    """What a charge of this day is, in cents, by the agreement and by every change of the plan since."""
    agreed = await SUBSCRIPTIONS.agreed(conn, subscription_id=subscription_id)
    rows = SUBSCRIPTIONS.planned_charges(conn, subscription_id=subscription_id)
    return amount_due(agreed["recurring_cents"], _charges([row async for row in rows]), day)


async def possible_amounts(conn: Connection, subscription: Subscription, day: date) -> set[int]:
    """What a charge of this day may be: as planned, as a change of plan that is under way has told PayFast, and for
    the first period what the checkout asked for."""
    planned = await planned_amount(conn, subscription.id, day)
    rows = [row async for row in SUBSCRIPTIONS.charges_under_way(conn, subscription_id=subscription.id)]
    amounts = {planned, amount_due(planned, _charges(rows), day)}
    first = subscription.trial_ends_on or subscription.started_on
    if first is None or day <= first:
        agreed = await SUBSCRIPTIONS.agreed(conn, subscription_id=subscription.id)
        amounts |= {agreed["first_cents"]} - {None}
    return amounts


def _charges(rows: Sequence[Mapping[str, Any]]) -> list[Charge]:
    return [Charge(date.fromisoformat(day), cents) for row in rows for day, cents in row["charges"] or ()]


def token_sha256(token: str | None) -> bytes | None:
    return hashlib.sha256(token.encode()).digest() if token else None


async def keep_token(stack: Stack, conn: Connection, subscription_id: UUID, token: str) -> None:
    """Keep PayFast's token of the subscription, sealed: whoever has it and our passphrase can charge."""
    sealed = stack.vault.seal(token.encode(), token_context(subscription_id))
    await SUBSCRIPTIONS.keep_token(conn, id=subscription_id, token_sha256=token_sha256(token), token_sealed=sealed)


async def open_token(stack: Stack, conn: Connection, subscription_id: UUID) -> str | None:
    """PayFast's token of the subscription; None while only the history has shown its payment."""
    row: dict[str, Any] | None = await SUBSCRIPTIONS.token_of(conn, id=subscription_id)
    if row is None or row["payfast_token_sealed"] is None:
        return None
    return stack.vault.open(row["payfast_token_sealed"], token_context(subscription_id)).decode()


def token_context(subscription_id: UUID) -> str:
    """Associated data of `subscriptions.payfast_token_sealed`, sealed with the master key."""
    return f"subscription:{subscription_id}:payfast-token"
