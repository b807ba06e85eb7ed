"""What the tests of payments and subscriptions share: checkouts, a buyer, notices as the API stores them, the books.

Not here: fixtures (`conftest.py`) and assertions.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.payfast_signatures import form_string, itn_signature
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscription_orders import place_order
from tests.payfast_till import PASSPHRASE, LetterBox, buy, control
from tests.payfast_till import checkout as order_of
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows, variant

PRICE = 150000
SLUG = "kloof-coffee"
KEPT_CARD = {"subscription_type": 2, "frequency": None, "cycles": None, "recurring_amount_cents": None}
ONE_OF_EACH = {"checkouts": 1, "subscriptions": 1, "provisionings": 1, "organizations": 1, "subscription_orders": 0}
EMPTY_BOOKS = """
    truncate checkouts, subscriptions, payments, payfast_transactions cascade;
    delete from organizations where slug not in ('draggonnb', 'outsider');
    update organizations set plan_key = null;
"""
BOOKS = ("checkouts", "subscriptions", "provisionings", "subscription_events", "subscription_orders")


def empty_books(dsn: str) -> None:
    """No client, no checkout, no money."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(EMPTY_BOOKS)


async def open_checkout(stack: Stack, seller: Organization, **changes: Any) -> dict[str, Any]:
    """The row of a client that has chosen Starter: R1,500 a month."""
    key = uuid4()
    values: dict[str, Any] = {
        "token_sha256": hashlib.sha256(key.bytes).digest(),
        "m_payment_id": f"DRG-{key.hex[:20]}",
        "seller_id": seller.id,
        "plan_key": "starter",
        "amount_cents": PRICE,
        "recurring_cents": PRICE,
        "trial_days": 0,
        "company": "Kloof Coffee (Pty) Ltd",
        "contact_name": "Front Desk",
        "contact_email": "desk@kloof.example",
        "approved_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + timedelta(days=30),
    } | changes
    places = ", ".join("%s" for _ in values)
    query = f"insert into checkouts ({', '.join(values)}) values ({places}) returning *"
    [row] = await master_rows(stack, query, *values.values())
    return row


async def pay(
    stack: Stack, sandbox: Sandbox, box: LetterBox, checkout: Mapping[str, Any], **changes: Any
) -> tuple[str, bytes]:
    """The client pays at PayFast: the token of its subscription, and the notice as it came."""
    order: dict[str, Any] = {
        "m_payment_id": checkout["m_payment_id"],
        "amount_cents": checkout["amount_cents"],
        "recurring_amount_cents": checkout["recurring_cents"],
        "custom_str": (str(checkout["id"]),),
    }
    if checkout["trial_days"]:
        order["billing_date"] = south_african_day(datetime.now(UTC)) + timedelta(days=checkout["trial_days"])
    await buy(sandbox, stack.payfast, order_of(box.url, **(order | changes)))
    [seen] = await box.requests(1)
    token = next(one["token"] for one in reversed(sandbox.public("payfast")))
    return token, seen.body


async def charge(
    sandbox: Sandbox, box: LetterBox, token: str, *, times: int = 1, outcome: str = "complete"
) -> list[bytes]:
    """Months go by: the notices of the charges that came in."""
    answer = await control(sandbox, "charge", token=token, outcome=outcome, times=times)
    assert answer.status_code == 200, answer.text
    return [seen.body for seen in await box.requests(times if outcome == "complete" else 0)]


async def receive(stack: Stack, *bodies: bytes, source: str | None = "127.0.0.1") -> list[UUID]:
    """Store notices as the webhook does; a repeat counts up."""
    rows = []
    for raw in bodies:
        rows += await master_rows(
            stack,
            "insert into payments (raw_sealed, raw_sha256, source_ip) values (%s, %s, %s)"
            " on conflict (raw_sha256, source_ip) do update set deliveries = payments.deliveries + 1 returning id",
            stack.vault.seal(raw, "payments:raw"),
            hashlib.sha256(raw).digest(),
            source,
        )
    return [row["id"] for row in rows]


async def found_in_history(stack: Stack, m_payment_id: str, pf_payment_id: str, cents: int, day: Any) -> None:
    """As the daily comparison writes what no notice told of."""
    raw = f"{day},{pf_payment_id}".encode()
    await master_rows(
        stack,
        "insert into payments (raw_sealed, raw_sha256, state, found_in_history, checks, pf_payment_id, m_payment_id,"
        ' payment_status, amount_gross_cents) values (%s, %s, \'verified\', true, \'{"history": true}\', %s, %s,'
        " 'COMPLETE', %s)",
        stack.vault.seal(raw, "payments:raw"), hashlib.sha256(raw).digest(), pf_payment_id, m_payment_id, cents,
    )  # fmt: skip
    await master_rows(
        stack,
        "insert into payfast_transactions (pf_payment_id, kind, m_payment_id, day, gross_cents, fee_cents, net_cents)"
        " values (%s, 'FUNDS_RECEIVED', %s, %s, %s, 0, %s)",
        pf_payment_id, m_payment_id, day, cents, cents,
    )  # fmt: skip


async def took(stack: Stack, *bodies: bytes, **place: Any) -> list[str]:
    """Notices come in and are worked on; the slugs that were touched."""
    await receive(stack, *bodies, **place)
    return await take_notices(stack, "run-1")


def signed(pairs: Iterable[tuple[str, str]], passphrase: str = PASSPHRASE) -> bytes:
    """A notice of these fields, as whoever knows the passphrase would send it."""
    fields = list(pairs)
    return f"{form_string(fields)}&signature={itn_signature(fields, passphrase)}".encode()


async def books(stack: Stack) -> dict[str, int]:
    """How many rows there are of all that money begins; organizations beside the two of the tests."""
    queries = [f"select '{table}' as name, count(*) as n from {table}" for table in BOOKS]
    queries.append("select 'organizations', count(*) from organizations where slug not in ('draggonnb', 'outsider')")
    return {row["name"]: row["n"] for row in await master_rows(stack, " union all ".join(queries))}


async def payments(stack: Stack) -> list[dict[str, Any]]:
    return await master_rows(stack, "select * from payments order by received_at, id")


async def subscription(stack: Stack) -> dict[str, Any]:
    """The only one, with its organization's slug and status."""
    [row] = await master_rows(
        stack,
        "select s.*, o.slug, o.status as organization_status, o.plan_key as organization_plan"
        " from subscriptions s join organizations o on o.id = s.organization_id",
    )
    return row


async def events(stack: Stack) -> list[str]:
    """The kinds of what the history tells, in order."""
    return [row["kind"] for row in await master_rows(stack, "select kind from subscription_events order by id")]


def today() -> date:
    """By PayFast's clock."""
    return south_african_day(datetime.now(UTC))


def at(stack: Stack, moment: datetime) -> Stack:
    """The same stack at another time."""
    return variant(stack, now=lambda: moment)


async def place(stack: Stack, verb: str, key: str = "", **what: Any) -> UUID:
    return await place_order(stack, SLUG, verb, key=key or verb, requested_by="operator", **what)


async def orders(stack: Stack) -> list[tuple[str, str]]:
    rows = await master_rows(stack, "select verb, state from subscription_orders order by created_at, id")
    return [(row["verb"], row["state"]) for row in rows]


def charged(sandbox: Sandbox) -> list[int]:
    """What left the client's account, in order."""
    return [one["amount_cents"] for one in sandbox.public("payfast")]
