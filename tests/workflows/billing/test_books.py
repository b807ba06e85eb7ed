"""The books: a payment without a notice is found in PayFast's history, and whatever differs is said to the cent."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import SAST
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.books import compare_books, read_history
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from tests.payfast_till import buy, checkout
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.invoice_work import Ledger, empty_ledger
from tests.workflows.lead_work import variant

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)
NEXT_DAY = NOON + timedelta(days=1)


@pytest.fixture
def ledger(world: World) -> Iterator[Ledger]:
    with empty_ledger(world.dsn, dsn_for(world.dsn, str(world.agency.database_name))) as ledger:
        yield ledger


def today() -> date:
    return datetime.now(SAST).date()


async def sell(stack: Stack, sandbox: Sandbox, m_payment_id: str) -> str:
    """Somebody pays R1 500,00, and nobody takes the notice of it; PayFast's id."""
    page = await buy(sandbox, stack.payfast, checkout(m_payment_id=m_payment_id))
    assert page.status_code < 400
    return sandbox.public("payfast")[-1]["pf_payment_id"]


def has_read(ledger: Ledger, *lines: tuple[str, str, int], day: date = DAY, fee: int = -5450) -> None:
    """PayFast's history of a day as it was read on the next one: (id of PayFast, kind, cents)."""
    for pf_payment_id, kind, cents in lines:
        ledger.rows(
            "insert into payfast_transactions (pf_payment_id, kind, m_payment_id, day, gross_cents, fee_cents,"
            " net_cents) values (%s, %s, 'DRG-1', %s, %s, %s, %s)",
            *(pf_payment_id, kind, day, cents, fee, cents + fee),
        )
    ledger.rows("insert into payfast_history_days values (%s, %s) on conflict do nothing", day, NEXT_DAY)


async def compare(stack: Stack, *organizations: Organization, day: date = DAY) -> dict[str, KeyReport]:
    report = await compare_books(
        variant(stack, now=lambda: NEXT_DAY), "run-1", [PartitionKey(one.slug, day) for one in organizations]
    )
    assert report.failed == report.waiting == {}
    return {key.slug: done for key, done in report.done.items()}


def findings(ledger: Ledger) -> list[tuple[Any, ...]]:
    """What is open: kind, day, difference in cents."""
    rows = ledger.rows("select kind, day, difference_cents from book_findings where settled_at is null order by kind")
    return [tuple(row.values()) for row in rows]


def verdict(report: KeyReport) -> bool:
    [check] = report.checks
    assert check.name == "books_agree"
    return check.passed


async def test_a_payment_without_a_notice_is_found_once_whoever_reads(
    stack: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization
) -> None:
    ledger.subscribe(agency, "DRG-missed")
    missed = await sell(stack, sandbox, "DRG-missed")

    reads = await asyncio.gather(*(read_history(stack, "run-1", today(), today()) for _ in range(4)))
    later = await read_history(stack, "run-2", today() - timedelta(days=3), today())

    assert sorted(read.missed for read in reads) == [(), (), (), (missed,)]
    assert (later.transactions, later.missed) == (1, ())
    [row] = ledger.rows("select * from payments")
    assert (row["state"], row["found_in_history"], row["checks"]) == ("verified", True, {"history": True})
    assert (row["pf_payment_id"], row["m_payment_id"], row["payment_status"]) == (missed, "DRG-missed", "COMPLETE")
    assert (row["amount_gross_cents"], row["amount_fee_cents"], row["amount_net_cents"]) == (150000, -5450, 144550)
    raw = stack.vault.open(row["raw_sealed"], "payments:raw")
    assert hashlib.sha256(raw).digest() == row["raw_sha256"]
    assert f"150000,-5450,144550,DRG-missed,{missed}" in raw.decode()
    [stored] = ledger.rows("select pf_payment_id, kind, day, gross_cents from payfast_transactions")
    assert stored == {"pf_payment_id": missed, "kind": "FUNDS_RECEIVED", "day": today(), "gross_cents": 150000}
    days = ledger.rows("select day from payfast_history_days order by day")
    assert [row["day"] for row in days] == [today() - timedelta(days=ago) for ago in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("state", "is_known"), [("applied", True), ("needs_review", True), ("verified", True), ("rejected", False)]
)
async def test_what_a_notice_told_is_not_found_again_unless_it_was_refused(
    stack: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization, state: str, is_known: bool
) -> None:
    subscription = ledger.subscribe(agency, "DRG-known")
    told = await sell(stack, sandbox, "DRG-known")
    ledger.pay(subscription, told, state=state)

    read = await read_history(stack, "run-1", today(), today())

    assert read.missed == (() if is_known else (told,))
    assert ledger.value("select count(*) from payments") == (1 if is_known else 2)


