"""Ways in which a daily run served who does not pay, told nobody, or stood still for one client, each closed."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscriptions import tend_subscriptions
from tests.payfast_till import LetterBox, control, letter_box, visit
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    PRICE,
    SLUG,
    at,
    charge,
    empty_books,
    events,
    found_in_history,
    open_checkout,
    pay,
    payments,
    place,
    receive,
    subscription,
    today,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows

PROVISIONING = load_queries("provisioning")
KEY = PartitionKey(SLUG, datetime.now(UTC).date())
FETCH = "GET /payfast/api/subscriptions/{token}/fetch"


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


def later(stack: Stack, days: float) -> Stack:
    return at(stack, datetime.now(UTC) + timedelta(days=days))


def month() -> int:
    """Days until the next charge."""
    return (month_after(today()) - today()).days


def subjects(sandbox: Sandbox) -> list[str]:
    return [mail["subject"] for mail in sandbox.public("mail")]


async def state(stack: Stack) -> tuple[str, str]:
    row = await subscription(stack)
    return row["status"], row["organization_status"]


async def test_who_stopped_paying_while_it_was_set_up_is_not_served_when_that_ends(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await master_rows(stack, "update organizations set status = 'provisioning' where slug = %s", SLUG)
    await charge(sandbox, box, token, outcome="failed")
    for days in (1, 9):
        await tend_subscriptions(later(stack, month() + days), "run-1", [KEY])
    assert await state(stack) == ("suspended", "provisioning")

    await _finish_set_up(stack)

    assert await state(stack) == ("suspended", "suspended")
    await took(stack, *(await charge(sandbox, box, token)))
    assert await state(stack) == ("active", "active")


async def _finish_set_up(stack: Stack) -> None:
    [row] = await master_rows(
        stack, "update provisionings set state = 'running', run_id = 'run-1' returning organization_id"
    )
    await master_rows(
        stack,
        "insert into stack_resources (organization_id, step, name, vendor, mark, state, vendor_id, ready_at)"
        " values (%s, 'github_repo', 'repo', 'github', 'mark', 'ready', '1', now())",
        row["organization_id"],
    )
    async with stack.master.connection() as conn:
        await PROVISIONING.finish_clients(
            conn, organization_ids=[row["organization_id"]], steps=["github_repo"], run_id="run-1", now=stack.now()
        )
    await master_rows(stack, "delete from stack_resources")


async def test_a_client_whose_first_notice_was_lost_is_late_when_the_history_has_no_payment(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    checkout = await open_checkout(stack, agency)
    await found_in_history(stack, checkout["m_payment_id"], "990001", PRICE, today())
    await take_notices(stack, "run-1")
    await master_rows(stack, "update organizations set status = 'active' where slug = %s", SLUG)
    due = month_after(today())

    await tend_subscriptions(later(stack, month() + 1), "run-1", [KEY])
    unread = await state(stack)
    # What was not read looks not like nothing.
    read_at = datetime.now(UTC) + timedelta(days=month() + 2)
    await master_rows(stack, "insert into payfast_history_days values (%s, %s)", due, read_at)
    for days in (2, 9):
        await tend_subscriptions(later(stack, month() + days), "run-2", [KEY])

    assert unread == ("active", "active")
    assert await state(stack) == ("suspended", "suspended")
    await found_in_history(stack, checkout["m_payment_id"], "990002", PRICE, due + timedelta(days=9))
    await take_notices(later(stack, month() + 9), "run-3")
    assert await state(stack) == ("active", "active")
    await master_rows(stack, "delete from payfast_history_days")


@pytest.mark.parametrize("hour", [4, 23])
async def test_seven_days_of_grace_end_on_the_seventh_whatever_the_hour_of_the_look(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox, hour: int
) -> None:
    """The looks come at 04:00 UTC, each a second earlier than the one before, or around South Africa's midnight."""
    await charge(sandbox, box, token, outcome="failed")
    first = datetime.combine(today() + timedelta(days=month() + 1), datetime.min.time(), UTC)
    first += timedelta(hours=hour)

    seen = []
    for passed in range(9):
        moment = first + timedelta(days=passed, seconds=-passed)
        await tend_subscriptions(at(stack, moment), "run-1", [KEY])
        seen.append((await state(stack))[0])

    assert seen == ["past_due"] * 7 + ["suspended"] * 2
    kinds = ["past_due", "payment_reminder", "payment_last_warning", "suspended"]
    assert (await events(stack))[2:] == kinds
    days = await master_rows(stack, "select kind, at from subscription_events where kind = any(%s)", kinds)
    assert [(row["at"] - first).days + 1 for row in days if row["kind"] != "past_due"] == [3, 6, 7]


