"""Notices that are believed: in any order, any number of times, by any number of processes, each has one effect."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscription_changes import open_token
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    ONE_OF_EACH,
    PRICE,
    books,
    charge,
    empty_books,
    events,
    found_in_history,
    open_checkout,
    pay,
    payments,
    receive,
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


async def test_the_first_payment_begins_an_organization_a_subscription_and_its_provisioning(
    stack: Stack, agency: Organization, outsider: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency, contact_phone="+27821234567")
    other = await open_checkout(stack, agency, proposal_id=checkout["id"], plan_key="growth")
    token, notice = await pay(stack, sandbox, box, checkout)

    assert await took(stack, notice) == ["kloof-coffee"]

    assert await books(stack) == ONE_OF_EACH | {"checkouts": 2, "subscription_events": 2}
    found = await subscription(stack)
    assert (found["slug"], found["organization_status"], found["organization_plan"]) == (
        "kloof-coffee",
        "provisioning",
        "starter",
    )
    assert (found["status"], found["amount_cents"], found["started_on"]) == ("active", PRICE, today())
    assert found["paid_until"] == found["next_billing_on"] == month_after(today())
    assert await events(stack) == ["started", "paid"]
    async with stack.master.connection() as conn:
        assert await open_token(stack, conn, found["id"]) == token
    [provisioning] = await master_rows(stack, "select * from provisionings")
    assert (provisioning["state"], provisioning["owner_name"], provisioning["owner_email"]) == (
        "waiting",
        "Front Desk",
        "desk@kloof.example",
    )
    assert (provisioning["subscription_id"], provisioning["run_id"]) == (found["id"], None)
    [paid] = await payments(stack)
    assert (paid["state"], paid["kind"], paid["organization_id"]) == ("applied", "period", found["organization_id"])
    assert paid["checks"] == dict.fromkeys(("signature", "source", "merchant", "amount", "postback"), True)
    [kept] = await master_rows(stack, "select * from checkouts where id = %s", checkout["id"])
    [left] = await master_rows(stack, "select * from checkouts where id = %s", other["id"])
    assert (kept["state"], kept["subscription_id"], left["state"]) == ("paid", found["id"], "open")
    assert sandbox.public("mail") == []


async def test_a_new_organization_has_keys_of_its_own_and_takes_webhooks(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await took(stack, notice)

    [row] = await master_rows(stack, "select * from organizations where slug = 'kloof-coffee'")
    key = stack.vault.tenant_key(row["id"], bytes(row["data_key_wrapped"]))
    token, secret = (key.derive_token(use, str(row["id"])) for use in ("webhook", "webhook-hmac"))
    assert bytes(row["webhook_token_sha256"]) == hashlib.sha256(token.encode()).digest()
    assert stack.vault.open(row["webhook_secret_sealed"], webhook_secret_context(row["id"])) == secret.encode()
    assert row["database_name"] is None


async def test_two_companies_of_one_name_are_two_organizations(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    notices = [(await pay(stack, sandbox, box, await open_checkout(stack, agency)))[1] for _ in range(3)]

    assert await took(stack, *notices) == ["kloof-coffee", "kloof-coffee-2", "kloof-coffee-3"]


def end_state(found: dict[str, Any]) -> dict[str, Any]:
    names = ("slug", "status", "plan_key", "amount_cents", "started_on", "trial_ends_on", "paid_until")
    return {name: found[name] for name in names} | {"is_cancelled": found["cancelled_at"] is not None}


@pytest.mark.parametrize("trial_days", [0, 14])
async def test_notices_in_every_order_and_many_times_come_to_the_same(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox, trial_days: int
) -> None:
    terms = {"trial_days": trial_days, "amount_cents": 0 if trial_days else PRICE}
    checkout = await open_checkout(stack, agency, **terms)
    token, first = await pay(stack, sandbox, box, checkout)
    second, third = await charge(sandbox, box, token, times=2)
    await stack.payfast.cancel(token)
    [ended] = [seen.body for seen in await box.requests(1)]

    ends, kinds = [], []
    every = list(itertools.permutations((first, second, third, ended)))
    for order in every[:: 3 if trial_days else 1]:
        empty_books(world.dsn)
        await open_checkout(stack, agency, **terms, m_payment_id=checkout["m_payment_id"])
        for notice in order:
            await took(stack, notice)
        await receive(stack, *order, source="::1")
        await master_rows(stack, "update payments set not_before = now() where state = 'verified'")
        await took(stack, *order)
        ends.append(end_state(await subscription(stack)))
        kinds.append(sorted(await events(stack)))
        assert await books(stack) == ONE_OF_EACH | {"subscription_events": len(kinds[-1])}
        assert sorted(row["state"] for row in await payments(stack)) == ["applied"] * 4 + ["rejected"] * 4

    assert all(end == ends[0] for end in ends)
    assert all(kind == kinds[0] for kind in kinds)
    assert kinds[0] == ["cancelled", *(["paid"] * (2 if trial_days else 3)), "started"]
    assert (ends[0]["status"], ends[0]["started_on"], ends[0]["is_cancelled"]) == ("cancelled", today(), True)
    first_charge = today() + timedelta(days=trial_days)
    months = 2 if trial_days else 3
    until = first_charge
    for _ in range(months):
        until = month_after(until)
    assert ends[0]["paid_until"] == until
    assert sandbox.public("mail") == []


async def test_a_trial_is_paid_with_nothing_and_becomes_active_with_its_first_month(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency, trial_days=14, amount_cents=0)
    token, begun = await pay(stack, sandbox, box, checkout)

    await took(stack, begun)
    trial = await subscription(stack)
    await took(stack, *(await charge(sandbox, box, token)))
    active = await subscription(stack)

    ends = today() + timedelta(days=14)
    assert (trial["status"], trial["trial_ends_on"], trial["paid_until"]) == ("trial", ends, ends)
    assert (active["status"], active["paid_until"]) == ("active", month_after(ends))
    assert [row["kind"] for row in await payments(stack)] == ["other", "period"]


async def test_a_checkout_that_was_replaced_or_is_over_is_still_honoured_when_it_is_paid(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    gone = [await open_checkout(stack, agency, state=state) for state in ("superseded", "expired")]
    notices = [(await pay(stack, sandbox, box, checkout))[1] for checkout in gone]

    assert await took(stack, *notices) == ["kloof-coffee", "kloof-coffee-2"]


async def test_what_only_the_history_shows_is_applied_once_and_its_late_notice_brings_the_token(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    checkout = await open_checkout(stack, agency)
    token, first = await pay(stack, sandbox, box, checkout)
    second, third = await charge(sandbox, box, token, times=2)
    ids = [one["pf_payment_id"] for one in sandbox.public("payfast")]
    for pf_payment_id in ids[:2]:
        await found_in_history(stack, checkout["m_payment_id"], pf_payment_id, PRICE, today())

    assert await take_notices(stack, "run-1") == ["kloof-coffee"]
    by_history = await subscription(stack)
    await took(stack, third, second, first)
    after = await subscription(stack)

    assert (by_history["payfast_token_sha256"], by_history["paid_until"]) == (None, month_after(month_after(today())))
    assert bytes(after["payfast_token_sha256"]) == hashlib.sha256(token.encode()).digest()
    assert after["paid_until"] == month_after(month_after(month_after(today())))
    assert await books(stack) == ONE_OF_EACH | {"subscription_events": 4}
    assert sorted(row["state"] for row in await payments(stack)) == ["applied"] * 3 + ["rejected"] * 2
    days = [row["billing_date"] for row in await payments(stack) if row["state"] == "applied"]
    assert len(set(days)) == 3
    assert sandbox.public("mail") == []
