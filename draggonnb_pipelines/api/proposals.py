"""GET /proposals/{token} and its acceptance: the one page of ours that a client's prospect sees.

Lives here: what a token stands for, the state of the offer, recording the acceptance.
Not here: what the page says (`workflows/leads/proposal_page.py`), who made the link (`workflows/leads/proposals.py`),
what all public pages have in common (`pages.py`), plans and payment (`checkouts.py`).
"""

import hashlib
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.api.problems import Problem
from draggonnb_pipelines.domain.contact_details import Unusable, email_address, one_line, yes_or_no
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.leads.proposal_page import DECISION_MARK, local_day

ORGANIZATIONS = load_queries("organizations")
PROPOSALS = load_queries("proposals")
State = Literal["open", "accepted", "superseded", "expired"]
router = APIRouter(tags=["proposals"])
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A proposal as its public address shows it."""

    path: str
    token_sha256: bytes
    organization: Organization
    proposal_id: Any
    expires_at: datetime
    page: dict[str, Any]

    def state(self, now: datetime) -> State:
        """Accepted stays accepted; otherwise a newer version outranks the date."""
        if self.page["status"] == "accepted":
            return "accepted"
        if self.page["status"] == "superseded" or self.page["has_newer"] or self.page["other_accepted"]:
            return "superseded"
        return "expired" if now > self.expires_at else "open"


@dataclass(slots=True)
class AcceptForm:
    """What the visitor typed, given back with what is wrong."""

    name: str = ""
    email: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@router.head("/proposals/{token}", include_in_schema=False)
@router.get("/proposals/{token}", response_class=HTMLResponse)
async def show_proposal(request: Request, token: str) -> Response:
    """The stored page, exactly as stored, with the form or the state of the offer put in its place."""
    if refusal := pages.throttle(request, "proposal"):
        return refusal
    try:
        offer = await open_offer(request, token)
        if offer is None:
            return pages.message("proposal", "unknown", 404)
        if request.method == "GET":
            async with _master(request).connection() as conn:
                await PROPOSALS.note_proposal_view(conn, token_sha256=offer.token_sha256)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("proposal", error)
    return _page(offer, request.app.state.now(), AcceptForm())


@router.post("/proposals/{token}/accept", response_class=HTMLResponse)
async def accept_proposal(request: Request, token: str) -> Response:
    """Record the acceptance once, whoever clicks how often; then back to the page, which says what comes next."""
    if refusal := pages.throttle(request, "proposal"):
        return refusal
    try:
        form = await _read_form(request)
    except Problem as problem:
        return pages.message("proposal", "unreadable", problem.kind.status)
    now = request.app.state.now()
    try:
        offer = await open_offer(request, token)
        if offer is None:
            return pages.message("proposal", "unknown", 404)
        if offer.state(now) == "open":
            if form.errors:
                return _page(offer, now, form, status=422)
            await _accept(request, offer, now)
            offer = await open_offer(request, token)
        if offer is not None and offer.state(now) == "accepted":
            # Also when the tenant has it and master has not: a crash between the two is made good here.
            await _note_in_master(request, offer, form, now)
            return pages.back_to(f"{offer.path}#decision")
    except pages.UNAVAILABLE as error:
        return pages.unavailable("proposal", error)
    return _page(offer, now, form, status=409) if offer else pages.message("proposal", "unknown", 404)


async def open_offer(request: Request, token: str) -> Offer | None:
    """What this token stands for; None if nobody has it, or the organization is gone.

    Raises:
        TenantUnavailable, psycopg.OperationalError, PoolTimeout: a database does not answer.
    """
    digest = hashlib.sha256(token.encode()).digest()
    async with _master(request).connection() as conn:
        link = await PROPOSALS.proposal_link(conn, token_sha256=digest)
        row = await ORGANIZATIONS.organization_of_id(conn, id=link["organization_id"]) if link else None
    if link is None or row is None:
        return None
    organization = Organization(**row)
    if organization.data_key_wrapped is None or organization.status == "closed":
        return None
    tenants: Tenants = request.app.state.tenants
    async with tenants.open(organization) as tenant:
        page = await PROPOSALS.proposal_page(tenant.conn, id=link["proposal_id"])
    return (
        Offer(f"/proposals/{token}", digest, organization, link["proposal_id"], link["expires_at"], page)
        if page
        else None
    )


async def _accept(request: Request, offer: Offer, now: datetime) -> None:
    """The tenant's row decides. Under the lead's lock, so that of two versions at most one is accepted."""
    tenants: Tenants = request.app.state.tenants
    async with tenants.open(offer.organization) as tenant, tenant.conn.transaction():
        await PROPOSALS.lock_proposal_lead(tenant.conn, id=offer.proposal_id)
        accepted = await PROPOSALS.accept_proposal(tenant.conn, id=offer.proposal_id, accepted_at=now)
        if accepted is None:
            return
        await PROPOSALS.announce_acceptance(
            tenant.conn,
            message=f"Proposal accepted: {accepted['title']} (version {accepted['version']})",
            metadata=Jsonb({"proposal_id": str(accepted["id"]), "lead_id": str(accepted["lead_id"])}),
            event_key=f"proposal_accepted:{accepted['id']}",
        )
        await _audit(tenant.conn, offer, accepted["version"])
    log.info("proposal %s of %s accepted", offer.proposal_id, offer.organization.slug)


async def _note_in_master(request: Request, offer: Offer, form: AcceptForm, now: datetime) -> None:
    if form.errors:
        return
    async with _master(request).connection() as conn, conn.transaction():
        noted = await PROPOSALS.note_proposal_acceptance(
            conn,
            token_sha256=offer.token_sha256,
            accepted_at=offer.page["accepted_at"] or now,
            name=form.name,
            email=form.email,
        )
        if noted:
            await _audit(conn, offer, offer.page["version"])


async def _audit(conn: Any, offer: Offer, version: int) -> None:
    """No name in the audit log: it cannot be erased. Who accepted stands in `proposal_links`."""
    await PROPOSALS.audit_acceptance(
        conn, actor="client", resource=f"proposal:{offer.proposal_id}", metadata=Jsonb({"version": version})
    )


async def _read_form(request: Request) -> AcceptForm:
    typed = await pages.form_texts(request, "name", "email", "agree")
    form = AcceptForm(name=typed["name"].strip()[:300], email=typed["email"].strip()[:300])
    try:
        form.name = one_line(form.name, 200) or ""
        if not form.name:
            form.errors["name"] = "Please enter your full name."
    except Unusable as error:
        form.errors["name"] = f"Your name {error}."
    try:
        email = email_address(form.email)
        if email is None:
            form.errors["email"] = "Please enter your e-mail address."
    except Unusable as error:
        form.errors["email"] = f"This {error}."
    try:
        agreed = yes_or_no(typed["agree"])
    except Unusable:
        agreed = False
    if not agreed:
        form.errors["agree"] = "Please tick the box to accept."
    return form


def _page(offer: Offer, now: datetime, form: AcceptForm, status: int = 200) -> Response:
    state = offer.state(now)
    if state == "expired":
        return pages.message("proposal", "expired", 410)
    decision = pages.environment().get_template("decision.html.j2")
    accepted_at = offer.page["accepted_at"]
    block = decision.render(
        state=state,
        form=form,
        action=f"{offer.path}/accept",
        plans=f"{offer.path}/plans" if offer.organization.slug == AGENCY_SLUG else None,
        organization=offer.organization.name,
        version=offer.page["version"],
        accepted_on=local_day(accepted_at, ZoneInfo(offer.organization.timezone)) if accepted_at else "",
    )
    return pages.document(offer.page["html"].replace(DECISION_MARK, block, 1), status)


def _master(request: Request) -> MasterDb:
    return request.app.state.master
