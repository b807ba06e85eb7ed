"""The daily look: failed charges, grace, suspension, trials, pauses and ends, as PayFast's books tell of them."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.subscriptions import tend_subscriptions
from tests.payfast_till import LetterBox, control, letter_box, visit
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    PRICE,
    at,
    charge,
    empty_books,
    events,
    open_checkout,
    pay,
    subscription,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows, tenant_rows

FETCH = "GET /payfast/api/subscriptions/{token}/fetch"
SLUG = "kloof-coffee"
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
    return await client(stack, agency, sandbox, box)


async def client(stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox, **terms: Any) -> str:
    token, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency, **terms))
    await took(stack, notice)
    await master_rows(stack, "update organizations set status = 'active' where slug = %s", SLUG)
    return token


async def look(stack: Stack, days: float, *, run: str = "run-1") -> Any:
    """The daily look so many days from now; its report of the client."""
    later = at(stack, datetime.now(UTC) + timedelta(days=days))
    return await tend_subscriptions(later, run, [KEY])


async def state(stack: Stack) -> tuple[str, str]:
    row = await subscription(stack)
    return row["status"], row["organization_status"]


def told(sandbox: Sandbox) -> list[str]:
    return [mail["subject"] for mail in sandbox.public("mail") if mail["recipient"] == "desk@kloof.example"]


def month() -> int:
    """Days until the next charge."""
    today = south_african_day(datetime.now(UTC))
    return (month_after(today) - today).days


async def test_nothing_happens_while_all_is_paid(stack: Stack, token: str, sandbox: Sandbox) -> None:
    before = await subscription(stack)

    report = await look(stack, 0)
    again = await look(stack, month() - 0.5)

    for one in (report, again):
        assert (one.done[KEY].rows, one.failed, one.waiting) == (0, {}, {})
    after = await subscription(stack)
    assert (after["payfast_status"], after["payfast_run_date"]) == ("ACTIVE", after["paid_until"])
    changing = ("payfast_status", "payfast_run_date", "payfast_fetched_at", "updated_at")
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert report.done[KEY].metadata["next charge"] == str(after["paid_until"])
    assert told(sandbox) == []


async def test_a_charge_that_fails_leads_by_grace_and_reminders_to_suspension_and_a_payment_back(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await charge(sandbox, box, token, outcome="failed")
    days = month()

    seen = []
    for passed in (0, 1, 1, 3, 4, 5, 7, 8, 9):
        await look(stack, days + passed)
        seen.append((await state(stack), len(told(sandbox))))

    late, off = ("past_due", "active"), ("suspended", "suspended")
    assert seen == [
        (("active", "active"), 0),
        (late, 1),
        (late, 1),
        (late, 1),
        (late, 2),
        (late, 2),
        (late, 3),
        (off, 4),
        (off, 4),
    ]
    assert told(sandbox) == [
        "Your payment did not come in",
        "Your payment is still open",
        "Tomorrow your account is suspended",
        "Your account is suspended",
    ]
    letter = next(mail for mail in sandbox.public("mail") if mail["subject"] == "Your payment did not come in")
    assert f"/eng/recurring/update/{token}?return=https%3A%2F%2Fkloof-coffee.draggonnb.app" in letter["text"]
    assert "R1500.00 for Starter" in letter["text"]

    assert await took(stack, *(await charge(sandbox, box, token))) == [SLUG]
    await look(stack, 1)

    assert await state(stack) == ("active", "active")
    found = await subscription(stack)
    assert (found["grace_until"], found["suspended_at"]) == (None, None)
    assert found["paid_until"] == month_after(month_after(found["started_on"]))
    kinds = ["past_due", "payment_reminder", "payment_last_warning", "suspended"]
    assert await events(stack) == ["started", "paid", *kinds, "paid"]
    assert len(told(sandbox)) == 4


async def test_a_locked_card_is_told_at_once_and_a_new_card_makes_it_good(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await control(sandbox, "charge", token=token, outcome="failed", times=3)
    await look(stack, 0)
    locked = await state(stack)
    await visit("POST", f"{sandbox.url}/payfast/eng/recurring/update/{token}")

    await look(stack, 0.1)

    assert (locked, await state(stack)) == (("past_due", "active"), ("active", "active"))
    assert await events(stack) == ["started", "paid", "past_due", "recovered"]


async def test_who_is_being_set_up_is_told_by_the_agency_and_stays_so(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    token = await client(stack, agency, sandbox, box)
    await master_rows(stack, "update organizations set status = 'provisioning' where slug = %s", SLUG)
    await charge(sandbox, box, token, outcome="failed")

    await look(stack, month() + 1)
    await look(stack, month() + 9)

    assert await state(stack) == ("suspended", "provisioning")
    assert len(told(sandbox)) == 2
    rows = await tenant_rows(
        stack, agency, "select recipient from notification_deliveries where event_key like 'past_due:%%'"
    )
    assert [row["recipient"] for row in rows] == ["desk@kloof.example"]


async def test_a_trial_is_announced_before_it_ends(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    token = await client(stack, agency, sandbox, box, trial_days=14, amount_cents=0)

    await look(stack, 10)
    early = told(sandbox)
    await look(stack, 11)
    await look(stack, 12)
    ends = told(sandbox)
    await look(stack, 15)
    unpaid = await state(stack)
    await took(stack, *(await charge(sandbox, box, token)))

    trial_end = south_african_day(datetime.now(UTC)) + timedelta(days=14)
    assert (early, ends) == ([], [f"Your trial ends on {trial_end}"])
    assert (unpaid, await state(stack)) == (("past_due", "active"), ("active", "active"))


async def test_what_was_cancelled_at_payfast_runs_until_it_is_used_up(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await stack.payfast.cancel(token)
    [notice] = [seen.body for seen in await box.requests(1)]

    await look(stack, 1)  # the notice is not here yet
    before = await state(stack)
    await took(stack, notice)
    sandbox.faults(FETCH, {"kind": "status", "status": 404}, repeat=True)  # PayFast need not know it any more
    await look(stack, month() - 1)
    last_day = await state(stack)
    await look(stack, month())
    await look(stack, month() + 1)

    assert (before, last_day) == (("cancelled", "active"), ("cancelled", "active"))
    assert await state(stack) == ("expired", "suspended")
    assert await events(stack) == ["started", "paid", "cancelled", "expired"]
    assert told(sandbox) == ["Your subscription is cancelled", "Your account has ended"]


async def test_a_pause_that_began_at_payfast_ends_with_its_next_charge(
    stack: Stack, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    await stack.payfast.pause(token)
    await look(stack, 1)
    paused = await state(stack)
    await look(stack, month() + 1)  # used up
    off = await state(stack)
    assert await charge(sandbox, box, token, outcome="no_itn") == []  # left out
    await look(stack, month() + 2)
    still_off = await state(stack)
    await took(stack, *(await charge(sandbox, box, token)))

    assert (paused, off, still_off) == (("paused", "active"), ("paused", "suspended"), ("paused", "suspended"))
    assert await state(stack) == ("active", "active")
    found = await subscription(stack)
    assert found["paid_until"] == month_after(month_after(month_after(found["started_on"])))


async def test_a_payfast_that_is_away_leaves_all_as_it_is(stack: Stack, token: str, sandbox: Sandbox) -> None:
    sandbox.faults(FETCH, {"kind": "status", "status": 503}, repeat=True)
    away = await look(stack, month() + 30)
    sandbox.clear_faults()
    sandbox.faults(FETCH, {"kind": "status", "status": 401}, repeat=True)
    refused = await look(stack, month() + 30)

    assert (list(away.waiting), away.done, away.failed) == ([KEY], {}, {})
    assert (list(refused.failed), refused.done, refused.waiting) == ([KEY], {}, {})
    assert "PayFast does not take our signature" in refused.failed[KEY]
    assert await state(stack) == ("active", "active")
    assert told(sandbox) == []


async def test_the_clients_own_database_follows(
    stack: Stack, agency: Organization, outsider: Organization, token: str, sandbox: Sandbox, box: LetterBox
) -> None:
    # The outsider's database stands for the client's, whose own would have to be made first.
    await master_rows(stack, "update organizations set database_name = null where slug = 'outsider'")
    await master_rows(
        stack,
        "update organizations set database_name = %s, dsn_sealed = null where slug = %s",
        outsider.database_name,
        SLUG,
    )
    try:
        await look(stack, 0)
        await look(stack, 0)
        history = await tenant_rows(
            stack, outsider, "select plan, status, amount_cents from subscription_history order by created_at"
        )
        [copy] = await tenant_rows(stack, outsider, "select subscription_tier, limits from organizations")
    finally:
        await tenant_rows(stack, outsider, "delete from subscription_history returning id")
        await tenant_rows(
            stack, outsider, "update organizations set subscription_tier = null, limits = '{}' returning id"
        )
        await master_rows(stack, "update organizations set database_name = null where slug = %s", SLUG)
        await master_rows(
            stack, "update organizations set database_name = %s where slug = 'outsider'", outsider.database_name
        )

    assert [(row["plan"], row["status"], row["amount_cents"]) for row in history] == [("starter", "active", PRICE)] * 2
    assert copy["subscription_tier"] == "starter"
    assert copy["limits"]["posts_monthly"] == 30
    uncopied = await master_rows(stack, "select id from subscription_events where copied_at is null")
    assert uncopied == []


async def test_an_organization_without_a_subscription_is_idle(stack: Stack, agency: Organization) -> None:
    key = PartitionKey("draggonnb", datetime.now(UTC).date())

    report = await tend_subscriptions(stack, "run-1", [key])

    assert (report.done[key].rows, report.failed, report.waiting) == (0, {}, {})