async def test_a_card_that_failed_before_is_told_of_again_when_the_next_one_fails(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await control(sandbox, "charge", token=token, outcome="failed", times=3)
    await tend_subscriptions(stack, "run-1", [KEY])
    await visit("POST", f"{sandbox.url}/payfast/eng/recurring/update/{token}")
    await tend_subscriptions(later(stack, 0.1), "run-2", [KEY])
    assert await state(stack) == ("active", "active")

    for days in (1, 4, 7, 8):
        await tend_subscriptions(later(stack, month() + days), "run-3", [KEY])

    assert await state(stack) == ("suspended", "suspended")
    assert subjects(sandbox).count("Your payment did not come in") == 2


async def test_money_for_a_client_that_is_gone_is_for_a_person(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await master_rows(
        stack,
        "update organizations set status = 'closed', data_key_wrapped = null, database_name = null where slug = %s",
        SLUG,
    )
    before = await subscription(stack)

    assert await took(stack, *(await charge(sandbox, box, token))) == []
    report = await tend_subscriptions(later(stack, 1), "run-1", [KEY])

    [parked] = [row["reason"] for row in await payments(stack) if row["state"] == "needs_review"]
    assert parked.startswith("the client has left: cancel its agreement at PayFast")
    assert (await subscription(stack))["paid_until"] == before["paid_until"]
    assert (report.failed, report.waiting, list(report.done)) == ({}, {}, [KEY])
    assert subjects(sandbox) == ["A payment needs you"]


async def test_who_is_leaving_stops_no_daily_run_and_is_told_by_the_agency(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    # Its project is paused: the database does not answer.
    await master_rows(
        stack, "update organizations set status = 'offboarding', database_name = 'paused_project' where slug = %s", SLUG
    )
    await stack.payfast.cancel(token)
    await took(stack, *[seen.body for seen in await box.requests(1)])

    looked = await tend_subscriptions(stack, "run-1", [KEY])
    invoiced = await invoice_payments(stack, "run-1", [KEY])

    for report in (looked, invoiced):
        assert (report.failed, report.waiting, list(report.done)) == ({}, {}, [KEY])
    assert sorted(subject.split()[0] for subject in subjects(sandbox)) == ["Invoice", "Your"]
    assert {mail["recipient"] for mail in sandbox.public("mail")} == {"desk@kloof.example"}


async def test_credentials_that_payfast_does_not_take_are_not_tried_for_every_client(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    for number in range(8):
        _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency, company=f"Shop {number}"))
        await receive(stack, notice)
    slugs = await take_notices(stack, "run-1")
    sandbox.faults(FETCH, *[{"kind": "status", "status": 401}] * 20)

    report = await tend_subscriptions(stack, "run-1", [PartitionKey(slug, KEY.day) for slug in slugs])

    assert len(report.failed) == 8
    assert 1 <= sum(entry["route"].endswith("/fetch") for entry in sandbox.journal("payfast")) <= 4  # at once


async def test_a_flood_of_forgeries_all_day_is_one_mail_more_a_day(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    for batch in range(4):
        forged = [f"m_payment_id=x&amount_gross={batch}.{number:02}".encode() for number in range(6)]
        await took(stack, *forged, source="203.0.113.7")
    [parked] = await receive(stack, b"not looked at")
    await master_rows(
        stack,
        "update payments set state = 'needs_review', received_at = now() - interval '2 days' where id = %s",
        parked,
    )
    await master_rows(
        stack,
        "insert into payments (raw_sealed, raw_sha256, state) select 'x', sha256(n::text::bytea), 'rejected'"
        " from generate_series(1, 150) n",
    )

    async with stack.master.connection() as conn:
        unclear = [row async for row in PROVISIONING.unclear_notices(conn)]

    assert subjects(sandbox).count("A payment notice was refused") == 10
    assert len([subject for subject in subjects(sandbox) if "more payment notices were refused" in subject]) == 1
    assert unclear[0]["state"] == "needs_review"  # no flood hides it


async def test_what_waits_in_silence_is_shown(stack: Stack, agency: Organization, token: str) -> None:
    async def unclear() -> list[tuple[str, str]]:
        async with stack.master.connection() as conn:
            return [(row["state"], row["m_payment_id"]) async for row in PROVISIONING.unclear_notices(conn)]

    assert await unclear() == []
    await place(stack, "cancel")
    await master_rows(stack, "update subscription_orders set created_at = now() - interval '25 hours'")
    await master_rows(stack, "update subscriptions set payfast_token_sha256 = null, payfast_token_sealed = null")
    await master_rows(stack, "insert into payfast_history_days values (current_date, now() - interval '3 days')")

    assert sorted(await unclear()) == [("no token", SLUG), ("not read", "PayFast's history"), ("waiting", SLUG)]
    await master_rows(stack, "delete from payfast_history_days")
    await master_rows(stack, "update subscription_orders set state = 'refused', finished_at = now()")
    await master_rows(stack, "update organizations set status = 'closed' where slug = %s", SLUG)
    assert sorted(await unclear()) == [("no token", SLUG), ("still charged", SLUG)]
