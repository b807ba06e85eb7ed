"""How an issued invoice reaches its client: the PDF, the mail with its link, the copy in the client's own database.

Lives here: each of them once, whatever is killed in between. Not here: issuing (`invoices.py`), the page that serves
the PDF (`api/invoices.py`), the outbox that the mail waits in (`notices.py`).
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.invoices import Invoice, Line, Party, day_in_words, invoice_number, rand
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

INVOICES = load_queries("invoices")


def invoice_token(stack: Stack, organization: Organization, invoice_id: UUID) -> str:
    """The secret in the address of an invoice; derived, so that its link can be made again."""
    return stack.tenants.key(organization).derive_token("invoice", str(invoice_id))


def invoice_url(stack: Stack, organization: Organization, invoice_id: UUID) -> str:
    return f"{stack.settings.base_url}/invoices/{invoice_token(stack, organization, invoice_id)}"


async def store_documents(stack: Stack, organization: Organization) -> None:
    """Make the PDFs that are missing."""
    async with stack.master.connection() as conn:
        rows = [row async for row in INVOICES.to_document(conn, organization_ids=[organization.id])]
    if not rows:
        return
    from draggonnb_pipelines.resources.invoice_pdf import invoice_pdf  # heavy, and few runs need it

    for row in rows:
        pdf = await asyncio.to_thread(invoice_pdf, _invoice_of(row))
        async with stack.master.connection() as conn:
            await INVOICES.store_document(conn, invoice_id=row["id"], pdf=pdf, pdf_sha256=hashlib.sha256(pdf).digest())


async def deliver_invoices(stack: Stack, organization: Organization) -> str | None:
    """Copy them to the client and tell it; why not yet, where its database ought to be there and is not.

    The mail is told once by its event key and sent by the outbox under one Message-ID: `mailed_at` says that it is in
    there. Who is leaving has its database put away: the agency's outbox carries its mails.
    """
    if organization.status == "closed":
        return None
    async with stack.master.connection() as conn:
        rows = [row async for row in INVOICES.to_deliver(conn, organization_ids=[organization.id])]
    try:
        for row in rows:
            await _deliver(stack, organization, row)
    except (TenantUnavailable, psycopg.ProgrammingError, psycopg.IntegrityError) as error:
        # A client that is being set up has no database, or one without our tables or without its own row.
        if organization.status == "provisioning":
            return None
        return f"issued, but neither copied nor mailed yet: {reason_of(error)}"
    return None


async def _deliver(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> None:
    invoice, url = _invoice_of(row), invoice_url(stack, organization, row["id"])
    is_leaving = organization.status == "offboarding"
    if row["copied_at"] is None and not is_leaving:
        names = ("id", "subscription_id", "kind", "period_start", "period_end", "net_cents", "vat_cents")
        names += ("amount_cents", "currency", "status", "issued_at", "paid_at")
        async with stack.tenants.open(organization) as tenant:
            await INVOICES.copy_invoice(
                tenant.conn,
                **{name: row[name] for name in names},
                number=invoice.number,
                payfast_payment_id=row["pf_payment_id"],
                url=url,
            )
        async with stack.master.connection() as conn:
            await INVOICES.copied(conn, id=row["id"], now=stack.now())
    if row["mailed_at"] is None:
        sender = await agency_of(stack) if is_leaving else organization
        if sender is None:
            return
        roles = () if is_leaving else OWNERS
        await tell(stack, sender, [_notice(row["id"], invoice, url, row["buyer"].get("email", ""), roles)])
        async with stack.master.connection() as conn:
            await INVOICES.mailed(conn, id=row["id"], now=stack.now())


def _notice(invoice_id: UUID, invoice: Invoice, url: str, email: str, roles: tuple[str, ...]) -> Notice:
    amount = rand(invoice.amount_cents)
    what = "; ".join(line.description for line in invoice.lines)
    return Notice(
        event_key=f"invoice:{invoice_id}",
        type="invoice_issued",
        subject=f"Invoice {invoice.number} from {invoice.seller.name}: {amount}, paid",
        lines=(
            f"Thank you. Your payment of {amount} was received on {day_in_words(invoice.paid_on)}.",
            f"It is for {what}: {invoice.period}.",
            "The invoice is a PDF at this address. Who has the address can open it, without an account:",
        ),
        link=url,
        emails=(email,),
        roles=roles,
    )


def _invoice_of(row: Mapping[str, Any]) -> Invoice:
    """A row of `invoices` with the payment's id, as the page shows it."""
    return Invoice(
        number=invoice_number(row["series"], row["number"]),
        kind=row["kind"],
        issued_on=south_african_day(row["issued_at"]),
        paid_on=south_african_day(row["paid_at"] or row["issued_at"]),
        payment_reference=row["pf_payment_id"] or "",
        period_start=row["period_start"],
        period_end=row["period_end"],
        net_cents=row["net_cents"],
        vat_cents=row["vat_cents"],
        amount_cents=row["amount_cents"],
        vat_basis_points=row["vat_basis_points"],
        seller=Party.of(row["seller"]),
        buyer=Party.of(row["buyer"]),
        lines=tuple(Line(**line) for line in row["lines"]),
    )
