"""Money for which there is no place is kept, and a person is asked: nobody's subscription is touched by it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.itn import parse_itn
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    ONE_OF_EACH,
    PRICE,
    at,
    books,
    charge,
    empty_books,
    found_in_history,
    open_checkout,
    pay,
    payments,
    subscription,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows


@pytest.fixture(autouse=True)
def clean_books(world: World) -> Iterator[None]:
    empty_books(world.dsn)
    yield
    empty_books(world.dsn)


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


def today() -> Any:
    return south_african_day(datetime.now(UTC))


async def test_a_second_agreement_for_a_paid_checkout_is_for_a_person(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency)
    _, first = await pay(stack, sandbox, box, checkout)
    again, second = await pay(stack, sandbox, box, checkout)
    await took(stack, first)
    before = await subscription(stack)

    assert await took(stack, second) == []

    [parked] = [row for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked["reason"].startswith("paid twice: this checkout has a subscription already; cancel the second")
    assert await subscription(stack) == before
    assert await books(stack) == ONE_OF_EACH | {"subscription_events": 2}
    assert [mail["subject"] for mail in sandbox.public("mail")] == ["A payment needs you"]
    # Cancelling the second one, as asked, does not end the first.
    await stack.payfast.cancel(again)
    [ended] = [seen.body for seen in await box.requests(1)]
    await took(stack, ended)
    assert (await subscription(stack))["status"] == "active"


async def test_a_token_of_another_client_is_never_taken_over(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    other = await open_checkout(stack, agency, company="Other Shop")
    token, first = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await took(stack, first, *[(await pay(stack, sandbox, box, other))[1]])
    await master_rows(
        stack,
        "update subscriptions set payfast_token_sha256 = sha256(convert_to(%s, 'UTF8')) where m_payment_id = %s",
        "moved-away-token",
        (await payments(stack))[0]["m_payment_id"],
    )
    await master_rows(
        stack,
        "update subscriptions set payfast_token_sha256 = sha256(convert_to(%s, 'UTF8')) where m_payment_id = %s",
        token,
        other["m_payment_id"],
    )

    assert await took(stack, *(await charge(sandbox, box, token))) == []

    parked = [row["reason"] for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked == ["PayFast's token is that of another client's subscription"]


async def test_two_plans_of_one_proposal_cannot_both_be_paid(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    [made] = await master_rows(stack, "select gen_random_uuid() as id")
    chosen = [await open_checkout(stack, agency, proposal_id=made["id"], plan_key=key) for key in ("starter", "growth")]
    notices = [(await pay(stack, sandbox, box, checkout))[1] for checkout in chosen]

    assert await took(stack, notices[0]) == ["kloof-coffee"]
    [other] = await master_rows(stack, "select state from checkouts where id = %s", chosen[1]["id"])
    assert await took(stack, notices[1]) == []

    assert other["state"] == "superseded"
    assert {row["state"] for row in await payments(stack)} == {"applied", "needs_review"}
    assert (await books(stack))["organizations"] == 1


async def test_money_that_fits_nothing_is_kept_for_a_person(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency)
    _, first = await pay(stack, sandbox, box, checkout)
    await took(stack, first)
    await found_in_history(stack, checkout["m_payment_id"], "777001", 12345, today())
    await found_in_history(stack, "somebody-else", "777002", PRICE, today())

    assert await take_notices(stack, "run-1") == []

    reasons = {row["pf_payment_id"]: row["reason"] for row in await payments(stack) if row["state"] == "needs_review"}
    assert set(reasons) == {"777001", "777002"}
    assert reasons["777001"].startswith("R123.45 was paid for")
    assert reasons["777002"] == "PayFast sent it, but no subscription of ours is meant"
    assert (await subscription(stack))["paid_until"] == month_after(today())


async def test_a_cancellation_that_nothing_was_paid_for_is_for_a_person_after_some_days(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    token, _ = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await stack.payfast.cancel(token)
    [ended] = [seen.body for seen in await box.requests(1)]

    await took(stack, ended)
    early = await payments(stack)
    await take_notices(at(stack, datetime.now(UTC) + timedelta(days=4)), "run-2")
    late = await payments(stack)

    assert [(row["state"], row["reason"]) for row in early] == [("verified", "the first payment has not come yet")]
    assert [row["state"] for row in late] == ["needs_review"]
    assert (await books(stack))["subscriptions"] == 0


async def test_a_payment_number_that_was_booked_for_another_order_is_for_a_person(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    first, second = await open_checkout(stack, agency), await open_checkout(stack, agency, company="Other Shop")
    await took(stack, (await pay(stack, sandbox, box, first))[1])
    _, notice = await pay(stack, sandbox, box, second)
    number = dict(parse_itn(notice).pairs)["pf_payment_id"]
    await master_rows(stack, "update payments set pf_payment_id = %s", number)

    assert await took(stack, notice) == []

    [parked] = [row for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked["reason"].startswith(f"PayFast's payment {number} was booked for {first['m_payment_id']} already")
    assert await books(stack) == ONE_OF_EACH | {"checkouts": 2, "subscription_events": 2}
