"""Ways in which money was lost, taken twice or taken for nothing, each closed: charges, pauses, late payments."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.itn import parse_itn
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from draggonnb_pipelines.workflows.billing.payment_effects import apply_payment
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscription_orders import OrderRefused, carry_out_orders
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    KEPT_CARD,
    PRICE,
    SLUG,
    charge,
    charged,
    empty_books,
    found_in_history,
    open_checkout,
    orders,
    pay,
    payments,
    place,
    receive,
    signed,
    subscription,
    today,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows

KEY = PartitionKey(SLUG, datetime.now(UTC).date())


@pytest.fixture(autouse=True)
def clean_books(world: World) -> Iterator[None]:
    empty_books(world.dsn)
    yield
    empty_books(world.dsn)


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


@pytest.fixture
async def token(stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox) -> str:
    """PayFast's token of a client that has paid its first month and is set up."""
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await took(stack, notice)
    await master_rows(stack, "update organizations set status = 'active' where slug = %s", SLUG)
    return token


async def test_a_charge_that_payfast_took_twice_is_for_a_person_and_stops_no_invoice(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    card, first = await pay(stack, sandbox, box, await open_checkout(stack, agency), **KEPT_CARD)
    await took(stack, first)
    await place(stack, "charge", amount_cents=7550)
    await carry_out_orders(stack, "run-1")
    [order] = await master_rows(stack, "select m_payment_id from subscription_orders")
    await stack.payfast.adhoc(card, amount_cents=7550, m_payment_id=order["m_payment_id"], item_name="again")

    await took(stack, *[seen.body for seen in await box.requests(2)])
    report = await invoice_payments(stack, "run-1", [KEY])

    assert charged(sandbox) == [PRICE, 7550, 7550]
    assert sorted(row["state"] for row in await payments(stack)) == ["applied", "applied", "needs_review"]
    [parked] = [row["reason"] for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked.startswith("charged twice: PayFast's payment ")
    assert (report.failed, report.waiting) == ({}, {})
    assert [row["amount_cents"] for row in await master_rows(stack, "select * from invoices order by number")] == [
        PRICE,
        7550,
    ]


async def test_a_pause_cannot_swallow_the_difference_of_a_larger_plan(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await place(stack, "change_plan", plan="growth")
    await carry_out_orders(stack, "run-1")
    with pytest.raises(OrderRefused, match=r"R2000.00 of a change of plan comes with the charge on .*: pause after it"):
        await place(stack, "pause")
    await took(stack, *(await charge(sandbox, box, token)))
    await place(stack, "pause")
    await carry_out_orders(stack, "run-2")

    assert await orders(stack) == [("change_plan", "done"), ("pause", "done")]
    assert charged(sandbox) == [PRICE, 350000 + 200000]


async def test_a_charge_of_an_agreement_that_payfast_charges_itself_is_refused_before_it_is_placed(
    stack: Stack, token: str, sandbox: Sandbox
) -> None:
    with pytest.raises(OrderRefused, match=r"PayFast charges this agreement by itself, next on .*; only"):
        await place(stack, "charge", amount_cents=7550)

    assert await orders(stack) == []
    assert charged(sandbox) == [PRICE]
    assert not any(entry["route"].endswith("/adhoc") for entry in sandbox.journal("payfast"))


async def test_an_order_needs_the_token_that_it_is_about(stack: Stack, agency: Organization) -> None:
    checkout = await open_checkout(stack, agency)
    await found_in_history(stack, checkout["m_payment_id"], "990001", PRICE, today())
    await take_notices(stack, "run-1")

    with pytest.raises(OrderRefused, match="PayFast's token of this subscription is not known: do it at PayFast"):
        await place(stack, "cancel")

    assert await orders(stack) == []


async def test_the_old_price_does_not_pay_for_a_month_of_the_larger_plan(
    stack: Stack, token: str, sandbox: Sandbox
) -> None:
    await place(stack, "change_plan", plan="growth")
    await carry_out_orders(stack, "run-1")
    [paid] = await payments(stack)
    before = await subscription(stack)
    await found_in_history(stack, paid["m_payment_id"], "990003", PRICE, month_after(today()))

    assert await take_notices(stack, "run-2") == []

    [parked] = [row["reason"] for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked.startswith("R1500.00 was paid for ")
    assert await subscription(stack) == before


async def test_a_first_payment_does_not_wait_for_who_looks_at_a_later_one(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    token, first = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    [second] = await charge(sandbox, box, token)
    ids = await receive(stack, first, second)
    for payment, raw in zip(ids, (first, second), strict=True):
        await _verify(stack, payment, raw, token)

    async with stack.master.connection() as other, other.transaction():
        # Another process has taken the later payment up, and waits for the checkout that this one is about to take.
        await other.execute("select id from payments where id = %s for update", [ids[1]])
        async with asyncio.timeout(3):
            effect = await apply_payment(stack, ids[0], token)

    assert effect.organization_id is not None
    await apply_payment(stack, ids[1], token)
    assert [row["state"] for row in await payments(stack)] == ["applied", "applied"]


@pytest.mark.parametrize("charged_after", [3, 35])
async def test_a_charge_that_names_a_paid_month_is_for_the_next_one_once_that_is_due(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox, charged_after: int
) -> None:
    """Whether PayFast's billing_date moves on with each charge is nowhere written."""
    [notice] = await charge(sandbox, box, token)
    itn = parse_itn(notice)
    told = signed((name, str(today()) if name == "billing_date" else value) for name, value in itn.pairs)
    await master_rows(
        stack,
        "insert into payfast_transactions (pf_payment_id, kind, m_payment_id, day, gross_cents, fee_cents, net_cents)"
        " values (%s, 'FUNDS_RECEIVED', %s, %s, %s, 0, %s)",
        *(itn.pf_payment_id, itn.m_payment_id, today() + timedelta(days=charged_after), PRICE, PRICE),
    )
    sandbox.faults("POST /payfast/eng/query/validate", {"kind": "status", "status": 200, "body": "VALID"}, repeat=True)

    await took(stack, told)

    [row] = [row for row in await payments(stack) if row["pf_payment_id"] == itn.pf_payment_id]
    due = month_after(today())
    if charged_after == 3:
        assert (row["state"], row["reason"].partition(" is paid")[0]) == ("needs_review", f"the period from {today()}")
        assert (await subscription(stack))["paid_until"] == due
    else:
        assert (row["state"], row["billing_date"]) == ("applied", due)
        assert (await subscription(stack))["paid_until"] == month_after(due)
        report = await invoice_payments(stack, "run-1", [KEY])
        assert report.failed == {}
        periods = await master_rows(stack, "select period_start, period_end from invoices order by number")
        assert [tuple(row.values()) for row in periods] == [(today(), due), (due, month_after(due))]


async def _verify(stack: Stack, payment: Any, raw: bytes, token: str) -> None:
    itn = parse_itn(raw)
    await master_rows(
        stack,
        "update payments set state = 'verified', pf_payment_id = %s, m_payment_id = %s, payment_status = 'COMPLETE',"
        " token_sha256 = %s, billing_date = %s, amount_gross_cents = %s where id = %s",
        itn.pf_payment_id, itn.m_payment_id, hashlib.sha256(token.encode()).digest(), itn.billing_date,
        itn.amount_gross_cents, payment,
    )  # fmt: skip
