"""Notices that are believed: in any order, any number of times, by any number of processes, each has one effect."""

import asyncio
import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.notices import send_waiting
from draggonnb_pipelines.workflows.payments import take_notices
from draggonnb_pipelines.workflows.subscription_changes import open_token, south_african_day
from tests.conftest import MASTER_KEYS
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    PRICE,
    at,
    books,
    charge,
    empty_books,
    events,
    open_checkout,
    pay,
    payments,
    receive,
    subscription,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows
from tests.workflows.payments_worker import GATE
from tests.workflows.test_publish_cuts import Cutter

VALIDATE = "POST /payfast/eng/query/validate"
ONE_OF_EACH = {"checkouts": 1, "subscriptions": 1, "provisionings": 1, "organizations": 1, "subscription_orders": 0}


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
        "Thandi Nkosi",
        "thandi@kloof.example",
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


async def test_while_payfast_cannot_be_asked_nothing_is_lost_and_nothing_believed(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    notices = [(await pay(stack, sandbox, box, await open_checkout(stack, agency)))[1] for _ in range(3)]
    sandbox.faults(VALIDATE, {"kind": "status", "status": 503}, repeat=True)

    assert await took(stack, *notices) == []
    waiting = await payments(stack)
    asked = sum(entry["route"] == VALIDATE for entry in sandbox.journal("payfast"))
    assert {(row["state"], row["attempts"]) for row in waiting} == {("received", 1)}
    assert all("503" in row["reason"] for row in waiting)
    assert (await books(stack))["organizations"] == 0
    assert asked < 20  # one after the other would have waited for the same silence

    for minutes in (1, 600):
        assert await take_notices(at(stack, datetime.now(UTC) + timedelta(minutes=minutes)), "run-2") == []
    sandbox.clear_faults()
    slugs = await take_notices(at(stack, datetime.now(UTC) + timedelta(days=1)), "run-3")

    assert slugs == ["kloof-coffee", "kloof-coffee-2", "kloof-coffee-3"]
    assert {row["state"] for row in await payments(stack)} == {"applied"}
    assert sandbox.public("mail") == []


@pytest.mark.parametrize("before", [True, False])
async def test_cut_off_between_any_two_statements_it_has_one_effect(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox,
    monkeypatch: pytest.MonkeyPatch, before: bool,
) -> None:  # fmt: skip
    checkout = await open_checkout(stack, agency)
    token, first = await pay(stack, sandbox, box, checkout)
    notices = [first, *(await charge(sandbox, box, token)), b"nonsense"]

    cutter = _Cut(0, before=before)
    while cutter.was_in_time:
        cutter = _Cut(cutter.at + 1, before=before)
        empty_books(world.dsn)
        await open_checkout(stack, agency, m_payment_id=checkout["m_payment_id"])
        await receive(stack, *notices)
        await cutter.run(stack, agency, monkeypatch)
        afterwards = at(stack, datetime.now(UTC) + timedelta(hours=2))
        await take_notices(afterwards, "run-2")
        await send_waiting(afterwards, agency)

        assert await books(stack) == ONE_OF_EACH | {"subscription_events": 3}
        assert sorted(row["state"] for row in await payments(stack)) == ["applied", "applied", "rejected"]
        assert (await subscription(stack))["paid_until"] == month_after(month_after(today()))
        [forgery] = [row for row in await payments(stack) if row["state"] == "rejected"]
        mails = [mail for mail in sandbox.public("mail") if str(forgery["id"]) in mail["text"]]
        assert len({mail["headers"]["message-id"] for mail in mails}) == 1
    assert cutter.at > 30


class _Cut(Cutter):
    async def run(self, stack: Stack, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        with self._counting(monkeypatch):
            self.task = asyncio.create_task(take_notices(stack, "run-1"))
            await asyncio.gather(self.task, return_exceptions=True)


def _worker(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.workflows.payments_worker"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _until_they_wait(gate: psycopg.Connection, count: int) -> None:
    waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    deadline = time.monotonic() + 40
    while gate.execute(waits, (GATE,)).fetchone() != (count,) and time.monotonic() < deadline:
        time.sleep(0.1)


async def test_four_processes_at_once_give_each_notice_one_effect(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    clients, notices = 8, []
    for _ in range(clients):
        token, first = await pay(stack, sandbox, box, await open_checkout(stack, agency))
        notices += [*(await charge(sandbox, box, token, times=2)), first]
    with psycopg.connect(world.dsn, autocommit=True) as gate:
        gate.execute("select pg_advisory_lock(%s)", (GATE,))
        environment = os.environ | {
            "DRAGGONNB_MASTER_DSN": world.dsn,
            "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
            "DRAGGONNB_SANDBOX_PORT": str(sandbox.port),
        }
        workers = [_worker(environment) for _ in range(4)]
        await receive(stack, *notices)
        await receive(stack, *notices, source="::1")
        await asyncio.to_thread(_until_they_wait, gate, len(workers))
    touched = [json.loads((await asyncio.to_thread(worker.communicate, timeout=60))[0]) for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4
    slugs = {"kloof-coffee", *(f"kloof-coffee-{number}" for number in range(2, clients + 1))}
    assert set(itertools.chain(*touched)) <= slugs
    await take_notices(at(stack, datetime.now(UTC) + timedelta(hours=2)), "afterwards")
    found = await books(stack)
    assert (found["organizations"], found["subscriptions"], found["provisionings"]) == (clients,) * 3
    assert found["subscription_events"] == clients * 4
    states = sorted(row["state"] for row in await payments(stack))
    assert states == ["applied"] * clients * 3 + ["rejected"] * clients * 3
    until = month_after(month_after(month_after(today())))
    assert {row["paid_until"] for row in await master_rows(stack, "select paid_until from subscriptions")} == {until}
    assert sandbox.public("mail") == []


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


async def test_a_checkout_that_was_replaced_or_is_over_is_still_honoured_when_it_is_paid(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    gone = [await open_checkout(stack, agency, state=state) for state in ("superseded", "expired")]
    notices = [(await pay(stack, sandbox, box, checkout))[1] for checkout in gone]

    assert await took(stack, *notices) == ["kloof-coffee", "kloof-coffee-2"]


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


async def test_one_notice_that_breaks_us_does_not_keep_the_others_waiting(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await master_rows(stack, "insert into payments (raw_sealed, raw_sha256) values ('\\x00', sha256('x'))")

    assert await took(stack, notice) == ["kloof-coffee"]

    [broken] = [row for row in await payments(stack) if row["state"] != "applied"]
    assert (broken["state"], broken["attempts"]) == ("received", 1)
