"""What each order says to PayFast, how its books show that it has happened, and what follows in ours.

Lives here: a call a verb, the question afterwards, the transaction that ends an order. Not here: which run may call
(`subscription_orders.py`), the decisions (`domain/subscriptions.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.payfast import MIN_AMOUNT_CENTS, rand, south_african_day
from draggonnb_pipelines.domain.subscriptions import (
    PlanChange,
    Step,
    Subscription,
    after_cancellation,
    after_pause,
    after_plan_change,
    after_unpause,
    change_of_plan,
)
from draggonnb_pipelines.errors import DraggonnbError, NeedsReview
from draggonnb_pipelines.resources.payfast_wire import Subscription as AtPayFast
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.payment_effects import PAYMENTS
from draggonnb_pipelines.workflows.billing.subscription_changes import (
    SUBSCRIPTIONS,
    lock_subscription,
    open_token,
    planned_amount,
    read_subscription,
    write_change,
)

ORDERS = load_queries("subscription_orders")
Order = Mapping[str, Any]


class NotNow(DraggonnbError):
    """It can be done later; PayFast was told nothing."""

    def __init__(self, reason: str, wait: timedelta) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True)
class Done:
    """What a call has to hand on to the end of its order."""

    plan: PlanChange | None = None
    price_cents: int = 0
    is_kept_card: bool = False


async def _pause(stack: Stack, order: Order) -> Done:
    token, _, found = await _at_payfast(stack, order)
    # PayFast adds a second pause to the first.
    if found.status_text != "PAUSED":
        await stack.payfast.pause(token, order["arguments"]["cycles"])
    return Done()


async def _unpause(stack: Stack, order: Order) -> Done:
    await stack.payfast.unpause(await _token(stack, order))
    return Done()


async def _cancel(stack: Stack, order: Order) -> Done:
    await stack.payfast.cancel(await _token(stack, order))
    return Done()


async def _charge(stack: Stack, order: Order) -> Done:
    await stack.payfast.adhoc(
        await _token(stack, order),
        amount_cents=order["amount_cents"],
        m_payment_id=order["m_payment_id"],
        item_name=order["arguments"].get("item") or "DraggonnB",
    )
    return Done()


async def _change_plan(stack: Stack, order: Order) -> Done:
    """Set PayFast's next charge to what it will be; the same again does no harm."""
    token, now, found = await _at_payfast(stack, order)
    today, next_charge = south_african_day(stack.now()), found.run_date or now.paid_until
    if now.status not in ("active", "trial") or next_charge is None:
        raise NeedsReview(f"the subscription is {now.status} by now")
    if next_charge <= today:
        raise NotNow("today's charge comes first", timedelta(hours=12))
    async with stack.master.connection() as conn:
        price = await SUBSCRIPTIONS.price_of_plan(conn, plan_key=order["arguments"]["plan"], day=today)
        days = [row["billing_date"] async for row in PAYMENTS.paid_days(conn, subscription_id=now.id)]
        planned = await planned_amount(conn, now.id, next_charge)
        begun = max((day for day in days if day < next_charge), default=now.started_on or today)
        period = {"period_start": begun, "next_charge": next_charge, "planned_cents": planned, "today": today}
        change = change_of_plan(now, price, **period)
        charges = [[charge.from_day.isoformat(), charge.amount_cents] for charge in change.charges]
        await ORDERS.note_plan(conn, id=order["id"], arguments=Jsonb({"charges": charges}))
    if found.run_date is not None:
        await stack.payfast.update(token, amount_cents=change.charges[0].amount_cents)
    return Done(change, price, is_kept_card=found.run_date is None)


CALLS: Mapping[str, Callable[[Stack, Order], Awaitable[Done]]] = {
    "pause": _pause,
    "unpause": _unpause,
    "cancel": _cancel,
    "change_plan": _change_plan,
    "charge": _charge,
}


