"""`draggonnb billing show | pause | resume | cancel | change-plan | charge | card-link`.

Lives here: placing an order and waiting for its end, and the output. Not here: what an order does
(`workflows/billing/subscription_orders.py`; it and the stack are imported by the verbs that need them).
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import Session, installation, session
from draggonnb_pipelines.domain.payfast import cents_of, rand
from draggonnb_pipelines.domain.provisioning import host_name
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

SUBSCRIPTIONS = load_queries("subscriptions")
ORDERS = load_queries("subscription_orders")
ROWS_SHOWN = 20
GOES_ON = {
    "waiting": "it waits, and goes on by itself",
    "calling": "another process is carrying it out",
    "unknown": "PayFast's answer was lost; it is settled by asking, never by doing it twice",
}


def show(slug: str) -> None:
    """One subscription with its last orders and events.

    Raises:
        OperatorError: there is no such organization, or it has no subscription.
    """
    with installation() as settings:
        found, orders, events = asyncio.run(_shown(settings, slug))
    facts = table("", slug, unbroken=("",))
    for name, value in _facts(found).items():
        if value is not None:
            facts.add_row(cell(name), cell(value))
    console().print(facts)
    if orders:
        shown = table("placed (UTC)", "order", "R", "state", "by", "why", title="Orders")
        for row in orders:
            amount = "" if row["amount_cents"] is None else rand(row["amount_cents"])
            style = "yellow" if row["state"] not in ("done", "waiting") else ""
            values = (row["created_at"], row["verb"], amount, row["state"], row["requested_by"], row["last_error"])
            shown.add_row(*(cell(value, style) for value in values))
        console().print(shown)
    history = table("when (UTC)", "what", "status", "plan", "R", "by", title="History")
    for row in events:
        values = (row["at"], row["kind"], row["status"], row["plan_key"], rand(row["amount_cents"]), row["actor"])
        history.add_row(*map(cell, values))
    console().print(history)


def order(slug: str, verb: str, *, key: str | None, **what: Any) -> None:
    """Place an order, carry it out, and say what came of it.

    Raises:
        OperatorError: it was refused, by us or by PayFast, or a person must look.
    """
    with installation() as settings:
        ended = asyncio.run(_ordered(settings, slug, verb, key or f"{verb}:{uuid4()}", what))
    state, reason = ended["state"], ended["last_error"]
    if state == "done":
        console().print(cell(f"done: {verb.replace('_', ' ')} for {slug}, order {ended['id']}", "green"))
    elif state in GOES_ON:
        console().print(cell(f"not yet: {GOES_ON[state]} ({reason or 'not taken up'}), order {ended['id']}", "yellow"))
    else:
        raise OperatorError(f"not done: {reason}", remedy=f"`draggonnb billing show {slug}` shows how things are")


def charge(slug: str, amount: str, *, item: str, key: str | None) -> None:
    """Charge a kept card.

    Raises:
        OperatorError: the amount cannot be read or is in another currency; else as `order`.
    """
    try:
        amount_cents = cents_of(amount)
    except ValueError as error:
        raise OperatorError(str(error), remedy="nothing was charged; give rand and cents, such as 150.00") from None
    order(slug, "charge", key=key, amount_cents=amount_cents, item=item)


def show_card_link(slug: str) -> None:
    """Print the address alone, to be copied or piped.

    Raises:
        OperatorError: PayFast's token of the subscription is not known.
    """
    with installation() as settings:
        print(asyncio.run(_card_link(settings, slug)))


async def _shown(settings: Settings, slug: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    async with session(settings) as opened:
        subscription_id = await _subscription_id(opened, slug)
        async with opened.master.connection() as conn:
            found = await SUBSCRIPTIONS.summary(conn, id=subscription_id)
            newest = {"subscription_id": subscription_id, "row_limit": ROWS_SHOWN}
            orders = [row async for row in ORDERS.orders_of(conn, **newest)]
            events = [row async for row in SUBSCRIPTIONS.recent_events(conn, **newest)]
    return found, orders, events


async def _subscription_id(opened: Session, slug: str) -> Any:
    await opened.organization(slug)
    async with opened.master.connection() as conn:
        found = await ORDERS.subscription_of_slug(conn, slug=slug)
    if found is None:
        raise OperatorError(
            f"{slug} has no subscription", remedy="one begins with the first payment of a checkout; see its proposal"
        )
    return found


async def _ordered(settings: Settings, slug: str, verb: str, key: str, what: Mapping[str, Any]) -> dict[str, Any]:
    from draggonnb_pipelines.resources.stack import open_stack
    from draggonnb_pipelines.workflows.billing.subscription_orders import OrderRefused, carry_out_orders, place_order

    async with session(settings) as opened:
        await _subscription_id(opened, slug)
    async with open_stack(settings) as stack:
        try:
            placed = await place_order(stack, slug, verb, key=key, requested_by=f"operator:{operator()}", **what)
        except OrderRefused as refused:
            raise OperatorError(
                f"not ordered: {refused}", remedy=f"`draggonnb billing show {slug}` shows how things are"
            ) from None
        await carry_out_orders(stack, f"cli-{uuid4()}")
        async with stack.master.connection() as conn:
            return await ORDERS.order(conn, id=placed)


async def _card_link(settings: Settings, slug: str) -> str:
    from draggonnb_pipelines.resources.stack import open_stack
    from draggonnb_pipelines.workflows.billing.subscription_changes import open_token

    async with session(settings) as opened:
        subscription_id = await _subscription_id(opened, slug)
    async with open_stack(settings) as stack:
        async with stack.master.connection() as conn:
            token = await open_token(stack, conn, subscription_id)
        if token is None:
            raise OperatorError(
                "PayFast's token of this subscription is not known yet",
                remedy="it comes with PayFast's first notice; the daily comparison shows payments without one",
            )
        return stack.payfast.card_update_url(token, f"https://{host_name(slug, settings.vercel_domain)}")


def _facts(found: Mapping[str, Any]) -> dict[str, Any]:
    next_amount = found["next_amount_cents"]
    return {
        "plan": f"{found['plan_key']}, R{rand(found['amount_cents'])} a month",
        "state": found["status"],
        "since": found["started_on"],
        "trial until": found["trial_ends_on"],
        "paid until": found["paid_until"],
        "paused until": found["paused_until"],
        "grace until": found["grace_until"],
        "cancelled (UTC)": found["cancelled_at"],
        "not served since (UTC)": found["suspended_at"],
        "next plan": found["next_plan_key"]
        and f"{found['next_plan_key']}, R{rand(next_amount)} from {found['next_from']}",
        "at PayFast": found["payfast_status"] if found["has_token"] else "its token is not known yet",
        "next charge": found["payfast_run_date"],
        "asked at (UTC)": found["payfast_fetched_at"],
        "trouble": found["last_error"],
        "shown at (UTC)": datetime.now(UTC),
    }
