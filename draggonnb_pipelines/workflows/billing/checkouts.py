"""From an accepted proposal to what a client is asked to pay at PayFast.

Lives here: the plans on offer, the choice of one, what a checkout's address stands for, and its signed form. It needs
the two databases alone, since the API runs it and calls no vendor.
Not here: the pages (`api/checkouts.py`), PayFast's notices (`payments.py`), who begins to exist with the first payment.

A checkout's token is derived from the seller's key and the checkout's id, so that the same address can be shown again;
master keeps its hash alone.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.contact_details import Unusable, one_line
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import Checkout, checkout_form
from draggonnb_pipelines.domain.plans import PlanOffer, check_choice
from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.domain.usage import zone_of
from draggonnb_pipelines.resources.postgres import Connection, MasterDb, Tenants
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

CHECKOUTS = load_queries("checkouts")
ORGANIZATIONS = load_queries("organizations")
# For so long a price stands that somebody chose.
VALID_DAYS = 7
# What PayFast takes of a name or an address.
_PAYFAST_CHARS = 100
State = Literal["open", "paid", "settled", "superseded", "expired"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who accepted a proposal, and for which company."""

    lead_id: UUID
    approved_at: datetime
    company: str
    name: str
    email: str
    phone: str | None


@dataclass(frozen=True, slots=True)
class PlacedCheckout:
    """A checkout as its address shows it: its row, and who sells."""

    seller: Organization
    row: Mapping[str, Any]

    def state(self, now: datetime) -> State:
        """`settled`: the proposal was paid for by another checkout. Only an open one is to be paid."""
        if self.row["state"] == "paid":
            return "paid"
        if self.row["other_paid_id"]:
            return "settled"
        if self.row["state"] == "open":
            return "open" if now < self.row["expires_at"] else "expired"
        return self.row["state"]


async def plans_of_day(conn: Connection, day: date) -> dict[str, PlanOffer]:
    """All plans by key with the terms of this day, cheapest first; also those that are no longer offered."""
    return {row["key"]: PlanOffer(**row) async for row in CHECKOUTS.plans_of_day(conn, today=day)}


async def plans_on_offer(master: MasterDb, seller: Organization, now: datetime) -> list[PlanOffer]:
    """What can be chosen now. A plan that is offered and cannot be paid for is left out, and the log says why."""
    async with master.connection() as conn:
        plans = await plans_of_day(conn, _today(seller, now))
    for plan in plans.values():
        if plan.is_offered and plan.trouble:
            log.error("plan %s is offered, but it %s", plan.key, plan.trouble)
    return [plan for plan in plans.values() if plan.is_offered and not plan.trouble]


async def paid_checkout_token(
    master: MasterDb, tenants: Tenants, seller: Organization, proposal_id: UUID
) -> str | None:
    """The token of the checkout by which this proposal was paid for, if it was."""
    async with master.connection() as conn:
        paid_id = await CHECKOUTS.paid_checkout(conn, seller_id=seller.id, proposal_id=proposal_id)
    return checkout_token(tenants, seller, paid_id) if paid_id else None


async def buyer_of(master: MasterDb, tenants: Tenants, seller: Organization, proposal_id: UUID) -> Buyer | None:
    """Who accepted this proposal; None if nobody did, or if no address of theirs is known.

    Master has the names of the form. Where a crash kept them from it, the lead's own stand in.

    Raises:
        TenantUnavailable: the seller's database does not answer.
    """
    async with tenants.open(seller) as tenant:
        written_for = await CHECKOUTS.accepted_proposal(tenant.conn, proposal_id=proposal_id)
    async with master.connection() as conn:
        accepted = await CHECKOUTS.acceptance(conn, organization_id=seller.id, proposal_id=proposal_id) or {}
    if written_for is None:
        return None
    email = accepted.get("accepted_by_email") or written_for["email"]
    name = accepted.get("accepted_by_name") or written_for["name"] or email
    if not email:
        return None
    return Buyer(
        lead_id=written_for["lead_id"],
        approved_at=written_for["accepted_at"],
        company=(written_for["company"] or name)[:200],
        name=name[:200],
        email=email,
        phone=written_for["phone_e164"],
    )


