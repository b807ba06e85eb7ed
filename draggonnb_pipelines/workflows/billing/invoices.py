"""Invoices: every payment that was applied gets one, with a number in a row without gaps, a PDF, a mail and a copy.

Lives here: issuing, and the report. Not here: the arithmetic (`domain/invoices.py`), how the page looks
(`resources/invoice_pdf.py`), how it reaches the client (`invoice_delivery.py`), whether invoices and PayFast agree
(`books.py`).

A tax invoice's numbers may have no gaps, so a number is no sequence's but a row's: it is taken and used in one
transaction, and who issues waits for that row. A run that is killed inside gives the number back by dying.
"""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.invoices import (
    VAT_BASIS_POINTS,
    Party,
    invoice_number,
    period_in_words,
    period_paid_for,
    rand,
    rest_of_period,
    vat_within,
)
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.reports import KeyReport, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.invoice_delivery import (
    INVOICES,
    deliver_invoices,
    invoice_token,
    store_documents,
)
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of

SERIES = "DRG"
CLIENTS_AT_ONCE = 4
log = logging.getLogger(__name__)


async def invoice_payments(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """Invoice whatever the organizations of these keys have paid, in any number of runs at once.

    1. each applied payment of more than R0.00 gets its invoice, in one transaction with its number
    2. the PDF is made and stored, once
    3. the client is told and gets its copy, once its database exists

    A client that is still being set up is done without 3, which a later call makes good; one whose database is away
    waits. A key's rows are the invoices that were issued on its day.
    """
    slugs = list(dict.fromkeys(key.slug for key in keys))
    organizations = await organizations_by_slug(stack, slugs)
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)
    failed: dict[str, str] = {slug: "there is no such organization" for slug in slugs if slug not in organizations}
    waiting: dict[str, str] = {}

    async def of_client(organization: Organization) -> None:
        async with permits:
            try:
                await _issue_all(stack, organization)
                await store_documents(stack, organization)
                if reason := await deliver_invoices(stack, organization):
                    waiting[organization.slug] = reason
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                log.warning("run %s: invoices of %s: %s", run_id, organization.slug, reason_of(error))
                failed[organization.slug] = reason_of(error)

    async with stack.master.connection() as conn:
        of_all = [organization.id for organization in organizations.values()]
        busy = {row["id"] async for row in INVOICES.with_work(conn, organization_ids=of_all)}
    await asyncio.gather(*(of_client(one) for one in organizations.values() if one.id in busy))
    done = [key for key in keys if key.slug not in failed and key.slug not in waiting]
    return StepReport(
        done=await _reports(stack, organizations, done),
        failed={key: failed[key.slug] for key in keys if key.slug in failed},
        waiting={key: waiting[key.slug] for key in keys if key.slug in waiting},
    )


async def _issue_all(stack: Stack, organization: Organization) -> None:
    async with stack.master.connection() as conn:
        due = [row["id"] async for row in INVOICES.to_invoice(conn, organization_ids=[organization.id])]
        for payment_id in due:
            async with conn.transaction():
                await _issue(stack, organization, conn, payment_id)


async def _issue(stack: Stack, organization: Organization, conn: Connection, payment_id: UUID) -> None:
    """One invoice, under the lock of the series; nothing where another run was first."""
    number = 1 + await INVOICES.lock_series(conn, series=SERIES)
    payment = await INVOICES.payment_to_invoice(conn, payment_id=payment_id)
    if payment is None:
        return
    invoice_id = uuid5(NAMESPACE_URL, f"invoice:{payment_id}")
    token = invoice_token(stack, organization, invoice_id)
    start, end = await _period(conn, payment)
    seller = _seller(stack)
    basis_points = VAT_BASIS_POINTS if seller.vat_number else 0
    net_cents, vat_cents = vat_within(payment["amount_cents"], basis_points)
    await INVOICES.add_invoice(
        conn,
        id=invoice_id,
        organization_id=organization.id,
        subscription_id=payment["subscription_id"],
        payment_id=payment_id,
        order_id=payment["order_id"],
        series=SERIES,
        number=number,
        kind=payment["kind"],
        period_start=start,
        period_end=end,
        net_cents=net_cents,
        vat_cents=vat_cents,
        amount_cents=payment["amount_cents"],
        vat_basis_points=basis_points,
        issued_at=stack.now(),
        paid_at=payment["received_at"],
        seller=Jsonb(seller.stored()),
        buyer=Jsonb(_buyer(payment) | {"email": payment["contact_email"]}),
        lines=Jsonb([{"description": _description(payment), "amount_cents": payment["amount_cents"]}]),
        token_sha256=hashlib.sha256(token.encode()).digest(),
    )
    await INVOICES.number_given(conn, series=SERIES, number=number)


async def _period(conn: Connection, payment: Mapping[str, Any]) -> tuple[date, date]:
    paid_on = south_african_day(payment["received_at"])
    rows = INVOICES.invoiced_periods(conn, subscription_id=payment["subscription_id"])
    taken = [(row["period_start"], row["period_end"]) async for row in rows]
    if payment["kind"] == "charge":
        return rest_of_period(paid_on, taken)
    return period_paid_for(payment["billing_date"] or paid_on, taken)


def _seller(stack: Stack) -> Party:
    address = tuple(part.strip() for part in stack.settings.seller_address.split(",") if part.strip())
    return Party(stack.settings.seller_name, address, stack.settings.seller_vat_number)


def _buyer(payment: Mapping[str, Any]) -> dict[str, Any]:
    contact = tuple(text for text in (payment["contact_name"], payment["contact_email"]) if text)
    return Party(payment["organization_name"], contact).stored()


def _description(payment: Mapping[str, Any]) -> str:
    if payment["kind"] == "charge":
        return payment["item_name"] or f"Additional charge, plan {payment['plan_name']}"
    return f"DraggonnB CRMM, plan {payment['plan_name']}, one month"


async def _reports(
    stack: Stack, organizations: Mapping[str, Organization], keys: Sequence[PartitionKey]
) -> dict[PartitionKey, KeyReport]:
    found: dict[PartitionKey, list[Mapping[str, Any]]] = defaultdict(list)
    async with stack.master.connection() as conn:
        rows = INVOICES.issued_on_days(
            conn,
            organization_ids=[organization.id for organization in organizations.values()],
            days=sorted({key.day for key in keys}),
        )
        async for row in rows:
            found[PartitionKey(row["slug"], row["day"])].append(row)
    return {key: _report(found[key]) for key in keys}


def _report(rows: Sequence[Mapping[str, Any]]) -> KeyReport:
    if not rows:
        return KeyReport(rows=0)
    lines = ["| invoice | period | net | VAT | total | mail | copy |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {invoice_number(row['series'], row['number'])} | {period_in_words(row['period_start'], row['period_end'])} "
        f"| {rand(row['net_cents'])} | {rand(row['vat_cents'])} | {rand(row['amount_cents'])} "
        f"| {'told' if row['mailed_at'] else 'waits'} | {'stored' if row['copied_at'] else 'waits'} |"
        for row in rows
    ]
    total = sum(row["amount_cents"] for row in rows)
    return KeyReport(rows=len(rows), metadata={"invoices": Markdown("\n".join(lines)), "total (cents)": total})
