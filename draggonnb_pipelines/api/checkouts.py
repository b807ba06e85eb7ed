"""From an accepted proposal to PayFast's page and back: choosing a plan, paying, and what happens then.

Lives here: which page or notice belongs to which state. Not here: what a choice or a token stands for
(`workflows/billing/checkouts.py`), PayFast's notices (`payfast.py`), what all public pages have in common (`pages.py`).

No page says that a payment arrived because a browser does: only a notice that was believed makes a checkout paid.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.api.problems import Problem
from draggonnb_pipelines.api.proposals import Offer, open_offer
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.domain.plans import ChoiceRefused
from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.domain.usage import zone_of
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.billing.checkouts import (
    PlacedCheckout,
    buyer_of,
    checkout_token,
    choose_plan,
    open_checkout,
    paid_checkout_token,
    payfast_form,
    plans_on_offer,
    proposal_path,
)
from draggonnb_pipelines.workflows.leads.proposal_page import day, money

REFUSED_CHOICES = {"unknown": 422, "withdrawn": 409, "unsellable": 409, "changed": 409}
# The steps as a client would call them, in the order of STEPS.
STEP_WORDS = (
    *("your database", "its tables", "its keys", "your app's code", "the app's settings", "the app's address"),
    *("your automations", "your welcome", "your training material", "your kick-off call"),
)
# PayFast's live form hands on to its payment pages on this host, and Chromium holds a form's redirects to the policy
# of the page that it was on.
PAYFAST_PAYMENT_PAGES = "https://payment.payfast.io"
router = APIRouter(tags=["checkouts"])


@router.head("/proposals/{token}/plans", include_in_schema=False)
@router.get("/proposals/{token}/plans", response_class=HTMLResponse)
async def show_plans(request: Request, token: str) -> Response:
    """The plans with today's terms; of a proposal that is paid for, what became of it."""
    if refusal := pages.throttle(request, "proposal"):
        return refusal
    try:
        offer = await open_offer(request, token)
        if offer is None:
            return pages.message("proposal", "unknown", 404)
        if refusal := _refusal(offer, request.app.state.now()):
            return refusal
        if paid := await _paid(request, offer):
            return pages.back_to(f"/checkouts/{paid}/thanks")
        return await _plans(request, offer)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("proposal", error)


@router.post("/proposals/{token}/plans", response_class=HTMLResponse)
async def take_plan(request: Request, token: str) -> Response:
    """One checkout for this proposal and plan, whoever clicks how often; then to its page."""
    if refusal := pages.throttle(request, "proposal"):
        return refusal
    try:
        typed = await pages.form_texts(request, "plan", "terms")
    except Problem as problem:
        return pages.message("proposal", "unreadable", problem.kind.status)
    now = request.app.state.now()
    try:
        offer = await open_offer(request, token)
        if offer is None:
            return pages.message("proposal", "unknown", 404)
        if refusal := _refusal(offer, now):
            return refusal
        seller, proposal_id = offer.organization, offer.proposal_id
        buyer = await buyer_of(_master(request), _tenants(request), seller, proposal_id)
        if buyer is None:
            return pages.message("proposal", "no_address", 409)
        try:
            chosen = await choose_plan(
                _master(request),
                _tenants(request),
                seller,
                proposal_id,
                buyer,
                plan_key=typed["plan"],
                terms=typed["terms"],
                now=now,
            )
        except ChoiceRefused as refused:
            return await _plans(request, offer, refused)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("proposal", error)
    return pages.back_to(f"/checkouts/{chosen}")


@router.head("/checkouts/{token}", include_in_schema=False)
@router.get("/checkouts/{token}", response_class=HTMLResponse)
async def show_checkout(request: Request, token: str) -> Response:
    """What is to be paid, and the button to PayFast."""
    return await _answer(request, token, _checkout_page)


@router.head("/checkouts/{token}/thanks", include_in_schema=False)
@router.get("/checkouts/{token}/thanks", response_class=HTMLResponse)
async def show_thanks(request: Request, token: str) -> Response:
    """Where PayFast sends a client that has paid: what we know of it, and how far the system is."""
    return await _answer(request, token, _thanks_page)


@router.head("/checkouts/{token}/cancelled", include_in_schema=False)
@router.get("/checkouts/{token}/cancelled", response_class=HTMLResponse)
async def show_cancelled(request: Request, token: str) -> Response:
    """Where PayFast sends a client that turned back."""
    return await _answer(request, token, _cancelled_page)


def _refusal(offer: Offer, now: datetime) -> Response | None:
    """The notice for a proposal that leads to no plan, None for one that does."""
    if offer.organization.slug != AGENCY_SLUG:
        return pages.message("proposal", "foreign", 403)
    state = offer.state(now)
    if state == "open":
        return pages.message("proposal", "not_accepted", 409, link=(offer.path, "Read and accept the proposal"))
    if state == "superseded":
        return pages.message("proposal", "superseded", 409)
    return pages.message("proposal", "expired", 410) if state == "expired" else None


