"""Invoices: one for each payment, with its VAT and its month, told and copied once."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.invoice_work import Ledger, empty_ledger
from tests.workflows.lead_work import count, tenant_rows, variant

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def ledger(world: World) -> Iterator[Ledger]:
    with empty_ledger(world.dsn, dsn_for(world.dsn, str(world.agency.database_name))) as ledger:
        yield ledger


@pytest.fixture
def at_noon(stack: Stack, ledger: Ledger) -> Stack:
    return variant(stack, now=lambda: NOON, seller_vat_number="4123456789", seller_address="12 Loop Street, Cape Town")


async def invoice(stack: Stack, *organizations: Organization) -> StepReport:
    return await invoice_payments(stack, "run-1", [PartitionKey(one.slug, DAY) for one in organizations])


def places(ledger: Ledger) -> list[tuple[int, date, date]]:
    return [(row["number"], row["period_start"], row["period_end"]) for row in ledger.invoices()]


async def test_a_payment_becomes_one_invoice_with_its_vat_its_month_and_its_pdf(
    at_noon: Stack, ledger: Ledger, agency: Organization, outsider: Organization
) -> None:
    payment = ledger.pay(ledger.subscribe(agency), "3000001")

    first = await invoice(at_noon, agency, outsider)
    again = await invoice(at_noon, agency, outsider)

    [row] = ledger.invoices()
    assert (row["series"], row["number"], row["payment_id"]) == ("DRG", 1, payment)
    assert (row["net_cents"], row["vat_cents"], row["amount_cents"]) == (130435, 19565, 150000)
    assert (row["period_start"], row["period_end"]) == (date(2026, 11, 23), date(2026, 12, 23))
    assert (row["status"], row["issued_at"], row["vat_basis_points"]) == ("paid", NOON, 1500)
    assert row["seller"] == {
        "name": "DraggonnB",
        "address": ["12 Loop Street", "Cape Town"],
        "vat_number": "4123456789",
    }
    assert row["buyer"]["name"] == "Draggonnb"
    [document] = ledger.rows("select * from invoice_documents")
    assert document["pdf"].startswith(b"%PDF-")
    assert document["pdf_sha256"] == hashlib.sha256(document["pdf"]).digest()
    for report in (first, again):
        assert report.failed == report.waiting == {}
        assert {key.slug: done.rows for key, done in report.done.items()} == {"draggonnb": 1, "outsider": 0}
    assert "| DRG-000001 | 23 November 2026 to 22 December 2026 |" in (
        first.done[PartitionKey("draggonnb", DAY)].metadata["invoices"].text
    )


async def test_without_a_vat_number_no_vat_is_claimed(at_noon: Stack, ledger: Ledger, agency: Organization) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001")

    await invoice(variant(at_noon, seller_vat_number=None), agency)

    [row] = ledger.invoices()
    assert (row["net_cents"], row["vat_cents"], row["vat_basis_points"]) == (150000, 0, 0)
    assert row["seller"]["vat_number"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "rejected", "applied_at": None},
        {"state": "needs_review", "applied_at": None},
        {"state": "verified", "applied_at": None},
        {"amount_gross_cents": 0},
        {"payment_status": "CANCELLED", "kind": "cancellation"},
        {"kind": "other"},
    ],
    ids=lambda changes: ",".join(f"{name} {value}" for name, value in changes.items()),
)
async def test_what_brought_no_money_for_a_month_gets_no_invoice(
    at_noon: Stack, ledger: Ledger, agency: Organization, changes: dict[str, object]
) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001", **changes)

    report = await invoice(at_noon, agency)

    assert report.done[PartitionKey("draggonnb", DAY)].rows == 0
    assert ledger.invoices() == []
    assert ledger.value("select last_number from invoice_series") == 0


async def test_months_follow_the_billing_dates_whatever_comes_first(
    at_noon: Stack, ledger: Ledger, agency: Organization
) -> None:
    subscription = ledger.subscribe(agency)
    ledger.pay(subscription, "2", billing_date=date(2026, 12, 23))
    await invoice(at_noon, agency)
    ledger.pay(subscription, "1", billing_date=date(2026, 11, 23))
    ledger.pay(subscription, "4", billing_date=date(2027, 1, 20))
    ledger.pay(subscription, "3", billing_date=None, received_at=NOON)

    await invoice(at_noon, agency)

    # The 4th begins before the 2nd ends, and a month is not invoiced twice; the 3rd names none, and its day is taken.
    assert places(ledger) == [
        (1, date(2026, 12, 23), date(2027, 1, 23)),
        (2, date(2026, 11, 23), date(2026, 12, 23)),
        (3, date(2027, 1, 23), date(2027, 2, 23)),
        (4, date(2027, 2, 23), date(2027, 3, 23)),
    ]


async def test_a_charge_besides_the_months_names_its_order_and_the_rest_of_its_month(
    at_noon: Stack, ledger: Ledger, agency: Organization
) -> None:
    subscription = ledger.subscribe(agency)
    ledger.pay(subscription, "1")
    order = ledger.order_charge(subscription, "charge-1", "From Starter to Growth", 70000)
    later = NOON + timedelta(days=10)
    charged = {"kind": "charge", "m_payment_id": "charge-1", "amount_gross_cents": 70000, "received_at": later}

    ledger.pay(subscription, "2", **charged, billing_date=None)
    await invoice(at_noon, agency)

    month, charge = ledger.invoices()
    assert (month["kind"], charge["kind"], charge["order_id"]) == ("period", "charge", order)
    assert (charge["period_start"], charge["period_end"]) == (date(2026, 12, 3), date(2026, 12, 23))
    assert charge["lines"] == [{"description": "From Starter to Growth", "amount_cents": 70000}]
    assert (charge["net_cents"], charge["vat_cents"]) == (60870, 9130)


async def test_the_owner_gets_one_mail_with_the_link_and_the_client_its_copy(
    at_noon: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization, outsider: Organization
) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001")

    await invoice(at_noon, agency)
    await invoice(at_noon, agency)

    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["transmissions"]) == ("sales@draggonnb.example", 1)
    assert mail["subject"] == "Invoice DRG-000001 from DraggonnB: R 1 500,00, paid"
    [row] = ledger.invoices()
    [copy] = await tenant_rows(at_noon, agency, "select * from invoices")
    token = copy["url"].removeprefix(f"{at_noon.settings.base_url}/invoices/")
    assert copy["url"] in mail["text"]
    assert hashlib.sha256(token.encode()).digest() == row["token_sha256"]
    assert (copy["id"], copy["number"], copy["payfast_payment_id"]) == (row["id"], "DRG-000001", "3000001")
    assert (copy["net_cents"], copy["vat_cents"], copy["amount_cents"]) == (130435, 19565, 150000)
    assert (row["mailed_at"], row["copied_at"]) == (NOON, NOON)
    assert await count(at_noon, outsider, "invoices", "notification_deliveries") == {
        "invoices": 0,
        "notification_deliveries": 0,
    }


async def test_killed_between_an_effect_and_its_note_nothing_is_made_or_told_twice(
    at_noon: Stack, sandbox: Sandbox, ledger: Ledger, agency: Organization
) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001")
    await invoice(at_noon, agency)
    [before] = ledger.rows("select pdf from invoice_documents")
    ledger.rows("update invoices set mailed_at = null, copied_at = null")
    ledger.rows("delete from invoice_documents")

    await invoice(variant(at_noon, now=lambda: NOON + timedelta(days=2), seller_name="Renamed"), agency)

    assert ledger.rows("select pdf from invoice_documents") == [before]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1]
    assert await count(at_noon, agency, "invoices") == {"invoices": 1}
    assert [row["mailed_at"] for row in ledger.invoices()] == [NOON + timedelta(days=2)]


async def test_a_client_that_is_being_set_up_is_told_once_its_database_is_there(
    at_noon: Stack, sandbox: Sandbox, world: World, ledger: Ledger, agency: Organization
) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001")
    away = "update organizations set status = %s, database_name = %s where id = %s"
    ledger.rows(away, "provisioning", None, agency.id)
    try:
        early = await invoice(at_noon, agency)
        assert [done.rows for done in early.done.values()] == [1]
        assert len(ledger.rows("select invoice_id from invoice_documents")) == 1
        assert sandbox.public("mail") == []

        ledger.rows(away, "active", "no_such_database", agency.id)
        lost = await invoice(at_noon, agency)
        assert lost.done == lost.failed == {}
        assert "neither copied nor mailed yet" in lost.waiting[PartitionKey("draggonnb", DAY)]
    finally:
        ledger.rows(away, "active", agency.database_name, agency.id)
    await invoice(at_noon, agency)

    assert len(sandbox.public("mail")) == 1
    [row] = ledger.invoices()
    assert (row["mailed_at"], row["copied_at"]) == (NOON, NOON)


async def test_an_unknown_organization_fails_alone(at_noon: Stack, ledger: Ledger, agency: Organization) -> None:
    ledger.pay(ledger.subscribe(agency), "3000001")

    report = await invoice_payments(at_noon, "run-1", [PartitionKey("draggonnb", DAY), PartitionKey("nobody", DAY)])

    assert report.failed == {PartitionKey("nobody", DAY): "there is no such organization"}
    assert report.done[PartitionKey("draggonnb", DAY)].rows == 1