async def has_happened(stack: Stack, order: Order) -> bool:
    """Whether PayFast's books show what the order asked for. What may be said twice counts as not done.

    Raises:
        VendorError: PayFast cannot be asked now.
    """
    if order["verb"] == "pause":
        _, _, found = await _at_payfast(stack, order)
        return found.status_text == "PAUSED"
    if order["verb"] == "charge":
        start = south_african_day(order["attempt_started_at"] - timedelta(hours=1))
        lines = await stack.payfast.history(start, south_african_day(stack.now()))
        return any(line.m_payment_id == order["m_payment_id"] and line.gross_cents > 0 for line in lines)
    return False


async def finish(stack: Stack, order: Order, done: Done | None = None) -> None:
    """One transaction: the order is done, and the subscription is what it has made of it. Nothing if a notice, or
    another run, was quicker."""
    now, done = stack.now(), done or Done()
    async with stack.master.connection() as conn, conn.transaction():
        # As payments do: the order first, then the subscription.
        locked = await ORDERS.lock_order(conn, id=order["id"])
        if locked["state"] not in ("calling", "unknown") or locked["attempts"] != order["attempts"]:
            return
        before = await lock_subscription(conn, order["subscription_id"])
        after, step = _outcome(before, order, done, stack)
        await ORDERS.end_call(
            conn, id=order["id"], attempts=order["attempts"], state="done", reason=None, now=now, not_before=now
        )
        await write_change(conn, before, after, [step], actor=order["requested_by"], now=now)
        if done.plan and done.is_kept_card and done.plan.difference_cents >= MIN_AMOUNT_CENTS:
            await ORDERS.place_order(
                conn, subscription_id=after.id, key=f"{order['key']}:difference", verb="charge",
                arguments=Jsonb({"item": f"{after.plan_key.title()} until {before.paid_until}"}),
                m_payment_id=f"DRG-{order['id'].hex[:24]}", amount_cents=done.plan.difference_cents,
                requested_by=order["requested_by"], now=now,
            )  # fmt: skip


def _outcome(before: Subscription, order: Order, done: Done, stack: Stack) -> tuple[Subscription, Step]:
    key = str(order["id"])
    if order["verb"] == "pause":
        return after_pause(before, order["arguments"]["cycles"]), Step("paused", key)
    if order["verb"] == "unpause":
        return after_unpause(before), Step("unpaused", key)
    if order["verb"] == "cancel":
        return after_cancellation(before, stack.now()), Step("cancelled")
    if order["verb"] == "charge":
        return before, Step("charged", key, {"amount_cents": order["amount_cents"]})
    assert done.plan is not None  # a change of plan is never settled by asking: it is said again
    plan_key, change = order["arguments"]["plan"], done.plan
    after = after_plan_change(before, plan_key, done.price_cents, change)
    charges = () if done.is_kept_card else change.charges
    details = {
        "from": before.plan_key,
        "to": plan_key,
        "difference_cents": change.difference_cents,
        "charges": [[charge.from_day.isoformat(), charge.amount_cents] for charge in charges],
        "what": _what(plan_key, done),
    }
    return after, Step("plan_changed", key, details)


def _what(plan_key: str, done: Done) -> str:
    assert done.plan is not None
    first = done.plan.charges[0]
    begins = "now" if done.plan.begins is None else f"on {done.plan.begins}"
    extra = ""
    if done.plan.difference_cents:
        extra = f" R{rand(done.plan.difference_cents)} of it is for the rest of this month."
    return (
        f"{plan_key.replace('_', ' ').title()} begins {begins}. The charge on {first.from_day} is "
        f"R{rand(first.amount_cents)}.{extra} After that it is R{rand(done.price_cents)} a month."
    )


async def _token(stack: Stack, order: Order) -> str:
    async with stack.master.connection() as conn:
        token = await open_token(stack, conn, order["subscription_id"])
    if token is None:
        raise NeedsReview("PayFast's token of this subscription is not known: do it at PayFast (Subscriptions)")
    return token


async def _at_payfast(stack: Stack, order: Order) -> tuple[str, Subscription, AtPayFast]:
    token = await _token(stack, order)
    found = await stack.payfast.fetch(token)
    async with stack.master.connection() as conn:
        return token, await read_subscription(conn, order["subscription_id"]), found
