"""What a person says about a payment for which there was no place: once, written down, and the books follow."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.books import compare_books, read_history
from draggonnb_pipelines.workflows.billing.payment_answers import check_payment_again, settle_payment
from draggonnb_pipelines.workflows.billing.payments import take_notices
from tests.payfast_till import MERCHANT, LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    ONE_OF_EACH,
    books,
    empty_books,
    open_checkout,
    pay,
    payments,
    receive,
    subscription,
    today,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows, variant

PROVISIONING = load_queries("provisioning")


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
async def parked(stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox) -> UUID:
    """A checkout that was paid twice: the second payment waits for a person."""
    checkout = await open_checkout(stack, agency)
    for _ in range(2):
        await took(stack, (await pay(stack, sandbox, box, checkout))[1])
    [row] = [row for row in await payments(stack) if row["state"] == "needs_review"]
    return row["id"]


async def settle(stack: Stack, payment: UUID, way: str, note: str = "Refund 17 of the dashboard") -> None:
    await settle_payment(stack.master, payment, way, note=note, by="front-desk", now=stack.now())


async def unclear(stack: Stack) -> list[str]:
    async with stack.master.connection() as conn:
        return [row["state"] async for row in PROVISIONING.unclear_notices(conn)]


async def audited(stack: Stack) -> list[tuple[str, str, dict[str, str]]]:
    rows = await master_rows(
        stack, "select actor, action, metadata from audit_log where action like 'payment.%%' order by id"
    )
    return [(row["actor"], row["action"], row["metadata"]) for row in rows]


async def test_a_payment_waits_until_a_person_says_what_was_done(stack: Stack, parked: UUID) -> None:
    before, known = await subscription(stack), await audited(stack)
    assert await unclear(stack) == ["needs_review"]

    await asyncio.gather(*(settle(stack, parked, "refunded") for _ in range(4)))

    assert await unclear(stack) == []
    [row] = [row for row in await payments(stack) if row["id"] == parked]
    assert (row["state"], row["settled_as"], row["settled_by"]) == ("settled", "refunded", "front-desk")
    assert row["settled_note"] == "Refund 17 of the dashboard"
    assert (await audited(stack))[len(known) :] == [("front-desk", "payment.settled", {"as": "refunded"})]
    assert await subscription(stack) == before
    assert await take_notices(stack, "run-9") == []
    with pytest.raises(OperatorError, match="is settled as refunded: it waits for no answer"):
        await settle(stack, parked, "applied-by-hand")


@pytest.mark.parametrize(("way", "is_clear"), [("refunded", False), ("applied-by-hand", True)])
async def test_the_books_follow_the_answer_and_payfast(
    stack: Stack, agency: Organization, parked: UUID, way: str, is_clear: bool
) -> None:
    key = PartitionKey("kloof-coffee", today())
    await read_history(stack, "run-1", today(), today())
    await master_rows(stack, "delete from book_findings")

    await settle(stack, parked, way)
    await compare_books(stack, "run-2", [key])
    kinds = await master_rows(stack, "select kind from book_findings where settled_at is null order by kind")

    # The first payment was not invoiced in this test; a refund is one once PayFast's history has it.
    assert [row["kind"] for row in kinds] == (["not_invoiced"] if is_clear else ["not_applied", "not_invoiced"])
    assert (await read_history(stack, "run-3", today(), today())).missed == ()
    await master_rows(stack, "delete from book_findings")
    await master_rows(stack, "delete from payfast_history_days")


@pytest.mark.parametrize(
    ("way", "note", "words"),
    [
        ("forgotten", "x", "a payment is refunded or applied-by-hand, with a note"),
        ("refunded", "  ", "a payment is refunded or applied-by-hand, with a note"),
    ],
)
async def test_an_answer_has_a_kind_and_a_note(stack: Stack, parked: UUID, way: str, note: str, words: str) -> None:
    with pytest.raises(OperatorError, match=words):
        await settle(stack, parked, way, note)

    assert await unclear(stack) == ["needs_review"]


async def test_what_waits_for_nobody_is_not_settled(stack: Stack, parked: UUID) -> None:
    [applied] = [row["id"] for row in await payments(stack) if row["state"] == "applied"]
    known = await audited(stack)

    with pytest.raises(OperatorError, match="is applied: it waits for no answer"):
        await settle(stack, applied, "refunded")
    with pytest.raises(OperatorError, match="is applied"):
        await check_payment_again(stack.master, applied, by="front-desk", now=stack.now())
    with pytest.raises(OperatorError, match="there is no payment"):
        await settle(stack, uuid4(), "refunded")

    assert await audited(stack) == known
    assert sorted(row["state"] for row in await payments(stack)) == ["applied", "needs_review"]


async def test_a_true_notice_that_a_wrong_passphrase_refused_begins_its_client_when_it_is_checked_again(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    mistyped = variant(
        stack,
        payfast_merchant_id=MERCHANT["merchant_id"],
        payfast_merchant_key=SecretStr(MERCHANT["merchant_key"]),
        payfast_passphrase=SecretStr("mistyped"),
    )
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    [payment] = await receive(stack, notice)
    assert await take_notices(mistyped, "run-1") == []
    assert [row["reason"].startswith("the signature is wrong") for row in await payments(stack)] == [True]

    await check_payment_again(stack.master, payment, by="front-desk", now=stack.now())
    assert await take_notices(stack, "run-2") == ["kloof-coffee"]

    assert await books(stack) == ONE_OF_EACH | {"subscription_events": 2}
    assert (await subscription(stack))["payfast_token_sealed"] is not None
    assert (await audited(stack))[-1] == ("front-desk", "payment.checked_again", {})
    assert token  # the agreement can be asked about and ended


async def test_a_forgery_that_is_checked_again_is_refused_again(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    [payment] = await receive(stack, notice.replace(b"1500.00", b"5.00"))
    await take_notices(stack, "run-1")

    await check_payment_again(stack.master, payment, by="front-desk", now=stack.now() - timedelta(minutes=1))
    assert await take_notices(stack, "run-2") == []

    [row] = await payments(stack)
    assert (row["state"], row["applied_at"]) == ("rejected", None)
    assert (await books(stack))["organizations"] == 0
    assert datetime.now(UTC) >= row["told_at"]