async def choose_plan(
    master: MasterDb,
    tenants: Tenants,
    seller: Organization,
    proposal_id: UUID,
    buyer: Buyer,
    *,
    plan_key: str,
    terms: str,
    now: datetime,
) -> str:
    """The token of the one open checkout of this proposal and plan, at the terms that the client saw.

    Choices of one proposal take turns, so that two clicks, in one process or in two, give the same checkout. One at
    other terms, or whose days are over, ends. A proposal that is paid for gives the token of the paid one.

    Raises:
        ChoiceRefused: not a plan that the client can have at these terms; nothing was written.
    """
    async with master.connection() as conn, conn.transaction():
        await CHECKOUTS.lock_proposal_checkouts(conn, proposal_id=str(proposal_id))
        rows = CHECKOUTS.checkouts_of_proposal(conn, seller_id=seller.id, proposal_id=proposal_id)
        known = [row async for row in rows]
        if paid := next((row for row in known if row["state"] == "paid"), None):
            return checkout_token(tenants, seller, paid["id"])
        plan = check_choice(await plans_of_day(conn, _today(seller, now)), plan_key, terms)
        if standing := next((row for row in known if row["plan_key"] == plan.key), None):
            agreed = standing["amount_cents"], standing["recurring_cents"], standing["trial_days"]
            if agreed == (plan.first_cents, plan.price_cents, plan.trial_days) and now < standing["expires_at"]:
                return checkout_token(tenants, seller, standing["id"])
            await CHECKOUTS.end_checkout(conn, id=standing["id"], now=now)
        checkout_id = uuid4()
        token = checkout_token(tenants, seller, checkout_id)
        payment_id = f"DRG-{tenants.key(seller).derive_token('m_payment_id', str(checkout_id))[:20]}"
        await CHECKOUTS.insert_checkout(
            conn,
            id=checkout_id,
            token_sha256=hashlib.sha256(token.encode()).digest(),
            m_payment_id=payment_id,
            seller_id=seller.id,
            proposal_id=proposal_id,
            amount_cents=plan.first_cents,
            recurring_cents=plan.price_cents,
            now=now,
            expires_at=now + timedelta(days=VALID_DAYS),
            **_columns(plan, buyer, seller),
        )
    log.info("checkout %s of proposal %s: %s", checkout_id, proposal_id, plan.key)
    return token


async def open_checkout(master: MasterDb, token: str) -> PlacedCheckout | None:
    """What this token stands for; None if nobody has it, or its seller is gone."""
    digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    async with master.connection() as conn:
        row = await CHECKOUTS.checkout_of_token(conn, token_sha256=digest, steps=list(STEPS))
        seller = await ORGANIZATIONS.organization_of_id(conn, id=row["seller_id"]) if row else None
    if row is None or seller is None or seller["data_key_wrapped"] is None:
        return None
    return PlacedCheckout(Organization(**seller), row)


def checkout_token(tenants: Tenants, seller: Organization, checkout_id: UUID) -> str:
    return tenants.key(seller).derive_token("checkout", str(checkout_id))


def proposal_path(tenants: Tenants, placed: PlacedCheckout) -> str:
    """The page of the proposal, below which the plans are chosen."""
    return f"/proposals/{tenants.key(placed.seller).derive_token('proposal', str(placed.row['proposal_id']))}"


def payfast_form(
    settings: Settings, placed: PlacedCheckout, path: str, now: datetime
) -> tuple[str, list[tuple[str, str]]]:
    """Where a browser posts the form, and its signed fields in their order. Nothing is sent.

    Args:
        path: of the checkout's page; PayFast sends the client back below it.
    """
    row = placed.row
    merchant_id, merchant_key, passphrase = settings.payfast_account
    first, _, last = row["contact_name"].partition(" ")
    trial_end = _today(placed.seller, now) + timedelta(days=row["trial_days"])
    checkout = Checkout(
        m_payment_id=row["m_payment_id"],
        amount_cents=row["amount_cents"],
        recurring_amount_cents=row["recurring_cents"],
        item_name=_payfast_text(f"{placed.seller.name} {row['plan_name']}") or row["plan_key"],
        return_url=f"{settings.base_url}{path}/thanks",
        cancel_url=f"{settings.base_url}{path}/cancelled",
        notify_url=f"{settings.base_url}/webhooks/payfast",
        name_first=_payfast_text(first),
        name_last=_payfast_text(last),
        # A part of an address is another address: one that is too long for PayFast is left out.
        email_address=row["contact_email"] if len(row["contact_email"]) <= _PAYFAST_CHARS else "",
        custom_str=(str(row["id"]),),
        billing_date=trial_end if row["trial_days"] else None,
    )
    return settings.payfast_process_url, checkout_form(
        checkout, merchant_id=merchant_id, merchant_key=merchant_key, passphrase=passphrase
    )


def _payfast_text(text: str) -> str:
    try:
        return one_line(" ".join(text.split())[:_PAYFAST_CHARS], _PAYFAST_CHARS) or ""
    except Unusable:
        return ""


def _columns(plan: PlanOffer, buyer: Buyer, seller: Organization) -> dict[str, Any]:
    return {
        "lead_id": buyer.lead_id,
        "plan_key": plan.key,
        "trial_days": plan.trial_days,
        "company": buyer.company,
        "contact_name": buyer.name,
        "contact_email": buyer.email,
        "contact_phone": buyer.phone,
        "timezone": seller.timezone,
        "approved_at": buyer.approved_at,
    }


def _today(seller: Organization, now: datetime) -> date:
    """The seller's calendar day: prices change at its midnight."""
    return now.astimezone(zone_of(seller.timezone)).date()
