"""Orders about a subscription: placed once, carried out by one run, settled by asking PayFast.

Lives here: placing, taking, what becomes of an order whose answer is not known. Not here: what is said to PayFast and
what follows from it (`order_calls.py`).

waiting -> calling (committed before the call) -> done | refused | unknown. Nothing of this is sent again before PayFast
was asked whether it has happened: a second pause would add a month, a second charge would take money twice.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.payfast import MIN_AMOUNT_CENTS, rand, south_african_day
from draggonnb_pipelines.domain.subscriptions import Subscription
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.order_calls import CALLS, ORDERS, NotNow, finish, has_happened
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.billing.subscription_changes import (
    SUBSCRIPTIONS,
    open_token,
    planned_amount,
    read_subscription,
)
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.messages.notices import Notice, tell
from draggonnb_pipelines.workflows.publishing.agenda import dead_runs, showing_life

ORGANIZATIONS = load_queries("organizations")
log = logging.getLogger(__name__)
VERBS = tuple(CALLS)
MAX_CHARGE_CENTS = 99_999_999
MAX_PAUSE_CYCLES = 12
ORDERS_A_RUN = 200
MAX_ATTEMPTS = 5
SETTLE_EVERY = timedelta(minutes=10)
# How long PayFast may take to show in its books what a call has done, before its silence counts as a no.
SETTLE_AFTER = {"charge": timedelta(hours=2), "pause": timedelta(minutes=2)}
MENDABLE = frozenset({ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.PERMISSION})
TOLD_FOR = timedelta(days=3)


class OrderRefused(DraggonnbError):
    """The order cannot be meant; the message says why. Nothing was placed."""


async def place_order(
    stack: Stack, slug: str, verb: str, *, key: str, requested_by: str, cycles: int = 1, plan: str | None = None,
    amount_cents: int | None = None, item: str = "",
) -> UUID:  # fmt: skip
    """Place an order for an organization's subscription; the same key again is the same order.

    Args:
        key: the identity of the order, 1 to 250 characters.
        cycles: of a pause, 1 to 12 months.
        plan: of a change of plan, the new one's key.
        amount_cents: of a charge, R5.00 and more; `item` is what the client reads on its statement.

    Raises:
        OrderRefused: a key that names another order, no subscription, an unknown verb or plan, an amount out of bounds,
            a state in which it makes no sense, an agreement that PayFast charges itself, or another order that is not
            settled yet.
        VendorError: PayFast cannot be asked whether a card may be charged; nothing was placed.
    """
    async with stack.master.connection() as conn:
        if known := await _order_of_key(conn, slug, verb, key):
            return known
        subscription_id = await ORDERS.subscription_of_slug(conn, slug=slug)
        if subscription_id is None:
            raise OrderRefused(f"{slug} has no subscription")
        subscription = await read_subscription(conn, subscription_id)
        token = await open_token(stack, conn, subscription_id)
        _check(subscription, verb, cycles, amount_cents)
        if token is None:
            raise OrderRefused("PayFast's token of this subscription is not known: do it at PayFast (Subscriptions)")
        if verb == "change_plan":
            await _check_plan(conn, subscription, plan, stack.now())
        if verb == "pause":
            await _check_debts(conn, subscription)
    is_charge = verb == "charge"
    if is_charge:
        await _check_card(stack, token)
    arguments: dict[str, Any] = {"item": item[:100]} if item else {}
    arguments |= {"cycles": cycles} if verb == "pause" else {}
    arguments |= {"plan": plan} if verb == "change_plan" else {}
    async with stack.master.connection() as conn:
        try:
            async with conn.transaction():
                placed = await ORDERS.place_order(
                    conn, subscription_id=subscription_id, key=key, verb=verb, arguments=Jsonb(arguments),
                    m_payment_id=f"DRG-{hashlib.sha256(key.encode()).hexdigest()[:24]}" if is_charge else None,
                    amount_cents=amount_cents if is_charge else None, requested_by=requested_by, now=stack.now(),
                )  # fmt: skip
                if placed:
                    await _audit(conn, slug, verb, placed, requested_by)
        except psycopg.errors.UniqueViolation:
            if known := await _order_of_key(conn, slug, verb, key):  # placed by another process just now
                return known
            raise OrderRefused("another order for this subscription is not settled yet; wait for it") from None
        if placed or (placed := await _order_of_key(conn, slug, verb, key)):
            return placed
        raise OrderRefused("its key is being used by another order; say it again")


async def _order_of_key(conn: Connection, slug: str, verb: str, key: str) -> UUID | None:
    """The order that was placed under this key before.

    Raises:
        OrderRefused: it is another organization's, or another verb: to say that this was done would be untrue.
    """
    known = await ORDERS.order_of_key(conn, key=key)
    if known is None:
        return None
    if (known["slug"], known["verb"]) != (slug, verb):
        raise OrderRefused("its key names another order already; give one of its own")
    return known["id"]


async def _audit(conn: Connection, slug: str, verb: str, order_id: UUID, by: str) -> None:
    metadata = json.dumps({"order": str(order_id)})
    await ORGANIZATIONS.audit(
        conn, actor=by, action=f"subscription.{verb}_ordered", resource=f"organization:{slug}", metadata=metadata
    )


def _check(now: Subscription, verb: str, cycles: int, amount_cents: int | None) -> None:
    if verb not in VERBS:
        raise OrderRefused(f"no order is called {verb!r}; there are {', '.join(VERBS)}")
    if not now.is_live:
        raise OrderRefused(f"the subscription is {now.status}; a new one begins with a new checkout")
    if verb == "pause" and not 1 <= cycles <= MAX_PAUSE_CYCLES:
        raise OrderRefused(f"a pause leaves out 1 to {MAX_PAUSE_CYCLES} charges, not {cycles}")
    if verb == "pause" and now.status not in ("active", "trial"):
        raise OrderRefused(f"the subscription is {now.status}: only one that is paid can pause")
    if verb == "unpause" and now.status != "paused":
        raise OrderRefused(f"the subscription is {now.status}, not paused")
    if verb == "change_plan" and now.status not in ("active", "trial"):
        raise OrderRefused(f"the subscription is {now.status}: its plan changes once it is paid and goes on")
    if verb == "charge" and (amount_cents is None or not MIN_AMOUNT_CENTS <= amount_cents <= MAX_CHARGE_CENTS):
        least, most = rand(MIN_AMOUNT_CENTS), rand(MAX_CHARGE_CENTS)
        raise OrderRefused(f"a charge is between R{least} and R{most}, not {amount_cents} cents")


async def _check_plan(conn: Connection, now: Subscription, plan: str | None, at: Any) -> None:
    price = await SUBSCRIPTIONS.price_of_plan(conn, plan_key=plan, day=south_african_day(at))
    if price is None:
        raise OrderRefused(f"no plan is called {plan!r}")
    if not await SUBSCRIPTIONS.plan_offered(conn, plan_key=plan):
        raise OrderRefused(f"the plan {plan!r} is not offered any more")
    if plan == (now.next_plan_key or now.plan_key):
        raise OrderRefused(f"the plan is {plan!r} already")


async def _check_debts(conn: Connection, now: Subscription) -> None:
    """The difference of a larger plan comes with the next charge: a pause would leave it out for good."""
    if now.paid_until is None:
        return
    usual = now.amount_cents if now.next_amount_cents is None else now.next_amount_cents
    owed = await planned_amount(conn, now.id, now.paid_until) - usual
    if owed > 0:
        raise OrderRefused(
            f"R{rand(owed)} of a change of plan comes with the charge on {now.paid_until}: pause after it"
        )


async def _check_card(stack: Stack, token: str) -> None:
    found = await stack.payfast.fetch(token)
    if found.run_date is not None:
        raise OrderRefused(
            f"PayFast charges this agreement by itself, next on {found.run_date}; only a card that it keeps for "
            "charges of ours can be charged besides. Ask for the amount in another way"
        )


async def carry_out_orders(stack: Stack, run_id: str) -> list[str]:
    """Settle what is not known and carry out what is due; the slugs of the organizations that were touched.

    May be killed anywhere and run by several processes at once: one run asks PayFast for one order.
    """
    touched: set[UUID] = set()
    async with showing_life(stack.master, run_id):
        await _lose_dead_calls(stack)
        await _settle_all(stack, touched)
        await _call_all(stack, run_id, touched)
    try:
        await _tell(stack)
    except (DraggonnbError, psycopg.Error) as error:
        log.warning("run %s: the agency is told of orders later: %s", run_id, reason_of(error))
    async with stack.master.connection() as conn:
        rows = ORDERS.slugs_of_subscriptions(conn, ids=list(touched))
        return [row["slug"] async for row in rows]


async def _lose_dead_calls(stack: Stack) -> None:
    async with stack.master.connection() as conn:
        runs = [row["run_id"] async for row in ORDERS.calling_runs(conn)]
    if dead := await dead_runs(stack.master, runs):
        async with stack.master.connection() as conn:
            await ORDERS.lose_calls(conn, run_ids=sorted(dead), now=stack.now())


async def _settle_all(stack: Stack, touched: set[UUID]) -> None:
    """What PayFast may or may not have done: its books decide."""
    async with stack.master.connection() as conn:
        found = ORDERS.unknown_orders(conn, now=stack.now(), seen=[], row_limit=ORDERS_A_RUN)
        orders = [row async for row in found]
    for order in orders:
        try:
            if await has_happened(stack, order):
                await finish(stack, order)
                touched.add(order["subscription_id"])
                continue
        except (DraggonnbError, psycopg.Error) as error:
            await _end(stack, order, "unknown", reason_of(error), SETTLE_EVERY)
            continue
        age = stack.now() - order["attempt_started_at"]
        if age < SETTLE_AFTER.get(order["verb"], timedelta()):
            await _end(stack, order, "unknown", "PayFast does not show it yet", SETTLE_EVERY)
        elif order["attempts"] < MAX_ATTEMPTS:
            await _end(stack, order, "waiting", "PayFast has not done it; it is asked again")
        else:
            await _end(stack, order, "needs_review", f"PayFast has not done it in {order['attempts']} attempts")


async def _call_all(stack: Stack, run_id: str, touched: set[UUID]) -> None:
    seen: list[UUID] = []
    while len(seen) < ORDERS_A_RUN:
        async with stack.master.connection() as conn:
            order = await ORDERS.take_order(conn, run_id=run_id, now=stack.now(), seen=seen)
        if order is None:
            return
        seen.append(order["id"])
        touched.add(order["subscription_id"])
        await _call(stack, order)


async def _call(stack: Stack, order: Mapping[str, Any]) -> None:
    backoff = timedelta(seconds=stack.settings.retry_base_seconds * 2 ** min(order["attempts"], 10))
    try:
        done = await CALLS[order["verb"]](stack, order)
    except VendorError as error:
        if error.error_class is ErrorClass.AMBIGUOUS:
            await _end(stack, order, "unknown", reason_of(error))
        elif error.is_transient or error.error_class in MENDABLE:
            await _end(stack, order, "waiting", reason_of(error), min(backoff, timedelta(hours=1)))
        else:
            await _end(stack, order, "refused", reason_of(error))
    except NotNow as later:
        await _end(stack, order, "waiting", later.reason, later.wait)
    except NeedsReview as parked:
        await _end(stack, order, "refused", parked.reason)
    except DraggonnbError as error:  # before PayFast was told: a token that cannot be opened
        await _end(stack, order, "waiting", reason_of(error), timedelta(hours=1))
    else:
        await finish(stack, order, done)


async def _end(stack: Stack, order: Mapping[str, Any], state: str, reason: str, wait: timedelta = timedelta()) -> None:
    now = stack.now()
    async with stack.master.connection() as conn:
        await ORDERS.end_call(
            conn, id=order["id"], attempts=order["attempts"], state=state, reason=reason, now=now, not_before=now + wait
        )


async def _tell(stack: Stack) -> None:
    """What PayFast refused and what needs a person, once each."""
    async with stack.master.connection() as conn:
        rows = [row async for row in ORDERS.parked_since(conn, since=stack.now() - TOLD_FOR)]
    agency = await agency_of(stack) if rows else None
    if agency is None:
        return
    notices = []
    for row in rows:
        what = f"{row['verb'].replace('_', ' ')} for {row['slug']}"
        text = f"The order to {what} was not carried out: {row['last_error']}. It is not tried again by itself."
        key = f"order:{row['id']}:{row['state']}"
        notices.append(Notice(key, "subscription_order", f"Not done: {what}", (text,), roles=OWNERS))
    await tell(stack, agency, notices)