async def test_a_notice_that_waits_to_be_looked_at_counts_as_told(
    stack: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization
) -> None:
    subscription = ledger.subscribe(agency, "DRG-waits")
    told = await sell(stack, sandbox, "DRG-waits")
    body = f"m_payment_id=DRG-waits&pf_payment_id={told}&payment_status=COMPLETE&amount_gross=1500.00&merchant_id=1"
    unread = {"state": "received", "payment_status": None, "applied_at": None}
    for raw in (f"{body}&signature={'0' * 32}".encode(), b"no notice at all"):
        ledger.pay(subscription, None, raw_sealed=stack.vault.seal(raw, "payments:raw"), **unread)

    read = await read_history(stack, "run-1", today(), today())

    assert (read.transactions, read.missed) == (1, ())
    assert ledger.value("select count(*) from payments") == 2


async def test_what_the_account_took_for_something_else_is_left_out(
    stack: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization
) -> None:
    await sell(stack, sandbox, "shop-order-7")

    read = await read_history(stack, "run-1", today(), today())

    assert (read.transactions, read.missed) == (1, ())
    assert ledger.rows("select id from payments") == []
    key = PartitionKey("draggonnb", today())
    assert verdict((await compare_books(stack, "run-1", [key])).done[key])


async def test_a_history_that_cannot_be_read_is_not_an_empty_one(
    stack: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization
) -> None:
    sandbox.faults("GET /payfast/api/transactions/history", *[{"kind": "status", "status": 500}] * 10)

    with pytest.raises(VendorError) as raised:
        await read_history(stack, "run-1", today(), today())

    assert raised.value.error_class is ErrorClass.RETRY
    assert ledger.rows("select day from payfast_history_days") == []
    report = await compare_books(stack, "run-1", [PartitionKey("draggonnb", today())])
    assert report.waiting == {PartitionKey("draggonnb", today()): f"PayFast's history of {today()} was not read yet"}
    with pytest.raises(ValueError, match="no days"):
        await read_history(stack, "run-1", today(), today() - timedelta(days=1))


async def test_a_day_that_was_read_before_its_end_waits_once_it_is_over(
    stack: Stack, ledger: Ledger, agency: Organization
) -> None:
    ledger.rows("insert into payfast_history_days values (%s, %s)", DAY, NOON)
    key = PartitionKey("draggonnb", DAY)

    now = await compare_books(variant(stack, now=lambda: NOON), "run-1", [key])
    later = await compare_books(variant(stack, now=lambda: NEXT_DAY), "run-1", [key])

    assert list(now.done) == [key]
    assert later.waiting == {key: "PayFast's history of 2026-11-23 was not read after its end yet"}


async def test_notices_invoices_and_history_agree_to_the_cent(
    stack: Stack, ledger: Ledger, agency: Organization, outsider: Organization
) -> None:
    ledger.pay(ledger.subscribe(agency), "77")
    await invoice_payments(stack, "run-1", [PartitionKey("draggonnb", DAY)])
    has_read(ledger, ("77", "FUNDS_RECEIVED", 150000))

    reports = await compare(stack, agency, outsider)

    assert [(slug, report.rows, verdict(report)) for slug, report in reports.items()] == [
        ("draggonnb", 1, True),
        ("outsider", 0, True),
    ]
    table = reports["draggonnb"].metadata["books"].text.replace("\u00a0", " ")
    for name in ("notices", "invoices", "PayFast's history"):
        assert f"| {name} | R 1 500,00 |" in table
    assert findings(ledger) == []


async def test_each_difference_is_found_once_and_settled_when_it_is_gone(
    stack: Stack, ledger: Ledger, agency: Organization, outsider: Organization
) -> None:
    subscription = ledger.subscribe(agency)
    ledger.pay(subscription, "77")
    has_read(ledger, ("77", "FUNDS_RECEIVED", 150001), ("78", "FUNDS_RECEIVED", 150000))

    first = await compare(stack, agency, outsider)
    await compare(stack, agency, outsider)

    assert findings(ledger) == [
        ("amount_differs", DAY, -1),
        ("not_applied", DAY, -150000),
        ("not_invoiced", DAY, -150000),
    ]
    assert [verdict(report) for report in first.values()] == [False, True]
    assert "R 1 500,01" in first["draggonnb"].metadata["findings"].text
    # On a later day they still stand in the way.
    has_read(ledger, day=DAY + timedelta(days=1))
    assert not verdict((await compare(stack, agency, day=DAY + timedelta(days=1)))["draggonnb"])

    ledger.rows("update payfast_transactions set gross_cents = 150000 where pf_payment_id = '77'")
    ledger.pay(subscription, "78", billing_date=date(2026, 12, 23))
    await invoice_payments(stack, "run-1", [PartitionKey("draggonnb", DAY)])
    last = await compare(stack, agency, outsider)

    assert verdict(last["draggonnb"])
    assert findings(ledger) == []
    assert ledger.value("select count(*) from book_findings where settled_at = %s", NEXT_DAY) == 3


async def test_numbers_with_a_gap_are_the_agencys_finding(
    stack: Stack, ledger: Ledger, agency: Organization, outsider: Organization
) -> None:
    has_read(ledger)
    ledger.rows("update invoice_series set last_number = 2")

    reports = await compare(stack, agency, outsider)

    assert [kind for kind, _, _ in findings(ledger)] == ["number_gap"]
    assert verdict(reports["outsider"])
    assert "2 numbers" in ledger.value("select what from book_findings")
