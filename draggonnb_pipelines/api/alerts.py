"""GET /alerts/{token} and the answer to it: somebody says that they see to what a mail alerted them of.

Lives here: which page or notice belongs to which state. Opening the page changes nothing, since mail scanners open
every link; only its button answers.
Not here: what a token stands for and the answer itself (`workflows/messages/acknowledgements.py`), what all public
pages have in common (`pages.py`).
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.domain.reports import is_web_address
from draggonnb_pipelines.workflows.leads.proposal_page import local_day
from draggonnb_pipelines.workflows.messages.acknowledgements import OpenedAlert, acknowledge, open_alert

router = APIRouter(tags=["alerts"])


@router.head("/alerts/{token}", include_in_schema=False)
@router.get("/alerts/{token}", response_class=HTMLResponse)
async def show_alert(request: Request, token: str) -> Response:
    """What happened, and the button, or who sees to it already."""
    return await _answer(request, token, is_answer=False)


@router.post("/alerts/{token}", response_class=HTMLResponse)
async def answer_alert(request: Request, token: str) -> Response:
    """Record the answer once; then back to the page, which says who gave it."""
    return await _answer(request, token, is_answer=True)


async def _answer(request: Request, token: str, *, is_answer: bool) -> Response:
    if refusal := pages.throttle(request, "alert"):
        return refusal
    state = request.app.state
    try:
        opened = await open_alert(state.master, state.tenants, token)
        if opened is None:
            return pages.message("alert", "unknown", 404)
        if not opened.may_answer:
            return pages.message("alert", "revoked", 403)
        if is_answer:
            await acknowledge(state.master, state.tenants, opened, now=state.now())
            return pages.back_to(f"/alerts/{token}#answer")  # also for a second click, and where somebody was quicker
    except pages.UNAVAILABLE as error:
        return pages.unavailable("alert", error)
    return pages.document(_html(opened, f"/alerts/{token}"))


def _html(opened: OpenedAlert, action: str) -> str:
    alert, organization = opened.alert, opened.organization
    zone = ZoneInfo(organization.timezone)
    answered_at: datetime | None = alert["acknowledged_at"]
    by = alert["acknowledged_by"]
    return (
        pages.environment()
        .get_template("alert.html.j2")
        .render(
            organization=organization.name,
            subject=alert["subject"],
            lines=alert["lines"],
            link=alert["link"] if alert["link"] and is_web_address(alert["link"]) else None,
            raised=_moment(alert["created_at"], zone),
            zone=zone.key,
            answered=_moment(answered_at, zone) if answered_at else None,
            answered_by="you" if by == opened.reader else by,
            reader=opened.reader,
            action=action,
        )
    )


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    return f"{local_day(moment, zone)}, {moment.astimezone(zone):%H:%M}"