async def _paid(request: Request, offer: Offer) -> str | None:
    return await paid_checkout_token(_master(request), _tenants(request), offer.organization, offer.proposal_id)


async def _plans(request: Request, offer: Offer, refused: ChoiceRefused | None = None) -> Response:
    """The cards with the terms of now, which their forms send back."""
    plans = await plans_on_offer(_master(request), offer.organization, request.app.state.now())
    html = (
        pages.environment()
        .get_template("plans.html.j2")
        .render(
            organization=offer.organization.name,
            proposal=offer.path,
            action=f"{offer.path}/plans",
            error=str(refused) if refused else None,
            cards=[(plan, money(plan.price_cents or 0, plan.currency or "")) for plan in plans],
        )
    )
    return pages.document(html, REFUSED_CHOICES[refused.fault] if refused else 200)


Page = Callable[[Request, PlacedCheckout, str], Response]


async def _answer(request: Request, token: str, page: Page) -> Response:
    if refusal := pages.throttle(request, "checkout"):
        return refusal
    try:
        placed = await open_checkout(_master(request), token)
        if placed is None:
            return pages.message("checkout", "unknown", 404)
        if placed.state(request.app.state.now()) == "settled":
            other = checkout_token(_tenants(request), placed.seller, placed.row["other_paid_id"])
            return pages.back_to(f"/checkouts/{other}/thanks")
        return page(request, placed, f"/checkouts/{token}")
    except pages.UNAVAILABLE as error:
        return pages.unavailable("checkout", error)


def _checkout_page(request: Request, placed: PlacedCheckout, path: str) -> Response:
    settings: Settings = request.app.state.settings
    now = request.app.state.now()
    state = placed.state(now)
    if state == "paid":
        return pages.back_to(f"{path}/thanks")
    if state != "open":
        return _ended(request, placed, state)
    row, zone = placed.row, zone_of(placed.seller.timezone)
    url, fields = payfast_form(settings, placed, path, now)
    html = (
        pages.environment()
        .get_template("checkout.html.j2")
        .render(
            seller=placed.seller.name,
            row=row,
            now_due=money(row["amount_cents"], "ZAR"),
            monthly=money(row["recurring_cents"], "ZAR"),
            first_charge=day(now.astimezone(zone).date() + timedelta(days=row["trial_days"])),
            valid_until=day(row["expires_at"].astimezone(zone).date()),
            plans=_plans_path(request, placed),
            action=url,
            fields=fields,
        )
    )
    return pages.document(html, form_action=_payfast_origins(url))


def _thanks_page(request: Request, placed: PlacedCheckout, path: str) -> Response:
    row = placed.row
    state = placed.state(request.app.state.now())
    if state != "paid":
        return _notice(placed, "waiting", path if state == "open" else None, refresh_seconds=5)
    if row["provisioning_state"] == "done":
        return _notice(placed, "ready")
    if row["provisioning_state"] in ("failed", "aborting", "aborted"):
        return _notice(placed, "delayed")
    return _notice(placed, "setting_up", refresh_seconds=5)


def _cancelled_page(request: Request, placed: PlacedCheckout, path: str) -> Response:
    state = placed.state(request.app.state.now())
    if state == "paid":
        return pages.back_to(f"{path}/thanks")
    return _notice(placed, "cancelled", path) if state == "open" else _ended(request, placed, state)


def _notice(
    placed: PlacedCheckout, kind: str, checkout: str | None = None, *, refresh_seconds: int | None = None
) -> Response:
    step = min(placed.row["steps_done"] + 1, len(STEPS))
    html = (
        pages.environment()
        .get_template("checkout_notice.html.j2")
        .render(
            kind=kind,
            seller=placed.seller.name,
            row=placed.row,
            paid=money(placed.row["amount_cents"], "ZAR"),
            monthly=money(placed.row["recurring_cents"], "ZAR"),
            checkout=checkout,
            refresh_seconds=refresh_seconds,
            step=step,
            steps=len(STEPS),
            step_words=STEP_WORDS[step - 1],
        )
    )
    return pages.document(html)


def _ended(request: Request, placed: PlacedCheckout, state: str) -> Response:
    return pages.message("checkout", state, 410, link=(_plans_path(request, placed), "Choose your plan again"))


def _plans_path(request: Request, placed: PlacedCheckout) -> str:
    return f"{proposal_path(_tenants(request), placed)}/plans"


def _payfast_origins(url: str) -> str:
    """Where the checkout's form may go, as a source list: to PayFast, and nowhere else."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return f"{origin} {PAYFAST_PAYMENT_PAGES}" if parts.netloc.endswith(".payfast.co.za") else origin


def _master(request: Request) -> MasterDb:
    return request.app.state.master


def _tenants(request: Request) -> Tenants:
    return request.app.state.tenants
